#include "store/sqlite_schema.h"

#include <fmt/format.h>

#include <array>

#include "base/status.h"

namespace cromford::store::sqlite {
namespace {

constexpr int64_t kApplicationId = 0x43524d46;  // "CRMF" in the file's header, for file(1) and us.

constexpr std::array kMigrations = {
    Migration{.version = 1,
              .describe = "documents and their revisions",
              // `body` stands last: the columns before it are read without touching overflow pages.
              .sql = R"sql(
create table store_state (
  id integer primary key check (id = 1),
  revision integer not null
) strict;
insert into store_state (id, revision) values (1, 0);
create table documents (
  project text not null,
  kind text not null,
  name text not null,
  revision integer not null,
  created_at integer not null,
  updated_at integer not null,
  body text not null
) strict;
create unique index documents_by_name on documents (kind, project, name);
create index documents_by_creation on documents (kind, project, created_at, name);
)sql"},
};

absl::StatusOr<int64_t> pragma(Connection& connection, std::string_view name) {
  TRY(Query query, connection.query(fmt::format("pragma {}", name)));
  TRY(const bool row, query.next());
  return row ? query.integer(0) : 0;
}

// The version of the file's schema; 0 for an empty file.
absl::StatusOr<int64_t> schema_version(Connection& connection) {
  TRY(const int64_t id, pragma(connection, "application_id"));
  TRY(Query tables, connection.query("select count(*) from sqlite_schema"));
  TRY(tables.next());
  if (id == 0 && tables.integer(0) == 0) {
    return 0;
  }
  if (id != kApplicationId) {
    return base::refused("the database belongs to another program",
                         "name another data directory, or move that file away");
  }
  TRY(Query version, connection.query("select coalesce(max(version), 0) from schema_version"));
  TRY(version.next());
  return version.integer(0);
}

absl::Status apply(Connection& connection, const Migration& step, base::Time now) {
  return connection.transaction([&]() -> absl::Status {
    TRY(const int64_t version, schema_version(connection));
    if (version >= step.version) {
      return absl::OkStatus();  // Another process was faster.
    }
    if (version == 0) {
      TRY(connection.execute(fmt::format("pragma application_id = {}", kApplicationId)));
      TRY(
          connection.execute("create table schema_version (version integer primary key, "
                             "applied_at integer not null, about text not null) strict"));
    }
    TRY(connection.execute(step.sql));
    TRY(Query note, connection.query("insert into schema_version values (?, ?, ?)"));
    note.bind(int64_t{step.version}).bind(int64_t{now.time_since_epoch().count()});
    note.bind(step.describe);
    return note.next().status();
  });
}

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

absl::Status migrate(Connection& connection, std::span<const Migration> steps, base::Time now) {
  TRY(const int64_t version, schema_version(connection));
  if (version > steps.back().version) {
    return base::refused(fmt::format("the database has schema {}, and this program knows schemas "
                                     "up to {}",
                                     version, steps.back().version),
                         "use the newer program that wrote it, or another data directory");
  }
  for (const Migration& step : steps) {
    if (step.version > version) {
      TRY(base::annotate(apply(connection, step, now),
                         fmt::format("bringing the database to schema {}", step.version)));
    }
  }
  return absl::OkStatus();
}

}  // namespace cromford::store::sqlite
