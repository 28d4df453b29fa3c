#pragma once

// A served name with the model versions behind it, prepared so that answering needs no further
// look-up: which version answers which row, which JSON key is which column of which version.
//
//   TRY(auto endpoint, Endpoint::create({.project = "default", .name = "late",
//       .variants = {{.model = "late", .version = 3, .package = package, .weight = 100}}}));
//   const size_t variant = endpoint->choose("order-17");
//
// Thread safety: an endpoint is immutable, but for the counters, which any thread may use.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/package.h"
#include "serve/bin_counters.h"
#include "serve/traffic.h"

namespace cromford::serve {

class PredictionLog;

enum class Role : uint8_t {
  kChampion,    // Answers its share of the rows; the one that others are measured against.
  kChallenger,  // Answers its share of the rows.
  kShadow,      // Scores every row and answers none.
};
// "champion", "challenger", "shadow".
std::string_view role_name(Role role);

struct VariantSpec {
  std::string model;
  int32_t version = 0;
  std::shared_ptr<const model::Package> package = nullptr;
  uint32_t weight = 0;  // Its share of the traffic is weight / sum of weights; a shadow has none.
  Role role = Role::kChampion;
};

struct EndpointSpec {
  std::string project;
  std::string name;
  std::vector<VariantSpec> variants;
  PredictionLog* log = nullptr;  // Where its predictions are logged; null: nowhere.
};

// A variant as it serves.
struct Variant {
  VariantSpec spec;
  std::shared_ptr<TrafficCounters> counters;
  std::shared_ptr<BinCounters> bins;
  // Per key of the endpoint (see Endpoint::keys): the column of this package, or -1.
  std::vector<int32_t> column_of_key;
  // Ready-made pieces of answers: `"model_version":3,"value":` and, per class, `"NAME"` as JSON.
  std::string version_json;
  std::vector<std::string> class_json;
  uint32_t log_layout = 0;  // The number that the log knows it by, where there is one.
};

class Endpoint {
 public:
  // INVALID_ARGUMENT names what does not fit: no champion or two of them, a model's version named
  // twice, no weight above zero, a shadow with a weight, a missing package, versions of different
  // tasks or classes.
  static absl::StatusOr<std::shared_ptr<const Endpoint>> create(EndpointSpec spec);
  // The same, with the counters that versions had in the endpoint that this one replaces.
  static absl::StatusOr<std::shared_ptr<const Endpoint>> create(EndpointSpec spec,
                                                                const Endpoint* before);

  const std::string& project() const { return project_; }
  const std::string& name() const { return name_; }
  const std::vector<Variant>& variants() const { return variants_; }
  const Variant& champion() const { return variants_[champion_]; }
  bool has_shadows() const { return has_shadows_; }

  // The variant that answers the row with this id: always the same one for the same id, endpoint
  // and weights. When a weight grows or a version joins, rows move only to that version. (Weighted
  // rendezvous hashing: Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005.)
  size_t choose(std::string_view id) const;
  // The variant of a version, if there is one; a shadow may be addressed so, too. Where versions of
  // two models have the same number, the champion's is meant.
  std::optional<size_t> find_version(int32_t version) const;

  // The columns of all variants under the names that rows call them by, champion's first.
  const std::vector<std::string>& keys() const { return keys_; }
  // The index of a key, or -1. `guess` is tried first: rows mostly name columns in one order.
  int32_t find_key(std::string_view name, size_t guess) const;

  // Requests that were refused before any version was chosen.
  TrafficCounters& refused() const { return *refused_; }
  // All versions (shadows excepted) and the refused requests together.
  Traffic traffic() const;

 private:
  // A variant that answers rows.
  struct Share {
    size_t variant;
    uint64_t seed;
    double weight;
  };

  Endpoint() = default;
  void share_traffic();
  void index_keys();

  std::string project_;
  std::string name_;
  std::vector<Variant> variants_;
  size_t champion_ = 0;
  bool has_shadows_ = false;
  size_t only_variant_ = SIZE_MAX;  // Where one has all the weight.
  std::vector<Share> shares_;       // In the order of versions.
  std::vector<std::string> keys_;
  std::vector<int32_t> slots_;  // Open addressing over hash64 of the keys; -1 is free.
  std::shared_ptr<TrafficCounters> refused_;
};

}  // namespace cromford::serve
