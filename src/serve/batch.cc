#include "serve/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::serve {
namespace {

void append_value(std::string& out, const model::InputColumn& column, const model::ColumnView& view,
                  size_t row) {
  if (column.type == model::InputType::kText) {
    out += view.texts[row].data() == nullptr ? "missing" : view.texts[row];
    return;
  }
  const double number = view.numbers[row];
  if (!std::isfinite(number)) {
    out += "missing";
  } else if (column.type == model::InputType::kNumber) {
    base::append_number(out, number);
  } else if (column.type == model::InputType::kBoolean) {
    out += number != 0.0 ? "true" : "false";
  } else {
    const base::Time time(std::chrono::microseconds(std::llround(number * 1e6)));
    out += base::format_time(time).substr(0, column.type == model::InputType::kDate ? 10 : 64);
  }
}

}  // namespace

absl::StatusOr<BatchScorer> BatchScorer::create(std::shared_ptr<const model::Package> package,
                                                const BatchOptions& options) {
  const uint32_t explain_max = base::Limits().explain_max;
  if (options.explain > explain_max) {
    return base::invalid(fmt::format("{} reasons are asked for each row, the limit is {}",
                                     options.explain, explain_max),
                         fmt::format("ask for at most {}", explain_max));
  }
  return BatchScorer(std::move(package), options);
}

BatchScorer::BatchScorer(std::shared_ptr<const model::Package> package, const BatchOptions& options)
    : package_(std::move(package)), options_(options) {
  if (package_->task() == model::Task::kRegression) {
    columns_.push_back({.name = "prediction"});
    if (package_->interval().kind != model::IntervalKind::kNone) {
      columns_.push_back({.name = "lower"});
      columns_.push_back({.name = "upper"});
    }
  } else {
    columns_.push_back({.name = "prediction",
                        .kind = ResultColumn::Kind::kCategory,
                        .categories = package_->classes()});
    for (const std::string& name : package_->classes()) {
      columns_.push_back({.name = fmt::format("probability_{}", name)});
    }
  }
  first_reason_ = columns_.size();
  for (uint32_t i = 1; i <= options_.explain; ++i) {
    columns_.push_back({.name = fmt::format("reason_{}", i), .kind = ResultColumn::Kind::kText});
  }
}

void BatchScorer::score(const model::RowBatch& batch) {
  const auto copy = [](std::span<const double> from, std::vector<double>& to) {
    to.assign(from.begin(), from.end());
  };
  model::Predictions predictions;
  if (batch.row_count > 0) {
    predictions = package_->predict(batch, workspace_);
  }
  if (package_->task() == model::Task::kRegression) {
    copy(predictions.values, columns_[0].numbers);
    if (first_reason_ > 1) {
      copy(predictions.lower, columns_[1].numbers);
      copy(predictions.upper, columns_[2].numbers);
    }
  } else {
    columns_[0].codes.assign(predictions.classes.begin(), predictions.classes.end());
    const size_t class_count = package_->classes().size();
    for (size_t c = 0; c < class_count; ++c) {
      std::vector<double>& numbers = columns_[1 + c].numbers;
      numbers.resize(batch.row_count);
      for (size_t row = 0; row < batch.row_count; ++row) {
        numbers[row] = predictions.probabilities[row * class_count + c];
      }
    }
  }
  if (options_.explain > 0) {
    explain(batch);
  }
}

void BatchScorer::explain(const model::RowBatch& batch) {
  for (size_t i = first_reason_; i < columns_.size(); ++i) {
    columns_[i].texts.assign(batch.row_count, std::string());
  }
  for (size_t row = 0; row < batch.row_count; ++row) {
    package_->explain(batch, row, model::Package::kPredictedClass, workspace_, explanation_);
    size_t rank = 0;
    for (const size_t index : model::top_columns(explanation_, options_.explain)) {
      const model::InputColumn& column = package_->contract()[index];
      std::string& text = columns_[first_reason_ + rank++].texts[row];
      text = column.name + '=';
      append_value(text, column, batch.columns[index], row);
      text += fmt::format(" ({:+.4g})", explanation_.contributions[index]);
    }
  }
}

}  // namespace cromford::serve
