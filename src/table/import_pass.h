#pragma once

// What an import computes of its rows while they go by in blocks: the content hash, and whatever
// the caller's visitors do. Either in a pass over what is stored, or, where nothing comes between
// reading and storing, while the engine stores them. For import.cc.
//
//   ImportPass pass(schema, options, [&](int64_t block) { ... report progress ... });
//   TRY(for_each_block(engine, stored, pass.factory(), pass.sink()));
//   part.content_hash = pass.finish(row_count);
//
// Thread safety: as visitor factories and sinks (table/chunk.h); they must outlive the scan.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "table/chunk.h"
#include "table/content_hash.h"
#include "table/import.h"
#include "table/import_input.h"
#include "table/row_tap.h"

namespace cromford::table {

class ImportPass {
 public:
  // Tells the caller the schema. `on_block` is called for each block in its order, when it is done.
  ImportPass(const Schema& schema, const ImportOptions& options,
             std::function<void(int64_t block)> on_block);

  BlockVisitorFactory factory();
  BlockSink sink();
  // The content hash of the part, after the scan.
  std::string finish(int64_t row_count) { return part_.finish(row_count); }

 private:
  size_t column_count_;
  const ImportOptions& options_;
  std::function<void(int64_t block)> on_block_;
  PartHasher part_;
};

// The same while the rows of one file are stored, which saves reading them again.
class StoringPass {
 public:
  // Of one file that the engine numbers the rows of, without query and checks.
  static bool is_possible(const ImportOptions& options, std::span<const InputPlan> inputs,
                          const Schema& schema);

  StoringPass(const Schema& schema, const ImportOptions& options,
              std::function<void(int64_t rows, int64_t total)> on_progress);
  StoringPass(const StoringPass&) = delete;
  StoringPass& operator=(const StoringPass&) = delete;

  // The SELECT that gives the rows of the input and shows them in passing.
  absl::StatusOr<std::string> open(duck::Connection& connection, const InputPlan& input);
  // How many rows the file's row groups have on average, once it is open.
  int64_t group_rows() const { return group_rows_; }
  // Of the visitors and the caller's sink.
  absl::Status status() const { return tap_.status(); }
  // After the rows were stored: the content hash of the part; empty where the memory did not
  // suffice, so that the pass is still to be done.
  absl::StatusOr<std::string> finish(int64_t row_count);

 private:
  Schema schema_;
  std::function<void(int64_t, int64_t)> on_progress_;
  int64_t total_ = 1;
  int64_t group_rows_ = 0;
  ImportPass pass_;
  RowTap tap_;
};

}  // namespace cromford::table
