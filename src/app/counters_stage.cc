#include "app/counters_stage.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace cromford::app {

CountersStage::CountersStage(const Context& context)
    : context_(context), windows_(*context.metadata) {}

void CountersStage::watch(const serve::Endpoint& endpoint) {
  const std::scoped_lock lock(mutex_);
  std::vector<Watched>& watched = endpoints_[{endpoint.project(), endpoint.name()}].watched;
  for (const serve::Variant& variant : endpoint.variants()) {
    if (std::ranges::find(watched, variant.bins, &Watched::bins) == watched.end()) {
      watched.push_back({.model = variant.spec.model,
                         .version = variant.spec.version,
                         .shadow = variant.spec.role == serve::Role::kShadow,
                         .bins = variant.bins});
    }
  }
}

std::vector<monitor::StoredWindow> CountersStage::take(const EndpointName& name) {
  const std::scoped_lock lock(mutex_);
  const auto found = endpoints_.find(name);
  if (found == endpoints_.end()) {
    return {};
  }
  Endpoint& endpoint = found->second;
  std::erase_if(endpoint.watched, [&](Watched& watched) {
    // Nobody can get hold of counters that are only here, so what is taken then is the last.
    const bool last = watched.bins.use_count() == 1;
    for (serve::HourCounts& hour : watched.bins->take_counts()) {
      endpoint.taken.push_back({.window = {.model = watched.model,
                                           .version = watched.version,
                                           .start = hour.start,
                                           .rows = hour.rows,
                                           .counts = std::move(hour.counts)},
                                .shadow = watched.shadow});
    }
    return last;
  });
  std::vector<monitor::StoredWindow> taken = std::move(endpoint.taken);
  endpoint.taken.clear();
  if (endpoint.watched.empty() && taken.empty()) {
    endpoints_.erase(found);
  }
  return taken;
}

absl::StatusOr<uint64_t> CountersStage::store(const EndpointName& name) {
  std::vector<monitor::StoredWindow> taken = take(name);
  if (taken.empty()) {
    return uint64_t{0};
  }
  uint64_t rows = 0;
  for (const monitor::StoredWindow& each : taken) {
    rows += each.window.rows;
  }
  const absl::Status stored = windows_.add(name.project, name.endpoint, taken);
  const std::scoped_lock lock(mutex_);
  if (!stored.ok()) {
    std::vector<monitor::StoredWindow>& kept = endpoints_[name].taken;
    kept.insert(kept.end(), std::make_move_iterator(taken.begin()),
                std::make_move_iterator(taken.end()));
    return stored;
  }
  return rows;
}

absl::Status CountersStage::run(RoundContext& round) {
  const absl::StatusOr<uint64_t> rows = store(round.name);
  // Also where nothing could be stored: the other stages go by what there is.
  TRY(round.watermark, windows_.watermark(round.name.project, round.name.endpoint, round.at));
  TRY(rows);
  round.found = {{"rows", *rows}};
  return absl::OkStatus();
}

std::vector<EndpointName> CountersStage::unfinished() const {
  const std::scoped_lock lock(mutex_);
  std::vector<EndpointName> names;
  names.reserve(endpoints_.size());
  for (const auto& [name, endpoint] : endpoints_) {
    names.push_back(name);
  }
  return names;
}

absl::Status CountersStage::close() {
  absl::Status first;
  for (const EndpointName& name : unfinished()) {
    first.Update(store(name).status());
  }
  return first;
}

}  // namespace cromford::app
