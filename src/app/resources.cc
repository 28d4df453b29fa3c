#include "app/resources.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "store/list_query.h"

namespace cromford::app {
namespace {

constexpr absl::string_view kEtagUrl = "cromford/etag";

absl::Status with_etag_fault(absl::Status status, std::string_view fault) {
  status.SetPayload(kEtagUrl, absl::Cord(absl::string_view(fault.data(), fault.size())));
  return status;
}

bool has_etag_fault(const absl::Status& status, std::string_view fault) {
  const auto payload = status.GetPayload(kEtagUrl);
  return payload.has_value() && std::string(*payload) == fault;
}

}  // namespace

base::Json select_fields(const base::Json& resource, const std::vector<std::string>& fields) {
  if (fields.empty()) {
    return resource;
  }
  base::Json selected = base::Json::object();
  for (const std::string& field : fields) {
    if (resource.contains(field)) {
      selected[field] = resource[field];
    }
  }
  return selected;
}

absl::StatusOr<base::Json> body_of(const store::Document& document) {
  absl::StatusOr<base::Json> body = base::parse_json(document.body);
  if (!body.ok()) {
    return base::damaged(fmt::format("the stored {} is not readable: {}",
                                     store::describe(document.key), base::message(body.status())));
  }
  return body;
}

absl::StatusOr<base::Json> resource_of(const store::Document& document) {
  TRY(base::Json resource, body_of(document));
  resource.erase("internal");
  resource["created_at"] = base::format_time(document.created_at);
  resource["updated_at"] = base::format_time(document.updated_at);
  resource["etag"] = etag_of(document);
  return resource;
}

absl::Status changed_meanwhile(std::string_view detail, std::string_view remedy) {
  return base::with_remedy(absl::Status(absl::StatusCode::kAborted, {detail.data(), detail.size()}),
                           remedy);
}

std::string etag_of(const store::Document& document) {
  return fmt::format("\"{}\"", document.revision);
}

absl::Status check_etag(const store::Document& document, const IfMatch& if_match, EtagRule rule) {
  const std::string current = etag_of(document);
  if (!if_match.has_value()) {
    if (rule == EtagRule::kOptional) {
      return absl::OkStatus();
    }
    return with_etag_fault(
        base::refused(
            fmt::format("changing the {} needs the header If-Match", store::describe(document.key)),
            fmt::format("read it, check it, and send its etag, now {}", current)),
        "missing");
  }
  if (*if_match == "*" || *if_match == current) {
    return absl::OkStatus();
  }
  return with_etag_fault(
      changed_meanwhile(fmt::format("the {} has changed meanwhile: its etag is {}, not {}",
                                    store::describe(document.key), current, *if_match),
                        "read it again and decide anew"),
      "stale");
}

bool is_stale_etag(const absl::Status& status) {
  return has_etag_fault(status, "stale");
}

bool is_missing_etag(const absl::Status& status) {
  return has_etag_fault(status, "missing");
}

absl::StatusOr<base::Json> list_resources(const store::Metadata& metadata,
                                          const std::string& project, const ListKind& kind,
                                          const ListRequest& request) {
  TRY(const store::DocumentPage page,
      metadata.list({.project = project,
                     .kind = kind.kind,
                     .name_prefix = kind.name_prefix,
                     .filter = request.filter,
                     .order_by = request.order_by.empty() ? kind.order_by : request.order_by,
                     .page_size = request.page_size,
                     .page_token = request.page_token}));
  base::Json answer = base::Json::object();
  base::Json& items = answer[kind.field] = base::Json::array();
  for (const store::Document& document : page.documents) {
    TRY(const base::Json resource, resource_of(document));
    items.push_back(select_fields(resource, request.fields));
  }
  if (!page.next_page_token.empty()) {
    answer["next_page_token"] = page.next_page_token;
  }
  return answer;
}

absl::StatusOr<std::vector<std::string>> fields_of_filter(std::string_view filter) {
  TRY(const std::vector<store::list::Comparison> comparisons, store::list::parse_filter(filter));
  std::vector<std::string> fields;
  fields.reserve(comparisons.size());
  for (const store::list::Comparison& comparison : comparisons) {
    fields.push_back(comparison.field.path.front());
  }
  return fields;
}

absl::StatusOr<std::vector<std::string>> fields_of_order(std::string_view order_by) {
  TRY(const std::vector<store::list::OrderKey> keys, store::list::parse_order(order_by));
  std::vector<std::string> fields;
  for (const store::list::OrderKey& key : keys) {
    if (!key.field.path.empty()) {  // Else one of those that make the order total.
      fields.push_back(key.field.path.front());
    }
  }
  return fields;
}

std::string version_name(std::string_view name, int64_t version) {
  return fmt::format("{}@{}", name, version);
}

absl::StatusOr<std::optional<int64_t>> parse_version(std::string_view what, std::string_view text) {
  if (text == "latest") {
    return std::optional<int64_t>();
  }
  int64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || version < 1) {
    return base::invalid(fmt::format("'{}' is no version of a {}", text, what),
                         "write a number from 1, or latest");
  }
  return std::optional<int64_t>(version);
}

}  // namespace cromford::app
