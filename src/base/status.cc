#include "base/status.h"

#include <absl/strings/cord.h>
#include <fmt/format.h>

namespace cromford::base {
namespace {

constexpr absl::string_view kRemedyUrl = "cromford/remedy";
constexpr absl::string_view kFieldsUrl = "cromford/fields";
// Separators that cannot stand in a JSON pointer or in a message for people.
constexpr char kRecordSeparator = '\x1e';
constexpr char kUnitSeparator = '\x1f';

// Debian builds abseil as C++14, where absl::string_view is a class of its own.
absl::string_view as_absl(std::string_view text) {
  return {text.data(), text.size()};
}

absl::Status make(absl::StatusCode code, std::string_view detail, std::string_view remedy) {
  return with_remedy(absl::Status(code, as_absl(detail)), remedy);
}

std::string payload(const absl::Status& status, absl::string_view url) {
  const auto cord = status.GetPayload(url);
  return cord ? std::string(*cord) : std::string();
}

}  // namespace

absl::Status invalid(std::string_view detail, std::string_view remedy) {
  return make(absl::StatusCode::kInvalidArgument, detail, remedy);
}
absl::Status not_found(std::string_view detail, std::string_view remedy) {
  return make(absl::StatusCode::kNotFound, detail, remedy);
}
absl::Status conflict(std::string_view detail, std::string_view remedy) {
  return make(absl::StatusCode::kAlreadyExists, detail, remedy);
}
absl::Status refused(std::string_view detail, std::string_view remedy) {
  return make(absl::StatusCode::kFailedPrecondition, detail, remedy);
}
absl::Status denied(std::string_view detail, std::string_view remedy) {
  return make(absl::StatusCode::kPermissionDenied, detail, remedy);
}
absl::Status exhausted(std::string_view detail, std::string_view remedy) {
  return make(absl::StatusCode::kResourceExhausted, detail, remedy);
}
absl::Status unavailable(std::string_view detail, std::string_view remedy) {
  return make(absl::StatusCode::kUnavailable, detail, remedy);
}
absl::Status cancelled(std::string_view detail) {
  return make(absl::StatusCode::kCancelled, detail, {});
}
absl::Status damaged(std::string_view detail, std::string_view remedy) {
  return make(absl::StatusCode::kDataLoss, detail, remedy);
}
absl::Status internal(std::string_view detail, std::string_view remedy) {
  return make(absl::StatusCode::kInternal, detail, remedy);
}

std::string_view message(const absl::Status& status) {
  const absl::string_view text = status.message();
  return {text.data(), text.size()};
}

std::string remedy(const absl::Status& status) {
  return payload(status, kRemedyUrl);
}

absl::Status with_remedy(absl::Status status, std::string_view remedy) {
  if (!remedy.empty()) {
    status.SetPayload(kRemedyUrl, absl::Cord(as_absl(remedy)));
  }
  return status;
}

std::vector<FieldError> field_errors(const absl::Status& status) {
  std::vector<FieldError> errors;
  const std::string text = payload(status, kFieldsUrl);
  for (size_t start = 0; start < text.size();) {
    const size_t unit = text.find(kUnitSeparator, start);
    const size_t record = text.find(kRecordSeparator, unit);
    errors.push_back({text.substr(start, unit - start), text.substr(unit + 1, record - unit - 1)});
    start = record + 1;
  }
  return errors;
}

absl::Status with_field_error(absl::Status status, const FieldError& error) {
  std::string text = payload(status, kFieldsUrl);
  text += fmt::format("{}{}{}{}", error.pointer, kUnitSeparator, error.detail, kRecordSeparator);
  status.SetPayload(kFieldsUrl, absl::Cord(text));
  return status;
}

absl::Status annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) {
    return status;
  }
  absl::Status result = make(status.code(), fmt::format("{}: {}", context, message(status)), {});
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& value) { result.SetPayload(url, value); });
  return result;
}

std::string describe(const absl::Status& status) {
  const std::string hint = remedy(status);
  return hint.empty() ? std::string(message(status))
                      : fmt::format("{} ({})", message(status), hint);
}

}  // namespace cromford::base
