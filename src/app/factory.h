#pragma once

// The factory: the one implementation of app::App. Its members are spread over the files named
// after what they deal with: datasets.cc, runs.cc, models.cc, endpoints.cc, predictions.cc,
// pipelines.cc, jobs.cc; factory.cc opens and closes it.
//
// Thread safety: as app::App.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "app/alert_sender.h"
#include "app/app.h"
#include "app/context.h"
#include "app/deletion.h"
#include "app/endpoint_host.h"
#include "app/log_upkeep.h"
#include "app/monitoring.h"
#include "app/pipeline_steps.h"
#include "app/queries.h"
#include "app/resources.h"
#include "app/rounds.h"
#include "base/limits.h"
#include "lifecycle/machine.h"
#include "monitor/alerts.h"
#include "serve/predict_json.h"
#include "serve/registry.h"
#include "serve/shadow_scorer.h"
#include "table/engine.h"
#include "table/export.h"

namespace cromford::app {

class Factory final : public App {
 public:
  explicit Factory(std::unique_ptr<Context> context);
  ~Factory() override;

  // Registers the kinds of jobs, brings the endpoints up, takes up unfinished jobs.
  absl::Status open();

  const base::Limits& limits() const override { return context_->options.limits; }
  void end_queries() override { queries_.stop(); }
  void stop() override;

  absl::StatusOr<base::Json> list_datasets(const std::string& project,
                                           const ListRequest& request) override;
  absl::StatusOr<base::Json> dataset(const std::string& project, const std::string& name) override;
  absl::Status delete_dataset(const std::string& project, const std::string& name) override;
  absl::StatusOr<base::Json> list_dataset_versions(const std::string& project,
                                                   const std::string& name,
                                                   const ListRequest& request) override;
  absl::StatusOr<base::Json> dataset_version(const std::string& project, const std::string& name,
                                             const std::string& version) override;
  absl::StatusOr<base::Json> start_import(const Caller& caller, const std::string& project,
                                          const std::string& name, ImportRequest request) override;
  absl::StatusOr<base::Json> dataset_rows(const std::string& project, const std::string& name,
                                          const std::string& version,
                                          const RowsRequest& request) override;
  absl::StatusOr<base::Json> dataset_quarantine(const std::string& project, const std::string& name,
                                                const std::string& version, int64_t limit) override;
  absl::StatusOr<Download> export_dataset(const std::string& project, const std::string& name,
                                          const std::string& version, const std::string& format,
                                          const std::string& where) override;
  absl::StatusOr<base::Json> diff_dataset(const std::string& project, const std::string& name,
                                          const std::string& from, const std::string& to) override;

  absl::StatusOr<base::Json> start_run(const Caller& caller, const std::string& project,
                                       const base::Json& request) override;
  absl::StatusOr<base::Json> list_runs(const std::string& project,
                                       const ListRequest& request) override;
  absl::StatusOr<base::Json> run(const std::string& project, const std::string& id) override;
  absl::StatusOr<base::Json> cancel_run(const std::string& project, const std::string& id) override;

  absl::StatusOr<base::Json> list_models(const std::string& project,
                                         const ListRequest& request) override;
  absl::StatusOr<base::Json> model(const std::string& project, const std::string& name) override;
  absl::Status delete_model(const std::string& project, const std::string& name) override;
  absl::StatusOr<base::Json> list_model_versions(const std::string& project,
                                                 const std::string& name,
                                                 const ListRequest& request) override;
  absl::StatusOr<base::Json> model_version(const std::string& project, const std::string& name,
                                           const std::string& version) override;
  absl::StatusOr<std::string> model_card(const std::string& project, const std::string& name,
                                         const std::string& version,
                                         const std::string& format) override;
  absl::StatusOr<Download> model_package(const std::string& project, const std::string& name,
                                         const std::string& version) override;
  absl::StatusOr<base::Json> import_model(const std::string& project, const std::string& name,
                                          const std::filesystem::path& spooled_file) override;
  absl::StatusOr<base::Json> start_evaluation(const Caller& caller, const std::string& project,
                                              const std::string& name, const std::string& version,
                                              const base::Json& request) override;
  absl::StatusOr<base::Json> start_scoring(const Caller& caller, const std::string& project,
                                           const std::string& name, const std::string& version,
                                           const base::Json& request,
                                           const std::filesystem::path& spooled_file) override;

