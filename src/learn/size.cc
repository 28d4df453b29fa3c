#include "learn/size.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/limits.h"
#include "base/status.h"
#include "learn/search/workbench.h"

namespace cromford::learn {
namespace {

constexpr uint64_t kDefaultMemory = uint64_t{4} << 30U;
constexpr uint64_t kFixedMemory = uint64_t{64} << 20U;  // Program, libraries, models.
constexpr size_t kFewestRows = 1000;
// Measured on one core: seconds to make, gather and quantise one value, and to fit one tree level
// value in one round.
constexpr double kPrepareSeconds = 1.2e-7;
constexpr double kRoundSeconds = 6e-9;
constexpr double kTypicalRounds = 150;

// Features that trees will read of a column, at most.
size_t features_of(Role role, size_t rows) {
  switch (role) {
    case Role::kNumber:
    case Role::kBoolean:
      return 1;
    case Role::kTime:
      return 10;
    case Role::kCategory:
      return 5;
    case Role::kText:
      return rows <= 20000 ? 402 : rows <= 200000 ? 152 : 62;
  }
  return 1;
}

uint64_t table_bytes(const table::Table& table) {
  uint64_t bytes = 0;
  for (const table::Column& column : table.columns()) {
    bytes += column.numbers.capacity() * 8 + column.integers.capacity() * 8 +
             column.codes.capacity() * 4 + column.validity.capacity() * 8;
    for (const std::string& text : column.dictionary) {
      bytes += sizeof(std::string) + (text.size() > 15 ? text.capacity() : 0);
    }
  }
  return bytes;
}

void sample(size_t rows, const std::string& why, Problem& problem) {
  const size_t before = problem.row_count();
  std::vector<uint32_t> all(before);
  std::iota(all.begin(), all.end(), 0U);
  keep_rows(sample_rows(all, rows, 31), problem);
  problem.warn(
      "sampled", "",
      fmt::format("{} of {} rows were used, drawn at random, to keep {}", rows, before, why));
}

}  // namespace

absl::Status memory_ran_out() {
  return base::exhausted("memory ran out during training",
                         "give the run more memory with --memory, or fewer rows with --where");
}

absl::StatusOr<SizePlan> plan_sizes(const table::Table& table, const TrainSettings& settings,
                                    double budget_s, size_t threads, Problem& problem) {
  const size_t rows = problem.row_count();
  size_t features = 0;
  for (const Field& field : problem.fields) {
    features += features_of(field.role, rows);
  }
  const auto width = static_cast<double>(features);
  const auto outputs = static_cast<double>(problem.output_count());
  // The matrix (4 bytes per value), quantised rows for the search and for the final fit (up to 2
  // each), plain validation rows (8, a tenth), a block in flight; gradients and margins per thread.
  const double per_row =
      width * (4 + 2 + 2 + 1) + outputs * (8.0 * static_cast<double>(threads) + 40) + 64;
  const uint64_t limit = settings.memory_limit > 0 ? settings.memory_limit : kDefaultMemory;
  const double held = static_cast<double>(table_bytes(table) + kFixedMemory);
  const double free = 0.8 * static_cast<double>(limit) - held;
  const double fitting = free / per_row;
  if (fitting < static_cast<double>(std::min(rows, kFewestRows))) {
    return base::exhausted(fmt::format("{} of memory are too little for {} columns of {} rows",
                                       base::format_size(limit), problem.fields.size(), rows),
                           "give the run more with --memory, or leave columns out with --ignore");
  }
  if (static_cast<double>(rows) > fitting) {
    sample(static_cast<size_t>(fitting),
           fmt::format("the memory limit of {}", base::format_size(limit)), problem);
  }
  SizePlan plan;
  // Linear models see a copy of their rows twice over, beside all else.
  plan.linear_cells_max =
      std::clamp<size_t>(static_cast<size_t>(free / 60), 100000, plan.linear_cells_max);
  if (budget_s <= 0) {
    return plan;
  }
  const double prepared =
      0.25 * budget_s * static_cast<double>(threads) / (width * kPrepareSeconds);
  if (static_cast<double>(problem.row_count()) > std::max(prepared, 1000.0)) {
    sample(static_cast<size_t>(std::max(prepared, 1000.0)), "the time budget", problem);
  }
  // Rows of which a trial of typical length takes a fifth of the budget.
  const double trial_rows = 0.2 * budget_s / (kTypicalRounds * width * outputs * kRoundSeconds);
  plan.search_rows_max = static_cast<size_t>(std::max(2000.0, trial_rows));
  plan.fold_rows_max = static_cast<size_t>(std::clamp(trial_rows / 4, 1000.0, 50000.0));
  // How many rounds a trial may have in three tenths of the budget, and how many it would need:
  // more rows can be told apart more finely.
  const double taught = 0.7 * std::min(static_cast<double>(problem.row_count()),
                                       static_cast<double>(plan.search_rows_max));
  const double folds =
      static_cast<double>(problem.row_count()) <= static_cast<double>(plan.fold_rows_max) ? 5 : 1;
  const double rounds = 0.3 * budget_s / (taught * folds * width * outputs * kRoundSeconds);
  const double needed = std::clamp(25 * std::sqrt(taught / 30000), 10.0, 100.0);
  plan.rate_least = std::min(needed / rounds, 0.3);
  plan.linear_cells_max =
      std::min(plan.linear_cells_max, static_cast<size_t>(std::clamp(budget_s * 2e5, 2e5, 1e7)));
  return plan;
}

}  // namespace cromford::learn
