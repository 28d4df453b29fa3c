#pragma once

// The use cases of the factory, free of any transport: what HTTP (and later gRPC) calls. Each use
// case takes names and plain request structs and answers with the resource documents that the HTTP
// API promises (docs/api.md), so that a transport only parses, calls and maps errors.
//
//   TRY(auto app, app::App::create(options));
//   TRY(base::Json job, app->start_import(caller, "default", "flights", request));
//   TRY(base::Json dataset, app->dataset_version("default", "flights", "latest"));
//
// Thread safety: every member may be called from any thread. Members named `start_*` return at
// once with a job document; all other members but `predict_*` may block on disk and belong on a
// pool, not on an event loop.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"
#include "base/json.h"
#include "base/status.h"

namespace cromford::flow {
class EventHub;
}

namespace cromford::app {

// Who asks. `owner` is the one who proved to be the owner of the home (the token in
// home/run/server.json); only the owner may name files of the server's machine as sources.
struct Caller {
  bool owner = false;
  std::string request_id;
};

// The parameters that every list takes (docs/api.md, "Lists").
struct ListRequest {
  int page_size = 50;
  std::string page_token;
  std::string filter;
  std::string order_by;
  std::vector<std::string> fields;  // Empty: all.
};

// Where the rows of a new dataset version come from: exactly one of the three.
struct ImportRequest {
  // A body that the transport has already written to this file; it is taken over with the job.
  std::filesystem::path spooled_file;
  std::vector<std::string> files;  // Paths on the server's machine; only for the owner.
  std::string url;

  std::string source_name;  // What to call a spooled file in lineage, e.g. "orders.csv".
  std::string format;       // "csv", "tsv", "json", "jsonl", "parquet", "arff"; empty: find out.
  std::string query;        // SQL over the table `input`; empty: all rows as they are.
  std::vector<std::string> key;  // Columns that identify a row; checked to be unique and present.
  std::string checks_json;       // Rules (docs/checks.md) as a JSON array; empty: none.
  std::string checks_text;       // The same as a file that people write: YAML or JSON.
  bool append = false;
};

// A file for the caller to read; removed after it was sent if `temporary`.
struct Download {
  std::filesystem::path path;
  std::string content_type;
  std::string file_name;
  bool temporary = false;
};

// What of the audit log is asked for; empty: all. Times are RFC 3339 or dates.
struct AuditRequest {
  ListRequest list;
  std::string object;  // "endpoint/late"
  std::string actor;
  std::string from;  // The first time.
  std::string to;    // The first time that is no more meant.
  std::string at;    // What was true of the object at this time is answered too.
};

struct RowsRequest {
  int64_t limit = 100;
  int64_t offset = 0;
  std::string where;
};

// The answer of a prediction body: bytes to send as they are, with the HTTP status of its protocol.
struct BodyAnswer {
  int http_status = 200;
  std::string content_type = "application/json";
};

// Preconditions of an update (HTTP If-Match); nullopt: none was sent.
using IfMatch = std::optional<std::string>;

// The refusal of a prediction only because it was asked for with `quick_only`: nothing was done,
// and it is to be asked again on a thread that may take its time.
absl::Status too_long_here();
bool is_too_long_here(const absl::Status& status);

class App {
 public:
  static absl::StatusOr<std::unique_ptr<App>> create(Options options);
  virtual ~App() = default;

  // Ends the queries that requests wait for, which then answer UNAVAILABLE; comes before stop().
  virtual void end_queries() = 0;
  // Takes no new work, cancels what is queued, waits for what must not be cut off.
  virtual void stop() = 0;

  // What requests are held to; stays the same for as long as the factory lives.
  virtual const base::Limits& limits() const = 0;

  // --- datasets -------------------------------------------------------------------------------
  virtual absl::StatusOr<base::Json> list_datasets(const std::string& project,
                                                   const ListRequest& request) = 0;
  virtual absl::StatusOr<base::Json> dataset(const std::string& project,
                                             const std::string& name) = 0;
  virtual absl::Status delete_dataset(const std::string& project, const std::string& name) = 0;
  virtual absl::StatusOr<base::Json> list_dataset_versions(const std::string& project,
                                                           const std::string& name,
                                                           const ListRequest& request) = 0;
  // `version` is a number or "latest", here and below.
  virtual absl::StatusOr<base::Json> dataset_version(const std::string& project,
                                                     const std::string& name,
                                                     const std::string& version) = 0;
  virtual absl::StatusOr<base::Json> start_import(const Caller& caller, const std::string& project,
                                                  const std::string& name,
                                                  ImportRequest request) = 0;
  virtual absl::StatusOr<base::Json> dataset_rows(const std::string& project,
                                                  const std::string& name,
                                                  const std::string& version,
                                                  const RowsRequest& request) = 0;
  virtual absl::StatusOr<base::Json> dataset_quarantine(const std::string& project,
                                                        const std::string& name,
                                                        const std::string& version,
                                                        int64_t limit) = 0;
  // `format`: "csv", "jsonl" or "parquet".
  virtual absl::StatusOr<Download> export_dataset(const std::string& project,
                                                  const std::string& name,
                                                  const std::string& version,
                                                  const std::string& format,
                                                  const std::string& where) = 0;
  virtual absl::StatusOr<base::Json> diff_dataset(const std::string& project,
                                                  const std::string& name, const std::string& from,
                                                  const std::string& to) = 0;