  absl::StatusOr<base::Json> list_endpoints(const std::string& project,
                                            const ListRequest& request) override;
  absl::StatusOr<base::Json> endpoint(const std::string& project, const std::string& name) override;
  absl::StatusOr<base::Json> deploy(const std::string& project, const std::string& name,
                                    const base::Json& request, const IfMatch& if_match) override;
  absl::StatusOr<base::Json> split_endpoint(const std::string& project, const std::string& name,
                                            const base::Json& request,
                                            const IfMatch& if_match) override;
  absl::StatusOr<base::Json> promote_endpoint(const std::string& project, const std::string& name,
                                              const IfMatch& if_match) override;
  absl::StatusOr<base::Json> rollback_endpoint(const std::string& project, const std::string& name,
                                               const IfMatch& if_match) override;
  absl::Status delete_endpoint(const std::string& project, const std::string& name,
                               const IfMatch& if_match) override;
  absl::StatusOr<base::Json> monitor_endpoint(const std::string& project, const std::string& name,
                                              const std::string& from, const std::string& to,
                                              const std::string& window) override;
  absl::StatusOr<base::Json> check_endpoint(const std::string& project,
                                            const std::string& name) override;
  absl::StatusOr<base::Json> lifecycle(const std::string& project,
                                       const std::string& name) override;
  absl::StatusOr<base::Json> retrain_endpoint(const std::string& project, const std::string& name,
                                              const base::Json& request) override;
  absl::StatusOr<base::Json> decide_candidate(const std::string& project, const std::string& name,
                                              const base::Json& request, bool yes) override;
  absl::StatusOr<base::Json> loop_evidence(const std::string& project, const std::string& name,
                                           const std::string& hash) override;
  absl::StatusOr<base::Json> endpoint_policy(const std::string& project,
                                             const std::string& name) override;
  absl::StatusOr<base::Json> put_endpoint_policy(const std::string& project,
                                                 const std::string& name, const base::Json& request,
                                                 const IfMatch& if_match) override;

  absl::Status predict_json(std::string_view project, std::string_view endpoint,
                            std::string_view body, bool ignore_unknown, bool quick_only,
                            std::string& out) override;
  absl::Status open_inference_infer(std::string_view model, std::string_view version,
                                    std::string_view body, bool quick_only,
                                    std::string& out) override;
  absl::StatusOr<std::string> open_inference_metadata(std::string_view model,
                                                      std::string_view version) override;
  absl::StatusOr<bool> open_inference_ready(std::string_view model,
                                            std::string_view version) override;
  std::string open_inference_server_metadata() override;

  bool has_uncommitted_predictions() override;
  void commit_predictions(std::function<void(absl::Status)> done) override;
  void add_outcomes(std::string_view project, std::string_view endpoint, std::string_view body,
                    std::function<void(absl::StatusOr<std::string>)> done) override;
  absl::StatusOr<base::Json> start_outcomes(const Caller& caller, const std::string& project,
                                            const std::string& endpoint, const std::string& format,
                                            const std::string& source_name,
                                            const std::filesystem::path& spooled_file) override;
  absl::StatusOr<Download> endpoint_log(const std::string& project, const std::string& endpoint,
                                        const std::string& from, const std::string& to,
                                        const std::string& format) override;
  absl::StatusOr<base::Json> start_compaction(const Caller& caller, const std::string& project,
                                              const std::string& endpoint) override;
  absl::StatusOr<base::Json> prediction(const std::string& project, const std::string& endpoint,
                                        const std::string& id) override;

  absl::StatusOr<base::Json> list_alerts(const std::string& project,
                                         const ListRequest& request) override;
  absl::StatusOr<base::Json> alert(const std::string& project, const std::string& id) override;
  absl::StatusOr<base::Json> acknowledge_alert(const std::string& project,
                                               const std::string& id) override;
  absl::StatusOr<base::Json> silence_alert(const std::string& project, const std::string& id,
                                           const base::Json& request) override;

  absl::StatusOr<base::Json> list_pipelines(const std::string& project,
                                            const ListRequest& request) override;
  absl::StatusOr<base::Json> pipeline(const std::string& project, const std::string& name) override;
  absl::StatusOr<base::Json> apply_pipeline(const Caller& caller, const std::string& project,
                                            const std::string& name, std::string_view yaml,
                                            const std::filesystem::path& folder) override;
  absl::Status delete_pipeline(const std::string& project, const std::string& name) override;
  absl::StatusOr<base::Json> run_pipeline(const Caller& caller, const std::string& project,
                                          const std::string& name) override;
  absl::StatusOr<base::Json> pipeline_history(const std::string& project, const std::string& name,
                                              const ListRequest& request) override;

