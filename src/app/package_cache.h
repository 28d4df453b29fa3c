#pragma once

// Loaded packages by the hash of their object, so that a version that several endpoints serve, or
// that a change of an endpoint keeps, is mapped, checked and prepared once. The cache itself keeps
// none alive: a package lives as long as somebody serves it.
//
//   PackageCache packages(context);
//   TRY(const auto package, packages.load(version));
//
// Thread safety: may be shared by threads. Two that load the same package at once may both load it;
// both then get the one that was ready first.

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "app/context.h"
#include "base/status.h"
#include "model/package.h"

namespace cromford::app {

class PackageCache {
 public:
  explicit PackageCache(const Context& context) : context_(context) {}

  // The package of a model version. DATA_LOSS where it is gone or damaged.
  absl::StatusOr<std::shared_ptr<const model::Package>> load(const Versioned& version);

 private:
  std::shared_ptr<const model::Package> find(const std::string& hash);
  std::shared_ptr<const model::Package> keep(const std::string& hash,
                                             std::shared_ptr<const model::Package> package);

  const Context& context_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const model::Package>> packages_;
};

}  // namespace cromford::app
