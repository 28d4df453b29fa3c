#pragma once

// The pipeline file: the whole production line in one YAML document (docs/pipeline.md describes
// every key). It is checked wholly before anything is done: an error names line and key, and where
// a key is misspelt, the nearest one. YAML is read strictly: one document, no anchors and aliases,
// no repeated keys, limited in size and depth.
//
//   TRY(const flow::PipelineSpec spec, flow::parse_pipeline(yaml));
//   for (const flow::StepSpec& step : spec.steps) { ... step.name, step.settings ... }
//   resource["spec"] = flow::to_json(spec);
//
// Thread safety: functions and values.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace cromford::flow {

// One step. `settings` is a JSON object with the keys of the file and with defaults filled in:
//   dataset  {"name", "source": {"file"|"files"|"url"}, "query", "format", "mode", "key": [..],
//             "checks": [..]}; the checks are rules as ingest/check.h reads them
//   train    the body of POST runs: {"dataset", "target", "model", "where", "task", "metric",
//             "budget": {"time", "memory", "trials"}, "seed", "time_column", "group_column",
//             "weight_column", "ignore": [..], "learners": [..]}; "dataset" is the dataset step's
//             name where there is one, "model" the pipeline's name unless given
//   gate     {"rules": [{"metric", "comparison": ">=", "value"} |
//             {"better_than_champion": {"metric", "confidence"}}], "endpoint"?}
//   deploy   the body of PUT endpoints and its name: {"endpoint", "strategy", "percent", "model"}
// Optional keys that the file does not give are absent, unless a default is named here.
struct StepSpec {
  std::string name;
  std::string settings;

  bool operator==(const StepSpec&) const = default;
};

struct PipelineSpec {
  std::string name;
  std::vector<StepSpec> steps;  // In the order in which they run: dataset, train, gate, deploy.
  // What becomes of the endpoint's policy (app/endpoint_policy.h); JSON objects, or "null".
  std::string monitor = "null";
  std::string retrain = "null";
  std::vector<std::string> warnings;

  bool operator==(const PipelineSpec&) const = default;
};

// Words that other folders own. Where a list is empty, any word passes (and fails later).
struct PipelineWords {
  std::vector<std::string> metrics;
  std::vector<std::string> learners;
  std::vector<std::string> formats;
};

// Reads a file. INVALID_ARGUMENT names the first mistake as "line 7, train.budget.time: ..."; all
// mistakes (up to 50) are its field errors, with JSON pointers.
absl::StatusOr<PipelineSpec> parse_pipeline(std::string_view yaml, const PipelineWords& words = {});

// {"pipeline", "steps": [{"step", "settings"}], "monitor", "retrain", "warnings"}, and back;
// DATA_LOSS where it is not one.
base::Json to_json(const PipelineSpec& spec);
absl::StatusOr<PipelineSpec> pipeline_from_json(const base::Json& document);

}  // namespace cromford::flow
