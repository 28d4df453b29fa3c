#include "serve/scoring.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include "base/log.h"

namespace cromford::serve {
namespace {

constexpr size_t kIdBytes = 26;  // Of base::IdSource.

}  // namespace

void Scratch::Impl::generate_ids(base::IdSource& source, size_t row_count) {
  generated_ids.clear();
  generated_ids.reserve(row_count * kIdBytes);
  ids.resize(row_count);
  for (size_t row = 0; row < row_count; ++row) {
    source.append(generated_ids);
  }
  for (size_t row = 0; row < row_count; ++row) {
    ids[row] = std::string_view(generated_ids).substr(row * kIdBytes, kIdBytes);
  }
}

void Scratch::Impl::reset_lanes(const Endpoint& endpoint, size_t row_count) {
  const std::vector<Variant>& variants = endpoint.variants();
  for (size_t v = 0; v < variants.size(); ++v) {
    const bool is_shadow = variants[v].spec.role == Role::kShadow && counts[v] == 0;
    Lane& its_lane = lane(v);
    its_lane.failed = false;
    its_lane.rows.reset(variants[v].spec.package->contract(), is_shadow ? row_count : counts[v]);
  }
}

void Scratch::Impl::assign(const Endpoint& endpoint, size_t row_count) {
  counts.assign(endpoint.variants().size(), 0);
  targets.resize(row_count);
  for (size_t row = 0; row < row_count; ++row) {
    const size_t variant = endpoint.choose(ids[row]);
    targets[row] = {static_cast<uint32_t>(variant), counts[variant]++};
  }
  reset_lanes(endpoint, row_count);
}

void Scratch::Impl::assign_all(const Endpoint& endpoint, size_t variant, size_t row_count) {
  counts.assign(endpoint.variants().size(), 0);
  counts[variant] = static_cast<uint32_t>(row_count);
  targets.resize(row_count);
  for (size_t row = 0; row < row_count; ++row) {
    targets[row] = {static_cast<uint32_t>(variant), static_cast<uint32_t>(row)};
  }
  reset_lanes(endpoint, row_count);
}

void Scratch::Impl::shrink() {
  *this = Impl();
}

Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
Scratch::~Scratch() = default;
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;

bool is_good_id(std::string_view id, size_t bytes_max) {
  return !id.empty() && id.size() <= bytes_max && std::none_of(id.begin(), id.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

absl::Status log_row(feedback::PredictionWriter& writer, const LoggedRow& logged,
                     const RowColumns& rows, const model::Predictions& predictions, size_t row,
                     RowValues& scratch) {
  rows.copy_row(row, scratch);
  feedback::PredictionRecord record{
      .layout = logged.layout,
      .id = logged.id,
      .event_time = logged.event_time,
      .arrival_time = logged.arrival_time,
      .request_id = base::current_request_id(),
      .latency_us = static_cast<uint32_t>(std::min<uint64_t>(logged.latency_ns / 1000, UINT32_MAX)),
      .numbers = scratch.numbers,
      .texts = scratch.texts};
  std::array<double, 3> value{};
  if (predictions.class_count > 0) {
    record.answer =
        predictions.probabilities.subspan(row * predictions.class_count, predictions.class_count);
    record.label = static_cast<int32_t>(predictions.classes[row]);
  } else {
    value[0] = predictions.values[row];
    record.answer = std::span(value).first(1);
    if (!predictions.lower.empty()) {
      value = {value[0], predictions.lower[row], predictions.upper[row]};
      record.answer = value;
    }
  }
  return writer.add(record);
}

absl::Status log_answered(const PredictContext& context, const Endpoint& endpoint,
                          Scratch::Impl& memory, uint64_t latency_ns) {
  TRY(feedback::PredictionWriter* const writer, context.log->writer());
  const base::Time now = context.clock.now();
  for (size_t row = 0; row < memory.ids.size(); ++row) {
    const Scratch::Impl::Target target = memory.targets[row];
    const Lane& lane = memory.lanes[target.variant];
    const LoggedRow logged{.layout = endpoint.variants()[target.variant].log_layout,
                           .id = memory.ids[row],
                           .event_time = memory.times.empty() ? now : memory.times[row],
                           .arrival_time = now,
                           .latency_ns = latency_ns};
    TRY(log_row(*writer, logged, lane.rows, lane.predictions, target.row, memory.row_values));
  }
  return absl::OkStatus();
}

void score_shadows(const PredictContext& context, const Endpoint& endpoint, Scratch::Impl& memory) {
  const std::vector<Variant>& variants = endpoint.variants();
  const base::Time now = context.clock.now();
  for (size_t v = 0; v < variants.size(); ++v) {
    if (variants[v].spec.role != Role::kShadow || memory.counts[v] > 0) {
      continue;
    }
    if (memory.lane(v).failed) {
      variants[v].counters->count({.failed = true});
    } else {
      context.shadows->add(variants[v], memory.lane(v).rows, memory.ids, memory.times, now);
    }
  }
}

double estimated_work_ns(const Endpoint& endpoint, const Scratch::Impl& memory, bool with_reasons) {
  double total = 0.0;
  for (size_t v = 0; v < endpoint.variants().size(); ++v) {
    const model::RowCost cost = endpoint.variants()[v].spec.package->row_cost();
    total += memory.counts[v] * (cost.predict_ns + (with_reasons ? cost.explain_ns : 0.0));
  }
  return total;
}

namespace {

// The event times of the rows that went to one version; empty where the request names none.
std::span<const base::Time> times_of_lane(Scratch::Impl& memory, size_t variant) {
  if (memory.times.empty() || memory.counts[variant] == memory.ids.size()) {
    return memory.times;
  }
  std::vector<base::Time>& times = memory.lanes[variant].times;
  times.resize(memory.counts[variant]);
  for (size_t row = 0; row < memory.targets.size(); ++row) {
    if (memory.targets[row].variant == variant) {
      times[memory.targets[row].row] = memory.times[row];
    }
  }
  return times;
}

}  // namespace

void count_answered(const PredictContext& context, const Endpoint& endpoint, Scratch::Impl& memory,
                    uint64_t latency_ns) {
  const std::vector<Variant>& variants = endpoint.variants();
  const base::Time now = memory.times.empty() ? context.clock.now() : base::Time();
  for (size_t v = 0; v < variants.size(); ++v) {
    if (memory.counts[v] > 0) {
      variants[v].counters->count({.rows = memory.counts[v],
                                   .latency_ns = latency_ns,
                                   .unseen = memory.lanes[v].predictions.unseen});
      variants[v].bins->count(memory.lanes[v].rows.batch(), memory.lanes[v].predictions,
                              times_of_lane(memory, v), now, latency_ns);
    }
  }
  if (memory.ids.empty()) {  // A request without rows counts as one, too.
    endpoint.champion().counters->count({.rows = 0, .latency_ns = latency_ns});
  }
}

}  // namespace cromford::serve
