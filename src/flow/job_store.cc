#include "flow/job_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace cromford::flow {
namespace {

constexpr int32_t kPageSize = 1000;

// Calls `use` for every stored job that the query finds.
absl::Status for_each_job(const store::Metadata& metadata, store::ListQuery query,
                          const std::function<absl::Status(Job)>& use) {
  query.kind = kJobDocumentKind;
  query.page_size = kPageSize;
  do {
    TRY(const store::DocumentPage page, metadata.list(query));
    for (const store::Document& document : page.documents) {
      absl::StatusOr<Job> job = from_document(document.body);
      if (!job.ok()) {
        base::log_error("a stored job cannot be read", {{"job", document.key.name}});
        continue;
      }
      TRY(use(*std::move(job)));
    }
    query.page_token = page.next_page_token;
  } while (!query.page_token.empty());
  return absl::OkStatus();
}

}  // namespace

store::DocumentKey job_key(const Job& job) {
  return {job.project, std::string(kJobDocumentKind), job.id};
}

absl::Status put_job(store::Metadata& metadata, const Job& job) {
  return metadata.commit({store::Write::put(job_key(job), to_document(job))}).status();
}

absl::Status put_new_job(store::Metadata& metadata, const Job& job,
                         std::vector<store::Write> with) {
  with.push_back(store::Write::put(job_key(job), to_document(job), store::kMustNotExist));
  return metadata.commit(with).status();
}

absl::StatusOr<Job> get_job(const store::Metadata& metadata, std::string_view project,
                            std::string_view id) {
  const absl::StatusOr<store::Document> document =
      metadata.get({std::string(project), std::string(kJobDocumentKind), std::string(id)});
  if (absl::IsNotFound(document.status())) {
    return base::not_found(fmt::format("there is no job '{}'", id),
                           "list the jobs to see their ids");
  }
  TRY(document);
  return from_document(document->body);
}

absl::StatusOr<std::vector<Job>> jobs_in_state(const store::Metadata& metadata, JobState state) {
  std::vector<Job> jobs;
  store::ListQuery query;
  query.filter = fmt::format("state = {}", state_name(state));
  TRY(for_each_job(metadata, std::move(query), [&](Job job) {
    jobs.push_back(std::move(job));
    return absl::OkStatus();
  }));
  std::sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.id < b.id; });
  return jobs;
}

absl::Status prune_jobs(store::Metadata& metadata, int64_t finished_max,
                        const std::function<void(const Job&)>& on_removed) {
  store::ListQuery query;
  query.order_by = "name desc";
  std::map<std::string, int64_t> kept;  // by project
  return for_each_job(metadata, std::move(query), [&](const Job& job) -> absl::Status {
    if (!is_final(job.state) || ++kept[job.project] <= finished_max) {
      return absl::OkStatus();
    }
    TRY(metadata.commit({store::Write::remove(job_key(job))}));
    on_removed(job);
    return absl::OkStatus();
  });
}

}  // namespace cromford::flow
