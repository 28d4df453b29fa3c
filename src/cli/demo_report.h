#pragma once

// How the months of the demo ended: the model of January that nobody touched against what the
// closed loop served, as a table, as a plot of characters, and as files.
//
//   MonthReport march{.month = "2001-03", .flights = 480'000, .still = ..., .loop = ...};
//   print_months(months, output);
//   TRY(write_report("demo-report", months, decisions, alerts));
//
// Thread safety: pure functions, but for the output and the files.

#include <absl/status/status.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/json.h"
#include "cli/output.h"

namespace cromford::cli {

struct Quality {
  double auc = 0;
  double log_loss = 0;
};
// Of the result of an evaluation.
Quality quality_of(const base::Json& result);

struct MonthReport {
  std::string month;  // "2001-03"
  size_t flights = 0;
  Quality still;  // Of the model that was deployed first,
  Quality loop;   // and of what the endpoint answered.
};

// A line for each month and measure: how far the two are, on one scale for all months.
std::string plot_months(std::span<const MonthReport> months);

void print_months(std::span<const MonthReport> months, Output& output);

// months.csv, months.txt (table and plot) and timeline.csv (decisions and alerts as the API gives
// them) in a folder that is made where there is none.
absl::Status write_report(const std::filesystem::path& folder, std::span<const MonthReport> months,
                          std::span<const base::Json> decisions,
                          std::span<const base::Json> alerts);

}  // namespace cromford::cli