  // --- training runs --------------------------------------------------------------------------
  // `request` is the body of POST runs.
  virtual absl::StatusOr<base::Json> start_run(const Caller& caller, const std::string& project,
                                               const base::Json& request) = 0;
  virtual absl::StatusOr<base::Json> list_runs(const std::string& project,
                                               const ListRequest& request) = 0;
  virtual absl::StatusOr<base::Json> run(const std::string& project, const std::string& id) = 0;
  virtual absl::StatusOr<base::Json> cancel_run(const std::string& project,
                                                const std::string& id) = 0;

  // --- models ---------------------------------------------------------------------------------
  virtual absl::StatusOr<base::Json> list_models(const std::string& project,
                                                 const ListRequest& request) = 0;
  virtual absl::StatusOr<base::Json> model(const std::string& project, const std::string& name) = 0;
  virtual absl::Status delete_model(const std::string& project, const std::string& name) = 0;
  virtual absl::StatusOr<base::Json> list_model_versions(const std::string& project,
                                                         const std::string& name,
                                                         const ListRequest& request) = 0;
  virtual absl::StatusOr<base::Json> model_version(const std::string& project,
                                                   const std::string& name,
                                                   const std::string& version) = 0;
  // `format`: "json", "md" or "html".
  virtual absl::StatusOr<std::string> model_card(const std::string& project,
                                                 const std::string& name,
                                                 const std::string& version,
                                                 const std::string& format) = 0;
  virtual absl::StatusOr<Download> model_package(const std::string& project,
                                                 const std::string& name,
                                                 const std::string& version) = 0;
  // Checks every byte of the package and stores it as the next version of the model.
  virtual absl::StatusOr<base::Json> import_model(const std::string& project,
                                                  const std::string& name,
                                                  const std::filesystem::path& spooled_file) = 0;
  virtual absl::StatusOr<base::Json> start_evaluation(const Caller& caller,
                                                      const std::string& project,
                                                      const std::string& name,
                                                      const std::string& version,
                                                      const base::Json& request) = 0;
  // Batch scoring of a dataset version or of a spooled file (which is removed afterwards). The
  // job's result names the file to fetch with `job_file`.
  virtual absl::StatusOr<base::Json> start_scoring(const Caller& caller, const std::string& project,
                                                   const std::string& name,
                                                   const std::string& version,
                                                   const base::Json& request,
                                                   const std::filesystem::path& spooled_file) = 0;

