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
  absl::StatusOr<flow::StepStart> start_dataset(const flow::StepRequest& request);
  absl::StatusOr<flow::StepStart> start_train(const flow::StepRequest& request);
  absl::StatusOr<flow::StepStart> judge_gate(const flow::StepRequest& request);
  absl::StatusOr<flow::StepStart> deploy(const flow::StepRequest& request);
  // The endpoint that this pipeline deploys to.
  std::string endpoint_of(const flow::StepRequest& request) const;
  // "model@3" of an endpoint's champion, or "".
  std::string champion_of(const std::string& project, const std::string& endpoint) const;

  Context& context_;
  App& app_;
};

}  // namespace cromford::app
