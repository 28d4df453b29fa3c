#include "learn/features/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/status.h"

namespace cromford::learn {
namespace {

using model::DatePart;
using table::Column;

constexpr uint32_t kOneHotForTrees = 6;  // Up to so many kept categories.
constexpr uint32_t kOneHotForLinear = 50;
constexpr uint32_t kCodeForTrees = 255;
constexpr uint32_t kCountForTrees = 20;   // From so many kept categories on.
constexpr size_t kStatisticClasses = 12;  // Above, a target statistic would be too wide.
constexpr double kLargest = 1e30;         // Within float32, with room to spare.

// Sorted filled values of a column at the given rows (all rows up to 200,000, else every k-th).
std::vector<double> sorted_values(const Column& column, const Problem& problem,
                                  const std::vector<uint32_t>& positions) {
  std::vector<double> values;
  const size_t step = positions.size() / 200000 + 1;
  for (size_t i = 0; i < positions.size(); i += step) {
    const double value = cell_number(column, problem.rows[positions[i]]);
    if (!std::isnan(value)) {
      values.push_back(value);
    }
  }
  std::sort(values.begin(), values.end());
  return values;
}

double quantile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

class Planner {
 public:
  Planner(const table::Table& table, const Problem& problem, const std::vector<uint32_t>& positions)
      : table_(table), problem_(problem), positions_(positions) {}

  FeaturePlan plan() {
    for (uint32_t f = 0; f < problem_.fields.size(); ++f) {
      const Column& column = table_.columns()[problem_.fields[f].column];
      switch (problem_.fields[f].role) {
        case Role::kNumber:
          add_number(f, column);
          break;
        case Role::kBoolean:
          add(model::NumberTransform{.column = f}, Reader::kBoth, 1);
          add_missing_flag(f, column);
          break;
        case Role::kTime:
          add_time(f, column);
          break;
        case Role::kCategory:
          add_category(f, column);
          break;
        case Role::kText:
          add_text(f, column);
          break;
      }
    }
    add_time_differences();
    return finish();
  }

 private:
  void add(model::Transform transform, Reader reader, uint32_t width, bool trend = false) {
    auto& list = reader == Reader::kLinear ? linear_ : trees_;
    list.push_back({std::move(transform), reader, width, trend});
  }

  void add_missing_flag(uint32_t f, const Column& column) {
    if (column.missing_count > 0) {
      add(model::MissingFlag{.column = f}, Reader::kLinear, 1);
    }
  }

  void add_number(uint32_t f, const Column& column) {
    model::NumberTransform plain{.column = f};
    const std::vector<double> values = sorted_values(column, problem_, positions_);
    if (values.empty()) {
      return;
    }
    if (values.front() < -kLargest || values.back() > kLargest) {
      plain.low = -kLargest;
      plain.high = kLargest;
    }
    add(plain, Reader::kTrees, 1);
    model::NumberTransform linear{.column = f};
    linear.low = std::max(-kLargest, quantile(values, 0.001));
    linear.high = std::min(kLargest, quantile(values, 0.999));
    if (linear.low < linear.high) {
      const double middle = quantile(values, 0.5);
      const double right = quantile(values, 0.99) - middle;
      const double left = middle - quantile(values, 0.01);
      // A long tail on the right of positive numbers: logarithms are nearer to linear.
      if (right > 4 * left && values.front() >= 0 && quantile(values, 0.99) > 5) {
        linear.scale = model::NumberScale::kSignedLog;
      }
      add(linear, Reader::kLinear, 1);
    }
    add_missing_flag(f, column);
  }

