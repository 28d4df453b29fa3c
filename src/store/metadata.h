#pragma once

// The metadata of a factory: small JSON documents (datasets, versions, runs, models, endpoints,
// jobs, ...) that are written all or none and are on disk when commit() returns. It exists so that
// one interface, and one contract suite (metadata_contract_test.h), serve SQLite in a data
// directory and later PostgreSQL.
//
//   TRY(std::unique_ptr<store::Metadata> metadata, store::open_sqlite(home->database(), clock));
//   const store::DocumentKey key{"default", "dataset", "flights"};
//   TRY(metadata->commit({store::Write::put(key, R"({"rows":3})", store::kMustNotExist)}));
//   TRY(store::Document flights, metadata->get(key));
//   TRY(store::DocumentPage page, metadata->list({.project = "default", .kind = "dataset",
//                                                 .filter = "rows>2", .order_by = "rows desc"}));
//
// Thread safety: every method may be called from any thread at any time.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace cromford::store {

// What addresses a document. `project` is empty for what belongs to no project (the projects
// themselves, settings). `name` is unique within project and kind; a document that lives below
// another one puts both names into it, e.g. "flights@3".
struct DocumentKey {
  std::string project;
  std::string kind;
  std::string name;

  bool operator==(const DocumentKey&) const = default;
};

// "dataset 'flights' of project 'default'", for messages.
std::string describe(const DocumentKey& key);

struct Document {
  DocumentKey key;
  std::string body;  // One JSON object, as it was committed.
  // The number of the commit that wrote it. Grows with every commit of the whole store and is never
  // used again, so it serves as an ETag even when a document is deleted and made anew.
  int64_t revision = 0;
  base::Time created_at;  // Of the first put; a put after a delete starts anew.
  base::Time updated_at;
};

inline constexpr int64_t kMustNotExist = 0;

struct Write {
  enum class Kind { kPut, kDelete };

  Kind kind = Kind::kPut;
  DocumentKey key;
  std::string body;  // For kPut.
  // Nothing: whatever is there is replaced (a delete of what is not there does nothing).
  // kMustNotExist: the document must not exist. Else: it must have exactly this revision.
  std::optional<int64_t> expected_revision;

  static Write put(DocumentKey key, std::string body,
                   std::optional<int64_t> expected_revision = std::nullopt) {
    return {Kind::kPut, std::move(key), std::move(body), expected_revision};
  }
  static Write remove(DocumentKey key, std::optional<int64_t> expected_revision = std::nullopt) {
    return {Kind::kDelete, std::move(key), {}, expected_revision};
  }
};

// Which documents, in which order. A field is `name`, `project`, `created_at`, `updated_at`,
// `revision`, or a path into the body ("metrics.auc.value"); a path part that is not a word is
// quoted ("schema.`my column`"). A body's field hides none of the five.
struct ListQuery {
  std::optional<std::string> project = std::nullopt;  // Absent: of all projects.
  std::string kind = {};
  std::string name_prefix = {};  // Matched byte by byte; empty: all.

  // Comparisons joined by AND: `state = running AND rows > 100 AND title : "late"`.
  // = != < <= > >= compare; `:` is true where a text contains the given text (ASCII letters in
  // either case), or where a list contains the given value. A value is a word, a "quoted text", a
  // number, true, false or null. Only values of one kind are compared: a number with numbers, a
  // text with texts (a bare number is also equal to a text that is spelt like it); times as RFC
  // 3339 texts. `!=` is the opposite of `=`, so it holds where the field is missing; `= null` holds
  // where it is missing or null.
  std::string filter = {};

  // "created_at desc, name". Missing values come first, then true and false, numbers, texts (by
  // their bytes); `desc` turns all of it round. Ties are broken by name, then project. Empty: name.
  std::string order_by = {};

  int32_t page_size = 0;        // 0: 50; above 1000: 1000; negative: an error.
  std::string page_token = {};  // Of the page before; bound to every other field but page_size.
};

struct DocumentPage {
  std::vector<Document> documents;
  std::string next_page_token;  // Empty at the end.
};

class Metadata {
 public:
  virtual ~Metadata() = default;

  // NOT_FOUND names the document.
  virtual absl::StatusOr<Document> get(const DocumentKey& key) const = 0;

  // Applies all writes or none, and returns once they would survive a loss of power. Gives the
  // revision that every document put by it now has.
  // Errors: ABORTED where a document has another revision than expected, ALREADY_EXISTS where it
  // must not exist but does (both name it); INVALID_ARGUMENT where two writes name one document or
  // a body is not a JSON object; RESOURCE_EXHAUSTED where the disk is full; UNAVAILABLE where the
  // store stays busy. After an error nothing has changed.
  virtual absl::StatusOr<int64_t> commit(std::span<const Write> writes) = 0;
  absl::StatusOr<int64_t> commit(std::initializer_list<Write> writes) {
    return commit(std::span<const Write>(writes.begin(), writes.size()));
  }

  // One page. Pages follow a key, not a count: what is inserted or deleted meanwhile makes no other
  // document appear twice or be left out. INVALID_ARGUMENT says what is wrong with filter,
  // order_by, page_size or page_token.
  virtual absl::StatusOr<DocumentPage> list(const ListQuery& query) const = 0;

  // Gives every document of all projects and kinds to `visit`, in no order, as they were at one
  // moment. An error of `visit` ends it and is returned. `visit` must not call the store.
  virtual absl::Status visit_all(
      const std::function<absl::Status(const Document&)>& visit) const = 0;

 protected:
  Metadata() = default;
  Metadata(const Metadata&) = default;
  Metadata& operator=(const Metadata&) = default;
};

struct SqliteOptions {
  int64_t size_limit_bytes = 0;  // Of the database file; 0: as large as the disk allows.
  int32_t busy_timeout_ms = 10'000;
};

// Opens the database file, makes it where there is none, and brings an older schema forward.
// Errors: FAILED_PRECONDITION where a newer program wrote it, DATA_LOSS where it is damaged.
absl::StatusOr<std::unique_ptr<Metadata>> open_sqlite(const std::filesystem::path& file,
                                                      base::Clock& clock,
                                                      const SqliteOptions& options = {});

}  // namespace cromford::store
