#include "cli/model_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/json_fields.h"

namespace cromford::cli {
namespace {

Cell number_or_blank(const base::Json& object, std::string_view name) {
  const auto value = number_field(object, name);
  return value ? score_cell(*value) : Cell("");
}

}  // namespace

Cell metric_cell(const base::Json& metric) {
  if (metric.is_number()) {
    return score_cell(metric.get<double>());
  }
  const auto value = number_field(metric, "value");
  if (!value) {
    return {"-", ""};
  }
  Cell cell = score_cell(*value);
  const auto lower = number_field(metric, "lower");
  const auto upper = number_field(metric, "upper");
  if (lower && upper) {
    cell.shown += fmt::format(" ({} .. {})", score_cell(*lower).shown, score_cell(*upper).shown);
  }
  return cell;
}

void print_metrics(const base::Json& document, Output& output) {
  const base::Json& metrics = field(document, "metrics");
  if (!metrics.is_object() || metrics.empty()) {
    if (field(document, "complete") == false) {
      output.warning("this model is not tested: its run was stopped before the test");
    }
    return;
  }
  output.heading("Metrics");
  TextTable table(
      {{"METRIC"}, {"VALUE", Align::kRight}, {"LOWER", Align::kRight}, {"UPPER", Align::kRight}});
  for (const auto& [name, metric] : metrics.items()) {
    if (metric.is_number()) {
      table.add({name, score_cell(metric.get<double>()), "", ""});
    } else if (number_field(metric, "value")) {
      table.add({name, number_or_blank(metric, "value"), number_or_blank(metric, "lower"),
                 number_or_blank(metric, "upper")});
    }
  }
  output.table(table);
}

void print_importance(const base::Json& document, Output& output, size_t count) {
  const base::Json& importance = array_field(document, "importance");
  if (importance.empty()) {
    return;
  }
  output.heading("Most important columns");
  TextTable table({{"COLUMN"}, {"SHARE", Align::kRight}, {""}});
  const double largest = std::max(1e-12, number_field(importance.front(), "share").value_or(0));
  for (const base::Json& entry : importance) {
    if (table.row_count() == count) {
      break;
    }
    const double share = number_field(entry, "share").value_or(0);
    std::string bar;
    for (int i = 0; i < std::lround(24 * std::clamp(share / largest, 0.0, 1.0)); ++i) {
      bar += "▇";
    }
    Cell drawn = coloured(bar, Colour::kCyan);
    drawn.raw.clear();
    table.add({text_field(entry, "column"), share_cell(share), drawn});
  }
  output.table(table);
}

void print_warnings(const base::Json& document, Output& output) {
  for (const base::Json& warning : array_field(document, "warnings")) {
    output.warning(warning.is_object() ? text_field(warning, "text") : shown_value(warning));
  }
}

std::string split_in_words(const base::Json& split) {
  if (!split.is_object()) {
    return shown_value(split);
  }
  const auto train_rows = integer_field(split, "train_rows");
  const auto test_rows = integer_field(split, "test_rows");
  if (train_rows && test_rows) {
    const std::string from = text_field(split, "test_from");
    return fmt::format("{}: {} rows to learn, {} to test{}", text_field(split, "method"),
                       with_thousands(*train_rows), with_thousands(*test_rows),
                       from.empty() ? "" : " (from " + time_cell(from).shown + ")");
  }
  std::vector<std::string> words;
  for (const auto& [name, value] : split.items()) {
    if (value.is_number_integer()) {
      words.push_back(fmt::format("{} {}", name, with_thousands(value.get<int64_t>())));
    } else if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
      words.push_back(fmt::format("{} {}", name, value.get_ref<const std::string&>()));
    }
  }
  return base::join(words, ", ");
}

}  // namespace cromford::cli
