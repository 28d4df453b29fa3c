#include "learn/assemble.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/status.h"
#include "learn/parallel.h"
#include "learn/reader.h"

namespace cromford::learn {
namespace {

constexpr size_t kBaselineRows = 200000;
constexpr size_t kColumnBins = 20;
constexpr uint32_t kCategoryBins = 64;

model::Task model_task(metric::Task task) {
  switch (task) {
    case metric::Task::kBinary:
      return model::Task::kBinary;
    case metric::Task::kMulticlass:
      return model::Task::kMulticlass;
    case metric::Task::kRegression:
      break;
  }
  return model::Task::kRegression;
}

// The transforms that some member reads, and the new number of each feature that is left.
model::PipelineParts used_transforms(const FeaturePlan& plan,
                                     const std::vector<WeightedFit>& members,
                                     std::vector<uint32_t>& new_number) {
  std::vector<bool> used(plan.feature_count, false);
  for (const WeightedFit& member : members) {
    for (const uint32_t feature : member.fitted->features) {
      used[feature] = true;
    }
  }
  model::PipelineParts parts;
  parts.dictionaries = plan.dictionaries;
  new_number.assign(plan.feature_count, 0);
  uint32_t at = 0;
  uint32_t next = 0;
  for (const PlannedTransform& planned : plan.transforms) {
    const auto first = used.begin() + at;
    if (std::find(first, first + planned.width, true) != first + planned.width) {
      for (uint32_t j = 0; j < planned.width; ++j) {
        new_number[at + j] = next++;
      }
      parts.transforms.push_back(planned.transform);
    }
    at += planned.width;
  }
  if (parts.transforms.empty()) {
    parts.transforms.push_back(plan.transforms.front().transform);
  }
  return parts;
}

// Adds to the margins of every row.
void shift_margins(double shift, double weight,
                   std::variant<model::ForestParts, model::LinearParts>& body) {
  auto* forest = std::get_if<model::ForestParts>(&body);
  std::vector<double>& base =
      forest != nullptr ? forest->base : std::get<model::LinearParts>(body).bias;
  for (double& each : base) {
    each += shift / weight;
  }
}

// The values of a column as baseline.h counts them: numbers, or the length of free text.
std::vector<double> baseline_values(const model::ColumnView& view, bool is_text) {
  std::vector<double> values;
  if (!is_text) {
    std::copy_if(view.numbers.begin(), view.numbers.end(), std::back_inserter(values),
                 [](double v) { return !std::isnan(v); });
    return values;
  }
  for (const std::string_view text : view.texts) {
    if (text.data() != nullptr) {
      values.push_back(static_cast<double>(text.size()));
    }
  }
  return values;
}

model::PredictionBaseline prediction_baseline(const Workbench& bench,
                                              std::span<const double> margins) {
  const std::vector<double> predicted = bench.predictions(margins);
  const size_t series = bench.outputs();
  model::PredictionBaseline baseline;
  if (bench.problem().task == metric::Task::kMulticlass) {
    for (int tenth = 1; tenth < 10; ++tenth) {
      baseline.edges.push_back(tenth / 10.0);
    }
  } else {
    std::vector<double> sorted = predicted;
    baseline.edges = model::quantile_edges(sorted, kColumnBins);
  }
  const size_t bins = baseline.edges.size() + 1;
  baseline.counts.assign(series * bins, 0);
  for (size_t i = 0; i < predicted.size(); ++i) {
    ++baseline.counts[i % series * bins + model::bin_of(baseline.edges, predicted[i])];
  }
  return baseline;
}

}  // namespace

model::PackageParts assemble(const Workbench& bench, const std::vector<WeightedFit>& members,
                             const StatisticTables& tables, const Answer& answer) {
  const Problem& problem = bench.problem();
  FeaturePlan plan = bench.plan();
  TargetStatistics::install(tables, plan);
  std::vector<uint32_t> new_number;
  model::PackageParts parts;
  parts.task = model_task(problem.task);
  parts.target = problem.target;
  parts.contract = problem.contract;
  parts.pipeline = used_transforms(plan, members, new_number);
  parts.classes = problem.classes;
  parts.link = bench.link();
  parts.calibration = answer.calibration;
  parts.interval = answer.interval;
  parts.threshold = answer.threshold;
  for (const WeightedFit& member : members) {
    model::PredictorParts predictor{
        .name = member.name, .weight = member.weight, .features = {}, .body = member.fitted->body};
    for (const uint32_t feature : member.fitted->features) {
      predictor.features.push_back(new_number[feature]);
    }
    if (&member == &members.front() && answer.shift != 0) {
      shift_margins(answer.shift, member.weight, predictor.body);
    }
    parts.predictors.push_back(std::move(predictor));
  }
  return parts;
}

absl::StatusOr<model::Baseline> make_baseline(const Workbench& bench,
                                              const model::PackageParts& parts,
                                              std::span<const double> margins) {
  const Problem& problem = bench.problem();
  TRY(const auto pipeline, model::FeaturePipeline::create(parts.contract, parts.pipeline));
  const std::vector<uint32_t> rows = sample_rows(bench.split().work, kBaselineRows, 23);
  RowReader reader(bench.table(), problem);
  model::Baseline baseline;
  {
    const model::RowBatch batch = reader.read(rows);
    for (size_t c = 0; c < parts.contract.size(); ++c) {
      model::ColumnBaseline column;
      const int dictionary = pipeline.dictionary_of(c);
      if (dictionary >= 0) {
        column.category_count =
            std::min(kCategoryBins, pipeline.kept_count(static_cast<size_t>(dictionary)));
      } else {
        const bool is_text = parts.contract[c].type == model::InputType::kText;
        std::vector<double> values = baseline_values(batch.columns[c], is_text);
        column.edges = model::quantile_edges(values, kColumnBins);
      }
      baseline.columns.push_back(std::move(column));
    }
    const model::BinLayout layout(baseline, parts.contract, pipeline, 0, false);
    model::BinCounts counts(layout);
    counts.add(batch);
    std::vector<std::vector<uint64_t>> counted;
    for (size_t c = 0; c < parts.contract.size(); ++c) {
      const auto column = counts.column(c);
      counted.emplace_back(column.begin(), column.end());
    }
    for (size_t c = 0; c < parts.contract.size(); ++c) {
      baseline.columns[c].counts = std::move(counted[c]);
    }
  }
  baseline.prediction = prediction_baseline(bench, margins);
  return baseline;
}

absl::StatusOr<std::vector<ColumnShare>> importance(const Workbench& bench,
                                                    const std::vector<WeightedFit>& members) {
  const Problem& problem = bench.problem();
  TRY(const auto pipeline,
      model::FeaturePipeline::create(problem.contract, bench.plan().all_parts()));
  const auto origins = pipeline.feature_origins();
  std::vector<double> share(problem.contract.size(), 0.0);
  double all = 0;
  for (const WeightedFit& member : members) {
    double total = 0;
    for (const double gain : member.fitted->gain) {
      total += gain;
    }
    for (size_t f = 0; total > 0 && f < member.fitted->gain.size(); ++f) {
      const model::FeatureOrigin origin = origins[member.fitted->features[f]];
      const double part = member.weight * member.fitted->gain[f] / total;
      share[origin.first] += part / 2;
      share[origin.second] += part / 2;
      all += part;
    }
  }
  std::vector<ColumnShare> result;
  for (size_t c = 0; c < share.size(); ++c) {
    result.push_back({problem.contract[c].name, all > 0 ? share[c] / all : 0});
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const ColumnShare& a, const ColumnShare& b) { return a.share > b.share; });
  return result;
}

