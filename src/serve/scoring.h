#pragma once

// The memory of one request and what both body formats do with it: rows on their way into each
// version, predictions on their way out, counting.
//
//   Scratch::Impl& memory = *scratch;
//   Lane& lane = memory.lane(variant_index);
//   lane.rows.reset(package.contract(), row_count);
//   lane.rows.set(row, column, value);
//   lane.predict(package);
//
// Thread safety: none; belongs to a Scratch.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "feedback/prediction_writer.h"
#include "model/package.h"
#include "model/row_batch.h"
#include "serve/endpoint.h"
#include "serve/json_body.h"
#include "serve/predict_json.h"
#include "serve/prediction_log.h"
#include "serve/row_columns.h"
#include "serve/scratch.h"
#include "serve/shadow_scorer.h"
#include "serve/tensor.h"

namespace cromford::serve {

// What one version has to do in one request.
struct Lane {
  RowColumns rows;
  model::Workspace workspace;
  model::Predictions predictions;
  std::vector<base::Time> times;  // Event times of its rows, where the request is split.
  bool failed = false;            // A shadow that could not read a row.

  void predict(const model::Package& package) {
    predictions = package.predict(rows.batch(), workspace);
  }
};

struct Scratch::Impl {
  // Where a row of the request went.
  struct Target {
    uint32_t variant;
    uint32_t row;  // Within the variant's lane.
  };

  JsonBody json;
  std::deque<Lane> lanes;  // One per variant of the endpoint.
  std::string generated_ids;
  std::vector<std::string_view> ids;  // One per row.
  std::vector<base::Time> times;      // Event times, one per row; empty: now.
  std::vector<Target> targets;        // One per row.
  std::vector<uint32_t> counts;       // Rows per variant.
  std::vector<Tensor> tensors;
  std::vector<uint64_t> stamps;  // Per key of the endpoint: the last row that named it.
  uint64_t stamp = 0;
  model::Workspace explain_workspace;
  model::Explanation explanation;
  RowValues row_values;  // On its way into the log.

  Lane& lane(size_t variant) {
    while (lanes.size() <= variant) {
      lanes.emplace_back();
    }
    return lanes[variant];
  }

  // Fills `ids` for `row_count` rows with new ids.
  void generate_ids(base::IdSource& source, size_t row_count);
  // Sends each row to the variant that its id chooses, and prepares the lanes.
  void assign(const Endpoint& endpoint, size_t row_count);
  // Sends all rows to one variant.
  void assign_all(const Endpoint& endpoint, size_t variant, size_t row_count);
  // After an unusually large body: gives the memory back.
  void shrink();

 private:
  void reset_lanes(const Endpoint& endpoint, size_t row_count);
};

// Ids go into logs and files beside other texts: 1 to `bytes_max` bytes, no control characters.
bool is_good_id(std::string_view id, size_t bytes_max);

// Hands all rows to the scorer of shadows, for every shadow. Shadows never change an answer.
void score_shadows(const PredictContext& context, const Endpoint& endpoint, Scratch::Impl& memory);

// What the rows of the request will cost, roughly, in nanoseconds of one core.
double estimated_work_ns(const Endpoint& endpoint, const Scratch::Impl& memory, bool with_reasons);

// Adds the rows that were answered to the log.
absl::Status log_answered(const PredictContext& context, const Endpoint& endpoint,
                          Scratch::Impl& memory, uint64_t latency_ns);
// Adds one row's prediction to the log.
struct LoggedRow {
  uint32_t layout = 0;
  std::string_view id;
  base::Time event_time;
  base::Time arrival_time;
  uint64_t latency_ns = 0;
};
absl::Status log_row(feedback::PredictionWriter& writer, const LoggedRow& logged,
                     const RowColumns& rows, const model::Predictions& predictions, size_t row,
                     RowValues& scratch);

// Counts the answered request, and the bins of its rows, for every version that had rows of it.
void count_answered(const PredictContext& context, const Endpoint& endpoint, Scratch::Impl& memory,
                    uint64_t latency_ns);

// Has `work` (which has answer()) write the answer of a request, and does what is
// the same for every body format: counting, shadows, giving back the memory of a large body.
template <typename Work>
absl::Status answer_and_count(const PredictContext& context, const Endpoint& endpoint,
                              Scratch::Impl& memory, size_t body_bytes, Work& work,
                              std::string& out) {
  constexpr size_t kKeptBodyBytes = size_t{1} << 20;
  const auto start = context.clock.monotonic();
  const size_t out_bytes = out.size();
  absl::Status status = work.answer(out);
  const auto latency_ns = static_cast<uint64_t>((context.clock.monotonic() - start).count());
  if (status.ok() && context.log != nullptr) {
    status = log_answered(context, endpoint, memory, latency_ns);
  }
  if (status.ok()) {
    count_answered(context, endpoint, memory, latency_ns);
    if (endpoint.has_shadows() && context.shadows != nullptr) {
      score_shadows(context, endpoint, memory);
    }
  } else {
    out.resize(out_bytes);
    if (!is_too_long_here(status)) {
      endpoint.refused().count({.failed = true});
    }
  }
  if (body_bytes > kKeptBodyBytes) {
    memory.shrink();
  }
  return status;
}

}  // namespace cromford::serve
