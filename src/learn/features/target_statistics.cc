#include "learn/features/target_statistics.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "learn/test_part.h"

namespace cromford::learn {
namespace {

constexpr double kImaginaryRows = 10;
constexpr uint32_t kInnerFolds = 5;

constexpr uint32_t kStretches = 8;

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
                                   const FeaturePlan& plan, std::vector<double> targets,
                                   StatisticUnits units)
    : problem_(problem), units_(units), targets_(std::move(targets)) {
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

void TargetStatistics::add_row(const Slot& slot, uint32_t position, Sums& sums) const {
  const double weight = problem_.weights.empty() ? 1.0 : problem_.weights[position];
  double* row = &sums[slot.codes[position] * (slot.width + size_t{1})];
  if (slot.width == 1) {
    row[0] += weight * targets_[position];
  } else {
    row[static_cast<size_t>(problem_.labels[position])] += weight;
  }
  row[slot.width] += weight;
}

// Depends on the row only, so that it is the same in every run.
uint32_t TargetStatistics::inner_fold(uint32_t position) const {
  const uint64_t key = units_.keys.empty() ? position : units_.keys[position];
  return static_cast<uint32_t>(mix_key(key, kInnerFolds) % kInnerFolds);
}

std::vector<uint32_t> TargetStatistics::parts_of(std::span<const uint32_t> positions) const {
  std::vector<uint32_t> parts(positions.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    parts[i] = inner_fold(positions[i]);
  }
  if (units_.moments.empty()) {
    return parts;
  }
  std::vector<uint32_t> order(positions.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto moment = [&](uint32_t i) { return units_.moments[positions[i]]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return moment(a) < moment(b); });
  uint32_t stretch = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    // Rows of one moment do not teach each other.
    if (rank == 0 || moment(order[rank]) != moment(order[rank - 1])) {
      stretch = static_cast<uint32_t>(rank * kStretches / order.size());
    }
    if (stretch > 0) {
      parts[order[rank]] = kInnerFolds + stretch - 1;
    }
  }
  return parts;
}

std::vector<float> TargetStatistics::smooth(const Slot& slot, const Sums& sums,
                                            const Sums& all) const {
  const size_t stride = slot.width + size_t{1};
  const auto total_of = [stride](const Sums& cells) {
    std::vector<double> total(stride, 0.0);
    for (size_t i = 0; i < cells.size(); ++i) {
      total[i % stride] += cells[i];
    }
    return total;
  };
  std::vector<double> total = total_of(sums);
  if (total.back() <= 0) {
    total = total_of(all);
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
    Sums sums(slot.table_rows * (slot.width + size_t{1}), 0.0);
    for (const uint32_t position : positions) {
      add_row(slot, position, sums);
    }
    tables.of_slot.push_back(smooth(slot, sums, sums));
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
  const std::vector<uint32_t> parts = parts_of(positions);
  constexpr uint32_t part_count = kInnerFolds + kStretches - 1;
  size_t offset = 0;
  for (const Slot& slot : slots_) {
    const size_t cells = slot.table_rows * (slot.width + size_t{1});
    std::vector<Sums> of_part(part_count, Sums(cells, 0.0));
    Sums all(cells, 0.0);
    for (size_t i = 0; i < positions.size(); ++i) {
      add_row(slot, positions[i], all);
      add_row(slot, positions[i], of_part[parts[i]]);
    }
    std::vector<std::vector<float>> tables;
    for (uint32_t part = 0; part < part_count; ++part) {
      // An inner fold from the others, a stretch of time from all before it.
      Sums known(cells, 0.0);
      for (uint32_t other = 0; other < std::max(part, kInnerFolds); ++other) {
        for (size_t c = 0; c < cells && other != part; ++c) {
          known[c] += of_part[other][c];
        }
      }
      tables.push_back(smooth(slot, known, all));
    }
    for (size_t i = 0; i < positions.size(); ++i) {
      const std::vector<float>& table = tables[parts[i]];
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