  void add_time(uint32_t f, const Column& column) {
    const std::vector<double> values = sorted_values(column, problem_, positions_);
    if (values.empty()) {
      return;
    }
    constexpr double day_s = 86400;
    const double days = (values.back() - values.front()) / day_s;
    const bool timed = column.type == table::ColumnType::kTimestamp &&
                       std::any_of(values.begin(), values.end(),
                                   [](double v) { return std::fmod(v, day_s) != 0; });
    const bool is_time = problem_.time_column == problem_.fields[f].column;
    // A cycle helps once it has been seen twice; before that it is a trend in disguise.
    std::vector<DatePart> cycles;
    std::vector<DatePart> trends = {DatePart::kEpochDays};
    std::vector<DatePart> waves;
    if (timed) {
      // The waves tell the moment of the day more finely than the hour, at one split.
      cycles.insert(cycles.end(),
                    {DatePart::kHour, DatePart::kMinute, DatePart::kDaySine, DatePart::kDayCosine});
      waves.insert(waves.end(), {DatePart::kDaySine, DatePart::kDayCosine});
    }
    if (days >= 14) {
      cycles.push_back(DatePart::kWeekday);
      waves.insert(waves.end(), {DatePart::kWeekSine, DatePart::kWeekCosine});
    }
    (days >= 60 ? cycles : trends).push_back(DatePart::kDay);
    if (days >= 500) {
      waves.insert(waves.end(), {DatePart::kYearSine, DatePart::kYearCosine});
    }
    (days >= 500 ? cycles : trends).push_back(DatePart::kMonth);
    (days >= 500 ? cycles : trends).push_back(DatePart::kDayOfYear);
    trends.push_back(DatePart::kYear);
    const auto width = [](const std::vector<DatePart>& parts) {
      return static_cast<uint32_t>(parts.size());
    };
    if (!cycles.empty()) {
      add(model::DateParts{.column = f, .parts = cycles}, Reader::kTrees, width(cycles));
    }
    add(model::DateParts{.column = f, .parts = trends}, Reader::kTrees, width(trends), is_time);
    if (!waves.empty()) {
      add(model::DateParts{.column = f, .parts = waves}, Reader::kLinear, width(waves));
    }
    if (!is_time && values.front() < values.back()) {
      add(model::NumberTransform{.column = f, .low = values.front(), .high = values.back()},
          Reader::kLinear, 1);
    }
    add_missing_flag(f, column);
  }

  void add_time_differences() {
    std::vector<uint32_t> times;
    for (uint32_t f = 0; f < problem_.fields.size(); ++f) {
      if (problem_.fields[f].role == Role::kTime) {
        times.push_back(f);
      }
    }
    constexpr size_t pairs_max = 6;
    size_t pairs = 0;
    for (size_t a = 0; a < times.size(); ++a) {
      for (size_t b = a + 1; b < times.size() && pairs < pairs_max; ++b, ++pairs) {
        add(model::PairTransform{.left = times[b], .right = times[a]}, Reader::kBoth, 1);
      }
    }
  }

  void add_category(uint32_t f, const Column& column) {
    model::Dictionary dictionary = make_dictionary(column, f, problem_, positions_);
    const uint32_t kept = dictionary.kept_count;
    const bool rare = dictionary.entries.size() > kept;
    const uint32_t rows_of_table = kept + 2;
    dictionaries_.push_back(dictionary);
    if (kept == 0) {
      add(model::MissingFlag{.column = f}, Reader::kBoth, 1);
      return;
    }
    const bool simple = kept == 2 && !rare && column.missing_count == 0;
    const uint32_t all = simple ? 1 : kept + (rare || column.missing_count > 0 ? 2 : 0);
    if (kept <= kOneHotForTrees) {
      add(model::OneHot{.column = f, .width = all}, Reader::kBoth, all);
      return;
    }
    if (kept <= kCodeForTrees) {
      add(ordinal(f, dictionary), Reader::kTrees, 1);
    }
    if (kept >= kCountForTrees) {
      add(counts(f, dictionary, column), Reader::kBoth, 1);
    }
    const size_t classes = problem_.classes.size();
    if (classes <= kStatisticClasses) {
      const auto width =
          static_cast<uint32_t>(problem_.task == metric::Task::kMulticlass ? classes : 1);
      model::CategoryTable table{.column = f,
                                 .kind = model::CategoryTableKind::kTarget,
                                 .width = width,
                                 .values = std::vector<float>(size_t{rows_of_table} * width, 0.0F)};
      add(std::move(table), kept <= kOneHotForLinear ? Reader::kTrees : Reader::kBoth, width);
    }
    if (kept <= kOneHotForLinear) {
      add(model::OneHot{.column = f, .width = kept + 2}, Reader::kLinear, kept + 2);
    }
  }

  // Codes in the order of the texts, which often means something ("[20-30)" before "[30-40)").
  static model::CategoryTable ordinal(uint32_t f, const model::Dictionary& dictionary) {
    std::vector<uint32_t> order(dictionary.kept_count);
    for (uint32_t i = 0; i < order.size(); ++i) {
      order[i] = i;
    }
    std::sort(order.begin(), order.end(), [&dictionary](uint32_t a, uint32_t b) {
      return dictionary.entries[a] < dictionary.entries[b];
    });
    model::CategoryTable table{.column = f, .kind = model::CategoryTableKind::kCode, .values = {}};
    table.values.resize(dictionary.kept_count + size_t{2});
    for (uint32_t rank = 0; rank < order.size(); ++rank) {
      table.values[order[rank]] = static_cast<float>(rank);
    }
    table.values[dictionary.kept_count] = -1.0F;
    table.values[dictionary.kept_count + 1] = std::numeric_limits<float>::quiet_NaN();
    return table;
  }

