#include "http/api.h"

#include <utility>

#include "http/api_support.h"

namespace cromford::http {

absl::StatusOr<Router> api_router(const ApiSurroundings& surroundings) {
  Handlers handlers;
  add_dataset_handlers(surroundings, handlers);
  add_run_handlers(surroundings, handlers);
  add_model_handlers(surroundings, handlers);
  add_endpoint_handlers(surroundings, handlers);
  add_monitor_handlers(surroundings, handlers);
  add_pipeline_handlers(surroundings, handlers);
  add_job_handlers(surroundings, handlers);
  add_audit_handlers(surroundings, handlers);
  add_server_handlers(surroundings, handlers);
  add_open_inference_handlers(surroundings, handlers);
  return Router::create(api_routes(), std::move(handlers));
}

}  // namespace cromford::http
