#pragma once

// All endpoints that this process serves. Reading is lock-free and never waits, also while
// endpoints are replaced: a request keeps what it found until it is done, so a swap fails none.
//
//   Registry registry;
//   TRY(registry.set({.project = "default", .name = "late", .variants = {...}}));
//   if (const Lease endpoint = registry.find("default", "late")) {
//     endpoint->champion();
//   }
//   registry.remove("default", "late");
//
// Thread safety: every method may be called from any thread at any time. A Lease belongs to the
// thread that took it and must not outlive the registry; hold it for one request, not longer,
// because replaced endpoints are freed only when no older lease is left.

#include <absl/status/status.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "serve/endpoint.h"
#include "serve/published.h"

namespace cromford::serve {

namespace internal_registry {
struct Directory;
}  // namespace internal_registry

// An endpoint that stays valid while the lease is held; false where none was found.
class Lease {
 public:
  explicit operator bool() const { return endpoint_ != nullptr; }
  const Endpoint& operator*() const { return *endpoint_; }
  const Endpoint* operator->() const { return endpoint_; }

 private:
  friend class Registry;
  Lease(ReadGuard guard, const Endpoint* endpoint)
      : guard_(std::move(guard)), endpoint_(endpoint) {}

  ReadGuard guard_;
  const Endpoint* endpoint_;
};

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Makes or replaces an endpoint: requests that begin after the return see the new one. Counters
  // of versions that stay go on. INVALID_ARGUMENT as Endpoint::create; then nothing has changed.
  absl::Status set(EndpointSpec spec);
  // The same with an endpoint that was made beforehand; cannot fail. Its counters are those of the
  // endpoint that it was made from (Endpoint::create).
  void put(std::shared_ptr<const Endpoint> endpoint);
  // False where there was none.
  bool remove(std::string_view project, std::string_view name);

  Lease find(std::string_view project, std::string_view name) const;
  // The same for who keeps it longer than a request; null where there is none.
  std::shared_ptr<const Endpoint> get(std::string_view project, std::string_view name) const;
  // By the name of Open Inference Protocol: "endpoint" (of the project "default") or
  // "project.endpoint".
  Lease find_model(std::string_view name) const;

  // Everything there is, ordered by project and name; for lists, metrics and start-up.
  std::vector<std::shared_ptr<const Endpoint>> list() const;

 private:
  template <typename Change>
  void publish(Change&& change);

  mutable std::mutex writer_;
  Published<internal_registry::Directory> directory_;
};

}  // namespace cromford::serve
