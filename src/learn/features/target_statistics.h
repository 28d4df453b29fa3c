#pragma once

// Smoothed target statistics of categories: the mean target of each (binary: the share of the
// positive class; multiclass: of every class), drawn towards the mean of all rows by ten imaginary
// rows. A row must not see its own target, so the rows that a model is fitted on get values learned
// without them: five inner folds, each from the other four (Pargent et al. 2022). The inner folds
// follow the split: rows that share every side (a group, copies, a moment) are in one of them,
// since the rows to come will know nothing of their own either.
//
// Given the moments, only the past teaches: each stretch of time is learned from those before it,
// and the first one by inner folds of its own. That is right where what a category means soon
// passes (a till that was tampered with). Elsewhere it costs much: early rows have poorer values
// than rows in service, and the values tell when a row happened, which trees learn by heart. So
// the workbench tries both.
//
//   TargetStatistics statistics(table, problem, plan, targets, {.keys = split.keys});
//   StatisticTables tables = statistics.fit(fold.train);      // for new rows
//   statistics.look_up(tables, i, out);                       // of a row of another part
//   statistics.out_of_fold(fold.train);                       // of the rows that were fitted on
//
// Thread safety: const functions may be called by several threads.

#include <cstdint>
#include <span>
#include <vector>

#include "learn/features/plan.h"
#include "learn/problem.h"
#include "table/table.h"

namespace cromford::learn {

// The tables of all slots, fitted on some rows: for each slot values[code * width + j].
struct StatisticTables {
  std::vector<std::vector<float>> of_slot;
};

// By position; both may be empty. Rows of one key are in one inner fold; rows of one moment do not
// teach each other, and none teaches an earlier one but in the first stretch.
struct StatisticUnits {
  std::span<const uint64_t> keys = {};
  std::span<const double> moments = {};
};

class TargetStatistics {
 public:
  // `targets` are what is averaged for binary and regression (one for each row of the problem);
  // multiclass uses the classes. The table and plan are read here only; problem and units must
  // outlive it.
  TargetStatistics(const table::Table& table, const Problem& problem, const FeaturePlan& plan,
                   std::vector<double> targets, StatisticUnits units = {});

  bool empty() const { return slots_.empty(); }
  // Features of all slots together.
  uint32_t width() const { return width_; }
  // The feature number (in the plan) of each of the width() values.
  const std::vector<uint32_t>& features() const { return features_; }

  StatisticTables fit(std::span<const uint32_t> positions) const;
  // The values of one row by the tables, width() of them.
  void look_up(const StatisticTables& tables, uint32_t position, std::span<float> out) const;
  // Values of the given rows that do not know their own target: [positions.size() x width()].
  std::vector<float> out_of_fold(std::span<const uint32_t> positions) const;

  // Puts the tables into the plan's transforms.
  static void install(const StatisticTables& tables, FeaturePlan& plan);

 private:
  struct Slot {
    std::vector<uint32_t> codes;  // Of each row of the problem.
    uint32_t table_rows = 0;      // Codes there are.
    uint32_t width = 1;
  };
  // Sums of weight (last) and of weighted targets per code: [table_rows x (width + 1)].
  using Sums = std::vector<double>;
  void add_row(const Slot& slot, uint32_t position, Sums& sums) const;
  // Drawn towards the mean of `sums`, or of `all` where these are empty.
  std::vector<float> smooth(const Slot& slot, const Sums& sums, const Sums& all) const;
  // Which part each of the positions is in: an inner fold, or from kInnerFolds on a later stretch
  // of time.
  std::vector<uint32_t> parts_of(std::span<const uint32_t> positions) const;
  uint32_t inner_fold(uint32_t position) const;

  const Problem& problem_;
  StatisticUnits units_;
  std::vector<double> targets_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> features_;
  uint32_t width_ = 0;
};

}  // namespace cromford::learn
