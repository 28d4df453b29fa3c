#pragma once

// One file of an import: what it is, and the SELECT that gives its rows. For import.cc.
//
//   TRY(InputPlan input, look_at_input(connection, options.inputs[0], {.scratch = folder}));
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "table/duck.h"
#include "table/import.h"
#include "table/text_feed.h"

namespace cromford::table {

struct InputPlan {
  ImportedSource source;
  std::filesystem::path path;  // what is read; not the user's file where that was made over
  std::optional<TextFile> text;
  std::string select;  // of inputs that the data engine reads itself
  // The same with the column RowTap::kRowNumber; empty where there is no such thing.
  std::string numbered_select;
  Schema schema;            // what it gives
  std::vector<BadRow> bad;  // found while looking
  std::string display_name;

  // Takes the schema from the text file's plans.
  void refresh_schema();
};

// Finds out format, compression, encoding, columns and types. `scratch` is a folder for files made
// over (JSON that is not UTF-8, or with bad lines).
struct LookOptions {
  std::filesystem::path scratch;             // a folder for copies
  uint64_t unpacked_bytes_max = UINT64_MAX;  // of a copy
  base::CancelToken cancel;
};

// An error of the data engine about a file that it reads itself, as people know the file.
absl::Status in_words_of_file(const absl::Status& status, const InputPlan& plan);

absl::StatusOr<InputPlan> look_at_input(duck::Connection& connection, const ImportInput& input,
                                        const LookOptions& options);

}  // namespace cromford::table
