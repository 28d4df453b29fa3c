#pragma once

// The rules about a dataset's rows as people write them (docs/checks.md): the list that stands
// under `dataset: checks:` of a pipeline file, or in a file of its own. Only the form is looked at
// here; ingest/check.h knows what the rules mean.
//
//   TRY(const base::Json rules, flow::parse_checks_file(text));
//   TRY(const ingest::CheckList checks, ingest::parse_checks(rules, "/checks"));
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <string_view>

#include "base/json.h"
#include "flow/section_reader.h"
#include "flow/yaml.h"

namespace cromford::flow {

// The list as JSON; what is wrong is noted.
base::Json read_check_list(Problems& problems, const YamlNode& node, const KeyPath& path);

// A file of rules alone: the list, with or without `checks:` above it, in YAML or JSON.
// INVALID_ARGUMENT names the first mistake as "line 2, checks[1].betwen: ..."; all mistakes (up to
// 50) are its field errors, with JSON pointers under /checks.
absl::StatusOr<base::Json> parse_checks_file(std::string_view text);

}  // namespace cromford::flow
