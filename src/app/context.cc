#include "app/context.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/resources.h"
#include "base/name.h"

namespace cromford::app {
namespace {

constexpr int kCommitAttemptsMax = 16;

bool lost_a_race(const absl::Status& status) {
  return status.code() == absl::StatusCode::kAborted ||
         status.code() == absl::StatusCode::kAlreadyExists;
}

// The names of that kind that there are, for "did you mean".
std::vector<std::string> known_names(const Context& context, std::string_view kind,
                                     const std::string& project) {
  std::vector<std::string> names;
  const absl::StatusOr<store::DocumentPage> page =
      context.metadata->list({.project = project, .kind = std::string(kind), .page_size = 1000});
  if (page.ok()) {
    for (const store::Document& document : page->documents) {
      names.push_back(document.key.name);
    }
  }
  return names;
}

// The versions from `number` on, which belong to nothing: a thing's document and its versions are
// written together, so versions beyond the newest are what an interrupted deletion of an earlier
// program left. They must neither stand in the way nor pass for versions of the new thing.
absl::StatusOr<std::vector<store::Write>> removal_of_orphans(const Context& context,
                                                             const NewVersion& version,
                                                             int64_t number) {
  std::vector<store::Write> writes;
  std::string token;
  do {
    TRY(const store::DocumentPage page,
        context.metadata->list({.project = version.project,
                                .kind = version.kind + "_version",
                                .name_prefix = version.name + "@",
                                .filter = fmt::format("version > {}", number),
                                .page_size = 1000,
                                .page_token = token}));
    for (const store::Document& orphan : page.documents) {
      writes.push_back(store::Write::remove(orphan.key, orphan.revision));
    }
    token = page.next_page_token;
  } while (!token.empty());
  return writes;
}

absl::StatusOr<int64_t> try_commit(const Context& context, const NewVersion& version) {
  const store::DocumentKey key{version.project, version.kind, version.name};
  base::Json thing = {{"name", version.name}, {"latest_version", 0}};
  int64_t revision = store::kMustNotExist;
  const absl::StatusOr<store::Document> existing = context.metadata->get(key);
  if (existing.ok()) {
    TRY(thing, body_of(*existing));
    revision = existing->revision;
  } else if (existing.status().code() != absl::StatusCode::kNotFound) {
    return existing.status();
  }
  const int64_t number = thing.value("latest_version", int64_t{0}) + 1;
  const store::DocumentKey version_key{version.project, version.kind + "_version",
                                       version_name(version.name, number)};
  const absl::StatusOr<store::Document> orphan = context.metadata->get(version_key);
  std::vector<store::Write> writes;
  if (orphan.ok() || revision == store::kMustNotExist) {
    TRY(writes, removal_of_orphans(context, version, number));
  }
  TRY(VersionBodies bodies, version.make(number));
  base::Json& body = bodies.version;
  thing.update(bodies.summary);
  thing["latest_version"] = number;
  body[version.kind] = version.name;
  body["version"] = number;
  body["internal"]["made_by"] = version.made_by;
  writes.push_back(store::Write::put(key, base::dump_json(thing), revision));
  writes.push_back(store::Write::put(version_key, base::dump_json(body),
                                     orphan.ok() ? orphan->revision : store::kMustNotExist));
  TRY(writes,
      audited(context, std::move(writes), version_made(version.kind, version.project, body)));
  if (version.also) {
    TRY(const std::vector<store::Write> also, version.also(number));
    writes.insert(writes.end(), also.begin(), also.end());
  }
  TRY(context.metadata->commit(writes));
  return number;
}

}  // namespace

absl::Status no_such_thing(const Context& context, std::string_view kind,
                           const std::string& project, const std::string& name) {
  const std::vector<std::string> names = known_names(context, kind, project);
  const std::string near = base::nearest(name, names);
  return base::not_found(fmt::format("there is no {} '{}' in project '{}'", kind, name, project),
                         near.empty() ? fmt::format("list what there is: cromford {} list", kind)
                                      : fmt::format("did you mean '{}'?", near));
}

absl::StatusOr<Versioned> find_version(const Context& context, std::string_view kind,
                                       const std::string& project, const std::string& name,
                                       const std::string& version) {
  TRY(base::check_name(kind, name));
  TRY(std::optional<int64_t> number, parse_version(kind, version));
  const absl::StatusOr<store::Document> thing =
      context.metadata->get({project, std::string(kind), name});
  if (thing.status().code() == absl::StatusCode::kNotFound) {
    return no_such_thing(context, kind, project, name);
  }
  TRY(thing);
  TRY(const base::Json body, body_of(*thing));
  const int64_t latest = body.value("latest_version", int64_t{0});
  if (!number.has_value()) {
    number = latest;
  }
  absl::StatusOr<store::Document> document = context.metadata->get(
      {project, fmt::format("{}_version", kind), version_name(name, *number)});
  if (document.status().code() == absl::StatusCode::kNotFound) {
    return base::not_found(fmt::format("{} '{}' has no version {}", kind, name, *number),
                           fmt::format("its newest version is {}", latest));
  }
  TRY(document);
  return Versioned{*std::move(document), project, name, *number};
}

absl::StatusOr<Versioned> find_reference(const Context& context, std::string_view kind,
                                         const std::string& project, const std::string& reference) {
  TRY(const base::VersionedName parsed, base::parse_versioned_name(kind, reference));
  return find_version(context, kind, project, parsed.name,
                      parsed.version ? std::to_string(*parsed.version) : "latest");
}

absl::StatusOr<int64_t> version_made_by(const Context& context, const std::string& kind,
                                        const std::string& project, const std::string& name,
                                        const std::string& made_by) {
  TRY(const store::DocumentPage page,
      context.metadata->list({.project = project,
                              .kind = kind + "_version",
                              .name_prefix = name + "@",
                              .filter = fmt::format("internal.made_by = \"{}\"", made_by),
                              .page_size = 1}));
  if (page.documents.empty()) {
    return 0;
  }
  TRY(const base::Json body, body_of(page.documents.front()));
  return body.value("version", int64_t{0});
}

absl::StatusOr<int64_t> commit_version(const Context& context, const NewVersion& version) {
  TRY(const int64_t earlier,
      version_made_by(context, version.kind, version.project, version.name, version.made_by));
  if (earlier > 0) {
    return earlier;
  }
  absl::StatusOr<int64_t> number = try_commit(context, version);
  for (int attempt = 1; attempt < kCommitAttemptsMax && lost_a_race(number.status()); ++attempt) {
    number = try_commit(context, version);
  }
  return number;
}

}  // namespace cromford::app
