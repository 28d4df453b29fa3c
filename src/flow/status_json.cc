#include "flow/status_json.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/codes.h"
#include "base/status.h"

namespace cromford::flow {
namespace {

using base::Json;

// The text under `key`, or "".
std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Json status_to_json(const absl::Status& status) {
  if (status.ok()) {
    return nullptr;
  }
  Json document{{"status", base::http_status(status.code())},
                {"code", base::code_name(status.code())},
                {"title", base::code_title(status.code())},
                {"detail", base::message(status)}};
  if (const std::string remedy = base::remedy(status); !remedy.empty()) {
    document["remedy"] = remedy;
  }
  for (const base::FieldError& error : base::field_errors(status)) {
    document["errors"].push_back({{"pointer", error.pointer}, {"detail", error.detail}});
  }
  return document;
}

absl::Status status_from_json(const Json& document) {
  if (document.is_null()) {
    return absl::OkStatus();
  }
  const std::optional<absl::StatusCode> code =
      document.is_object() ? base::code_from_name(text_of(document, "code")) : std::nullopt;
  if (!code || *code == absl::StatusCode::kOk) {
    return base::internal("an error was recorded in a form that cannot be read");
  }
  const std::string detail = text_of(document, "detail");
  absl::Status status = base::with_remedy(absl::Status(*code, detail), text_of(document, "remedy"));
  if (const auto errors = document.find("errors"); errors != document.end() && errors->is_array()) {
    for (const Json& error : *errors) {
      if (error.is_object()) {
        status = base::with_field_error(std::move(status),
                                        {text_of(error, "pointer"), text_of(error, "detail")});
      }
    }
  }
  return status;
}

}  // namespace cromford::flow
