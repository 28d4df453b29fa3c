#include "cli/demo_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "cli/json_fields.h"

namespace cromford::cli {
namespace {

constexpr size_t kPlotWidth = 40;

struct Scale {
  double low = 0;
  double high = 1;

  size_t at(double value) const {
    const double share = (value - low) / std::max(high - low, 1e-9);
    return static_cast<size_t>(std::clamp(share, 0.0, 1.0) * (kPlotWidth - 1) + 0.5);
  }
};

Scale scale_of(std::span<const MonthReport> months, double Quality::* measure) {
  Scale scale{.low = months.front().still.*measure, .high = months.front().still.*measure};
  for (const MonthReport& month : months) {
    for (const double value : {month.still.*measure, month.loop.*measure}) {
      scale.low = std::min(scale.low, value);
      scale.high = std::max(scale.high, value);
    }
  }
  return scale;
}

std::string plot(std::span<const MonthReport> months, double Quality::* measure,
                 std::string_view title) {
  const Scale scale = scale_of(months, measure);
  std::string text =
      fmt::format("{:<9}{:<.3f}{:>{}.3f}\n", title, scale.low, scale.high, kPlotWidth - 5);
  for (const MonthReport& month : months) {
    std::string line(kPlotWidth, '.');
    line[scale.at(month.still.*measure)] = 'o';
    line[scale.at(month.loop.*measure)] = '#';
    text += fmt::format("{:<9}{}\n", month.month, line);
  }
  return text;
}

TextTable month_table(std::span<const MonthReport> months) {
  TextTable table({{"MONTH"},
                   {"FLIGHTS", Align::kRight},
                   {"AUC, STATIC", Align::kRight},
                   {"CLOSED LOOP", Align::kRight},
                   {"LOG LOSS, STATIC", Align::kRight},
                   {"CLOSED LOOP", Align::kRight}});
  for (const MonthReport& month : months) {
    table.add({month.month, count_cell(static_cast<int64_t>(month.flights)),
               score_cell(month.still.auc), score_cell(month.loop.auc),
               score_cell(month.still.log_loss), score_cell(month.loop.log_loss)});
  }
  return table;
}

// As RFC 4180 wants it.
std::string csv_field(std::string_view text) {
  std::string field = "\"";
  for (const char letter : text) {
    field += letter == '"' ? "\"\"" : std::string(1, letter);
  }
  return field + '"';
}

std::string timeline_csv(std::span<const base::Json> decisions,
                         std::span<const base::Json> alerts) {
  std::string csv = "time,kind,what,model,reason\n";
  for (const base::Json& one : decisions) {
    csv +=
        fmt::format("{},decision,{},{},{}\n", text_field(one, "event_time"), text_field(one, "to"),
                    text_field(one, "model"), csv_field(text_field(one, "reason")));
  }
  for (const base::Json& one : alerts) {
    csv += fmt::format("{},alert,{},,{}\n", text_field(one, "since"), text_field(one, "rule"),
                       csv_field(text_field(one, "what")));
  }
  return csv;
}

std::string months_csv(std::span<const MonthReport> months) {
  std::string csv = "month,flights,auc_static,auc_loop,log_loss_static,log_loss_loop\n";
  for (const MonthReport& month : months) {
    csv += fmt::format("{},{},{},{},{},{}\n", month.month, month.flights, month.still.auc,
                       month.loop.auc, month.still.log_loss, month.loop.log_loss);
  }
  return csv;
}

absl::Status write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream stream(file, std::ios::binary);
  stream << text;
  stream.close();
  return stream ? absl::OkStatus()
                : base::unavailable(fmt::format("cannot write {}", file.string()),
                                    "name another folder with --report");
}

}  // namespace

Quality quality_of(const base::Json& result) {
  const base::Json& metrics = field(result, "metrics");
  return {.auc = number_field(field(metrics, "auc"), "value").value_or(0),
          .log_loss = number_field(field(metrics, "log_loss"), "value").value_or(0)};
}

std::string plot_months(std::span<const MonthReport> months) {
  if (months.empty()) {
    return {};
  }
  return fmt::format("o static   # closed loop\n\n{}\n{}", plot(months, &Quality::auc, "AUC"),
                     plot(months, &Quality::log_loss, "log loss"));
}

void print_months(std::span<const MonthReport> months, Output& output) {
  output.table(month_table(months));
  output.note("\n" + plot_months(months));
}

absl::Status write_report(const std::filesystem::path& folder, std::span<const MonthReport> months,
                          std::span<const base::Json> decisions,
                          std::span<const base::Json> alerts) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  TRY(write_text(folder / "months.csv", months_csv(months)));
  TRY(write_text(folder / "months.txt",
                 month_table(months).aligned(120, false) + "\n" + plot_months(months)));
  return write_text(folder / "timeline.csv", timeline_csv(decisions, alerts));
}

}  // namespace cromford::cli
