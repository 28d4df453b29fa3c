#include "store/metadata.h"

#include <fmt/format.h>

namespace cromford::store {

std::string describe(const DocumentKey& key) {
  return key.project.empty()
             ? fmt::format("{} '{}'", key.kind, key.name)
             : fmt::format("{} '{}' of project '{}'", key.kind, key.name, key.project);
}

}  // namespace cromford::store
