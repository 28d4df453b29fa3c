#pragma once

// The body of `POST endpoints/{name}:outcomes` as records for the log (shapes: CONTRACT.md,
// "Outcomes"), and the answer.
//
//   OutcomeBody body;
//   TRY(body.parse(text, limits));
//   log.add_outcomes(key, outcome_rule(*endpoint), body.records(), [..](auto receipt) {
//     answer = outcome_answer(*receipt, ...); });
//
// Thread safety: none.

#include <absl/status/status.h>

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "feedback/log.h"
#include "serve/endpoint.h"
#include "serve/json_body.h"

namespace cromford::serve {

class OutcomeBody {
 public:
  // INVALID_ARGUMENT, with JSON pointers, where the body is not of the shape; whether a value fits
  // the endpoint is for the log to say, outcome by outcome.
  absl::Status parse(std::string_view body, const base::Limits& limits);
  // Valid until the next parse() and as long as this object lives.
  std::span<const feedback::OutcomeRecord> records() const { return records_; }

 private:
  void read(size_t index, simdjson::dom::element element, const base::Limits& limits);
  bool read_value(simdjson::dom::element element, feedback::OutcomeValue& value);

  JsonBody json_;
  Faults faults_;
  std::vector<feedback::OutcomeRecord> records_;
  std::deque<std::string> texts_;  // Of values that were no texts in the body.
};

// What outcomes of the endpoint may be: its classes, or numbers.
feedback::OutcomeRule outcome_rule(const Endpoint& endpoint);

// `ids` are those of the request, for what was rejected.
std::string outcome_answer(const feedback::OutcomeReceipt& receipt,
                           std::span<const std::string> ids);

}  // namespace cromford::serve
