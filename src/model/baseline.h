#pragma once

// What the training data looked like, on bins that the package itself defines, so that serving can
// count the same way with one increment per column, and drift is a comparison of two count arrays.
//
// Bins of a column without dictionary (numbers, booleans, dates in seconds, free text by its length
// in bytes): bin i holds edges[i-1] <= x < edges[i], i = 0 .. edges.size(); then one for missing.
// Bins of a text column with a dictionary: one for each of the first `category_count` codes, then
// other (rare), unseen and missing.
//
//   BinCounts counts(package.bin_layout());         // bin_layout.h
//   counts.add(batch);                              // one increment per column and row
//   counts.column(0), package.baseline().columns[0].counts;   // two arrays to compare
//
// Thread safety: Baseline is a value.

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/contract.h"
#include "model/features/pipeline.h"

namespace cromford::model {

class ByteReader;
class ByteWriter;

struct ColumnBaseline {
  std::vector<double> edges =
      {};                       // strictly ascending, finite; empty for columns with a dictionary
  uint32_t category_count = 0;  // 0 for columns without one
  std::vector<uint64_t> counts = {};  // bin_count() values, or empty where nothing was counted

  size_t bin_count(bool has_dictionary) const {
    return has_dictionary ? category_count + size_t{3} : edges.size() + 2;
  }
};

// The predictions on training (better: held out) rows. One histogram of edges.size() + 1 bins per
// series: the probability of each class (binary: of the positive class only), or the value.
struct PredictionBaseline {
  std::vector<double> edges = {};
  std::vector<uint64_t> counts = {};  // [series x (edges.size() + 1)], or empty
};

struct Baseline {
  std::vector<ColumnBaseline> columns = {};  // one per column of the contract, or empty
  PredictionBaseline prediction = {};
};

// INVALID_ARGUMENT names what does not fit the contract and pipeline. `series_count` is 1 for
// binary and regression, else the number of classes.
absl::Status check_baseline(const Baseline& baseline, const Contract& contract,
                            const FeaturePipeline& pipeline, size_t series_count);

// The form stored in a package. What decode gives is to be checked by check_baseline.
void encode_baseline(const Baseline& baseline, ByteWriter& out);
Baseline decode_baseline(ByteReader& in);

// The bin of the first edge above x; edges.size() where there is none. NaN is not allowed.
size_t bin_of(std::span<const double> edges, double x);

// At most `bin_count` edges for a baseline: all distinct finite values where there are no more of
// them, else values at equal steps of rank, the smallest first (so bin 0 is what lies below all of
// `values`). Ignores NaN and reorders `values`.
std::vector<double> quantile_edges(std::span<double> values, size_t bin_count);

}  // namespace cromford::model
