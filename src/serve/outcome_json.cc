#include "serve/outcome_json.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "base/text.h"
#include "serve/json_text.h"
#include "serve/scoring.h"

namespace cromford::serve {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kShape =
    R"(send {"outcomes":[{"id":"order-17","value":true,"at":"2001-02-01T13:00:00Z"}]})";

absl::Status wrong(std::string pointer, std::string detail) {
  Faults faults;
  faults.add(std::move(pointer), std::move(detail));
  return faults.status(kShape);
}

}  // namespace

absl::Status OutcomeBody::parse(std::string_view body, const base::Limits& limits) {
  records_.clear();
  texts_.clear();
  faults_ = {};
  TRY(const dom::object root, json_.parse(body, JsonBody::Nan::kRefuse));
  dom::array outcomes;
  bool named = false;
  for (const dom::key_value_pair& pair : root) {
    if (pair.key != "outcomes" || std::exchange(named, true)) {
      return wrong(pointer_step(pair.key),
                   fmt::format("the body has an unknown field '{}', or names it twice", pair.key));
    }
    if (pair.value.get(outcomes) != simdjson::SUCCESS) {
      return wrong("/outcomes", fmt::format("'outcomes' is {}, a list is expected",
                                            describe_element(pair.value)));
    }
  }
  if (!named) {
    return wrong("/outcomes", "the body has no 'outcomes'");
  }
  if (outcomes.size() > limits.predict_rows) {
    return wrong("/outcomes", fmt::format("there are {} outcomes, the limit is {}", outcomes.size(),
                                          limits.predict_rows));
  }
  size_t index = 0;
  for (const dom::element element : outcomes) {
    read(index++, element, limits);
    if (faults_.full()) {
      break;
    }
  }
  return faults_.status(kShape);
}

void OutcomeBody::read(size_t index, dom::element element, const base::Limits& limits) {
  const std::string pointer = fmt::format("/outcomes/{}", index);
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) {
    faults_.add(pointer, fmt::format("outcome {} is {}, an object is expected", index,
                                     describe_element(element)));
    return;
  }
  feedback::OutcomeRecord record;
  bool has_value = false;
  for (const dom::key_value_pair& pair : object) {
    bool good = false;
    if (pair.key == "id") {
      good =
          pair.value.get(record.id) == simdjson::SUCCESS && is_good_id(record.id, limits.id_bytes);
    } else if (pair.key == "value") {
      good = has_value = read_value(pair.value, record.value);
    } else if (pair.key == "at") {
      std::string_view text;
      good = pair.value.is_null();
      if (pair.value.get(text) == simdjson::SUCCESS) {
        const absl::StatusOr<base::Time> time = base::parse_time(text);
        good = time.ok();
        record.at = time.value_or(base::Time());
      }
    }
    if (!good) {
      faults_.add(pointer + pointer_step(pair.key),
                  fmt::format("outcome {}: '{}' cannot be {}", index, pair.key,
                              describe_element(pair.value)));
      return;
    }
  }
  if (record.id.empty() || !has_value) {
    faults_.add(pointer,
                fmt::format("outcome {} has no '{}'", index, record.id.empty() ? "id" : "value"));
    return;
  }
  records_.push_back(record);
}

// As a class would be written and, where it can be, as a number: the log takes what the task wants.
bool OutcomeBody::read_value(dom::element element, feedback::OutcomeValue& value) {
  value.number = std::nan("");
  bool truth = false;
  if (element.get(truth) == simdjson::SUCCESS) {
    value.text = truth ? "true" : "false";
    return true;
  }
  if (element.get(value.text) == simdjson::SUCCESS) {
    return true;
  }
  double number = 0.0;
  if (element.get(number) != simdjson::SUCCESS) {
    return false;
  }
  value.number = number;
  int64_t whole = 0;
  std::string& text = texts_.emplace_back();
  if (element.get(whole) == simdjson::SUCCESS) {
    base::append_number(text, whole);
  } else {
    base::append_number(text, number);
  }
  value.text = text;
  return true;
}

feedback::OutcomeRule outcome_rule(const Endpoint& endpoint) {
  return {.classes = endpoint.champion().spec.package->classes()};
}

std::string outcome_answer(const feedback::OutcomeReceipt& receipt,
                           std::span<const std::string> ids) {
  std::string out = fmt::format(
      R"({{"accepted":{},"joined":{},"waiting":{},"duplicates":{},"corrections":{},"rejected":[)",
      receipt.accepted, receipt.joined, receipt.waiting, receipt.duplicates, receipt.corrections);
  bool first = true;
  for (const feedback::RejectedOutcome& one : receipt.rejected) {
    out += std::exchange(first, false) ? "" : ",";
    out += fmt::format(R"({{"index":{},"id":)", one.index);
    append_json_text(out, one.index < ids.size() ? ids[one.index] : std::string());
    out += R"(,"detail":)";
    append_json_text(out, base::message(one.reason));
    out += '}';
  }
  out += "]}";
  return out;
}

}  // namespace cromford::serve
