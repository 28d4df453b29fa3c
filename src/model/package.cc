#include "model/package.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "base/assert.h"
#include "base/mapped_file.h"
#include "base/status.h"
#include "model/sections.h"

namespace cromford::model {
namespace {

// Rows are worked on in blocks that stay in the first two caches; the result does not depend on it.
constexpr size_t kBlockRowsMax = 64;
constexpr size_t kBlockFloatsMax = size_t{1} << 18U;

// Nanoseconds, as docs/benchmarks.md has them for a machine without wide vectors.
constexpr double kFeatureNs = 20.0;  // To make one feature of its raw value.
constexpr double kLevelNs = 1.0;     // To go down one level of one tree.
constexpr double kProductNs = 1.0;   // One feature times one weight.
constexpr double kExplainedNodeNs = 15.0;

}  // namespace

struct Workspace::Impl {
  FeatureScratch features;
  std::vector<float> matrix;   // [block x features]
  std::vector<float> doubled;  // [block x 2 features], see ForestKernel::lay_out
  std::vector<double> member;  // [block x outputs], margins of one predictor
  std::vector<double> margins;
  std::vector<double> calibrated;  // one row
  std::vector<double> scales;      // [block], margins of the interval's scale
  std::vector<double> probabilities;
  std::vector<double> values;
  std::vector<double> lower;
  std::vector<double> upper;
  std::vector<uint32_t> classes;
  std::vector<uint32_t> unseen;
  std::vector<uint32_t> categories;  // [dictionary x rows]
  std::vector<float> row;            // the features of one predictor
  std::vector<double> phi;
  ShapleyScratch shapley;
};

Workspace::Workspace() : impl_(std::make_unique<Impl>()) {}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

struct Package::Impl {
  std::shared_ptr<const void> owner;
  size_t size_bytes = 0;
  Head head;
  std::optional<FeaturePipeline> pipeline;
  Players players;
  std::vector<std::unique_ptr<Member>> members;
  std::vector<PredictorSummary> summaries;
  Answer answer;
  Baseline baseline;
  BinLayout bin_layout;
  base::Json manifest;
  size_t feature_count = 0;
  size_t block_rows = 1;
  bool has_forest = false;
  RowCost cost;

  absl::Status read(std::span<const SectionView> sections);
  absl::Status read_section(const SectionView& section);
  absl::Status finish();
  RowCost estimate_cost() const;

