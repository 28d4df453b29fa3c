#pragma once

// What the parts of the factory share: the stores, the clock, the runner of jobs. One is made when
// the factory opens its home; use cases and kinds of jobs borrow it.
//
//   TRY(store::Document dataset, context.metadata->get({project, "dataset", name}));
//
// Thread safety: set up once, then only read; what it points to is safe for any thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "app/options.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/id.h"
#include "base/json.h"
#include "base/status.h"
#include "feedback/log.h"
#include "flow/events.h"
#include "flow/runner.h"
#include "govern/audit.h"
#include "govern/audit_log.h"
#include "serve/prediction_log.h"
#include "store/home.h"
#include "store/metadata.h"
#include "store/objects.h"

namespace cromford::app {

struct Context {
  Options options;
  base::Clock* clock = nullptr;
  base::FileSystem* files = nullptr;
  std::unique_ptr<store::Home> home;
  std::unique_ptr<store::Metadata> metadata;
  std::unique_ptr<store::Objects> objects;
  std::unique_ptr<base::IdSource> ids;
  std::unique_ptr<govern::Auditor> auditor;  // Makes the entries that changes are committed with.
  std::unique_ptr<govern::AuditLog> audit;   // From Factory::open() to Factory::stop().
  std::unique_ptr<flow::EventHub> events;
  std::unique_ptr<flow::Runner> runner;
  std::unique_ptr<feedback::Log> log;
  std::unique_ptr<serve::PredictionLog> predictions;
};

// The document of a thing and of one version of it, with the stored body.
struct Versioned {
  store::Document document;
  std::string project;
  std::string name;
  int64_t version = 0;
};

// Finds version `version` ("3" or "latest") of a dataset or model. `kind` is "dataset" or "model".
// NOT_FOUND names what there is.
absl::StatusOr<Versioned> find_version(const Context& context, std::string_view kind,
                                       const std::string& project, const std::string& name,
                                       const std::string& version);
// NOT_FOUND with the nearest name there is.
absl::Status no_such_thing(const Context& context, std::string_view kind,
                           const std::string& project, const std::string& name);
// The same from "flights@3" or "flights".
absl::StatusOr<Versioned> find_reference(const Context& context, std::string_view kind,
                                         const std::string& project, const std::string& reference);

// What a new version of something adds: its own body, and fields merged into the thing's body.
struct VersionBodies {
  base::Json version;
  base::Json summary;
};
struct NewVersion {
  std::string kind;  // "dataset" or "model"; the version's documents are of kind KIND_version.
  std::string project;
  std::string name;
  std::string made_by;  // Id of the job: the same job never makes two versions.
  // Gives the bodies for the version's number; called again with another number after a lost race.
  // The fields KIND and "version" are filled in.
  std::function<absl::StatusOr<VersionBodies>(int64_t version)> make;
  // What must be true together with the version, in the same transaction; called after `make`.
  std::function<absl::StatusOr<std::vector<store::Write>>(int64_t version)> also = {};
};
// Commits the next version with the thing's document in one transaction, and gives its number.
absl::StatusOr<int64_t> commit_version(const Context& context, const NewVersion& version);

// The version that job `made_by` has committed already, or 0.
absl::StatusOr<int64_t> version_made_by(const Context& context, const std::string& kind,
                                        const std::string& project, const std::string& name,
                                        const std::string& made_by);

}  // namespace cromford::app
