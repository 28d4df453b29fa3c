#include "app/model_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/resources.h"

namespace cromford::app {

absl::StatusOr<std::filesystem::path> package_file(const Context& context, const Versioned& model) {
  TRY(const base::Json body, body_of(model.document));
  TRY(const base::ContentHash hash,
      base::parse_content_hash(body.at("package").value("hash", std::string())));
  absl::StatusOr<std::filesystem::path> path = context.objects->path_of(hash);
  if (!path.ok()) {
    return base::damaged(fmt::format("the package of {}@{} is gone: {}", model.name, model.version,
                                     base::message(path.status())),
                         "restore objects/ from a copy of the data directory, or train it again");
  }
  return path;
}

}  // namespace cromford::app
