#pragma once

// Reading request bodies with simdjson: parsing into reused memory, values of columns, and faults
// that say where they are.
//
//   TRY(const simdjson::dom::element root, json.parse(body, {}));
//   Faults faults;
//   if (!read_value(element, model::InputType::kNumber, value)) {
//     faults.add("/rows/0/distance", describe_misfit(element, model::InputType::kNumber));
//   }
//   return faults.status("the body ...");
//
// Thread safety: none; one JsonBody per thread.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <simdjson.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/contract.h"

namespace cromford::serve {

class JsonBody {
 public:
  enum class Nan { kRefuse, kAsNull };

  // The root of the parsed body, which must be an object; valid until the next parse(). With
  // Nan::kAsNull, the words NaN, Infinity and -Infinity, which some clients write although JSON has
  // none, are read as null. INVALID_ARGUMENT says line and column of what is no JSON.
  absl::StatusOr<simdjson::dom::object> parse(std::string_view body, Nan nan);

  // Gives memory back after an unusually large body.
  void shrink();

 private:
  simdjson::error_code parse_buffer(size_t size, simdjson::dom::element& root);

  std::string buffer_;  // The body with the padding that simdjson reads beyond it.
  simdjson::dom::parser parser_;
  simdjson::dom::document document_;
};

// What is wrong with a request: the first fault in words, the first twenty with JSON pointers.
class Faults {
 public:
  static constexpr size_t kMax = 20;

  void add(std::string pointer, std::string detail);
  bool any() const { return !errors_.empty(); }
  bool full() const { return errors_.size() >= kMax; }
  // INVALID_ARGUMENT with the first detail as its message; OK where there is no fault.
  absl::Status status(std::string_view remedy) const;

 private:
  std::vector<base::FieldError> errors_;
};

// A step of a JSON pointer (RFC 6901) with its slash.
std::string pointer_step(std::string_view key);

// The value of a column of this type; null is missing. False where it has another type: numbers are
// JSON numbers, booleans true and false, everything else texts. Texts are views of the body's
// memory.
bool read_value(simdjson::dom::element element, model::InputType type, model::Value& value);

// "a number is expected, not the text \"far\"".
std::string describe_misfit(simdjson::dom::element element, model::InputType type);
// "the text \"far\"", "the number 7", "a list".
std::string describe_element(simdjson::dom::element element);

}  // namespace cromford::serve