  model::CategoryTable counts(uint32_t f, const model::Dictionary& dictionary,
                              const Column& column) const {
    model::CategoryTable table{.column = f, .kind = model::CategoryTableKind::kCount, .values = {}};
    table.values.assign(dictionary.kept_count + size_t{2}, 0.0F);
    std::vector<uint32_t> seen(column.dictionary.size(), 0);
    for (const uint32_t position : positions_) {
      const uint32_t row = problem_.rows[position];
      if (column.valid(row)) {
        ++seen[column.codes[row]];
      }
    }
    std::unordered_map<std::string_view, uint32_t> count_of;
    for (size_t code = 0; code < seen.size(); ++code) {
      count_of.emplace(column.dictionary[code], seen[code]);
    }
    for (uint32_t i = 0; i < dictionary.kept_count; ++i) {
      table.values[i] = static_cast<float>(std::log1p(count_of[dictionary.entries[i]]));
    }
    table.values[dictionary.kept_count + 1] = std::numeric_limits<float>::quiet_NaN();
    return table;
  }

  void add_text(uint32_t f, const Column& column) {
    const size_t rows = positions_.size();
    const size_t width_max = rows <= 20000 ? 400 : rows <= 200000 ? 150 : 60;
    model::TextTokens tokens = make_tokens(column, f, problem_, positions_, width_max);
    add(model::TextLength{.column = f}, Reader::kBoth, 2);
    if (tokens.width > 0 && !tokens.vocabulary.empty()) {
      const uint32_t width = tokens.width;
      add(std::move(tokens), Reader::kBoth, width);
    }
    add_missing_flag(f, column);
  }

  uint32_t dictionary_of(uint32_t f) const {
    for (uint32_t d = 0; d < dictionaries_.size(); ++d) {
      if (dictionaries_[d].column == f) {
        return d;
      }
    }
    return 0;
  }

  FeaturePlan finish() {
    FeaturePlan plan;
    plan.dictionaries = std::move(dictionaries_);
    for (auto* list : {&trees_, &linear_}) {
      for (PlannedTransform& planned : *list) {
        for (uint32_t j = 0; j < planned.width; ++j) {
          if (planned.reader != Reader::kLinear) {
            plan.tree_features.push_back(plan.feature_count + j);
          }
          if (planned.reader != Reader::kTrees) {
            plan.linear_features.push_back(plan.feature_count + j);
          }
        }
        const auto* table = std::get_if<model::CategoryTable>(&planned.transform);
        if (table != nullptr && table->kind == model::CategoryTableKind::kTarget) {
          plan.statistics.push_back({.transform = plan.transforms.size(),
                                     .field = table->column,
                                     .dictionary = 0,
                                     .first_feature = plan.feature_count,
                                     .width = planned.width});
        }
        plan.feature_count += planned.width;
        plan.transforms.push_back(std::move(planned));
      }
      if (list == &trees_) {
        plan.tree_feature_count = plan.feature_count;
      }
    }
    dictionaries_ = plan.dictionaries;
    for (StatisticSlot& slot : plan.statistics) {
      slot.dictionary = dictionary_of(slot.field);
    }
    return plan;
  }

  const table::Table& table_;
  const Problem& problem_;
  const std::vector<uint32_t>& positions_;
  std::vector<model::Dictionary> dictionaries_;
  std::vector<PlannedTransform> trees_;
  std::vector<PlannedTransform> linear_;
};

model::PipelineParts parts_of(const FeaturePlan& plan, bool trees_only) {
  model::PipelineParts parts;
  parts.dictionaries = plan.dictionaries;
  for (const PlannedTransform& planned : plan.transforms) {
    if (!trees_only || planned.reader != Reader::kLinear) {
      parts.transforms.push_back(planned.transform);
    }
  }
  return parts;
}

}  // namespace

model::PipelineParts FeaturePlan::tree_parts() const {
  return parts_of(*this, true);
}

model::PipelineParts FeaturePlan::all_parts() const {
  return parts_of(*this, false);
}

std::vector<uint32_t> FeaturePlan::trend_features() const {
  std::vector<uint32_t> result;
  uint32_t at = 0;
  for (const PlannedTransform& planned : transforms) {
    for (uint32_t j = 0; j < planned.width; ++j, ++at) {
      if (planned.trend) {
        result.push_back(at);
      }
    }
  }
  return result;
}

absl::StatusOr<FeaturePlan> plan_features(const table::Table& table, const Problem& problem,
                                          const std::vector<uint32_t>& positions) {
  FeaturePlan plan = Planner(table, problem, positions).plan();
  if (plan.feature_count == 0) {
    return base::invalid("no feature can be made of the input columns",
                         "add columns that are filled in more rows");
  }
  return plan;
}

}  // namespace cromford::learn
