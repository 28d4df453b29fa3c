#pragma once

// The job behind a training run: the server's half. The child (train_worker.cc) leaves a package
// and a report; the server stores the package as the next version of the model and completes the
// run's document. A run that is killed or cancelled keeps the best model it had found.
//
// Thread safety: as flow::JobKind.

#include <memory>
#include <string>
#include <string_view>

#include "app/context.h"
#include "flow/runner.h"

namespace cromford::app {

// A training request that was checked wholly. `champion` ("late@3", or "") is compared with the new
// model on the run's test rows.
struct TrainJob {
  std::string model;
  std::string dataset;
  int64_t dataset_version = 0;
  std::string champion;
  base::Json settings;
  std::string request_id = {};  // Of the request that asked for it.
};
// `request` is the body of POST runs.
absl::StatusOr<TrainJob> make_train_job(const Context& context, const std::string& project,
                                        const base::Json& request, const std::string& champion);
// Makes the run and its job; an empty `job_id` makes a new one. Idempotent for a given id.
absl::StatusOr<flow::Job> submit_train_job(const Context& context, const std::string& project,
                                           const TrainJob& train, const std::string& job_id);

std::unique_ptr<flow::JobKind> make_train_kind(Context& context);

// Brings runs that a dead server left unfinished to the state of their jobs; before the runner is
// started, which takes the jobs up that are not final.
absl::Status settle_runs(const Context& context);

// "flights" and "late" make "flights-late": the name of a model that the user did not name.
std::string default_model_name(std::string_view dataset, std::string_view target);

// What a package says of itself, as the fields of a model version: task, target, classes,
// positive_class, columns, metrics, split, importance, warnings, lineage, package.
absl::StatusOr<base::Json> model_version_body(const base::Json& report,
                                              const std::string& package_object,
                                              uint64_t package_bytes);

}  // namespace cromford::app
