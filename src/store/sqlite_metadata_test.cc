// SQLite passes the contract, and what only SQLite can get wrong.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "store/metadata_contract_test.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::store {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class SqliteHarness final : public MetadataHarness {
 public:
  explicit SqliteHarness(base::Clock& clock) : clock_(clock) { EXPECT_OK(reopen()); }

  Metadata& metadata() override { return *metadata_; }
  absl::Status reopen() override {
    metadata_.reset();
    TRY(metadata_, open_sqlite(directory_ / "cromford.db", clock_));
    return absl::OkStatus();
  }

 private:
  testing::TempDir directory_;
  base::Clock& clock_;
  std::unique_ptr<Metadata> metadata_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, MetadataContract, ::testing::Values([](base::Clock& clock) {
                           return std::make_unique<SqliteHarness>(clock);
                         }));

class SqliteMetadata : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Metadata>> open(const SqliteOptions& options = {}) {
    return open_sqlite(file_, clock_, options);
  }
  void write_file(const std::string& bytes) { std::ofstream(file_, std::ios::binary) << bytes; }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  std::filesystem::path file_ = directory_ / "cromford.db";
};

TEST_F(SqliteMetadata, AFullDiskChangesNothing) {
  ASSERT_OK_AND_ASSIGN(const auto store, open({.size_limit_bytes = 200'000}));
  const std::string body = fmt::format(R"({{"pad":"{}"}})", std::string(20'000, 'x'));
  int count = 0;
  absl::Status full;
  for (; count < 100 && full.ok(); ++count) {
    full = store
               ->commit({Write::put({"", "a", std::to_string(count)}, body),
                         Write::put({"", "b", std::to_string(count)}, body)})
               .status();
  }
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kResourceExhausted,
                             AllOf(HasSubstr("cromford.db"), HasSubstr("full"))));
  EXPECT_THAT(base::remedy(full), HasSubstr("free space"));
  ASSERT_OK_AND_ASSIGN(const auto a, store->list({.kind = "a"}));
  ASSERT_OK_AND_ASSIGN(const auto b, store->list({.kind = "b"}));
  EXPECT_EQ(a.documents.size(), static_cast<size_t>(count - 1));
  EXPECT_EQ(b.documents.size(), static_cast<size_t>(count - 1));
  // Once there is room again, it goes on.
  ASSERT_OK(store->commit({Write::remove({"", "a", "0"}), Write::remove({"", "b", "0"})}));
  EXPECT_OK(store->commit({Write::put({"", "a", "new"}, body)}));
}

TEST_F(SqliteMetadata, SaysThatAFileIsDamaged) {
  write_file(std::string(10'000, 'x'));
  EXPECT_THAT(open(), StatusIs(absl::StatusCode::kDataLoss,
                               AllOf(HasSubstr("cromford.db"), HasSubstr("damaged"))));
}

TEST_F(SqliteMetadata, SaysThatAPageIsDamaged) {
  {
    ASSERT_OK_AND_ASSIGN(const auto store, open());
    for (int i = 0; i < 200; ++i) {
      ASSERT_OK(store->commit({Write::put({"p", "k", std::to_string(i)},
                                          fmt::format(R"({{"x":"{}"}})", std::string(500, 'x')))}));
    }
  }
  {
    std::fstream file(file_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4096);
    file << std::string(std::filesystem::file_size(file_) - 4096, '\x5a');
  }
  const auto store = open();
  const absl::Status status =
      store.ok() ? (*store)->list({.kind = "k", .order_by = "x"}).status() : store.status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
}

TEST_F(SqliteMetadata, NamesAFileThatCannotBeOpened) {
  file_ = directory_ / "missing" / "cromford.db";
  EXPECT_THAT(open(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("missing")));
  std::filesystem::create_directories(file_);
  EXPECT_THAT(open(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("cromford.db")));
}

TEST_F(SqliteMetadata, GivesUpWhenTheFileStaysBusy) {
  ASSERT_OK_AND_ASSIGN(const auto store, open({.busy_timeout_ms = 1}));
  ASSERT_OK(store->commit({Write::put({"p", "k", "n"}, "{}")}));
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "begin immediate", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_THAT(store->commit({Write::put({"p", "k", "n"}, R"({"x":1})")}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("busy")));
  EXPECT_EQ(store->get({"p", "k", "n"})->body, "{}");  // Readers do not wait.
  sqlite3_close(other);
  EXPECT_OK(store->commit({Write::put({"p", "k", "n"}, R"({"x":1})")}));
}

TEST_F(SqliteMetadata, WritesAreSynced) {
  ASSERT_OK_AND_ASSIGN(const auto store, open());
  ASSERT_OK(store->commit({Write::put({"p", "k", "n"}, "{}")}));
  EXPECT_TRUE(std::filesystem::exists(file_.string() + "-wal"));
}

TEST_F(SqliteMetadata, ListsUseTheIndexes) {
  ASSERT_OK(open());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &db), SQLITE_OK);
  std::string plan;
  const auto collect = [](void* out, int, char** values, char**) {
    *static_cast<std::string*>(out) += fmt::format("{}\n", values[3]);
    return 0;
  };
  for (const char* sql :
       {"explain query plan select body from documents where kind = 'k' and project = 'p' and "
        "(name >= 'x' and (name > 'x' or project > 'p')) order by name, project limit 51",
        "explain query plan select body from documents where kind = 'k' and project = 'p' "
        "order by created_at desc, name desc limit 51"}) {
    ASSERT_EQ(sqlite3_exec(db, sql, collect, &plan, nullptr), SQLITE_OK);
  }
  sqlite3_close(db);
  EXPECT_THAT(plan, AllOf(HasSubstr("documents_by_name (kind=? AND project=? AND name>?)"),
                          HasSubstr("documents_by_creation (kind=? AND project=?)")));
  EXPECT_THAT(plan, ::testing::Not(HasSubstr("B-TREE")));
}

}  // namespace
}  // namespace cromford::store
