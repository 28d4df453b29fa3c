#include "serve/registry.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

#include "base/hash.h"

namespace cromford::serve {
namespace internal_registry {

struct Name {
  std::string_view project;
  std::string_view name;
  bool operator==(const Name&) const = default;
};

struct NameHash {
  size_t operator()(const Name& name) const {
    return base::hash64(name.name, base::hash64(name.project));
  }
};

// The keys are views of the endpoints' own names.
struct Directory {
  std::unordered_map<Name, std::shared_ptr<const Endpoint>, NameHash> endpoints;

  const Endpoint* find(const Name& name) const {
    const auto found = endpoints.find(name);
    return found == endpoints.end() ? nullptr : found->second.get();
  }
  void put(std::shared_ptr<const Endpoint> endpoint) {
    const Name name = {endpoint->project(), endpoint->name()};
    endpoints.erase(name);  // Its key would be a view of the old endpoint.
    endpoints.emplace(name, std::move(endpoint));
  }
};

}  // namespace internal_registry

using internal_registry::Directory;

Registry::Registry() : directory_(std::make_unique<const Directory>()) {}
Registry::~Registry() = default;

// Replaces the directory by a changed copy; the writer's lock is held.
template <typename Change>
void Registry::publish(Change&& change) {
  std::unique_ptr<Directory> next;
  {
    const ReadGuard guard;
    next = std::make_unique<Directory>(directory_.get(guard));
  }
  change(*next);
  directory_.publish(std::move(next));
}

absl::Status Registry::set(EndpointSpec spec) {
  const std::lock_guard lock(writer_);
  const std::shared_ptr<const Endpoint> before = get(spec.project, spec.name);
  auto endpoint = Endpoint::create(std::move(spec), before.get());
  if (!endpoint.ok()) {
    return endpoint.status();
  }
  publish([&](Directory& next) { next.put(*std::move(endpoint)); });
  return absl::OkStatus();
}

void Registry::put(std::shared_ptr<const Endpoint> endpoint) {
  const std::lock_guard lock(writer_);
  publish([&](Directory& next) { next.put(std::move(endpoint)); });
}

bool Registry::remove(std::string_view project, std::string_view name) {
  const std::lock_guard lock(writer_);
  {
    const ReadGuard guard;
    if (directory_.get(guard).find({project, name}) == nullptr) {
      return false;
    }
  }
  publish([&](Directory& next) { next.endpoints.erase({project, name}); });
  return true;
}

Lease Registry::find(std::string_view project, std::string_view name) const {
  ReadGuard guard;
  const Endpoint* endpoint = directory_.get(guard).find({project, name});
  return {std::move(guard), endpoint};
}

std::shared_ptr<const Endpoint> Registry::get(std::string_view project,
                                              std::string_view name) const {
  const ReadGuard guard;
  const auto& endpoints = directory_.get(guard).endpoints;
  const auto found = endpoints.find({project, name});
  return found == endpoints.end() ? nullptr : found->second;
}

Lease Registry::find_model(std::string_view name) const {
  const size_t dot = name.find('.');  // No name of a project or an endpoint has one.
  return dot == std::string_view::npos ? find("default", name)
                                       : find(name.substr(0, dot), name.substr(dot + 1));
}

std::vector<std::shared_ptr<const Endpoint>> Registry::list() const {
  std::vector<std::shared_ptr<const Endpoint>> all;
  {
    const ReadGuard guard;
    for (const auto& [name, endpoint] : directory_.get(guard).endpoints) {
      all.push_back(endpoint);
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::pair(a->project(), a->name()) < std::pair(b->project(), b->name());
  });
  return all;
}

}  // namespace cromford::serve