  absl::StatusOr<std::optional<std::string>> find_note(const std::string& key) override;
  absl::Status put_note(const std::string& key, const std::string& text) override;
  absl::Status remove_note(const std::string& key) override;

  absl::StatusOr<base::Json> list_audit(const std::string& project,
                                        const AuditRequest& request) override;
  absl::StatusOr<base::Json> audit_checkpoint(std::optional<int64_t> from_size) override;
  absl::StatusOr<base::Json> audit_entry(const std::string& project,
                                         const std::string& id) override;
  absl::StatusOr<Download> export_audit() override;
  absl::StatusOr<base::Json> lineage(const std::string& project,
                                     const std::string& object) override;

  absl::StatusOr<base::Json> list_jobs(const std::string& project,
                                       const ListRequest& request) override;
  absl::StatusOr<base::Json> job(const std::string& project, const std::string& id) override;
  absl::StatusOr<base::Json> cancel_job(const std::string& project, const std::string& id) override;
  absl::StatusOr<std::string> job_log(const std::string& project, const std::string& id) override;
  absl::StatusOr<Download> job_file(const std::string& project, const std::string& id) override;
  flow::EventHub& events() override;

  base::Json status() override;
  std::string metrics_text() override;
  absl::Status ready() override;
  std::filesystem::path spool_directory() override;
  absl::Status announce(const std::string& address, const std::string& owner_token) override;

 private:
  std::filesystem::path new_temporary_file() const;
  // Commits what `change` makes of the loop's state, again where the loop was faster; `action`: as
  // the audit log tells of it.
  absl::StatusOr<base::Json> change_loop(
      const std::string& project, const std::string& name, const std::string& action,
      const std::function<absl::Status(lifecycle::State&)>& change);
  absl::Status set_loop_traffic(const EndpointName& name, const lifecycle::Traffic& traffic);
  // DuckDB for small questions in the server itself; made when first needed.
  absl::StatusOr<table::Engine*> query_engine();
  absl::Status open_log();
  base::Json alert_counts() const;
  absl::Status open_audit();
  // The stages of the rounds, in their order.
  void add_stages();
  // Writes rows that meet a user's condition to a file, in a process of their own.
  absl::StatusOr<Download> export_rows(const table::StoredTable& stored, table::ExportFormat format,
                                       const std::string& where, const std::string& file_name);
  // The jobs that a use case started, as the API shows them.
  absl::StatusOr<base::Json> submit(flow::NewJob job);
  // Commits what `plan` makes of the endpoint's body at this moment, and gives the endpoint.
  absl::StatusOr<base::Json> replan_endpoint(
      const std::string& project, const std::string& name, const IfMatch& if_match, EtagRule rule,
      const std::function<absl::StatusOr<base::Json>(const base::Json& before,
                                                     const std::string& at)>& plan);
  // `action` is what the audit log calls it.
  absl::StatusOr<base::Json> change_alert(
      const std::string& project, const std::string& id, const std::string& action,
      const std::function<absl::StatusOr<monitor::Alert>(monitor::Alert)>& change);
  absl::Status describe_champion(const std::string& project, base::Json& endpoint) const;
  // Commits what `change` makes of the endpoint's body, if nobody was faster, and serves it. A
  // document of the revision kMustNotExist is made.
  absl::Status change_endpoint(
      const std::string& project, const store::Document& document,
      const std::function<absl::StatusOr<base::Json>(const base::Json&)>& change);

  std::unique_ptr<Context> context_;
  std::unique_ptr<PipelineSteps> steps_;
  Queries queries_;
  std::unique_ptr<serve::ShadowScorer> shadows_;  // From open() to stop().
  serve::PredictContext predict_context_;
  serve::Registry registry_;
  EndpointHost host_;
  Monitoring monitoring_;
  std::unique_ptr<AlertSender> sender_;
  Rounds rounds_;
  std::mutex engine_mutex_;
  std::unique_ptr<table::Engine> engine_;
  std::unique_ptr<Sweeper> sweeper_;
  std::unique_ptr<LogUpkeep> log_upkeep_;
  std::atomic<uint64_t> note_count_{0};  // Put since the start.
  std::mutex deploy_mutex_;              // Endpoints are changed one at a time.
  base::Time started_at_;
};

// NOT_FOUND; `what` is what the caller's protocol calls it.
absl::Status no_such_endpoint(std::string_view name, std::string_view what = "endpoint");

}  // namespace cromford::app