  // --- endpoints ------------------------------------------------------------------------------
  virtual absl::StatusOr<base::Json> list_endpoints(const std::string& project,
                                                    const ListRequest& request) = 0;
  virtual absl::StatusOr<base::Json> endpoint(const std::string& project,
                                              const std::string& name) = 0;
  virtual absl::StatusOr<base::Json> deploy(const std::string& project, const std::string& name,
                                            const base::Json& request, const IfMatch& if_match) = 0;
  virtual absl::StatusOr<base::Json> split_endpoint(const std::string& project,
                                                    const std::string& name,
                                                    const base::Json& request,
                                                    const IfMatch& if_match) = 0;
  virtual absl::StatusOr<base::Json> promote_endpoint(const std::string& project,
                                                      const std::string& name,
                                                      const IfMatch& if_match) = 0;
  virtual absl::StatusOr<base::Json> rollback_endpoint(const std::string& project,
                                                       const std::string& name,
                                                       const IfMatch& if_match) = 0;
  virtual absl::Status delete_endpoint(const std::string& project, const std::string& name,
                                       const IfMatch& if_match) = 0;
  // What the windows of the endpoint say (app/monitoring.h); times as of endpoint_log, `window` as
  // "1d", empty for the default.
  virtual absl::StatusOr<base::Json> monitor_endpoint(const std::string& project,
                                                      const std::string& name,
                                                      const std::string& from,
                                                      const std::string& to,
                                                      const std::string& window) = 0;
  // A round of the endpoint at once, and what its stages found (app/rounds.h).
  virtual absl::StatusOr<base::Json> check_endpoint(const std::string& project,
                                                    const std::string& name) = 0;
  // Where the endpoint's loop stands and how it came there (lifecycle/state.h).
  virtual absl::StatusOr<base::Json> lifecycle(const std::string& project,
                                               const std::string& name) = 0;
  // Asks for a candidate: {"reason"}. FAILED_PRECONDITION while a run is under way.
  virtual absl::StatusOr<base::Json> retrain_endpoint(const std::string& project,
                                                      const std::string& name,
                                                      const base::Json& request) = 0;
  // A person's yes or no: {"evidence", "note"}. ALREADY_EXISTS where the evidence is another one.
  virtual absl::StatusOr<base::Json> decide_candidate(const std::string& project,
                                                      const std::string& name,
                                                      const base::Json& request, bool yes) = 0;
  // What a decision of the loop rests on, by the hash that its history names.
  virtual absl::StatusOr<base::Json> loop_evidence(const std::string& project,
                                                   const std::string& name,
                                                   const std::string& hash) = 0;
  // What its owner wants of the endpoint (app/endpoint_policy.h); the defaults where nothing was
  // put.
  virtual absl::StatusOr<base::Json> endpoint_policy(const std::string& project,
                                                     const std::string& name) = 0;
  virtual absl::StatusOr<base::Json> put_endpoint_policy(const std::string& project,
                                                         const std::string& name,
                                                         const base::Json& request,
                                                         const IfMatch& if_match) = 0;

  // --- predictions: synchronous, meant for the event loop itself --------------------------------
  // Appends the answer's body to `out`. `ignore_unknown` is `?unknown=ignore`. With `quick_only`
  // what would hold up an event loop is refused, see is_too_long_here().
  virtual absl::Status predict_json(std::string_view project, std::string_view endpoint,
                                    std::string_view body, bool ignore_unknown, bool quick_only,
                                    std::string& out) = 0;
  // Open Inference Protocol V2. `model` is "endpoint" or "project.endpoint"; an empty `version`
  // follows the traffic split. The errors of this protocol are rendered by the transport.
  virtual absl::Status open_inference_infer(std::string_view model, std::string_view version,
                                            std::string_view body, bool quick_only,
                                            std::string& out) = 0;
  virtual absl::StatusOr<std::string> open_inference_metadata(std::string_view model,
                                                              std::string_view version) = 0;
  virtual absl::StatusOr<bool> open_inference_ready(std::string_view model,
                                                    std::string_view version) = 0;
  virtual std::string open_inference_server_metadata() = 0;

  // --- the log of predictions and outcomes ------------------------------------------------------
  // Predictions that the calling thread has answered and that are not safe yet; their answers must
  // wait until `done` is called (once, from any thread).
  virtual bool has_uncommitted_predictions() = 0;
  virtual void commit_predictions(std::function<void(absl::Status)> done) = 0;
  // The body of `:outcomes`. `done` gets the answer's body once the outcomes are on disk, from any
  // thread, or at once what is wrong with the request. Quick: meant for the event loop.
  virtual void add_outcomes(std::string_view project, std::string_view endpoint,
                            std::string_view body,
                            std::function<void(absl::StatusOr<std::string>)> done) = 0;
  // Outcomes from an uploaded file with the columns id, value and at, which is taken over with the
  // job. `format` is one of an import's; empty: find out.
  virtual absl::StatusOr<base::Json> start_outcomes(const Caller& caller,
                                                    const std::string& project,
                                                    const std::string& endpoint,
                                                    const std::string& format,
                                                    const std::string& source_name,
                                                    const std::filesystem::path& spooled_file) = 0;
  // The predictions with their outcomes whose event times lie from `from` up to before `to` (RFC
  // 3339 or dates; empty: no limit), as a file; `format` as of export_dataset.
  virtual absl::StatusOr<Download> endpoint_log(const std::string& project,
                                                const std::string& endpoint,
                                                const std::string& from, const std::string& to,
                                                const std::string& format) = 0;
  // Brings the dataset of the endpoint's log up to date (docs/feedback.md) at once.
  virtual absl::StatusOr<base::Json> start_compaction(const Caller& caller,
                                                      const std::string& project,
                                                      const std::string& endpoint) = 0;
  // A prediction with its outcome.
  virtual absl::StatusOr<base::Json> prediction(const std::string& project,
                                                const std::string& endpoint,
                                                const std::string& id) = 0;

