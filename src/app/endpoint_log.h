#pragma once

// The log of an endpoint as a dataset: closed segments become parts of an ordinary dataset version,
// so that training on live data, SQL on it and its lineage need no second mechanism.
//
//   log_dataset_name("late");                            // "late-log"
//   TRY(LogDataset now, read_log_dataset(context, "default", "late"));
//   const CompactionPlan plan = plan_compaction(now.parts, segments, rows_max);
//
// A version rests on parts, each made of some segments. A part is made again, by the next job, when
// outcomes came for its rows since, or, together with what is new, as long as it is small; a job
// rewrites a bounded number of rows. What a part rests on is kept beside the version's document.
//
// Thread safety: values and functions; the store is safe for any thread.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/context.h"
#include "base/json.h"
#include "base/status.h"
#include "feedback/log.h"
#include "flow/runner.h"
#include "table/manifest.h"

namespace cromford::app {

// "late-log"; of a name too long for that, its beginning and eight digits of its hash.
std::string log_dataset_name(std::string_view endpoint);

// A part of the dataset and what it was made of.
struct LogPart {
  table::ManifestPart part;  // `object` is empty where all rows of the segments were repeated ids.
  table::Schema schema;
  std::string profile_object;
  std::vector<uint32_t> segments;
  uint64_t late_outcomes = 0;  // That came since it was made.
};

// What the newest version holds; version 0: there is none yet.
struct LogDataset {
  int64_t version = 0;
  table::Schema schema;
  uint32_t outcomes_through = 0;  // Outcomes of segments up to here are counted in the parts.
  uint64_t outcomes_seen = 0;     // Joined or corrected, when the version was made.
  base::Time made_at{};
  std::vector<LogPart> parts;
};
// FAILED_PRECONDITION where a dataset of this name holds something else.
absl::StatusOr<LogDataset> read_log_dataset(const Context& context, const std::string& project,
                                            const std::string& endpoint);
// Whether a version's document is of such a dataset.
bool is_log_version(const base::Json& version_body);
base::Json to_json(const LogPart& part);
absl::StatusOr<LogPart> log_part_from(const base::Json& json);

// Segments that become one part each, and the parts that these take the place of.
struct CompactionPlan {
  std::vector<std::vector<uint32_t>> groups;
  std::vector<size_t> replaced;  // Positions among the parts, rising.
  int64_t row_count = 0;
  int64_t row_count_left = 0;  // Of what is due and did not fit.
};
// `segments`: all closed ones of the endpoint. At most `rows_max` rows, but one segment at least; a
// part of which a segment is gone stays as it is.
CompactionPlan plan_compaction(std::span<const LogPart> parts,
                               std::span<const feedback::SegmentShare> segments, int64_t rows_max);

// Whether the background should bring the dataset up to date: an hour after predictions or outcomes
// came that it does not hold, or when a whole segment is full of them.
absl::StatusOr<bool> compaction_is_due(const Context& context, const std::string& project,
                                       const std::string& endpoint);

flow::NewJob compaction_job(const std::string& project, const std::string& endpoint);
std::unique_ptr<flow::JobKind> make_compact_kind(Context& context);

}  // namespace cromford::app
