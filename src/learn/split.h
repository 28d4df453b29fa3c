#pragma once

// Which rows teach, which choose, and which judge. The test part is taken away first and touched
// once, at the end; folds divide the rest for validation.
//
// By time: the test part is the latest share of the rows (rows of one moment stay together), and
// validation is the latest share of what remains. By group: whole groups on one side. Otherwise
// by the hash of the row (test_part.h): the test part is the same for every seed, and holds the
// same share of each class but for ties. Folds are dealt by the seed: stratified by the target, in
// units of rows with equal keys; above 300,000 rows one holdout at random, where chance keeps
// the classes in proportion but a class of a few rows may be missing.
//
//   TRY(Split split, split_rows(table, problem, {.seed = settings.seed}));
//   for (const Fold& fold : split.folds) { fit on fold.train, score fold.valid }
//
// All row numbers are positions in problem.rows, ascending.
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "learn/problem.h"
#include "learn/test_part.h"
#include "table/table.h"

namespace cromford::learn {

struct Fold {
  std::vector<uint32_t> train;
  std::vector<uint32_t> valid;
};

struct Split {
  std::string method;      // "time", "group", "group_by_time", "stratified", "random"
  std::string validation;  // "holdout", "folds", "forward"
  std::vector<uint32_t> test;
  std::vector<uint32_t> work;  // All others: the development part.
  std::vector<Fold> folds;     // Of `work`.
  // The first moment of the test part, in the time column's own unit (cell_number()); 0 otherwise.
  double test_from = 0;
  TestPart test_part;  // The rule that `test` follows.
  // Of each position: rows of one key share every side.
  std::vector<uint64_t> keys;
  // By time, of each position: when it happened (of a group, its latest moment), in the time
  // column's unit. Empty otherwise. Rows of one moment have one key.
  std::vector<double> moments;
};

struct SplitOptions {
  uint64_t seed = 0;
  // At most so many rows are divided into folds, each of which is fitted; above, one holdout.
  size_t fold_rows_max = 50000;
  size_t fold_count = 5;
  size_t threads = 1;
  // The part of a model that this one will be compared with: the same columns are hashed in the
  // same way where the table has them, so that both keep the same rows.
  const TestPart* like = nullptr;
};

// INVALID_ARGUMENT where no part would be left (one moment only, one huge group).
absl::StatusOr<Split> split_rows(const table::Table& table, const Problem& problem,
                                 const SplitOptions& options);

}  // namespace cromford::learn
