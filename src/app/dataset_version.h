#pragma once

// What every kind of job does that makes a dataset version: takes the files that its worker left as
// objects, joins the profiles of parts, and writes the version's document.
//
//   TRY(take_objects(context, manifest, work_dir));
//   TRY(manifest.profile_object, merged_profile(context, {{schema, earlier}, {wider, later}}));
//   const base::Json body = version_json(manifest, manifest_object);
//
// Thread safety: free functions.

#include <filesystem>
#include <string>
#include <vector>

#include "app/context.h"
#include "base/json.h"
#include "base/status.h"
#include "table/manifest.h"

namespace cromford::app {

// Parts, profile and quarantine of a worker's manifest, as objects. What is an object already (the
// job was finished once and then killed) is left; DATA_LOSS where one is nowhere.
absl::Status take_objects(const Context& context, const table::Manifest& manifest,
                          const std::filesystem::path& work_dir);

// A profile and the schema of the rows that it is of.
struct ProfiledRows {
  table::Schema schema;
  std::string profile_object;
};
// The object of the profile of all rows in this order; each schema is as wide as those before it.
absl::StatusOr<std::string> merged_profile(const Context& context,
                                           const std::vector<ProfiledRows>& rows);

// The body of a version's document, as the API shows it, with the objects that it rests on.
base::Json version_json(const table::Manifest& manifest, const std::string& manifest_object);

}  // namespace cromford::app
