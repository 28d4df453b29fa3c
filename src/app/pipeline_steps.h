#pragma once

// What each step of a pipeline does, in terms of the factory's own use cases: dataset imports,
// train starts a run, gate judges the model version, deploy gives it an endpoint.
//
//   PipelineSteps steps(context, factory);
//   runner.add(flow::make_pipeline_kind(..., steps));
//
// Thread safety: as flow::StepActions.

#include <string>
#include <string_view>

#include "app/app.h"
#include "app/context.h"
#include "flow/pipeline_runner.h"

namespace cromford::app {

class PipelineSteps final : public flow::StepActions {
 public:
  PipelineSteps(Context& context, App& app) : context_(context), app_(app) {}

  std::string code_version() const override;
  absl::StatusOr<std::string> fingerprint(const flow::StepRequest& request) override;
  std::string identity(const flow::StepRequest& request, std::string_view output) override;
  bool is_usable(const flow::StepRequest& request, std::string_view output) override;
  absl::StatusOr<flow::StepStart> start(const flow::StepRequest& request) override;

 private:
  std::string request_id_of(const flow::StepRequest& request) const;
  absl::StatusOr<flow::StepStart> start_dataset(const flow::StepRequest& request);
  absl::StatusOr<flow::StepStart> start_train(const flow::StepRequest& request);
  absl::StatusOr<flow::StepStart> judge_gate(const flow::StepRequest& request);
  absl::StatusOr<flow::StepStart> deploy(const flow::StepRequest& request);
  // The sections `monitor` and `retrain`, with the gate, become the endpoint's policy.
  absl::Status put_policy(const flow::StepRequest& request, const std::string& endpoint);
  // What the endpoint of this line serves now.
  struct Served {
    std::string champion;  // "model@3", or "" where there is none.
    std::string etag;      // Of the endpoint's document; that of none where there is none.
  };
  absl::StatusOr<Served> served(const flow::StepRequest& request) const;
  // Whether the version of the train step's output was compared with what serves now, as far as the
  // gate asks for that.
  absl::StatusOr<bool> is_compared(const flow::StepRequest& request, const Versioned& model) const;
  absl::StatusOr<bool> holds(const flow::StepRequest& request, const base::Json& output) const;

  Context& context_;
  App& app_;
};

}  // namespace cromford::app
