// Jobs as clients see them, and the figures of the factory as a whole.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/factory.h"
#include "app/resources.h"
#include "base/codes.h"
#include "base/json.h"

namespace cromford::app {

absl::StatusOr<base::Json> Factory::submit(flow::NewJob job) {
  job.actor = ActingFor::now().actor;
  const absl::StatusOr<flow::Job> submitted = context_->runner->submit(std::move(job));
  if (submitted.status().code() == absl::StatusCode::kResourceExhausted) {
    return base::passing(submitted.status());  // The queue is full, for now.
  }
  TRY(submitted);
  return this->job(submitted->project, submitted->id);
}

absl::StatusOr<base::Json> Factory::list_jobs(const std::string& project,
                                              const ListRequest& request) {
  TRY(const store::DocumentPage page,
      context_->metadata->list(
          {.project = project,
           .kind = "job",
           .filter = request.filter,
           .order_by = request.order_by.empty() ? "created_at desc" : request.order_by,
           .page_size = request.page_size,
           .page_token = request.page_token}));
  base::Json answer = {{"jobs", base::Json::array()}};
  for (const store::Document& document : page.documents) {
    TRY(flow::Job job, flow::from_document(document.body));
    if (!flow::is_final(job.state)) {
      // Stage and progress of what runs are known to the runner only.
      absl::StatusOr<flow::Job> live = context_->runner->get(project, job.id);
      job = live.ok() ? *std::move(live) : job;
    }
    answer["jobs"].push_back(select_fields(flow::to_resource(job), request.fields));
  }
  if (!page.next_page_token.empty()) {
    answer["next_page_token"] = page.next_page_token;
  }
  return answer;
}

absl::StatusOr<base::Json> Factory::job(const std::string& project, const std::string& id) {
  // Read before the job, so that no event between the two is missed by who goes on from here.
  const uint64_t event_id = context_->events->last_id();
  TRY(const flow::Job job, context_->runner->get(project, id));
  base::Json resource = flow::to_resource(job);
  resource["event_id"] = std::to_string(event_id);
  return resource;
}

absl::StatusOr<base::Json> Factory::cancel_job(const std::string& project, const std::string& id) {
  TRY(context_->runner->cancel(project, id));
  return job(project, id);
}

absl::StatusOr<std::string> Factory::job_log(const std::string& project, const std::string& id) {
  TRY(context_->runner->get(project, id));
  const std::filesystem::path file = context_->runner->log_file(id);
  if (!context_->files->exists(file)) {
    return std::string();
  }
  return context_->files->read(file);
}

absl::StatusOr<Download> Factory::job_file(const std::string& project, const std::string& id) {
  TRY(const flow::Job job, context_->runner->get(project, id));
  TRY(const base::Json result, base::parse_json(job.result));
  if (job.kind != "score" || !result.is_object() || !result.contains("file")) {
    return base::not_found(fmt::format("job {} has no file to fetch", id),
                           "only a scoring job that succeeded has one");
  }
  TRY(const base::ContentHash hash,
      base::parse_content_hash(result["file"].value("hash", std::string())));
  TRY(const std::filesystem::path path, context_->objects->path_of(hash));
  return Download{.path = path,
                  .content_type = result["file"].value("content_type", std::string()),
                  .file_name = result["file"].value("name", std::string())};
}

flow::EventHub& Factory::events() {
  return *context_->events;
}

}  // namespace cromford::app