absl::StatusOr<Written> write_and_load(const model::PackageParts& parts) {
  TRY(std::vector<std::byte> bytes, model::write_package(parts));
  Written written;
  written.bytes.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  TRY(written.package, model::Package::load(std::move(bytes)));
  return written;
}

Answers answer_rows(const model::Package& package, const table::Table& table,
                    const Problem& problem, std::span<const uint32_t> positions, size_t threads) {
  const size_t k = problem.output_count();
  const bool bounds = package.interval().kind != model::IntervalKind::kNone;
  Answers answers;
  answers.predictions.resize(positions.size() * k);
  if (bounds) {
    answers.lower.resize(positions.size());
    answers.upper.resize(positions.size());
  }
  in_pieces(positions.size(), threads, [&](size_t first, size_t last) {
    constexpr size_t block_rows = 1024;
    RowReader reader(table, problem);
    model::Workspace workspace;
    for (size_t at = first; at < last; at += block_rows) {
      const size_t count = std::min(block_rows, last - at);
      const model::Predictions out =
          package.predict(reader.read(positions.subspan(at, count)), workspace);
      for (size_t i = 0; i < count; ++i) {
        double* to = &answers.predictions[(at + i) * k];
        if (problem.task == metric::Task::kRegression) {
          *to = out.values[i];
        } else if (problem.task == metric::Task::kBinary) {
          *to = out.probabilities[2 * i + 1];
        } else {
          std::copy_n(&out.probabilities[i * k], k, to);
        }
      }
      if (bounds) {
        std::copy_n(out.lower.begin(), count, answers.lower.begin() + static_cast<ptrdiff_t>(at));
        std::copy_n(out.upper.begin(), count, answers.upper.begin() + static_cast<ptrdiff_t>(at));
      }
    }
  });
  return answers;
}

}  // namespace cromford::learn
