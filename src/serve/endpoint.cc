#include "serve/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/hash.h"
#include "base/status.h"
#include "serve/json_text.h"
#include "serve/prediction_log.h"

namespace cromford::serve {
namespace {

std::string describe(const EndpointSpec& spec) {
  return fmt::format("endpoint '{}' of project '{}'", spec.name, spec.project);
}

absl::Status check_variant(const EndpointSpec& spec, const VariantSpec& variant) {
  const std::string who = fmt::format("{}, {}@{}", describe(spec), variant.model, variant.version);
  if (variant.package == nullptr) {
    return base::invalid(fmt::format("{}: its package is not loaded", who));
  }
  if (variant.role == Role::kShadow && variant.weight != 0) {
    return base::invalid(
        fmt::format("{}: a shadow answers no rows, but its weight is {}", who, variant.weight),
        "give it the weight 0, or make it a challenger");
  }
  const model::Package& first = *spec.variants.front().package;
  if (variant.package->task() != first.task() || variant.package->classes() != first.classes()) {
    return base::invalid(fmt::format("{}: its task or its classes are not those of {}@{}", who,
                                     spec.variants.front().model, spec.variants.front().version),
                         "serve it by another endpoint");
  }
  for (const VariantSpec& other : spec.variants) {
    if (&other != &variant && other.version == variant.version && other.model == variant.model) {
      return base::invalid(
          fmt::format("{}: {}@{} stands twice", describe(spec), variant.model, variant.version));
    }
  }
  return absl::OkStatus();
}

absl::Status check(const EndpointSpec& spec) {
  if (spec.variants.empty() || spec.variants.front().package == nullptr) {
    return base::invalid(fmt::format("{} has no loaded model version", describe(spec)));
  }
  uint64_t weight_sum = 0;
  int champion_count = 0;
  for (const VariantSpec& variant : spec.variants) {
    TRY(check_variant(spec, variant));
    weight_sum += variant.weight;
    champion_count += variant.role == Role::kChampion ? 1 : 0;
  }
  if (champion_count != 1) {
    return base::invalid(fmt::format("{} has {} champions", describe(spec), champion_count),
                         "make exactly one version the champion");
  }
  if (weight_sum == 0) {
    return base::invalid(fmt::format("{} has no version with a weight above 0", describe(spec)),
                         "give at least one version a share of the traffic");
  }
  return absl::OkStatus();
}

// Those that the version had before, or new ones.
void take_counters(const Endpoint* before, const VariantSpec& spec, Variant& into) {
  if (before != nullptr) {
    for (const Variant& variant : before->variants()) {
      if (variant.spec.version == spec.version && variant.spec.model == spec.model) {
        into.counters = variant.counters;
        // What a shadow scored was answered by another version: the two are kept apart.
        const bool same_role = (variant.spec.role == Role::kShadow) == (spec.role == Role::kShadow);
        into.bins = same_role ? variant.bins : std::make_shared<BinCounters>(spec.package);
        return;
      }
    }
  }
  into.counters = std::make_shared<TrafficCounters>(spec.package->contract().size());
  into.bins = std::make_shared<BinCounters>(spec.package);
}

Variant prepare(VariantSpec spec, const Endpoint* before) {
  Variant variant;
  take_counters(before, spec, variant);
  variant.version_json = fmt::format(R"("model_version":{},"value":)", spec.version);
  for (const std::string& name : spec.package->classes()) {
    append_json_text(variant.class_json.emplace_back(), name);
  }
  variant.spec = std::move(spec);
  return variant;
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kChampion:
      return "champion";
    case Role::kChallenger:
      return "challenger";
    case Role::kShadow:
      break;
  }
  return "shadow";
}

absl::StatusOr<std::shared_ptr<const Endpoint>> Endpoint::create(EndpointSpec spec) {
  return create(std::move(spec), nullptr);
}

absl::StatusOr<std::shared_ptr<const Endpoint>> Endpoint::create(EndpointSpec spec,
                                                                 const Endpoint* before) {
  TRY(check(spec));
  std::shared_ptr<Endpoint> endpoint(new Endpoint);
  endpoint->project_ = std::move(spec.project);
  endpoint->name_ = std::move(spec.name);
  endpoint->refused_ = before != nullptr ? before->refused_ : std::make_shared<TrafficCounters>();
  for (VariantSpec& variant : spec.variants) {
    endpoint->variants_.push_back(prepare(std::move(variant), before));
    if (spec.log != nullptr) {
      Variant& prepared = endpoint->variants_.back();
      prepared.log_layout =
          spec.log->declare(variant_layout(endpoint->project_, endpoint->name_, prepared.spec));
    }
  }
  endpoint->share_traffic();
  endpoint->index_keys();
  return endpoint;
}

void Endpoint::share_traffic() {
  for (size_t i = 0; i < variants_.size(); ++i) {
    const VariantSpec& spec = variants_[i].spec;
    champion_ = spec.role == Role::kChampion ? i : champion_;
    has_shadows_ = has_shadows_ || spec.role == Role::kShadow;
    if (spec.weight > 0) {
      // The endpoint's name takes part, so that two endpoints do not split the same ids alike.
      shares_.push_back({.variant = i,
                         .seed = base::hash64(
                             fmt::format("{}/{}/{}@{}", project_, name_, spec.model, spec.version)),
                         .weight = static_cast<double>(spec.weight)});
    }
  }
}

void Endpoint::index_keys() {
  std::vector<size_t> order(variants_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::swap(order.front(), order[champion_]);
  size_t column_count = 0;
  for (const Variant& variant : variants_) {
    column_count += variant.spec.package->contract().size();
  }
  // At most half full, so that a search ends soon.
  slots_.assign(std::bit_ceil(2 * column_count + 2), -1);
  for (const size_t v : order) {
    for (const model::InputColumn& column : variants_[v].spec.package->contract()) {
      if (find_key(column.name, 0) >= 0) {
        continue;
      }
      size_t slot = base::hash64(column.name) & (slots_.size() - 1);
      while (slots_[slot] >= 0) {
        slot = (slot + 1) & (slots_.size() - 1);
      }
      slots_[slot] = static_cast<int32_t>(keys_.size());
      keys_.push_back(column.name);
    }
  }
  for (Variant& variant : variants_) {
    variant.column_of_key.assign(keys_.size(), -1);
    const model::Contract& contract = variant.spec.package->contract();
    for (size_t column = 0; column < contract.size(); ++column) {
      const auto key = static_cast<size_t>(find_key(contract[column].name, column));
      variant.column_of_key[key] = static_cast<int32_t>(column);
    }
  }
}

size_t Endpoint::choose(std::string_view id) const {
  if (shares_.size() == 1) {
    return shares_.front().variant;
  }
  size_t chosen = shares_.front().variant;
  double best = std::numeric_limits<double>::infinity();
  for (const Share& share : shares_) {
    // A uniform number between 0 and 1, exclusive; its -log/weight is exponential with this rate,
    // and the least of several is a share's with the probability of its weight.
    const uint64_t hash = base::hash64(id, share.seed);
    const double uniform = (static_cast<double>(hash >> 11U) + 0.5) * 0x1p-53;
    const double wait = -std::log(uniform) / share.weight;
    if (wait < best) {
      best = wait;
      chosen = share.variant;
    }
  }
  return chosen;
}

std::optional<size_t> Endpoint::find_version(int32_t version) const {
  if (champion().spec.version == version) {
    return champion_;
  }
  for (size_t i = 0; i < variants_.size(); ++i) {
    if (variants_[i].spec.version == version) {
      return i;
    }
  }
  return std::nullopt;
}

int32_t Endpoint::find_key(std::string_view name, size_t guess) const {
  if (guess < keys_.size() && keys_[guess] == name) {
    return static_cast<int32_t>(guess);
  }
  for (size_t slot = base::hash64(name) & (slots_.size() - 1); slots_[slot] >= 0;
       slot = (slot + 1) & (slots_.size() - 1)) {
    if (keys_[static_cast<size_t>(slots_[slot])] == name) {
      return slots_[slot];
    }
  }
  return -1;
}

Traffic Endpoint::traffic() const {
  Traffic total = refused_->read();
  for (const Variant& variant : variants_) {
    if (variant.spec.role != Role::kShadow) {
      total += variant.counters->read();
    }
  }
  return total;
}

}  // namespace cromford::serve
