#pragma once

// The fitted feature pipeline, ready to be applied: raw rows in, a row-major float32 matrix out.
// It is the same code in training, serving, batch scoring and on the edge. Arithmetic is strict and
// uses no library whose results differ between machines, so the features are equal bit for bit.
//
//   TRY(FeaturePipeline pipeline, FeaturePipeline::create(contract, parts));
//   FeatureScratch scratch;
//   std::vector<float> matrix(batch.row_count * pipeline.feature_count());
//   pipeline.apply(batch, 0, batch.row_count, scratch, matrix);
//
// Thread safety: a pipeline may be used by several threads, each with its own FeatureScratch.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/contract.h"
#include "model/features/parts.h"
#include "model/row_batch.h"

namespace cromford::model {

class ByteReader;
class ByteWriter;

// Reusable memory of FeaturePipeline::apply.
struct FeatureScratch {
  std::vector<uint32_t> codes;   // [dictionary][row of the block]
  std::vector<uint32_t> unseen;  // per dictionary: values of the last apply() with no entry
  // As `codes`, but unseen_category() for values with no entry, whose code is that of rare ones.
  std::vector<uint32_t> categories;
  std::string text;
};

// The raw columns that a feature is made of: its player in an explanation. `second` differs from
// `first` for pairs only.
struct FeatureOrigin {
  uint32_t first = 0;
  uint32_t second = 0;
  friend bool operator==(const FeatureOrigin&, const FeatureOrigin&) = default;
};

// What a category of a text column became.
struct CategoryCode {
  uint32_t code = 0;
  bool unseen = false;
};

// The codes that follow those of a dictionary's kept entries (0 .. kept_count - 1) and of rare ones
// (kept_count).
constexpr uint32_t missing_category(uint32_t kept_count) {
  return kept_count + 1;
}
constexpr uint32_t unseen_category(uint32_t kept_count) {
  return kept_count + 2;
}

class FeaturePipeline {
 public:
  // Checks `parts` against the contract; INVALID_ARGUMENT names the transform that is wrong.
  static absl::StatusOr<FeaturePipeline> create(const Contract& contract,
                                                const PipelineParts& parts);
  // The form stored in a package. load() keeps views of the reader's bytes, which must outlive it.
  static absl::Status encode(const PipelineParts& parts, ByteWriter& out);
  static absl::StatusOr<FeaturePipeline> load(const Contract& contract, ByteReader& in);

  FeaturePipeline(FeaturePipeline&&) noexcept;
  FeaturePipeline& operator=(FeaturePipeline&&) noexcept;
  ~FeaturePipeline();

  size_t feature_count() const;
  // For people: "distance", "origin: mean of target", "departed: hour", "a - b".
  std::span<const std::string> feature_names() const;
  std::span<const FeatureOrigin> feature_origins() const;

  // Computes the features of the rows first_row .. first_row + row_count - 1 of `batch` into `out`,
  // row-major [row_count x feature_count()]. No allocation once `scratch` has seen such a batch.
  void apply(const RowBatch& batch, size_t first_row, size_t row_count, FeatureScratch& scratch,
             std::span<float> out) const;

  // The dictionary of a text column; -1 where it has none.
  int dictionary_of(size_t column) const;
  size_t dictionary_count() const;
  uint32_t kept_count(size_t dictionary) const;
  uint32_t entry_count(size_t dictionary) const;
  std::string_view entry(size_t dictionary, uint32_t index) const;
  // The code of a value; missing is kept_count + 1.
  CategoryCode code_of(size_t dictionary, std::string_view text) const;

  // Memory beside the bytes it was loaded from.
  size_t memory_bytes() const;

  struct Impl;  // features/fitted.h

 private:
  explicit FeaturePipeline(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cromford::model
