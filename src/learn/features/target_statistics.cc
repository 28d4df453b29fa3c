#include "learn/features/target_statistics.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace cromford::learn {
namespace {

constexpr double kImaginaryRows = 10;
constexpr uint32_t kInnerFolds = 5;

// The inner fold of a row depends on its place only, so that it is the same in every run.
uint32_t inner_fold(uint32_t position) {
  uint32_t x = position * 0x9e3779b1U;
  x ^= x >> 15;
  return (x * 0x85ebca6bU >> 8) % kInnerFolds;
}

std::vector<uint32_t> codes_of_rows(const table::Column& column, const Problem& problem,
                                    const model::Dictionary& dictionary) {
  std::unordered_map<std::string_view, uint32_t> index;
  for (uint32_t i = 0; i < dictionary.kept_count; ++i) {
    index.emplace(dictionary.entries[i], i);
  }
  std::vector<uint32_t> code_of(column.dictionary.size(), dictionary.kept_count);
  for (size_t i = 0; i < column.dictionary.size(); ++i) {
    const auto found = index.find(column.dictionary[i]);
    if (found != index.end()) {
      code_of[i] = found->second;
    } else if (column.dictionary[i].empty()) {
      code_of[i] = dictionary.kept_count + 1;
    }
  }
  std::vector<uint32_t> codes(problem.row_count());
  for (size_t i = 0; i < codes.size(); ++i) {
    const uint32_t row = problem.rows[i];
    codes[i] = column.valid(row) ? code_of[column.codes[row]] : dictionary.kept_count + 1;
  }
  return codes;
}

}  // namespace

TargetStatistics::TargetStatistics(const table::Table& table, const Problem& problem,
                                   const FeaturePlan& plan, std::vector<double> targets)
    : problem_(problem), targets_(std::move(targets)) {
  for (const StatisticSlot& slot : plan.statistics) {
    const model::Dictionary& dictionary = plan.dictionaries[slot.dictionary];
    const table::Column& column = table.columns()[problem.fields[slot.field].column];
    slots_.push_back({.codes = codes_of_rows(column, problem, dictionary),
                      .table_rows = dictionary.kept_count + 2,
                      .width = slot.width});
    for (uint32_t j = 0; j < slot.width; ++j) {
      features_.push_back(slot.first_feature + j);
    }
    width_ += slot.width;
  }
}

std::vector<double> TargetStatistics::sums(const Slot& slot, std::span<const uint32_t> positions,
                                           uint32_t fold, bool all) const {
  const size_t stride = slot.width + size_t{1};
  std::vector<double> result(slot.table_rows * stride, 0.0);
  for (const uint32_t i : positions) {
    if (!all && inner_fold(i) != fold) {
      continue;
    }
    const double weight = problem_.weights.empty() ? 1.0 : problem_.weights[i];
    double* row = &result[slot.codes[i] * stride];
    if (slot.width == 1) {
      row[0] += weight * targets_[i];
    } else {
      row[static_cast<size_t>(problem_.labels[i])] += weight;
    }
    row[slot.width] += weight;
  }
  return result;
}

std::vector<float> TargetStatistics::smooth(const Slot& slot,
                                            const std::vector<double>& sums) const {
  const size_t stride = slot.width + size_t{1};
  std::vector<double> total(stride, 0.0);
  for (size_t i = 0; i < sums.size(); ++i) {
    total[i % stride] += sums[i];
  }
  std::vector<float> values(slot.table_rows * size_t{slot.width});
  for (size_t code = 0; code < slot.table_rows; ++code) {
    for (size_t j = 0; j < slot.width; ++j) {
      const double mean = total[slot.width] > 0 ? total[j] / total[slot.width] : 0;
      values[code * slot.width + j] =
          static_cast<float>((sums[code * stride + j] + kImaginaryRows * mean) /
                             (sums[code * stride + slot.width] + kImaginaryRows));
    }
  }
  return values;
}

StatisticTables TargetStatistics::fit(std::span<const uint32_t> positions) const {
  StatisticTables tables;
  for (const Slot& slot : slots_) {
    tables.of_slot.push_back(smooth(slot, sums(slot, positions, 0, true)));
  }
  return tables;
}

void TargetStatistics::look_up(const StatisticTables& tables, uint32_t position,
                               std::span<float> out) const {
  size_t at = 0;
  for (size_t s = 0; s < slots_.size(); ++s) {
    const Slot& slot = slots_[s];
    const float* row = &tables.of_slot[s][size_t{slot.codes[position]} * slot.width];
    for (uint32_t j = 0; j < slot.width; ++j) {
      out[at++] = row[j];
    }
  }
}

std::vector<float> TargetStatistics::out_of_fold(std::span<const uint32_t> positions) const {
  std::vector<float> values(positions.size() * width_);
  size_t offset = 0;
  for (const Slot& slot : slots_) {
    std::vector<std::vector<double>> folds;
    std::vector<double> all(slot.table_rows * (slot.width + size_t{1}), 0.0);
    for (uint32_t fold = 0; fold < kInnerFolds; ++fold) {
      folds.push_back(sums(slot, positions, fold, false));
      for (size_t i = 0; i < all.size(); ++i) {
        all[i] += folds.back()[i];
      }
    }
    std::vector<std::vector<float>> tables;
    for (std::vector<double>& fold : folds) {
      for (size_t i = 0; i < all.size(); ++i) {
        fold[i] = all[i] - fold[i];
      }
      tables.push_back(smooth(slot, fold));
    }
    for (size_t i = 0; i < positions.size(); ++i) {
      const std::vector<float>& table = tables[inner_fold(positions[i])];
      for (uint32_t j = 0; j < slot.width; ++j) {
        values[i * width_ + offset + j] = table[size_t{slot.codes[positions[i]]} * slot.width + j];
      }
    }
    offset += slot.width;
  }
  return values;
}

void TargetStatistics::install(const StatisticTables& tables, FeaturePlan& plan) {
  for (size_t s = 0; s < plan.statistics.size(); ++s) {
    auto& transform = plan.transforms[plan.statistics[s].transform].transform;
    std::get<model::CategoryTable>(transform).values = tables.of_slot[s];
  }
}

}  // namespace cromford::learn
