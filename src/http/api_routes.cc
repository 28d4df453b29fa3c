// The table of routes. Every path of the API stands here and nowhere else: the router is made from
// it, and a test holds the OpenAPI document against it.

#include <array>

#include "base/limits.h"
#include "http/api.h"

namespace cromford::http {
namespace {

#define CROMFORD_PROJECT "/api/v1/projects/{project}"
#define CROMFORD_DATASETS CROMFORD_PROJECT "/datasets"
#define CROMFORD_DATASET_VERSION CROMFORD_DATASETS "/{name}/versions/{version}"
#define CROMFORD_MODELS CROMFORD_PROJECT "/models"
#define CROMFORD_MODEL_VERSION CROMFORD_MODELS "/{name}/versions/{version}"
#define CROMFORD_ENDPOINTS CROMFORD_PROJECT "/endpoints"
#define CROMFORD_PIPELINES CROMFORD_PROJECT "/pipelines"
#define CROMFORD_V2_MODEL "/v2/models/{model}"
#define CROMFORD_V2_VERSION CROMFORD_V2_MODEL "/versions/{version}"

constexpr base::Limits kLimits;  // Of bodies: no configuration changes them.
constexpr std::string_view kListQuery = "page_size page_token filter order_by fields";
constexpr std::string_view kJson = "application/json";
// Bodies of verbs that need none: an empty JSON object is let pass.
constexpr uint64_t kEmptyObjectBytes = 64;

constexpr Route get(std::string_view pattern, std::string_view operation,
                    std::string_view query = {}) {
  return {.method = Method::kGet, .pattern = pattern, .operation = operation, .query = query};
}
constexpr Route get_inline(std::string_view pattern, std::string_view operation,
                           Permission permission, ErrorFormat errors = ErrorFormat::kProblem) {
  return {.method = Method::kGet,
          .pattern = pattern,
          .operation = operation,
          .permission = permission,
          .kind = HandlerKind::kInline,
          .errors = errors};
}
constexpr Route write(Method method, std::string_view pattern, std::string_view operation,
                      uint64_t body_bytes_max = kLimits.json_body_bytes) {
  return {.method = method,
          .pattern = pattern,
          .operation = operation,
          .permission = Permission::kWrite,
          .body_bytes_max = body_bytes_max,
          .content_types = kJson};
}
constexpr Route post(std::string_view pattern, std::string_view operation) {
  return write(Method::kPost, pattern, operation);
}
constexpr Route verb(std::string_view pattern, std::string_view operation) {
  return write(Method::kPost, pattern, operation, kEmptyObjectBytes);
}
constexpr Route remove(std::string_view pattern, std::string_view operation) {
  return {.method = Method::kDelete,
          .pattern = pattern,
          .operation = operation,
          .permission = Permission::kWrite};
}
// Rows, in any form that an import reads, also compressed.
constexpr std::string_view kRowCodings = "gzip zstd";
constexpr Route upload(std::string_view pattern, std::string_view operation, std::string_view query,
                       std::string_view codings = kRowCodings) {
  return {.method = Method::kPost,
          .pattern = pattern,
          .operation = operation,
          .permission = Permission::kWrite,
          .kind = HandlerKind::kUpload,
          .content_types = "*",
          .codings = codings,
          .query = query,
          .creates = true};
}
constexpr Route creating(Route route) {
  route.creates = true;
  return route;
}
constexpr Route predict(std::string_view pattern, std::string_view operation,
                        std::string_view query = {}, ErrorFormat errors = ErrorFormat::kProblem) {
  return {.method = Method::kPost,
          .pattern = pattern,
          .operation = operation,
          .permission = Permission::kPredict,
          .kind = HandlerKind::kInline,
          .body_bytes_max = kLimits.predict_body_bytes,
          .content_types = kJson,
          .query = query,
          .errors = errors};
}
constexpr Route apply_pipeline() {
  Route route = write(Method::kPut, CROMFORD_PIPELINES "/{name}", "apply_pipeline",
                      kLimits.pipeline_file_bytes);
  route.content_types = "application/yaml application/x-yaml text/yaml text/plain";
  route.query = "folder";
  return route;
}
constexpr Route events() {
  Route route = get(CROMFORD_PROJECT "/events", "watch_events", "topics after");
  route.kind = HandlerKind::kEvents;
  return route;
}

constexpr ErrorFormat kV2 = ErrorFormat::kOpenInference;

constexpr auto kRoutes = std::to_array<Route>({
    get(CROMFORD_DATASETS, "list_datasets", kListQuery),
    get(CROMFORD_DATASETS "/{name}", "get_dataset"),
    remove(CROMFORD_DATASETS "/{name}", "delete_dataset"),
    get(CROMFORD_DATASETS "/{name}:diff", "diff_dataset", "from to"),
    get(CROMFORD_DATASETS "/{name}/versions", "list_dataset_versions", kListQuery),
    upload(CROMFORD_DATASETS "/{name}/versions", "import_dataset",
           "mode query format key source_name checks"),
    get(CROMFORD_DATASET_VERSION, "get_dataset_version"),
    get(CROMFORD_DATASET_VERSION "/rows", "get_dataset_rows", "limit offset where"),
    get(CROMFORD_DATASET_VERSION "/quarantine", "get_dataset_quarantine", "limit"),
    get(CROMFORD_DATASET_VERSION "/export", "export_dataset", "format where"),

    creating(post(CROMFORD_PROJECT "/runs", "start_run")),
    get(CROMFORD_PROJECT "/runs", "list_runs", kListQuery),
    get(CROMFORD_PROJECT "/runs/{id}", "get_run"),
    verb(CROMFORD_PROJECT "/runs/{id}:cancel", "cancel_run"),

    get(CROMFORD_MODELS, "list_models", kListQuery),
    get(CROMFORD_MODELS "/{name}", "get_model"),
    remove(CROMFORD_MODELS "/{name}", "delete_model"),
    get(CROMFORD_MODELS "/{name}/versions", "list_model_versions", kListQuery),
    upload(CROMFORD_MODELS "/{name}/versions", "import_model", "source_name", ""),
    get(CROMFORD_MODEL_VERSION, "get_model_version"),
    get(CROMFORD_MODEL_VERSION "/card", "get_model_card", "format"),
    get(CROMFORD_MODEL_VERSION "/package", "get_model_package"),
    creating(post(CROMFORD_MODEL_VERSION ":evaluate", "evaluate_model")),
    upload(CROMFORD_MODEL_VERSION ":score", "score_model",
           "format input_format source_name where explain unknown"),

    get(CROMFORD_ENDPOINTS, "list_endpoints", kListQuery),
    get(CROMFORD_ENDPOINTS "/{name}", "get_endpoint"),
    write(Method::kPut, CROMFORD_ENDPOINTS "/{name}", "deploy_endpoint"),
    remove(CROMFORD_ENDPOINTS "/{name}", "delete_endpoint"),
    post(CROMFORD_ENDPOINTS "/{name}:split", "split_endpoint"),
    verb(CROMFORD_ENDPOINTS "/{name}:promote", "promote_endpoint"),
    verb(CROMFORD_ENDPOINTS "/{name}:rollback", "rollback_endpoint"),
    verb(CROMFORD_ENDPOINTS "/{name}:check", "check_endpoint"),
    get(CROMFORD_ENDPOINTS "/{name}/policy", "get_endpoint_policy"),
    get(CROMFORD_ENDPOINTS "/{name}/lifecycle", "get_lifecycle"),
    get(CROMFORD_ENDPOINTS "/{name}/evidence/{hash}", "get_evidence"),
    post(CROMFORD_ENDPOINTS "/{name}:retrain", "retrain_endpoint"),
    post(CROMFORD_ENDPOINTS "/{name}:approve", "approve_candidate"),
    post(CROMFORD_ENDPOINTS "/{name}:reject", "reject_candidate"),
    write(Method::kPut, CROMFORD_ENDPOINTS "/{name}/policy", "put_endpoint_policy"),
    get(CROMFORD_ENDPOINTS "/{name}/monitor", "monitor_endpoint", "from to window"),
    predict(CROMFORD_ENDPOINTS "/{name}:outcomes", "add_outcomes"),
    upload(CROMFORD_ENDPOINTS "/{name}/outcomes", "import_outcomes", "format source_name"),
    get(CROMFORD_ENDPOINTS "/{name}/log", "get_endpoint_log", "from to format"),
    creating(verb(CROMFORD_ENDPOINTS "/{name}:compact", "compact_endpoint_log")),
    get(CROMFORD_ENDPOINTS "/{name}/predictions/{prediction_id}", "get_prediction"),
    predict(CROMFORD_ENDPOINTS "/{name}:predict", "predict", "unknown"),

    get(CROMFORD_PROJECT "/alerts", "list_alerts", kListQuery),
    get(CROMFORD_PROJECT "/alerts/{id}", "get_alert"),
    verb(CROMFORD_PROJECT "/alerts/{id}:acknowledge", "acknowledge_alert"),
    post(CROMFORD_PROJECT "/alerts/{id}:silence", "silence_alert"),

    get(CROMFORD_PIPELINES, "list_pipelines", kListQuery),
    get(CROMFORD_PIPELINES "/{name}", "get_pipeline"),
    apply_pipeline(),
    remove(CROMFORD_PIPELINES "/{name}", "delete_pipeline"),
    creating(verb(CROMFORD_PIPELINES "/{name}:run", "run_pipeline")),
    get(CROMFORD_PIPELINES "/{name}/history", "get_pipeline_history", kListQuery),

    get(CROMFORD_PROJECT "/audit", "list_audit",
        "page_size page_token filter order_by fields object actor from to at"),
    get(CROMFORD_PROJECT "/audit/checkpoint", "get_audit_checkpoint", "from_size"),
    get(CROMFORD_PROJECT "/audit/export", "export_audit"),
    get(CROMFORD_PROJECT "/audit/entries/{id}", "get_audit_entry"),
    get(CROMFORD_PROJECT "/lineage", "get_lineage", "object"),

    get(CROMFORD_PROJECT "/jobs", "list_jobs", kListQuery),
    get(CROMFORD_PROJECT "/jobs/{id}", "get_job"),
    verb(CROMFORD_PROJECT "/jobs/{id}:cancel", "cancel_job"),
    get(CROMFORD_PROJECT "/jobs/{id}/log", "get_job_log"),
    get(CROMFORD_PROJECT "/jobs/{id}/file", "get_job_file"),
    events(),
    get(CROMFORD_PROJECT "/status", "get_project_status"),

    get("/api/v1/status", "get_status"),
    get_inline("/api/v1/openapi.json", "get_openapi", Permission::kPublic),
    get("/metrics", "get_metrics"),
    get_inline("/healthz", "get_health", Permission::kPublic),
    get_inline("/readyz", "get_readiness", Permission::kPublic),

    get_inline("/v2", "v2_server_metadata", Permission::kRead, kV2),
    get_inline("/v2/health/live", "v2_live", Permission::kPublic, kV2),
    get_inline("/v2/health/ready", "v2_ready", Permission::kPublic, kV2),
    get_inline(CROMFORD_V2_MODEL, "v2_model_metadata", Permission::kRead, kV2),
    get_inline(CROMFORD_V2_MODEL "/ready", "v2_model_ready", Permission::kRead, kV2),
    predict(CROMFORD_V2_MODEL "/infer", "v2_infer", "", kV2),
    get_inline(CROMFORD_V2_VERSION, "v2_version_metadata", Permission::kRead, kV2),
    get_inline(CROMFORD_V2_VERSION "/ready", "v2_version_ready", Permission::kRead, kV2),
    predict(CROMFORD_V2_VERSION "/infer", "v2_version_infer", "", kV2),
});

}  // namespace

std::span<const Route> api_routes() {
  return kRoutes;
}

}  // namespace cromford::http
