#include "flow/job.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/id.h"
#include "base/status.h"
#include "flow/status_json.h"

namespace cromford::flow {
namespace {

using base::Json;

constexpr std::array<std::string_view, 5> kStateNames{"queued", "running", "succeeded", "failed",
                                                      "cancelled"};

Json time_to_json(const std::optional<base::Time>& time) {
  return time ? Json(base::format_time(*time)) : Json(nullptr);
}

// JSON text that came from a kind or a child; null when it is none.
Json embedded(std::string_view text) {
  absl::StatusOr<Json> document = base::parse_json(text);
  return document.ok() ? *std::move(document) : Json(nullptr);
}

// What stored documents and resources have in common.
Json common(const Job& job) {
  return {{"id", job.id},
          {"kind", job.kind},
          {"title", job.title},
          {"state", state_name(job.state)},
          {"stage", job.stage},
          {"progress", job.progress},
          {"detail", embedded(job.detail)},
          {"created_at", base::format_time(job.created_at)},
          {"started_at", time_to_json(job.started_at)},
          {"finished_at", time_to_json(job.finished_at)},
          {"error", status_to_json(job.error)},
          {"result", embedded(job.result)}};
}

// Takes typed fields out of a document and remembers whether one was missing or wrong.
class FieldReader {
 public:
  explicit FieldReader(const Json& document) : document_(document) {}

  template <typename T>
  T get(const char* key) {
    const auto found = document_.find(key);
    T value{};
    if (found == document_.end()) {
      good_ = false;
      return value;
    }
    try {
      value = found->get<T>();
    } catch (const Json::exception&) {
      good_ = false;
    }
    return value;
  }
  Json json(const char* key) {
    const auto found = document_.find(key);
    good_ = good_ && found != document_.end();
    return found == document_.end() ? Json(nullptr) : *found;
  }
  std::optional<base::Time> time(const char* key) {
    const Json value = json(key);
    if (value.is_null()) {
      return std::nullopt;
    }
    const auto time = value.is_string() ? base::parse_time(value.get_ref<const std::string&>())
                                        : absl::StatusOr<base::Time>(base::invalid("no time"));
    good_ = good_ && time.ok();
    return time.ok() ? std::optional(*time) : std::nullopt;
  }
  void fail() { good_ = false; }
  bool good() const { return good_; }

 private:
  const Json& document_;
  bool good_ = true;
};

}  // namespace

std::string_view state_name(JobState state) {
  return kStateNames[static_cast<size_t>(state)];
}

absl::Status check_new_job(const NewJob& request) {
  if (!request.id.empty() && !base::is_id(request.id)) {
    return base::invalid(fmt::format("'{}' cannot be the id of a job", request.id));
  }
  const absl::StatusOr<Json> payload = base::parse_json(request.payload);
  return payload.ok() && payload->is_object()
             ? absl::OkStatus()
             : base::invalid("the payload of a job must be a JSON object");
}

Job new_job(NewJob request, std::string id, base::Time now) {
  Job job;
  job.id = std::move(id);
  job.project = std::move(request.project);
  job.kind = std::move(request.kind);
  job.title = std::move(request.title);
  job.payload = std::move(request.payload);
  job.request_id = std::move(request.request_id);
  job.actor = std::move(request.actor);
  job.created_at = now;
  return job;
}

absl::Status ended_already(const Job& job) {
  return base::refused(
      fmt::format(
          "the job '{}' has ended already: it {}", job.id,
          job.state == JobState::kCancelled ? "was cancelled" : std::string(state_name(job.state))),
      fmt::format("nothing is left to stop; see what came of it: cromford job show {}", job.id));
}

Json to_resource(const Job& job) {
  Json resource = common(job);
  if (!job.error.ok() && !job.request_id.empty()) {
    resource["error"]["request_id"] = job.request_id;
  }
  return resource;
}

std::string to_document(const Job& job) {
  Json document = common(job);
  document["project"] = job.project;
  document["payload"] = embedded(job.payload);
  document["request_id"] = job.request_id;
  document["actor"] = job.actor;
  document["attempt"] = job.attempt;
  document["cancel_requested"] = job.cancel_requested;
  return base::dump_json(document);
}

absl::StatusOr<Job> from_document(std::string_view text) {
  const absl::StatusOr<Json> document = base::parse_json(text);
  if (!document.ok() || !document->is_object()) {
    return base::damaged("a stored job is not a JSON object");
  }
  FieldReader reader(*document);
  Job job;
  job.id = reader.get<std::string>("id");
  job.project = reader.get<std::string>("project");
  job.kind = reader.get<std::string>("kind");
  job.title = reader.get<std::string>("title");
  job.payload = base::dump_json(reader.json("payload"));
  if (document->contains("request_id")) {  // Older jobs have none.
    job.request_id = reader.get<std::string>("request_id");
  }
  if (document->contains("actor")) {
    job.actor = reader.get<std::string>("actor");
  }
  const auto state = std::find(kStateNames.begin(), kStateNames.end(),
                               std::string_view(reader.get<std::string>("state")));
  if (state == kStateNames.end()) {
    reader.fail();
  } else {
    job.state = static_cast<JobState>(state - kStateNames.begin());
  }
  job.stage = reader.get<std::string>("stage");
  job.progress = reader.get<double>("progress");
  job.detail = base::dump_json(reader.json("detail"));
  job.result = base::dump_json(reader.json("result"));
  job.error = status_from_json(reader.json("error"));
  job.attempt = reader.get<int>("attempt");
  job.cancel_requested = reader.get<bool>("cancel_requested");
  job.created_at = reader.time("created_at").value_or(base::Time());
  job.started_at = reader.time("started_at");
  job.finished_at = reader.time("finished_at");
  if (!reader.good()) {
    return base::damaged(fmt::format("the stored job '{}' cannot be read", job.id));
  }
  return job;
}

}  // namespace cromford::flow
