#include "app/score_columns.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/name.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::app {
namespace {

constexpr size_t kNamesShown = 20;

bool contains(std::span<const std::string> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string listed(std::vector<std::string> names) {
  const bool more = names.size() > kNamesShown;
  names.resize(std::min(names.size(), kNamesShown));
  return base::join(names, ", ") + (more ? ", ..." : "");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> check_score_columns(std::span<const std::string> names,
                                                             const ScoreColumns& columns) {
  std::vector<std::string> wanted;
  std::vector<std::string> absent;
  for (const model::InputColumn& column : columns.contract) {
    wanted.push_back(column.name);
    if (!contains(names, column.name)) {
      absent.push_back(column.name);
    }
  }
  if (!wanted.empty() && absent.size() == wanted.size()) {
    return base::invalid("the rows have none of the columns that the model takes",
                         fmt::format("it takes {}", listed(wanted)));
  }
  std::vector<std::string> unknown;
  for (const std::string& name : names) {
    if (!contains(wanted, name) && !contains(columns.other, name)) {
      unknown.push_back(name);
    }
  }
  if (!unknown.empty() && !columns.ignore_unknown) {
    return base::invalid(
        fmt::format("the model has no column '{}'{}{}", unknown.front(),
                    base::did_you_mean(unknown.front(), wanted),
                    unknown.size() == 1
                        ? std::string()
                        : fmt::format(", nor {} more of the input: {}", unknown.size() - 1,
                                      listed({unknown.begin() + 1, unknown.end()}))),
        "leave the columns out, or ignore them: --unknown ignore (HTTP: "
        "unknown=ignore)");
  }
  std::vector<std::string> warnings;
  if (!absent.empty()) {
    warnings.push_back(
        fmt::format("{} of the model's {} columns {} absent and count{} as missing: {}",
                    absent.size(), wanted.size(), absent.size() == 1 ? "is" : "are",
                    absent.size() == 1 ? "s" : "", listed(absent)));
  }
  if (!unknown.empty()) {
    warnings.push_back(fmt::format("columns that the model does not know: {}", listed(unknown)));
  }
  return warnings;
}

}  // namespace cromford::app
