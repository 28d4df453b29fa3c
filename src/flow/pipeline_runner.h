#pragma once

// Carries out a pipeline: step after step, each skipped when nothing that it depends on has changed
// since it last succeeded. What a step *does* is app's business (StepActions); this is the order,
// the memory and the history.
//
//   runner.add(flow::make_pipeline_kind(metadata, runner, clock, actions));      // a job kind
//   runner.submit({.project = "default", .kind = "pipeline", .title = "pipeline flights-late",
//                  .payload = flow::pipeline_payload(spec)});
//   TRY(base::Json history, flow::pipeline_history(metadata, "default", "flights-late", {}));
//
// A step is known by a hash over its name, its settings, the identities of the outputs of all steps
// before it, what it reads from outside (StepActions::fingerprint), and the version of the code. It
// is skipped when that hash is the one of its last success and the output is still there.
//
// Crashes: the run is a document that is written before and after every step. A run that is taken
// up again goes on with the step it had reached; a job of that step which was already submitted is
// waited for, not submitted twice, because its id was written down first.
//
// Thread safety: the functions may be called from any thread; StepActions is called from the thread
// of each pipeline job, so by several where several pipelines run.

#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "flow/job.h"
#include "flow/pipeline_file.h"
#include "flow/runner.h"
#include "store/metadata.h"

namespace cromford::flow {

// One step of one run, as the actions see it.
struct StepRequest {
  std::string project;
  std::string pipeline;
  std::string run_id;
  std::string step;      // "dataset", "train", "gate", "deploy"
  std::string settings;  // JSON, see pipeline_file.h
  std::string outputs;   // JSON object: the output of every step before it, by its name
  std::string spec;      // JSON: the whole line as it was when the run began, see pipeline_file.h
  // The id under which the step submits its job (NewJob::id).
  std::string job_id;
};

// Either the job that does the work, whose result becomes the step's output, or the output itself
// (JSON object) of a step that is done already.
struct StepStart {
  std::optional<std::string> job_id;
  std::string output = "{}";
};

class StepActions {
 public:
  virtual ~StepActions() = default;

  // The version of the code that steps depend on; another one makes all steps run again.
  virtual std::string code_version() const = 0;
  // What the step reads from outside the line, as a text that changes when it changes: size and
  // time of a source file, the version that a dataset's name stands for. Of what the line itself
  // changes (an endpoint and its champion) the text would differ after each success; that is
  // is_usable's business.
  virtual absl::StatusOr<std::string> fingerprint(const StepRequest& request) = 0;
  // What the steps after it depend on, out of a step's output: "flights@3", a package's hash.
  virtual std::string identity(const StepRequest& request, std::string_view output) = 0;
  // Whether a recorded output still holds: its dataset version was not deleted, the champion is the
  // one that the gate compared with, the endpoint serves what was deployed.
  virtual bool is_usable(const StepRequest& request, std::string_view output) = 0;
  // Begins the step. Called again after a crash only where no job was submitted yet, so work that
  // is done inside it must be idempotent. FAILED_PRECONDITION: a gate or check says no.
  virtual absl::StatusOr<StepStart> start(const StepRequest& request) = 0;
};

// The kind "pipeline" for the runner. All that it is given must outlive it.
std::unique_ptr<InServerKind> make_pipeline_kind(store::Metadata& metadata, Runner& runner,
                                                 base::Clock& clock, base::IdSource& ids,
                                                 StepActions& actions);

// The payload of a job of that kind.
std::string pipeline_payload(const PipelineSpec& spec);

// As store::ListQuery; the newest run comes first where no order is given.
struct HistoryQuery {
  int32_t page_size = 0;
  std::string page_token{};
  std::string filter{};
  std::string order_by{};
};

// {"runs": [{"id", "state", "started_at", "finished_at", "error", "steps": [{"step", "state":
// "succeeded|skipped|failed|cancelled|running|waiting", "reason", "job", "result", "seconds"}]}],
// "next_page_token"}, the newest first. `reason` says why a step was skipped, ran or failed.
absl::StatusOr<base::Json> pipeline_history(const store::Metadata& metadata,
                                            std::string_view project, std::string_view pipeline,
                                            const HistoryQuery& query);

// Forgets history and memory of a pipeline, for when it is deleted.
absl::Status forget_pipeline(store::Metadata& metadata, std::string_view project,
                             std::string_view pipeline);

}  // namespace cromford::flow
