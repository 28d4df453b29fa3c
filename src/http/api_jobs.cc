// Jobs, and the stream of events that tells of them.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/id.h"
#include "base/status.h"
#include "base/text.h"
#include "http/api_support.h"

namespace cromford::http {
namespace {

constexpr size_t kTopicPartBytesMax = 63;  // As names have, at most.

bool is_topic_part(std::string_view text) {
  return !text.empty() && text.size() <= kTopicPartBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

// "job/01h..." or "endpoint/NAME": what is published, by kind.
bool is_topic(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || !is_topic_part(text.substr(slash + 1))) {
    return false;
  }
  const std::string_view kind = text.substr(0, slash);
  return kind == "endpoint" ||
         ((kind == "job" || kind == "alert") && base::is_id(text.substr(slash + 1)));
}

absl::StatusOr<std::vector<std::string>> read_topics(const Request& request, size_t topics_max) {
  std::vector<std::string> topics;
  for (const std::string_view topic : base::split(request.query("topics").value_or(""), ',')) {
    if (!is_topic(topic)) {
      return base::invalid(fmt::format("'{}' is not a topic", base::clip_utf8(topic, 64)),
                           "write topics=job/ID,endpoint/NAME,alert/ID");
    }
    topics.emplace_back(topic);
  }
  if (topics.size() > topics_max) {
    return base::invalid(
        fmt::format("a stream may have {} topics, not {}", topics_max, topics.size()),
        "open another stream for the rest");
  }
  return topics;
}

absl::StatusOr<std::optional<uint64_t>> read_event_id(std::optional<std::string_view> text) {
  if (!text) {
    return std::optional<uint64_t>();
  }
  const auto id = base::to_number<uint64_t>(*text);
  if (!id) {
    return base::invalid(
        fmt::format("'{}' is not the id of an event", base::clip_utf8(*text, 64)),
        "send the id of the last event that you saw, or the event_id of a resource");
  }
  return id;
}

// The header goes before the parameter, as a browser that connects again sends both; a parameter
// that makes no sense is refused all the same.
absl::StatusOr<std::optional<uint64_t>> read_last_event_id(const Request& request) {
  TRY(const std::optional<uint64_t> last, read_event_id(request.header("last-event-id")));
  TRY(const std::optional<uint64_t> after, read_event_id(request.query("after")));
  return last ? last : after;
}

}  // namespace

void add_job_handlers(const ApiSurroundings& api, Handlers& handlers) {
  const auto add = adder(api.app, handlers);
  add("list_jobs", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.list_jobs(project(q), list));
    return answer_list(q, r, page);
  });
  add("get_job", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.job(project(q), parameter(q, "id")));
    return answer(r, document);
  });
  add("cancel_job", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(check_no_arguments(q));
    TRY(const base::Json document, a.cancel_job(project(q), parameter(q, "id")));
    return answer(r, document);
  });
  add("get_job_log", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(std::string log, a.job_log(project(q), parameter(q, "id")));
    return answer_text(r, "text/plain; charset=utf-8", std::move(log));
  });
  add("get_job_file", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::Download download, a.job_file(project(q), parameter(q, "id")));
    return answer_file(r, download);
  });
  handlers.emplace(
      "watch_events",
      with_names([&app = api.app, open = api.open_events](Request& q, Response& r) -> absl::Status {
        TRY(std::vector<std::string> topics, read_topics(q, app.limits().event_topics));
        TRY(const std::optional<uint64_t> after, read_last_event_id(q));
        r.events = open(q.parameter("project"), std::move(topics), after, q.wake);
        return absl::OkStatus();
      }));
}

}  // namespace cromford::http
