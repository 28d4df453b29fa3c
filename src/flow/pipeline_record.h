#pragma once

// What is remembered of pipelines: a record of every run with its steps (the history), and for each
// step what it depended on when it last succeeded (so that it can be skipped).
//
//   RunRecord record = new_record(spec, job.id, clock.now());
//   record.steps[0].state = "running";
//   TRY(metadata.commit({record_write("default", record)}));
//
// Thread safety: functions and values.

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "flow/pipeline_file.h"
#include "store/metadata.h"

namespace cromford::flow {

// All that a step depends on. Two steps with equal hashes do the same.
struct StepInputs {
  std::string settings;             // JSON
  std::vector<std::string> inputs;  // the identities of the outputs of the steps before
  std::string outside;              // StepActions::fingerprint
  std::string code_version;

  bool operator==(const StepInputs&) const = default;
  // 64 hexadecimal digits over all of it and the step's name.
  std::string hash(std::string_view step) const;
};

// The last success of a step.
struct StepMemory {
  StepInputs inputs;
  std::string hash;
  std::string output;  // JSON
  std::string identity;
  std::string run;
};

struct StepRecord {
  std::string step;
  std::string state = "waiting";  // waiting, running, succeeded, skipped, failed, cancelled
  std::string reason;             // Why it ran, was skipped or failed.
  std::string planned_job;        // The id that its job gets, written down before it is submitted.
  std::string job;                // The job, once it is submitted.
  std::string output = "null";    // JSON
  std::string identity;
  StepInputs inputs;
  std::optional<base::Time> started_at;
  std::optional<base::Time> finished_at;
};

struct RunRecord {
  std::string pipeline;
  std::string id;                 // that of the pipeline's job
  std::string state = "running";  // running, succeeded, failed, cancelled
  absl::Status error;
  base::Time started_at;
  std::optional<base::Time> finished_at;
  std::vector<StepRecord> steps;
};

RunRecord new_record(const PipelineSpec& spec, std::string_view id, base::Time now);

store::Write record_write(std::string_view project, const RunRecord& record);
store::Write memory_write(std::string_view project, std::string_view pipeline,
                          std::string_view step, const StepMemory& memory);

// nullopt where there is none; DATA_LOSS where it cannot be read.
absl::StatusOr<std::optional<RunRecord>> load_record(const store::Metadata& metadata,
                                                     std::string_view project,
                                                     std::string_view pipeline,
                                                     std::string_view id);
// nullopt where there is none that can be read: then the step simply runs.
absl::StatusOr<std::optional<StepMemory>> load_memory(const store::Metadata& metadata,
                                                      std::string_view project,
                                                      std::string_view pipeline,
                                                      std::string_view step);

// The record as the history shows it, from its stored text.
base::Json history_entry(std::string_view body);

inline constexpr std::string_view kRunDocumentKind = "pipeline_run";
inline constexpr std::string_view kStepDocumentKind = "pipeline_step";
// The beginning of the names of all documents of a pipeline.
std::string document_prefix(std::string_view pipeline);

}  // namespace cromford::flow
