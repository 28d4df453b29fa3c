#include "feedback/prediction_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/status.h"
#include "feedback/writer_state.h"

namespace cromford::feedback {
namespace {

int64_t microseconds(base::Time time) {
  return time.time_since_epoch().count();
}

// The layout of this number, remembered so that the registry is asked once.
const DeclaredLayout* find_layout(PredictionWriter::State& state, uint32_t number) {
  if (number < state.known.size() && state.known[number] != nullptr) {
    return state.known[number];
  }
  const DeclaredLayout* const layout = state.core.layouts.find(number);
  if (layout != nullptr) {
    state.known.resize(std::max<size_t>(state.known.size(), number + 1));
    state.known[number] = layout;
  }
  return layout;
}

}  // namespace

PredictionWriter::PredictionWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
PredictionWriter::~PredictionWriter() = default;

absl::Status PredictionWriter::add(const PredictionRecord& record) {
  State& state = *state_;
  const DeclaredLayout* const layout = find_layout(state, record.layout);
  if (layout == nullptr) {
    return base::invalid(fmt::format("no layout {} was declared", record.layout));
  }
  TRY(check_prediction(record, layout->shape));
  std::vector<const DeclaredLayout*>& used = state.turn_layouts;
  if ((used.empty() || used.back() != layout) &&
      std::find(used.begin(), used.end(), layout) == used.end()) {
    used.push_back(layout);
  }
  state.turn.push_back({.entry = {.fingerprint = fingerprint(layout->seed, record.id),
                                  .time_us = microseconds(record.event_time),
                                  .arrival_us = microseconds(record.arrival_time),
                                  .segment = 0,
                                  .offset = static_cast<uint32_t>(state.frames.size() / 8)},
                        .endpoint = layout->endpoint});
  append_prediction(state.frames, record);
  return absl::OkStatus();
}

absl::Status PredictionWriter::flush() {
  if (state_->turn.empty()) {
    return absl::OkStatus();
  }
  if (state_->core.options.durability == Durability::kKernel) {
    return *state_->write_turn({});
  }
  std::promise<absl::Status> promise;
  std::future<absl::Status> result = promise.get_future();
  flush([&](absl::Status status) { promise.set_value(std::move(status)); });
  return result.get();
}

void PredictionWriter::flush(const Done& done) {
  const std::optional<absl::Status> status =
      state_->turn.empty() ? absl::OkStatus() : state_->write_turn(done);
  if (status) {
    done(*status);
  }
}

void PredictionWriter::discard() {
  state_->frames.clear();
  state_->turn.clear();
  state_->turn_layouts.clear();
}

size_t PredictionWriter::pending_bytes() const {
  return state_->frames.size();
}

}  // namespace cromford::feedback
