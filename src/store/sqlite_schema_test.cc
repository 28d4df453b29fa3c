#include "store/sqlite_schema.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "store/metadata.h"
#include "testing/simulated_clock.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::store::sqlite {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::filesystem::path golden(int version) {
  return std::filesystem::path(CROMFORD_SOURCE_DIR) / "src/store/testdata" /
         ("schema" + std::to_string(version) + ".db");
}

// What every golden file holds, written by the program of its time.
absl::Status write_golden(const std::filesystem::path& file) {
  testing::SimulatedClock clock;
  TRY(const auto metadata, open_sqlite(file, clock));
  TRY(metadata->commit({Write::put({"default", "dataset", "flights"}, R"({"rows":3000000})"),
                        Write::put({"default", "dataset", "gone"}, "{}"),
                        Write::put({"", "project", "default"}, R"({"title":"Flüge"})")}));
  clock.advance(std::chrono::hours(1));
  return metadata
      ->commit({Write::remove({"default", "dataset", "gone"}),
                Write::put({"default", "dataset", "flights"}, R"({"rows":3000001})")})
      .status();
}

class SqliteSchema : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Connection>> connect() {
    return Connection::open(file_, {.create = true});
  }
  absl::StatusOr<std::string> first_text(Connection& connection, const std::string& sql) {
    TRY(Query query, connection.query(sql));
    TRY(query.next());
    return std::string(query.text(0));
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  std::filesystem::path file_ = directory_ / "cromford.db";
};

// With CROMFORD_WRITE_GOLDEN set, writes the file of the newest schema where there is none yet.
TEST_F(SqliteSchema, EveryReleasedSchemaComesForward) {
  const int newest = migrations().back().version;
  if (std::getenv("CROMFORD_WRITE_GOLDEN") != nullptr && !exists(golden(newest))) {
    ASSERT_OK(write_golden(golden(newest)));
  }
  for (int version = 1; version <= newest; ++version) {
    std::filesystem::copy_file(golden(version), file_,
                               std::filesystem::copy_options::overwrite_existing);
    ASSERT_OK_AND_ASSIGN(const auto metadata, open_sqlite(file_, clock_));
    ASSERT_OK_AND_ASSIGN(const Document flights, metadata->get({"default", "dataset", "flights"}));
    EXPECT_EQ(flights.body, R"({"rows":3000001})");
    EXPECT_EQ(flights.revision, 2);
    EXPECT_EQ(flights.created_at, clock_.now());
    EXPECT_EQ(flights.updated_at, clock_.now() + std::chrono::hours(1));
    EXPECT_EQ(metadata->get({"", "project", "default"})->body, R"({"title":"Flüge"})");
    EXPECT_FALSE(metadata->get({"default", "dataset", "gone"}).ok());
    EXPECT_EQ(*metadata->commit({Write::put({"default", "dataset", "new"}, "{}")}), 3);
  }
}

TEST_F(SqliteSchema, MigratesStepByStepAndOnce) {
  std::vector<Migration> steps(migrations().begin(), migrations().end());
  const int released = steps.back().version;
  ASSERT_OK_AND_ASSIGN(const auto connection, connect());
  ASSERT_OK(migrate(*connection, steps, clock_.now()));
  steps.push_back({released + 1, "a column", "alter table documents add column extra text"});
  steps.push_back({released + 2, "a value", "update documents set extra = 'x'"});
  ASSERT_OK(migrate(*connection, steps, clock_.now()));
  ASSERT_OK(migrate(*connection, steps, clock_.now()));
  EXPECT_EQ(*first_text(*connection, "select count(*) from schema_version"),
            std::to_string(released + 2));
  EXPECT_EQ(*first_text(*connection, "select about from schema_version order by version desc"),
            "a value");
}

TEST_F(SqliteSchema, AFailedStepChangesNothing) {
  std::vector<Migration> steps(migrations().begin(), migrations().end());
  ASSERT_OK_AND_ASSIGN(const auto connection, connect());
  ASSERT_OK(migrate(*connection, steps, clock_.now()));
  const int next = steps.back().version + 1;
  steps.push_back({next, "broken", "create table extra (x); create table extra (x)"});
  EXPECT_THAT(migrate(*connection, steps, clock_.now()),
              StatusIs(absl::StatusCode::kInternal,
                       HasSubstr("bringing the database to schema " + std::to_string(next))));
  EXPECT_EQ(*first_text(*connection, "select count(*) from sqlite_schema where name = 'extra'"),
            "0");
  EXPECT_OK(migrate(*connection, migrations(), clock_.now()));
}

TEST_F(SqliteSchema, RefusesANewerSchema) {
  {
    ASSERT_OK_AND_ASSIGN(const auto connection, connect());
    ASSERT_OK(migrate(*connection, migrations(), clock_.now()));
    ASSERT_OK(connection->execute("insert into schema_version values (99, 0, 'from the future')"));
  }
  const auto opened = open_sqlite(file_, clock_);
  EXPECT_THAT(opened, StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr("cromford.db"), HasSubstr("schema 99"))));
  EXPECT_THAT(base::remedy(opened.status()), HasSubstr("newer program"));
}

TEST_F(SqliteSchema, RefusesTheDatabaseOfAnotherProgram) {
  {
    ASSERT_OK_AND_ASSIGN(const auto connection, connect());
    ASSERT_OK(connection->execute("create table theirs (x)"));
  }
  EXPECT_THAT(open_sqlite(file_, clock_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another program")));
  ASSERT_OK_AND_ASSIGN(const auto connection, connect());
  EXPECT_EQ(*first_text(*connection, "select group_concat(name) from sqlite_schema"), "theirs");
}

}  // namespace
}  // namespace cromford::store::sqlite
