#pragma once

// Reads the fields of a JSON request and gathers all that is wrong with it, so that a client gets
// every fault in one answer: a missing field, a wrong type, a number out of range, an unknown key
// with the nearest known one.
//
//   RequestReader reader(request, "the training request");
//   const std::string target = reader.text("target");
//   const int64_t seed = reader.integer_or("seed", 0, 0, INT64_MAX);
//   TRY(reader.finish());                 // INVALID_ARGUMENT with `errors: [{pointer, detail}]`
//
// Thread safety: used by one thread.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace cromford::app {

class RequestReader {
 public:
  // `request` must outlive the reader; `what` is for messages; `pointer` is where it stands.
  RequestReader(const base::Json& request, std::string_view what, std::string_view pointer = "");

  std::string text(std::string_view key);
  std::string text_or(std::string_view key, std::string_view otherwise);
  int64_t integer_or(std::string_view key, int64_t otherwise, int64_t smallest, int64_t largest);
  double number_or(std::string_view key, double otherwise, double smallest, double largest);
  bool boolean_or(std::string_view key, bool otherwise);
  // "90s", "14d" (base/limits.h).
  std::optional<std::chrono::nanoseconds> duration(std::string_view key,
                                                   std::chrono::nanoseconds smallest,
                                                   std::chrono::nanoseconds largest);
  std::chrono::nanoseconds duration_or(std::string_view key, std::chrono::nanoseconds otherwise,
                                       std::chrono::nanoseconds smallest,
                                       std::chrono::nanoseconds largest);
  // One of `words`.
  std::string word_or(std::string_view key, std::string_view otherwise,
                      std::initializer_list<std::string_view> words);
  bool has(std::string_view key);
  // Whether the key has exactly this text.
  bool is(std::string_view key, std::string_view text);
  std::vector<std::string> texts_or_empty(std::string_view key);
  const base::Json& object_or_empty(std::string_view key);
  const base::Json& array_or_empty(std::string_view key);

  // Something that only the caller can see is wrong; `key` may be a path below the request ("a/0").
  void fault(std::string_view key, std::string detail);
  // These keys are known too, though this reader does not read them.
  void allow(std::initializer_list<std::string_view> keys);
  // What was found wrong so far; without the unknown keys.
  absl::Status status() const;
  // The same with the unknown keys.
  absl::Status finish();
  // Hands the faults, unknown keys included, to the reader of the enclosing document.
  void finish(RequestReader& enclosing);

 private:
  const base::Json* find(std::string_view key);
  void note_unknown_keys();

  const base::Json* request_;
  std::string what_;
  std::string pointer_;
  std::set<std::string, std::less<>> known_;
  std::vector<base::FieldError> faults_;
};

}  // namespace cromford::app
