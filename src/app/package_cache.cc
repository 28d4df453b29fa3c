#include "app/package_cache.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "app/model_files.h"
#include "app/resources.h"

namespace cromford::app {

absl::StatusOr<std::shared_ptr<const model::Package>> PackageCache::load(const Versioned& version) {
  TRY(const base::Json body, body_of(version.document));
  const std::string hash = body.at("package").value("hash", std::string());
  if (std::shared_ptr<const model::Package> known = find(hash)) {
    return known;
  }
  TRY(const std::filesystem::path file, package_file(context_, version));
  TRY(std::shared_ptr<const model::Package> package, model::Package::open(file));
  return keep(hash, std::move(package));
}

std::shared_ptr<const model::Package> PackageCache::find(const std::string& hash) {
  const std::scoped_lock lock(mutex_);
  const auto found = packages_.find(hash);
  return found == packages_.end() ? nullptr : found->second.lock();
}

std::shared_ptr<const model::Package> PackageCache::keep(
    const std::string& hash, std::shared_ptr<const model::Package> package) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(packages_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const model::Package>& kept = packages_[hash];
  if (std::shared_ptr<const model::Package> earlier = kept.lock()) {
    return earlier;
  }
  kept = package;
  return package;
}

}  // namespace cromford::app
