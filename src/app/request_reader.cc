#include "app/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/limits.h"
#include "base/name.h"

namespace cromford::app {
namespace {

const base::Json& empty_object() {
  static const base::Json document = base::Json::object();
  return document;
}

const base::Json& empty_array() {
  static const base::Json document = base::Json::array();
  return document;
}

}  // namespace

RequestReader::RequestReader(const base::Json& request, std::string_view what,
                             std::string_view pointer)
    : request_(&request), what_(what), pointer_(pointer) {
  if (!request.is_object()) {
    faults_.push_back({pointer_, fmt::format("{} must be a JSON object", what_)});
    request_ = &empty_object();
  }
}

const base::Json* RequestReader::find(std::string_view key) {
  known_.insert(std::string(key));
  const auto found = request_->find(std::string(key));
  return found == request_->end() || found->is_null() ? nullptr : &*found;
}

void RequestReader::fault(std::string_view key, std::string detail) {
  faults_.push_back({fmt::format("{}/{}", pointer_, key), std::move(detail)});
}

std::string RequestReader::text(std::string_view key) {
  if (find(key) == nullptr) {
    fault(key, fmt::format("'{}' is missing", key));
    return {};
  }
  std::string value = text_or(key, "");
  if (value.empty() && find(key)->is_string()) {
    fault(key, fmt::format("'{}' is empty", key));
  }
  return value;
}

std::string RequestReader::text_or(std::string_view key, std::string_view otherwise) {
  const base::Json* value = find(key);
  if (value == nullptr) {
    return std::string(otherwise);
  }
  if (!value->is_string()) {
    fault(key, fmt::format("'{}' must be a text", key));
    return std::string(otherwise);
  }
  return value->get<std::string>();
}

int64_t RequestReader::integer_or(std::string_view key, int64_t otherwise, int64_t smallest,
                                  int64_t largest) {
  const base::Json* value = find(key);
  if (value == nullptr) {
    return otherwise;
  }
  // 20.0 is as whole as 20: JSON knows one kind of number.
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  std::optional<int64_t> whole;
  if (value->is_number_float()) {
    const double number = value->get<double>();
    if (number == std::floor(number) && std::abs(number) <= kExactMax) {
      whole = static_cast<int64_t>(number);
    }
  } else if (value->is_number_unsigned()) {
    if (value->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX)) {
      whole = value->get<int64_t>();
    }
  } else if (value->is_number_integer()) {
    whole = value->get<int64_t>();
  }
  if (!whole.has_value() || *whole < smallest || *whole > largest) {
    fault(key, fmt::format("'{}' must be a whole number from {} to {}", key, smallest, largest));
    return otherwise;
  }
  return *whole;
}

double RequestReader::number_or(std::string_view key, double otherwise, double smallest,
                                double largest) {
  const base::Json* value = find(key);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_number() || value->get<double>() < smallest || value->get<double>() > largest) {
    fault(key, fmt::format("'{}' must be a number from {} to {}", key, smallest, largest));
    return otherwise;
  }
  return value->get<double>();
}

bool RequestReader::boolean_or(std::string_view key, bool otherwise) {
  const base::Json* value = find(key);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_boolean()) {
    fault(key, fmt::format("'{}' must be true or false", key));
    return otherwise;
  }
  return value->get<bool>();
}

std::optional<std::chrono::nanoseconds> RequestReader::duration(std::string_view key,
                                                                std::chrono::nanoseconds smallest,
                                                                std::chrono::nanoseconds largest) {
  const base::Json* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  const auto parsed =
      base::parse_duration(value->is_string() ? value->get<std::string>() : std::string());
  if (!parsed.ok() || *parsed < smallest || *parsed > largest) {
    fault(key, fmt::format("'{}' must be a duration from {} to {}, such as 90s, 6h or 14d", key,
                           base::format_duration(smallest), base::format_duration(largest)));
    return std::nullopt;
  }
  return *parsed;
}

std::chrono::nanoseconds RequestReader::duration_or(std::string_view key,
                                                    std::chrono::nanoseconds otherwise,
                                                    std::chrono::nanoseconds smallest,
                                                    std::chrono::nanoseconds largest) {
  return duration(key, smallest, largest).value_or(otherwise);
}

std::string RequestReader::word_or(std::string_view key, std::string_view otherwise,
                                   std::initializer_list<std::string_view> words) {
  std::string word = text_or(key, otherwise);
  if (std::find(words.begin(), words.end(), std::string_view(word)) == words.end()) {
    const std::vector<std::string> known(words.begin(), words.end());
    fault(key, fmt::format("'{}' is none of {}{}", word, fmt::join(known, ", "),
                           base::did_you_mean(word, known)));
    return std::string(otherwise);
  }
  return word;
}

bool RequestReader::has(std::string_view key) {
  return find(key) != nullptr;
}

bool RequestReader::is(std::string_view key, std::string_view text) {
  const base::Json* value = find(key);
  return value != nullptr && value->is_string() && value->get<std::string>() == text;
}

std::vector<std::string> RequestReader::texts_or_empty(std::string_view key) {
  std::vector<std::string> texts;
  for (const base::Json& item : array_or_empty(key)) {
    if (!item.is_string()) {
      fault(key, fmt::format("'{}' must be a list of texts", key));
      return {};
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

const base::Json& RequestReader::object_or_empty(std::string_view key) {
  const base::Json* value = find(key);
  if (value != nullptr && !value->is_object()) {
    fault(key, fmt::format("'{}' must be an object", key));
    return empty_object();
  }
  return value == nullptr ? empty_object() : *value;
}

const base::Json& RequestReader::array_or_empty(std::string_view key) {
  const base::Json* value = find(key);
  if (value != nullptr && !value->is_array()) {
    fault(key, fmt::format("'{}' must be a list", key));
    return empty_array();
  }
  return value == nullptr ? empty_array() : *value;
}

void RequestReader::allow(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    known_.insert(std::string(key));
  }
}

absl::Status RequestReader::status() const {
  if (faults_.empty()) {
    return absl::OkStatus();
  }
  absl::Status status = base::invalid(
      faults_.size() == 1
          ? fmt::format("{}: {}", what_, faults_.front().detail)
          : fmt::format("{}: {} (and {} more)", what_, faults_.front().detail, faults_.size() - 1),
      "correct the fields named in errors");
  for (const base::FieldError& fault : faults_) {
    status = base::with_field_error(std::move(status), fault);
  }
  return status;
}

void RequestReader::note_unknown_keys() {
  const std::vector<std::string> known(known_.begin(), known_.end());
  for (const auto& [key, value] : request_->items()) {
    if (!known_.contains(key)) {
      fault(key, fmt::format("'{}' is unknown{}", key, base::did_you_mean(key, known)));
    }
  }
}

absl::Status RequestReader::finish() {
  note_unknown_keys();
  return status();
}

void RequestReader::finish(RequestReader& enclosing) {
  note_unknown_keys();
  enclosing.faults_.insert(enclosing.faults_.end(), faults_.begin(), faults_.end());
}

}  // namespace cromford::app
