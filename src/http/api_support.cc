#include "http/api_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "app/audit.h"
#include "app/resources.h"
#include "base/id.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "http/problem.h"

namespace cromford::http {
namespace {

std::string unquoted(std::string_view tag) {
  if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') {
    tag = tag.substr(1, tag.size() - 2);
  }
  return std::string(tag);
}

bool is_version(std::string_view text) {
  return text == "latest" ||
         (text.size() <= 9 && base::to_number<uint32_t>(text).value_or(0) > 0 && text[0] != '0');
}

// What {name} is in ".../datasets/{name}/versions": "dataset".
std::string_view collection_member(std::string_view pattern) {
  std::string_view before = pattern.substr(0, pattern.find("s/{name}"));
  return before.substr(before.rfind('/') + 1);
}

// Names come from checked parts of paths, but a file name may be anything.
std::string tame_file_name(std::string_view name) {
  std::string tame(name);
  std::replace_if(
      tame.begin(), tame.end(),
      [](char c) { return c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '/'; }, '_');
  return tame;
}

}  // namespace

Handler with_names(Handler handler) {
  return [handler = std::move(handler)](Request& request, Response& response) -> absl::Status {
    for (const auto& [what, value] : request.parameters) {
      if (what == "project") {
        TRY(base::check_name(what, value));
      } else if (what == "name") {
        TRY(base::check_name(collection_member(request.route->pattern), value));
      } else if (what == "version" && !is_version(value)) {
        return base::invalid(fmt::format("'{}' is not a version", base::clip_utf8(value, 64)),
                             "give a number from 1, or latest");
      } else if (what == "id" && !base::is_id(value)) {
        return base::invalid(fmt::format("'{}' is not an id", base::clip_utf8(value, 64)),
                             "ids have 26 letters and digits; list what there is to find yours");
      }
    }
    // What the handler changes is told of in the audit log with this name.
    const app::ActingFor acting(app::acting_for(caller(request)));
    return handler(request, response);
  };
}

std::string parameter(const Request& request, std::string_view name) {
  return std::string(request.parameter(name));
}

app::Caller caller(const Request& request) {
  return {.owner = request.caller == Caller::kOwner, .request_id = std::string(request.id)};
}

absl::StatusOr<app::ListRequest> list_request(const app::App& app, const Request& request) {
  app::ListRequest list;
  const base::Limits& limits = app.limits();
  TRY(const int64_t page_size, integer_query(request, "page_size", 0, 0, INT32_MAX));
  list.page_size = static_cast<int>(
      page_size == 0 ? limits.page_size : std::min<int64_t>(page_size, limits.page_size_max));
  list.page_token = text_query(request, "page_token");
  list.filter = text_query(request, "filter");
  list.order_by = text_query(request, "order_by");
  if (const std::string fields = text_query(request, "fields"); !fields.empty()) {
    for (const std::string_view field : base::split(fields, ',')) {
      if (base::trim(field).empty()) {
        return base::invalid("the query parameter 'fields' has an empty name",
                             "write the names of fields with commas between them");
      }
      list.fields.emplace_back(base::trim(field));
    }
  }
  return list;
}

absl::StatusOr<int64_t> integer_query(const Request& request, std::string_view name, int64_t absent,
                                      int64_t least, int64_t most) {
  const auto text = request.query(name);
  if (!text) {
    return absent;
  }
  const auto value = base::to_number<int64_t>(*text);
  if (!value || *value < least || *value > most) {
    return base::invalid(
        fmt::format("the query parameter '{}' is '{}'", name, base::clip_utf8(*text, 64)),
        fmt::format("give a whole number from {} to {}", least, most));
  }
  return *value;
}

absl::StatusOr<std::string> choice_query(const Request& request, std::string_view name,
                                         std::initializer_list<std::string_view> choices) {
  const auto text = request.query(name);
  if (!text) {
    return std::string(*choices.begin());
  }
  if (std::find(choices.begin(), choices.end(), *text) == choices.end()) {
    return base::invalid(
        fmt::format("the query parameter '{}' is '{}'", name, base::clip_utf8(*text, 64)),
        fmt::format("give one of {}", fmt::join(choices, ", ")));
  }
  return std::string(*text);
}

std::string text_query(const Request& request, std::string_view name) {
  return std::string(request.query(name).value_or(""));
}

absl::StatusOr<base::Json> json_object(std::string_view body) {
  if (base::trim(body).empty()) {
    return base::invalid("the request has no body", "send a JSON object");
  }
  TRY(base::Json document, base::parse_json(body));
  if (!document.is_object()) {
    return base::invalid("the body is JSON but no object", "send {...}");
  }
  return document;
}

absl::Status check_no_arguments(const Request& request) {
  if (request.body.empty()) {
    return absl::OkStatus();
  }
  TRY(const base::Json body, json_object(request.body));
  if (!body.empty()) {
    return base::invalid(
        fmt::format("this request takes no arguments, but the body has '{}'", body.begin().key()),
        "send no body");
  }
  return absl::OkStatus();
}

absl::Status check_may_name_files(const Request& request) {
  if (request.caller == Caller::kOwner) {
    return absl::OkStatus();
  }
  return base::denied(
      "only the owner of the server's home may name files of the server",
      "send the file itself as the body, or use the command line on the server's machine");
}

absl::StatusOr<app::IfMatch> if_match(const Request& request) {
  const auto field = request.header("if-match");
  if (!field) {
    return app::IfMatch();
  }
  const std::string_view tag = base::trim(*field);
  const bool quoted =
      tag.size() >= 2 && tag.front() == '"' && tag.back() == '"' &&
      std::count(tag.begin(), tag.end(), '"') == 2 &&
      std::all_of(tag.begin(), tag.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!quoted && tag != "*") {
    return base::invalid("the If-Match field is not one strong entity tag",
                         "send the resource's ETag as it came, with its quotes");
  }
  return app::IfMatch(std::string(tag));
}

absl::Status as_precondition(absl::Status status) {
  if (app::is_stale_etag(status)) {
    return with_http_status(std::move(status), 412);
  }
  return app::is_missing_etag(status) ? with_http_status(std::move(status), 428) : status;
}

absl::Status or_later(Response& response, absl::Status status) {
  if (app::is_too_long_here(status)) {
    response.too_long_here = true;
    return absl::OkStatus();
  }
  return status;
}

absl::Status answer(Response& response, const base::Json& document, int status) {
  response.status = status;
  response.body = base::dump_json(document);
  if (const auto tag = document.find("etag"); tag != document.end() && tag->is_string()) {
    response.etag = unquoted(tag->get_ref<const std::string&>());
  }
  return absl::OkStatus();
}

absl::Status answer_job(const Request& request, Response& response, const base::Json& job) {
  if (const auto id = job.find("id"); id != job.end() && id->is_string()) {
    response.location = fmt::format("/api/v1/projects/{}/jobs/{}", request.parameter("project"),
                                    id->get_ref<const std::string&>());
  }
  return answer(response, job, 202);
}

absl::Status answer_text(Response& response, std::string_view content_type, std::string text) {
  response.content_type = content_type;
  response.body = std::move(text);
  return absl::OkStatus();
}

absl::Status answer_file(Response& response, const app::Download& download) {
  response.content_type_text = download.content_type;
  response.content_type = response.content_type_text;
  response.file = FileBody{download.path, tame_file_name(download.file_name), download.temporary};
  return absl::OkStatus();
}

absl::Status answer_nothing(Response& response) {
  response.status = 204;
  response.body.clear();
  return absl::OkStatus();
}

}  // namespace cromford::http
