#pragma once

// Which rows are kept for the test, decided by the content of each row alone: not by the seed, nor
// by the number of rows. So the versions of a model keep the same rows back, also when the dataset
// has grown, and the rule, stored in the package, tells of any row whether that model can have
// learned from it. Two models are compared on rows that neither has.
//
// What is hashed: the values of the inputs (text as text, numbers, booleans and times as numbers),
// or of the group column. Rows of equal inputs then share a side, or a copy of a test row could be
// learned by heart. Where few distinct rows are possible (three categories, say), copies are chance
// and not leaks; there the target and a row's number among its equals are hashed too, so that rows
// of one content are dealt like any others.
//
// A row belongs to the test part where its hash, a number in [0, 1), is below the bound of its
// class. The bounds are set so that each class gives its share exactly, but for ties.
//
//   TRY(const TestPart part, test_part_of(champion.manifest()));
//   TRY(const std::vector<bool> unseen, never_taught(table, part, threads));   // by table row
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "table/table.h"

namespace cromford::learn {

struct TestPart {
  enum class By { kRows, kGroups, kTime };
  By by = By::kRows;
  // Hashed, in the order of their names; of rows without a group too.
  std::vector<std::string> columns;
  bool copies_together = true;
  std::string group_column;  // Of kGroups.
  // Of kRows: one bound for each class, or one in all where there are no classes; kGroups: one.
  std::string target;
  std::vector<std::string> classes;
  std::vector<double> below;
  // Of kGroups: the hashes of groups too large to test with, which always teach.
  std::vector<double> taught;
  // Of kTime: rows from this moment on, in the unit of cell_number().
  std::string time_column;
  double from = 0;
};

base::Json test_part_json(const TestPart& part);
// FAILED_PRECONDITION where the package does not say what it was trained on.
absl::StatusOr<TestPart> test_part_of(const base::Json& manifest);

// The hash of each row of the table by the part's columns and group; rows of one hash share every
// side. FAILED_PRECONDITION where the table lacks a column.
absl::StatusOr<std::vector<uint64_t>> row_keys(const table::Table& table, const TestPart& part,
                                               size_t threads);
// In [0, 1).
double key_share(uint64_t key);
// Another, independent key.
uint64_t mix_key(uint64_t key, uint64_t salt);

// How rows are hashed where nothing is known before: sets `columns` and `copies_together`.
TestPart plan_row_hash(const table::Table& table, std::vector<std::string> inputs,
                       const std::string& target, size_t threads);

// Of each row of the table: whether a model of that part cannot have learned from it.
absl::StatusOr<std::vector<bool>> never_taught(const table::Table& table, const TestPart& part,
                                               size_t threads);

}  // namespace cromford::learn
