// Metadata in one SQLite file: one connection writes, under a mutex; any number of others read
// beside it (WAL). `synchronous=FULL` puts each commit on the disk before it returns.

#include <fmt/format.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "store/list_query.h"
#include "store/metadata.h"
#include "store/sqlite_connection.h"
#include "store/sqlite_list.h"
#include "store/sqlite_schema.h"

namespace cromford::store {
namespace {

using sqlite::Connection;
using sqlite::Query;

constexpr size_t kIdleReadersMax = 8;

absl::Status changed_meanwhile(const DocumentKey& key, int64_t expected, int64_t actual) {
  const std::string detail =
      actual == 0
          ? fmt::format("{} is gone, revision {} was expected", describe(key), expected)
          : fmt::format("{} has revision {}, {} was expected", describe(key), actual, expected);
  const absl::Status status(absl::StatusCode::kAborted, {detail.data(), detail.size()});
  return base::with_remedy(status, "read it again and repeat the change");
}

base::Time time_of(int64_t microseconds) {
  return base::Time(std::chrono::microseconds(microseconds));
}

// Columns: project, kind, name, body, revision, created_at, updated_at.
Document read_document(const Query& query) {
  return {.key = {.project = std::string(query.text(0)),
                  .kind = std::string(query.text(1)),
                  .name = std::string(query.text(2))},
          .body = std::string(query.text(3)),
          .revision = query.integer(4),
          .created_at = time_of(query.integer(5)),
          .updated_at = time_of(query.integer(6))};
}

absl::Status check_key(const DocumentKey& key) {
  if (key.kind.empty() || key.name.empty()) {
    return base::invalid(
        fmt::format("a document needs a kind and a name, but it is {}", describe(key)));
  }
  for (const std::string* part : {&key.project, &key.kind, &key.name}) {
    if (!base::is_utf8(*part) || part->find('\0') != std::string::npos) {
      return base::invalid(fmt::format("the key of {} is not a UTF-8 text", describe(key)));
    }
  }
  return absl::OkStatus();
}

absl::Status check_writes(std::span<const Write> writes) {
  std::set<std::tuple<std::string_view, std::string_view, std::string_view>> keys;
  for (const Write& write : writes) {
    TRY(check_key(write.key));
    if (!keys.emplace(write.key.project, write.key.kind, write.key.name).second) {
      return base::invalid(fmt::format("{} stands twice in one commit", describe(write.key)));
    }
    if (write.kind == Write::Kind::kPut) {
      const auto body = base::parse_json(write.body);
      if (!body.ok()) {
        return base::annotate(body.status(), fmt::format("the body of {}", describe(write.key)));
      }
      if (!body->is_object()) {
        return base::invalid(
            fmt::format("the body of {} is not a JSON object", describe(write.key)));
      }
    }
  }
  return absl::OkStatus();
}

class SqliteMetadata final : public Metadata {
 public:
  SqliteMetadata(std::filesystem::path file, base::Clock& clock, const SqliteOptions& options,
                 std::unique_ptr<Connection> writer)
      : file_(std::move(file)), clock_(clock), options_(options), writer_(std::move(writer)) {}

  absl::StatusOr<Document> get(const DocumentKey& key) const override {
    TRY(std::unique_ptr<Connection> reader, take_reader());
    const auto result = get(*reader, key);
    give_back(std::move(reader), result.status());
    return result;
  }

  absl::StatusOr<int64_t> commit(std::span<const Write> writes) override {
    TRY(check_writes(writes));
    const std::lock_guard lock(writer_mutex_);
    int64_t revision = 0;
    const auto work = [&]() -> absl::Status {
      TRY(Query next, writer_->query("update store_state set revision = revision + 1 "
                                     "returning revision"));
      TRY(next.next());
      revision = next.integer(0);
      TRY(next.next());
      for (const Write& write : writes) {
        TRY(apply(write, revision));
      }
      return absl::OkStatus();
    };
    TRY(writer_->transaction(work));
    return revision;
  }

  absl::StatusOr<DocumentPage> list(const ListQuery& query) const override {
    TRY(const list::Plan plan, list::plan(query));
    TRY(std::unique_ptr<Connection> reader, take_reader());
    auto result = list(*reader, query, plan);
    give_back(std::move(reader), result.status());
    return result;
  }

  absl::Status visit_all(const std::function<absl::Status(const Document&)>& visit) const override {
    TRY(std::unique_ptr<Connection> reader, take_reader());
    const absl::Status status = visit_all(*reader, visit);
    give_back(std::move(reader), status);
    return status;
  }

 private:
  static absl::Status visit_all(Connection& reader,
                                const std::function<absl::Status(const Document&)>& visit) {
    TRY(Query query, reader.query("select project, kind, name, body, revision, created_at, "
                                  "updated_at from documents"));
    while (true) {
      TRY(const bool row, query.next());
      if (!row) {
        return absl::OkStatus();
      }
      TRY(visit(read_document(query)));
    }
  }

  static absl::StatusOr<Document> get(Connection& reader, const DocumentKey& key) {
    TRY(Query query, reader.query("select project, kind, name, body, revision, created_at, "
                                  "updated_at from documents "
                                  "where project = ? and kind = ? and name = ?"));
    query.bind(key.project).bind(key.kind).bind(key.name);
    TRY(const bool found, query.next());
    if (!found) {
      return base::not_found(fmt::format("there is no {}", describe(key)));
    }
    return read_document(query);
  }

