#pragma once

// Limits on JSON files before the data engine sees them: it reads nested values by recursion and
// ends with the process when they are too deep, and it takes minutes over objects with tens of
// thousands of names before anyone can count the columns.
//
//   JsonLimits limits("events.json", JsonLimits::Layout::kLines);
//   TRY(limits.push(bytes));        // piece by piece, in the order of the file
//
// It is no parser: what is not JSON passes, and the engine says what is wrong with it.
// Thread safety: none; one per file.

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace cromford::table {

class JsonLimits {
 public:
  // With kLines a line end ends whatever is open, so one broken line spoils no other.
  enum class Layout { kDocument, kLines };

  JsonLimits(std::string display_name, Layout layout)
      : display_name_(std::move(display_name)), layout_(layout) {}

  // INVALID_ARGUMENT when values are nested deeper than Limits::json_depth, RESOURCE_EXHAUSTED when
  // there are more different names of values, at any level, than Limits::columns.
  absl::Status push(std::string_view bytes);

 private:
  struct Level {
    bool object = false;
    uint64_t path = 0;  // hash of the names that lead here
  };

  absl::Status put(char c);
  absl::Status open(bool object);
  absl::Status end_of_name();
  void reset();

  std::string display_name_;
  Layout layout_;
  std::vector<Level> levels_;
  std::unordered_set<uint64_t> names_;
  int64_t line_ = 1;
  bool in_text_ = false;
  bool after_backslash_ = false;
  bool awaits_name_ = false;
  bool in_name_ = false;
  uint64_t name_ = 0;
};

}  // namespace cromford::table
