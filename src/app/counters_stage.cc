#include "app/counters_stage.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

namespace cromford::app {
namespace {

constexpr std::chrono::hours kHour{1};
constexpr std::chrono::hours kDay{24};
// A month by the hour, and a few days more.
constexpr std::chrono::hours kHoursKept{35 * 24};

}  // namespace

CountersStage::CountersStage(const Context& context)
    : context_(context), windows_(*context.metadata) {}

void CountersStage::watch(const serve::Endpoint& endpoint) {
  const std::scoped_lock lock(mutex_);
  std::vector<Watched>& watched = endpoints_[{endpoint.project(), endpoint.name()}].watched;
  for (const serve::Variant& variant : endpoint.variants()) {
    if (std::ranges::find(watched, variant.bins, &Watched::bins) == watched.end()) {
      // Of a version that changes between shadow and answering, the errors go on with the new role.
      for (Watched& other : watched) {
        if (other.traffic == variant.counters) {
          other.traffic.reset();
        }
      }
      watched.push_back({.model = variant.spec.model,
                         .version = variant.spec.version,
                         .shadow = variant.spec.role == serve::Role::kShadow,
                         .bins = variant.bins,
                         .traffic = variant.counters,
                         .errors = variant.counters->read().errors});
    }
  }
}

void CountersStage::take(Watched& watched, base::Time clock,
                         std::vector<monitor::StoredWindow>& out) {
  base::Time latest = clock;
  for (serve::HourCounts& hour : watched.bins->take_counts()) {
    latest = std::max(latest, hour.start);
    out.push_back({.window = {.model = watched.model,
                              .version = watched.version,
                              .start = hour.start,
                              .rows = hour.rows,
                              .counts = std::move(hour.counts)},
                   .shadow = watched.shadow,
                   .latency = std::vector(hour.latency.counts.begin(), hour.latency.counts.end()),
                   .latency_sum_ns = hour.latency.sum_ns});
  }
  const uint64_t errors =
      watched.traffic == nullptr ? watched.errors : watched.traffic->read().errors;
  if (errors > watched.errors) {
    const size_t bins = watched.bins->package()->bin_layout().bin_count();
    out.push_back({.window = {.model = watched.model,
                              .version = watched.version,
                              .start = monitor::window_start(latest, kHour),
                              .counts = std::vector<uint64_t>(bins, 0)},
                   .shadow = watched.shadow,
                   .errors = errors - watched.errors});
    watched.errors = errors;
  }
}

std::vector<monitor::StoredWindow> CountersStage::take_all(const EndpointName& name,
                                                           base::Time clock) {
  const std::scoped_lock lock(mutex_);
  const auto found = endpoints_.find(name);
  if (found == endpoints_.end()) {
    return {};
  }
  Endpoint& endpoint = found->second;
  std::erase_if(endpoint.watched, [&](Watched& watched) {
    // Nobody can get hold of counters that are only here, so what is taken then is the last.
    const bool last = watched.bins.use_count() == 1;
    take(watched, clock, endpoint.taken);
    return last;
  });
  std::vector<monitor::StoredWindow> taken = std::move(endpoint.taken);
  endpoint.taken.clear();
  if (endpoint.watched.empty() && taken.empty()) {
    endpoints_.erase(found);
  }
  return taken;
}

void CountersStage::take_refused(const serve::Endpoint& served, base::Time clock) {
  const uint64_t refused = served.refused().read().errors;
  const serve::Variant& champion = served.champion();
  const std::scoped_lock lock(mutex_);
  Endpoint& endpoint = endpoints_[{served.project(), served.name()}];
  if (refused > endpoint.refused) {
    const size_t bins = champion.spec.package->bin_layout().bin_count();
    endpoint.taken.push_back({.window = {.model = champion.spec.model,
                                         .version = champion.spec.version,
                                         .start = monitor::window_start(clock, kHour),
                                         .counts = std::vector<uint64_t>(bins, 0)},
                              .errors = refused - endpoint.refused});
  }
  endpoint.refused = refused;
}

absl::StatusOr<uint64_t> CountersStage::store(const EndpointName& name,
                                              const serve::Endpoint* served) {
  const base::Time now = context_.clock->now();
  TRY(const std::optional<base::Time> clock, windows_.watermark(name.project, name.endpoint, now));
  if (served != nullptr) {
    take_refused(*served, clock.value_or(now));
  }
  std::vector<monitor::StoredWindow> taken = take_all(name, clock.value_or(now));
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

absl::Status CountersStage::fold(const EndpointName& name, base::Time watermark) {
  const base::Time before = monitor::window_start(watermark - kHoursKept, kDay);
  {
    const std::scoped_lock lock(mutex_);
    const auto found = endpoints_.find(name);
    if (found == endpoints_.end() || found->second.folded >= before) {
      return absl::OkStatus();
    }
    found->second.folded = before;
  }
  return windows_.fold(name.project, name.endpoint, before).status();
}

absl::Status CountersStage::run(RoundContext& round) {
  const absl::StatusOr<uint64_t> rows = store(round.name, round.served.get());
  // Also where nothing could be stored: the other stages go by what there is.
  TRY(round.watermark, windows_.watermark(round.name.project, round.name.endpoint, round.at));
  TRY(rows);
  if (round.watermark) {
    TRY(fold(round.name, *round.watermark));
  }
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
    first.Update(store(name, nullptr).status());
  }
  return first;
}

}  // namespace cromford::app