  // --- alerts -----------------------------------------------------------------------------------
  virtual absl::StatusOr<base::Json> list_alerts(const std::string& project,
                                                 const ListRequest& request) = 0;
  virtual absl::StatusOr<base::Json> alert(const std::string& project, const std::string& id) = 0;
  virtual absl::StatusOr<base::Json> acknowledge_alert(const std::string& project,
                                                       const std::string& id) = 0;
  // `request` is {"until": time}: nothing is sent of it before.
  virtual absl::StatusOr<base::Json> silence_alert(const std::string& project,
                                                   const std::string& id,
                                                   const base::Json& request) = 0;

  // --- pipelines ------------------------------------------------------------------------------
  virtual absl::StatusOr<base::Json> list_pipelines(const std::string& project,
                                                    const ListRequest& request) = 0;
  virtual absl::StatusOr<base::Json> pipeline(const std::string& project,
                                              const std::string& name) = 0;
  // Checks the whole file before anything is changed. File sources are only for the owner; relative
  // ones are seen from `folder`, where the file lies (empty: there must be none).
  virtual absl::StatusOr<base::Json> apply_pipeline(const Caller& caller,
                                                    const std::string& project,
                                                    const std::string& name, std::string_view yaml,
                                                    const std::filesystem::path& folder) = 0;
  virtual absl::Status delete_pipeline(const std::string& project, const std::string& name) = 0;
  virtual absl::StatusOr<base::Json> run_pipeline(const Caller& caller, const std::string& project,
                                                  const std::string& name) = 0;
  virtual absl::StatusOr<base::Json> pipeline_history(const std::string& project,
                                                      const std::string& name,
                                                      const ListRequest& request) = 0;

  // --- the audit log ----------------------------------------------------------------------------
  // Newest first. With `at`, "state" says what was true of the object then, and why.
  virtual absl::StatusOr<base::Json> list_audit(const std::string& project,
                                                const AuditRequest& request) = 0;
  // The newest signed checkpoint of the whole home's log, with a proof that it extends the tree of
  // `from_size` entries.
  virtual absl::StatusOr<base::Json> audit_checkpoint(std::optional<int64_t> from_size) = 0;
  // An entry with the proof that it is in the newest tree.
  virtual absl::StatusOr<base::Json> audit_entry(const std::string& project,
                                                 const std::string& id) = 0;
  // The whole log as a file that proves itself (docs/formats/audit.md).
  virtual absl::StatusOr<Download> export_audit() = 0;
  // What `object` (KIND/NAME: prediction/ENDPOINT/ID, endpoint/NAME, model/NAME@V, run/ID,
  // dataset/NAME@V) rests on, down to the sources, and what rests on it.
  virtual absl::StatusOr<base::Json> lineage(const std::string& project,
                                             const std::string& object) = 0;

  // --- jobs, events, state ----------------------------------------------------------------------
  virtual absl::StatusOr<base::Json> list_jobs(const std::string& project,
                                               const ListRequest& request) = 0;
  virtual absl::StatusOr<base::Json> job(const std::string& project, const std::string& id) = 0;
  virtual absl::StatusOr<base::Json> cancel_job(const std::string& project,
                                                const std::string& id) = 0;
  virtual absl::StatusOr<std::string> job_log(const std::string& project,
                                              const std::string& id) = 0;
  // The file that a scoring job made.
  virtual absl::StatusOr<Download> job_file(const std::string& project, const std::string& id) = 0;
  virtual flow::EventHub& events() = 0;

  virtual base::Json status() = 0;
  // Text in the Prometheus exposition format, without the transport's own figures.
  virtual std::string metrics_text() = 0;
  // OK when the factory can take requests; else the reason.
  virtual absl::Status ready() = 0;
  // Where bodies are spooled before they become objects: on the file system of the objects.
  virtual std::filesystem::path spool_directory() = 0;
  // Tells commands on this machine where this factory listens, and the owner's token.
  virtual absl::Status announce(const std::string& address, const std::string& owner_token) = 0;

  // --- notes on requests with an Idempotency-Key ------------------------------------------------
  // A transport's own text under a key of its own; on disk when put_note() returns, forgotten a day
  // after it was first put, or earlier, the oldest first, where there are too many.
  virtual absl::StatusOr<std::optional<std::string>> find_note(const std::string& key) = 0;
  virtual absl::Status put_note(const std::string& key, const std::string& text) = 0;
  virtual absl::Status remove_note(const std::string& key) = 0;
};

}  // namespace cromford::app