  size_t class_count() const { return head.classes.size(); }
  // The features of `count` rows, and their margins and scale margins as sums over the predictors.
  void compute_block(const RowBatch& batch, size_t first, size_t count, Workspace::Impl& work,
                     std::span<double> margins) const;
  void add_member(const Member& member, size_t count, Workspace::Impl& work,
                  std::span<double> sums) const;
  // What follows from the margins of row `row`; `in_block` is its place in the block.
  void answer_row(size_t row, size_t in_block, Workspace::Impl& work) const;
  void classify(std::span<const double> margins, std::span<double> calibrated,
                std::span<double> probabilities, uint32_t& decided) const;
  void reserve(size_t row_count, Workspace::Impl& work) const;
  double explain_member(const Member& member, uint32_t output, Workspace::Impl& work) const;
};

namespace {

constexpr SectionKind kOrder[] = {SectionKind::kModel,     SectionKind::kPipeline,
                                  SectionKind::kPredictor, SectionKind::kAnswer,
                                  SectionKind::kBaseline,  SectionKind::kManifest};

// One of each kind in order, any number of predictors.
absl::Status check_order(std::span<const SectionView> sections) {
  size_t next = 0;
  for (const SectionKind kind : kOrder) {
    const size_t first = next;
    while (next < sections.size() && sections[next].kind == kind) {
      if (sections[next].index != next - first) {
        return base::damaged("the package is damaged: its sections are not numbered in order");
      }
      ++next;
    }
    if (kind != SectionKind::kPredictor && next - first != 1) {
      return base::damaged(fmt::format("the package is damaged: it has {} sections '{}'",
                                       next - first, section_name(kind)));
    }
  }
  if (next != sections.size()) {
    return base::damaged("the package is damaged: its sections are not in order");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Package::Impl::read_section(const SectionView& section) {
  switch (section.kind) {
    case SectionKind::kModel: {
      TRY(head, decode_head(section.bytes));
      break;
    }
    case SectionKind::kPipeline: {
      TRY(pipeline, decode_pipeline(section.bytes, head));
      players = players_of(*pipeline, head.contract.size());
      break;
    }
    case SectionKind::kPredictor: {
      TRY(std::unique_ptr<Member> member, decode_member(section.bytes, head, *pipeline, players));
      members.push_back(std::move(member));
      break;
    }
    case SectionKind::kAnswer: {
      TRY(answer, decode_answer(section.bytes, head));
      break;
    }
    case SectionKind::kBaseline: {
      TRY(baseline, decode_checked_baseline(section.bytes, head, *pipeline));
      break;
    }
    case SectionKind::kManifest: {
      TRY(manifest, decode_manifest(section.bytes));
      break;
    }
  }
  return absl::OkStatus();
}

absl::Status Package::Impl::finish() {
  const auto count_of = [this](PredictorRole role) {
    return std::ranges::count(members, role, [](const auto& member) { return member->role; });
  };
  if (count_of(PredictorRole::kMargin) == 0) {
    return base::damaged("the package has no predictor");
  }
  const bool scaled = answer.interval.kind == IntervalKind::kScaled;
  if (scaled != (count_of(PredictorRole::kScale) > 0)) {
    return base::damaged("predictors of the interval's scale go with scaled intervals only");
  }
  feature_count = pipeline->feature_count();
  block_rows =
      std::clamp(kBlockFloatsMax / std::max<size_t>(feature_count, 1), size_t{1}, kBlockRowsMax);
  for (const auto& member : members) {
    has_forest = has_forest || member->forest.has_value();
    summaries.push_back({.name = member->name,
                         .kind = member->forest ? "forest" : "linear",
                         .weight = member->weight,
                         .feature_count = member->features.size(),
                         .tree_count = member->forest ? member->forest->trees().size() : 0});
  }
  cost = estimate_cost();
  bin_layout = BinLayout(baseline, head.contract, *pipeline, head.output_count(),
                         head.task != Task::kRegression);
  return absl::OkStatus();
}

RowCost Package::Impl::estimate_cost() const {
  RowCost total = {.predict_ns = kFeatureNs * static_cast<double>(feature_count)};
  for (const auto& member : members) {
    if (member->linear) {
      total.predict_ns += kProductNs * static_cast<double>(member->linear->output_count()) *
                          static_cast<double>(member->features.size());
      continue;
    }
    double levels = 0.0;
    double nodes = 0.0;
    for (const TreeView& tree : member->forest->trees()) {
      levels += static_cast<double>(tree.depth);
      nodes += static_cast<double>(tree.nodes.size());
    }
    // Trees are explained for one output only.
    total.predict_ns += kLevelNs * levels;
    total.explain_ns +=
        kExplainedNodeNs * nodes / static_cast<double>(member->forest->output_count());
  }
  return total;
}

absl::Status Package::Impl::read(std::span<const SectionView> sections) {
  TRY(check_order(sections));
  for (const SectionView& section : sections) {
    const absl::Status status = read_section(section);
    if (!status.ok()) {
      return base::annotate(
          status, fmt::format("the section '{}' of the package", section_name(section.kind)));
    }
  }
  return finish();
}

Package::Package(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Package::~Package() = default;

absl::StatusOr<std::shared_ptr<const Package>> Package::load(std::span<const std::byte> bytes,
                                                             std::shared_ptr<const void> owner) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 8 != 0) {
    return load(std::vector<std::byte>(bytes.begin(), bytes.end()));
  }
  TRY(const std::vector<SectionView> sections, read_frame(bytes));
  auto impl = std::make_unique<Impl>();
  impl->owner = std::move(owner);
  impl->size_bytes = bytes.size();
  TRY(impl->read(sections));
  return std::shared_ptr<const Package>(new Package(std::move(impl)));
}

absl::StatusOr<std::shared_ptr<const Package>> Package::load(std::vector<std::byte> bytes) {
  auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return load(std::span<const std::byte>(*owner), owner);
}

absl::StatusOr<std::shared_ptr<const Package>> Package::open(const std::string& path) {
  TRY(base::MappedFile file, base::MappedFile::open(path));
  auto owner = std::make_shared<const base::MappedFile>(std::move(file));
  auto package = load(owner->bytes(), owner);
  if (!package.ok()) {
    return base::annotate(package.status(), path);
  }
  return package;
}

Task Package::task() const {
  return impl_->head.task;
}
const std::string& Package::target() const {
  return impl_->head.target;
}
const Contract& Package::contract() const {
  return impl_->head.contract;
}
const std::vector<std::string>& Package::classes() const {
  return impl_->head.classes;
}
int Package::positive_class() const {
  return impl_->head.task == Task::kBinary ? 1 : -1;
}
double Package::threshold() const {
  return impl_->answer.threshold;
}
Link Package::link() const {
  return impl_->answer.link;
}
const Calibration& Package::calibration() const {
  return impl_->answer.calibration;
}
const Interval& Package::interval() const {
  return impl_->answer.interval;
}
const FeaturePipeline& Package::pipeline() const {
  return *impl_->pipeline;
}
const std::vector<PredictorSummary>& Package::predictors() const {
  return impl_->summaries;
}
const Baseline& Package::baseline() const {
  return impl_->baseline;
}
const BinLayout& Package::bin_layout() const {
  return impl_->bin_layout;
}
const base::Json& Package::manifest() const {
  return impl_->manifest;
}
RowCost Package::row_cost() const {
  return impl_->cost;
}

size_t Package::size_bytes() const {
  return impl_->size_bytes;
}

size_t Package::memory_bytes() const {
  size_t bytes = sizeof(Impl) + impl_->pipeline->memory_bytes();
  for (const auto& member : impl_->members) {
    bytes += sizeof(Member) + (member->features.size() + member->players.size()) * sizeof(uint32_t);
    bytes += member->kernel ? member->kernel->memory_bytes() : 0;
  }
  return bytes;
}

void Package::Impl::add_member(const Member& member, size_t count, Workspace::Impl& work,
                               std::span<double> sums) const {
  const size_t outputs = sums.size() / count;
  const std::span<double> own = std::span(work.member).first(sums.size());
  if (member.kernel) {
    member.kernel->predict(work.doubled.data(), 2 * feature_count, count, own);
  } else {
    for (size_t i = 0; i < count; ++i) {
      member.linear->predict(std::span(work.matrix).subspan(i * feature_count, feature_count),
                             member.features, own.subspan(i * outputs, outputs));
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i] += member.weight * own[i];
  }
}

void Package::Impl::compute_block(const RowBatch& batch, size_t first, size_t count,
                                  Workspace::Impl& work, std::span<double> margins) const {
  pipeline->apply(batch, first, count, work.features, work.matrix);
  if (has_forest) {
    for (size_t i = 0; i < count; ++i) {
      ForestKernel::lay_out(
          std::span(work.matrix).subspan(i * feature_count, feature_count),
          std::span(work.doubled).subspan(i * 2 * feature_count, 2 * feature_count));
    }
  }
  const std::span<double> scales = std::span(work.scales).first(count);
  std::ranges::fill(margins, 0.0);
  std::ranges::fill(scales, 0.0);
  for (const auto& member : members) {
    add_member(*member, count, work, member->role == PredictorRole::kMargin ? margins : scales);
  }
}

void Package::Impl::classify(std::span<const double> margins, std::span<double> calibrated,
                             std::span<double> probabilities, uint32_t& decided) const {
  std::ranges::copy(margins, calibrated.begin());
  calibrate(answer.calibration, calibrated);
  link_probabilities(answer.link, calibrated, probabilities);
  if (head.task == Task::kBinary) {
    decided = probabilities[1] >= answer.threshold ? 1 : 0;
  } else {
    decided =
        static_cast<uint32_t>(std::ranges::max_element(probabilities) - probabilities.begin());
  }
}

void Package::Impl::answer_row(size_t row, size_t in_block, Workspace::Impl& work) const {
  const size_t outputs = head.output_count();
  const auto margins = std::span(work.margins).subspan(row * outputs, outputs);
  if (head.task != Task::kRegression) {
    classify(margins, std::span(work.calibrated).first(outputs),
             std::span(work.probabilities).subspan(row * class_count(), class_count()),
             work.classes[row]);
    return;
  }
  work.values[row] = link_value(answer.link, margins[0]);
  if (answer.interval.kind != IntervalKind::kNone) {
    const Bounds bounds =
        interval_bounds(answer.interval, answer.link, margins[0], work.scales[in_block]);
    work.lower[row] = bounds.lower;
    work.upper[row] = bounds.upper;
  }
}

void Package::Impl::reserve(size_t row_count, Workspace::Impl& work) const {
  const size_t outputs = head.output_count();
  const size_t rows = std::min(row_count, block_rows);
  const bool regression = head.task == Task::kRegression;
  const bool intervals = answer.interval.kind != IntervalKind::kNone;
  work.matrix.resize(rows * feature_count);
  // A forest without features still reads one place of the row for its padding.
  work.doubled.resize(has_forest ? rows * 2 * feature_count + 2 : 0);
  work.member.resize(rows * outputs);
  work.scales.resize(rows);
  work.calibrated.resize(outputs);
  work.margins.resize(row_count * outputs);
  work.probabilities.resize(row_count * class_count());
  work.classes.resize(regression ? 0 : row_count);
  work.values.resize(regression ? row_count : 0);
  work.lower.resize(intervals ? row_count : 0);
  work.upper.resize(intervals ? row_count : 0);
  work.unseen.assign(head.contract.size(), 0);
  work.categories.resize(pipeline->dictionary_count() * row_count);
}

Predictions Package::predict(const RowBatch& batch, Workspace& workspace) const {
  const Impl& impl = *impl_;
  Workspace::Impl& work = *workspace.impl_;
  impl.reserve(batch.row_count, work);
  const size_t outputs = impl.head.output_count();
  for (size_t first = 0; first < batch.row_count; first += impl.block_rows) {
    const size_t count = std::min(impl.block_rows, batch.row_count - first);
    impl.compute_block(batch, first, count, work,
                       std::span(work.margins).subspan(first * outputs, count * outputs));
    for (size_t column = 0; column < work.unseen.size(); ++column) {
      const int dictionary = impl.pipeline->dictionary_of(column);
      work.unseen[column] +=
          dictionary < 0 ? 0 : work.features.unseen[static_cast<size_t>(dictionary)];
    }
    for (size_t d = 0; d < impl.pipeline->dictionary_count(); ++d) {
      std::copy_n(work.features.categories.data() + d * count, count,
                  work.categories.data() + d * batch.row_count + first);
    }
    for (size_t i = 0; i < count; ++i) {
      impl.answer_row(first + i, i, work);
    }
  }
  Predictions out;
  out.row_count = batch.row_count;
  out.class_count = impl.class_count();
  out.output_count = outputs;
  out.margins = work.margins;
  out.probabilities = work.probabilities;
  out.classes = work.classes;
  out.values = work.values;
  out.lower = work.lower;
  out.upper = work.upper;
  out.unseen = work.unseen;
  out.categories = work.categories;
  return out;
}

double Package::Impl::explain_member(const Member& member, uint32_t output,
                                     Workspace::Impl& work) const {
  const std::span<const float> features = std::span(work.matrix).first(feature_count);
  if (member.linear) {
    member.linear->add_contributions(features, member.features, member.players, output,
                                     member.weight, work.phi);
    return member.weight * member.linear->bias()[output];
  }
  work.row.clear();
  for (const uint32_t feature : member.features) {
    work.row.push_back(features[feature]);
  }
  member.explainer->add(work.row, output, member.weight, work.shapley, work.phi);
  return member.weight * member.explainer->expected(output);
}

void Package::explain(const RowBatch& batch, size_t row, uint32_t output, Workspace& workspace,
                      Explanation& out) const {
  const Impl& impl = *impl_;
  Workspace::Impl& work = *workspace.impl_;
  const size_t outputs = impl.head.output_count();
  CROMFORD_ASSERT(row < batch.row_count && (output < outputs || output == kPredictedClass),
                  "a row of the batch and an output of the model are explained");
  impl.reserve(1, work);
  impl.compute_block(batch, row, 1, work, work.margins);
  if (output == kPredictedClass) {
    output = 0;
    if (impl.head.task == Task::kMulticlass) {
      impl.classify(work.margins, work.calibrated, work.probabilities, output);
    }
  }
  work.phi.assign(impl.players.count, 0.0);
  out.output = output;
  out.margin = work.margins[output];
  out.baseline = 0.0;
  for (const auto& member : impl.members) {
    if (member->role == PredictorRole::kMargin) {
      out.baseline += impl.explain_member(*member, output, work);
    }
  }
  const size_t column_count = impl.head.contract.size();
  out.contributions.assign(work.phi.begin(),
                           work.phi.begin() + static_cast<std::ptrdiff_t>(column_count));
  for (size_t i = 0; i < impl.players.pairs.size(); ++i) {
    const double half = 0.5 * work.phi[column_count + i];
    out.contributions[impl.players.pairs[i].first] += half;
    out.contributions[impl.players.pairs[i].second] += half;
  }
}

std::vector<size_t> top_columns(const Explanation& explanation, size_t count) {
  std::vector<size_t> columns(explanation.contributions.size());
  std::iota(columns.begin(), columns.end(), size_t{0});
  std::erase_if(columns, [&](size_t column) { return explanation.contributions[column] == 0.0; });
  std::ranges::sort(columns, [&](size_t a, size_t b) {
    const double left = std::abs(explanation.contributions[a]);
    const double right = std::abs(explanation.contributions[b]);
    return left != right ? left > right : a < b;
  });
  columns.resize(std::min(columns.size(), count));
  return columns;
}

}  // namespace cromford::model