  static absl::StatusOr<DocumentPage> list(Connection& reader, const ListQuery& asked,
                                           const list::Plan& plan) {
    const sqlite::ListStatement statement = sqlite::compile(asked, plan);
    TRY(Query query, reader.query(statement.sql));
    for (const sqlite::Value& parameter : statement.parameters) {
      query.bind_value(parameter);
    }
    int key_count = 0;
    for (const list::OrderKey& key : plan.order) {
      key_count += static_cast<int>(list::value_count(key));
    }
    DocumentPage page;
    std::vector<list::KeyValue> keys;
    while (true) {
      TRY(const bool row, query.next());
      if (!row) {
        return page;
      }
      if (page.documents.size() == static_cast<size_t>(plan.page_size)) {
        page.next_page_token = list::make_token(plan, keys);
        return page;
      }
      page.documents.push_back(read_document(query));
      keys.clear();
      for (int i = 0; i < key_count; ++i) {
        keys.push_back(query.value(sqlite::kListColumns + i));
      }
    }
  }

  // The revision of the document as the open transaction sees it; 0 where there is none.
  absl::StatusOr<int64_t> revision_of(const DocumentKey& key) {
    TRY(Query query, writer_->query("select revision from documents "
                                    "where project = ? and kind = ? and name = ?"));
    query.bind(key.project).bind(key.kind).bind(key.name);
    TRY(const bool found, query.next());
    return found ? query.integer(0) : 0;
  }

  absl::Status apply(const Write& write, int64_t revision) {
    if (write.expected_revision) {
      TRY(const int64_t actual, revision_of(write.key));
      if (*write.expected_revision == kMustNotExist && actual != 0) {
        return base::conflict(fmt::format("{} exists already", describe(write.key)),
                              "choose another name, or change the one that is there");
      }
      if (*write.expected_revision != actual) {
        return changed_meanwhile(write.key, *write.expected_revision, actual);
      }
    }
    const DocumentKey& key = write.key;
    if (write.kind == Write::Kind::kDelete) {
      TRY(Query query, writer_->query("delete from documents "
                                      "where project = ? and kind = ? and name = ?"));
      return query.bind(key.project).bind(key.kind).bind(key.name).next().status();
    }
    const int64_t now = clock_.now().time_since_epoch().count();
    TRY(Query query,
        writer_->query("insert into documents (project, kind, name, revision, created_at, "
                       "updated_at, body) values (?1, ?2, ?3, ?4, ?5, ?5, ?6) "
                       "on conflict (kind, project, name) do update set revision = ?4, "
                       "updated_at = ?5, body = ?6"));
    query.bind(key.project).bind(key.kind).bind(key.name).bind(revision).bind(now).bind(write.body);
    return query.next().status();
  }

  absl::StatusOr<std::unique_ptr<Connection>> take_reader() const {
    {
      const std::lock_guard lock(readers_mutex_);
      if (!readers_.empty()) {
        std::unique_ptr<Connection> reader = std::move(readers_.back());
        readers_.pop_back();
        return reader;
      }
    }
    return Connection::open(file_,
                            {.read_only = true, .busy_timeout_ms = options_.busy_timeout_ms});
  }

  // A connection that met a fault of the database is closed rather than used again.
  void give_back(std::unique_ptr<Connection> reader, const absl::Status& outcome) const {
    if (!outcome.ok() && !absl::IsNotFound(outcome)) {
      return;
    }
    const std::lock_guard lock(readers_mutex_);
    if (readers_.size() < kIdleReadersMax) {
      readers_.push_back(std::move(reader));
    }
  }

  const std::filesystem::path file_;
  base::Clock& clock_;
  const SqliteOptions options_;
  std::mutex writer_mutex_;
  const std::unique_ptr<Connection> writer_;
  mutable std::mutex readers_mutex_;
  mutable std::vector<std::unique_ptr<Connection>> readers_;
};

absl::Status set_up(Connection& connection, const SqliteOptions& options) {
  TRY(connection.execute("pragma journal_mode = wal"));
  TRY(connection.execute("pragma synchronous = full"));
  // What was taken out of a document is gone from the file too, on whatever system this was built.
  TRY(connection.execute("pragma secure_delete = on"));
  TRY(connection.execute("pragma journal_size_limit = 67108864"));
  if (options.size_limit_bytes > 0) {
    TRY(Query query, connection.query("pragma page_size"));
    TRY(query.next());
    TRY(connection.execute(
        fmt::format("pragma max_page_count = {}", options.size_limit_bytes / query.integer(0))));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Metadata>> open_sqlite(const std::filesystem::path& file,
                                                      base::Clock& clock,
                                                      const SqliteOptions& options) {
  TRY(std::unique_ptr<Connection> writer,
      Connection::open(file, {.create = true, .busy_timeout_ms = options.busy_timeout_ms}));
  // The schema is looked at before anything is written: a foreign file stays as it is.
  const absl::Status migrated = sqlite::migrate(*writer, sqlite::migrations(), clock.now());
  if (!migrated.ok()) {
    return base::annotate(migrated, file.string());
  }
  TRY(set_up(*writer, options));
  return std::make_unique<SqliteMetadata>(file, clock, options, std::move(writer));
}

}  // namespace cromford::store
