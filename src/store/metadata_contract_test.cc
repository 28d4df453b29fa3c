#include "store/metadata_contract_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "testing/status_matchers.h"

namespace cromford::store {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

namespace {

DocumentKey dataset(const std::string& name) {
  return {"default", "dataset", name};
}

}  // namespace

absl::StatusOr<int64_t> MetadataContract::put(const std::string& name, const std::string& body,
                                              std::optional<int64_t> expected) {
  return metadata().commit({Write::put(dataset(name), body, expected)});
}

absl::StatusOr<int64_t> MetadataContract::remove(const std::string& name,
                                                 std::optional<int64_t> expected) {
  return metadata().commit({Write::remove(dataset(name), expected)});
}

std::string MetadataContract::names(ListQuery query) {
  std::string result;
  for (int page_count = 0; page_count < 1000; ++page_count) {
    const auto page = metadata().list(query);
    if (!page.ok()) {
      return base::describe(page.status());
    }
    for (const Document& document : page->documents) {
      result += (result.empty() ? "" : " ") + document.key.name;
    }
    query.page_token = page->next_page_token;
    if (query.page_token.empty()) {
      return result;
    }
  }
  return "the pages do not end";
}

std::string MetadataContract::filtered(const std::string& filter) {
  return names({.project = "default", .kind = "dataset", .filter = filter});
}

std::string MetadataContract::ordered(const std::string& order_by, int32_t page_size) {
  return names(
      {.project = "default", .kind = "dataset", .order_by = order_by, .page_size = page_size});
}

TEST_P(MetadataContract, GivesBackWhatWasPut) {
  const std::string body = R"({"rows":3,"title":"Flüge \"früh\" 🛫","empty":{}})";
  ASSERT_OK_AND_ASSIGN(const int64_t revision, put("flights", body));
  ASSERT_OK_AND_ASSIGN(const Document document, metadata().get(dataset("flights")));
  EXPECT_EQ(document.key, dataset("flights"));
  EXPECT_EQ(document.body, body);
  EXPECT_EQ(document.revision, revision);
  EXPECT_EQ(document.created_at, clock_.now());
  EXPECT_EQ(document.updated_at, clock_.now());
}

TEST_P(MetadataContract, NamesWhatIsMissing) {
  EXPECT_THAT(metadata().get(dataset("flights")),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("no dataset 'flights' of project 'default'")));
  ASSERT_OK(put("flights", "{}"));
  EXPECT_FALSE(metadata().get({"other", "dataset", "flights"}).ok());
  EXPECT_FALSE(metadata().get({"default", "model", "flights"}).ok());
  EXPECT_FALSE(metadata().get(dataset("Flights")).ok());
}

TEST_P(MetadataContract, KeepsTheTimeOfCreation) {
  const base::Time start = clock_.now();
  ASSERT_OK_AND_ASSIGN(const int64_t first, put("flights", R"({"rows":1})"));
  clock_.advance(std::chrono::seconds(5));
  ASSERT_OK_AND_ASSIGN(const int64_t second, put("flights", R"({"rows":2})"));
  EXPECT_GT(second, first);
  ASSERT_OK_AND_ASSIGN(Document document, metadata().get(dataset("flights")));
  EXPECT_EQ(document.created_at, start);
  EXPECT_EQ(document.updated_at, start + std::chrono::seconds(5));
  EXPECT_EQ(document.body, R"({"rows":2})");

  ASSERT_OK(remove("flights"));
  EXPECT_FALSE(metadata().get(dataset("flights")).ok());
  ASSERT_OK(put("flights", "{}"));
  ASSERT_OK_AND_ASSIGN(document, metadata().get(dataset("flights")));
  EXPECT_EQ(document.created_at, start + std::chrono::seconds(5));
}

TEST_P(MetadataContract, ExpectsRevisions) {
  ASSERT_OK_AND_ASSIGN(const int64_t first, put("flights", "{}", kMustNotExist));
  EXPECT_THAT(put("flights", "{}", kMustNotExist),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       HasSubstr("dataset 'flights' of project 'default' exists already")));
  ASSERT_OK_AND_ASSIGN(const int64_t second, put("flights", R"({"n":2})", first));
  EXPECT_THAT(
      put("flights", "{}", first),
      StatusIs(absl::StatusCode::kAborted,
               AllOf(HasSubstr("dataset 'flights'"),
                     HasSubstr(fmt::format("revision {}, {} was expected", second, first)))));
  EXPECT_THAT(remove("flights", first), StatusIs(absl::StatusCode::kAborted));
  EXPECT_OK(remove("flights", second));
  EXPECT_THAT(put("flights", "{}", second),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("is gone")));
  EXPECT_OK(remove("flights"));  // What is not there may be deleted.
  // A new document never has a revision that an old one had.
  ASSERT_OK_AND_ASSIGN(const int64_t third, put("flights", "{}", kMustNotExist));
  EXPECT_GT(third, second);
}

TEST_P(MetadataContract, CommitsAllOrNone) {
  ASSERT_OK(put("b", R"({"n":1})"));
  EXPECT_THAT(metadata().commit({Write::put(dataset("a"), "{}"), Write::remove(dataset("b")),
                                 Write::put(dataset("c"), "{}", 77)}),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("'c'")));
  EXPECT_EQ(filtered(""), "b");
  ASSERT_OK_AND_ASSIGN(
      const int64_t revision,
      metadata().commit({Write::put(dataset("a"), "{}"), Write::remove(dataset("b")),
                         Write::put(dataset("c"), "{}", kMustNotExist)}));
  EXPECT_EQ(filtered(""), "a c");
  EXPECT_EQ(metadata().get(dataset("a"))->revision, revision);
  EXPECT_EQ(metadata().get(dataset("c"))->revision, revision);
  EXPECT_OK(metadata().commit({}));
}

TEST_P(MetadataContract, RefusesWhatIsNoDocument) {
  EXPECT_THAT(put("x", "{"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'x'")));
  EXPECT_THAT(put("x", "[1]"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("object")));
  EXPECT_THAT(put("", "{}"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(put("\xff", "{}"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("UTF-8")));
  EXPECT_THAT(metadata().commit({Write::put({"p", "", "n"}, "{}")}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(metadata().commit({Write::put(dataset("x"), "{}"), Write::remove(dataset("x"))}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
  EXPECT_EQ(filtered(""), "");
}

TEST_P(MetadataContract, KeepsEverythingWhenReopened) {
  ASSERT_OK_AND_ASSIGN(const int64_t revision, put("flights", R"({"rows":3})"));
  ASSERT_OK(harness_->reopen());
  ASSERT_OK_AND_ASSIGN(const Document document, metadata().get(dataset("flights")));
  EXPECT_EQ(document.body, R"({"rows":3})");
  EXPECT_EQ(document.revision, revision);
  ASSERT_OK_AND_ASSIGN(const int64_t next, put("other", "{}"));
  EXPECT_GT(next, revision);
}

TEST_P(MetadataContract, ListsByProjectKindAndPrefix) {
  for (const char* name : {"flights@1", "flights@2", "flight", "g", "flights\xf4\x8f\xbf\xbf"}) {
    ASSERT_OK(put(name, "{}"));
  }
  ASSERT_OK(metadata().commit({Write::put({"other", "dataset", "flights@1"}, "{}"),
                               Write::put({"default", "model", "flights@1"}, "{}")}));
  EXPECT_EQ(names({.project = "default", .kind = "dataset", .name_prefix = "flights"}),
            "flights@1 flights@2 flights\xf4\x8f\xbf\xbf");
  EXPECT_EQ(names({.project = "default", .kind = "dataset", .name_prefix = "flights@"}),
            "flights@1 flights@2");
  EXPECT_EQ(names({.kind = "dataset", .name_prefix = "flights@1"}), "flights@1 flights@1");
  EXPECT_EQ(names({.kind = "dataset", .name_prefix = "flights@", .page_size = 1}),
            "flights@1 flights@1 flights@2");
  EXPECT_EQ(names({.project = "nobody", .kind = "dataset"}), "");
}

TEST_P(MetadataContract, Filters) {
  ASSERT_OK(put("a", R"({"state":"running","rows":100,"auc":0.5,"ok":true,"tags":["x","Y",7]})"));
  ASSERT_OK(put("b", R"({"state":"failed","rows":250,"auc":2,"ok":false,"error":null})"));
  ASSERT_OK(put("c", R"({"state":"Running late","version":"007","deep":{"er":{"n":5}}})"));
  ASSERT_OK(put("d", R"({"rows":"many","my column":1,"version":7,"tags":[]})"));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "a b c d"},
      {"state=running", "a"},
      {"state = \"running\"", "a"},
      {"state='Running late'", "c"},
      {"state != running", "b c d"},
      {"state >= failed AND state < running", "b"},
      {"rows > 100", "b"},
      {"rows >= 100 and rows <= 250", "a b"},
      {"rows > 99.5", "a b"},
      {"rows < 1e3 AND auc = 0.5", "a"},
      {"auc=2.0", "b"},
      {"rows=many", "d"},
      {"rows > a", "d"},
      {"rows != 100", "b c d"},
      {"ok=true", "a"},
      {"ok=false", "b"},
      {"ok!=true", "b c d"},
      {"ok=\"true\"", ""},
      {"error=null", "a b c d"},
      {"state=null", "d"},
      {"state!=null", "a b c"},
      {"state:RUN", "a c"},
      {"state : \"ning l\"", "c"},
      {"tags:x", "a"},
      {"tags:y", ""},
      {"tags:7", "a"},
      {"tags:8", ""},
      {"rows:1", ""},
      {"version=007", "c d"},
      {"version=\"007\"", "c"},
      {"version=7", "d"},
      {"deep.er.n=5", "c"},
      {"deep.er.n.m=5", ""},
      {"`my column`=1", "d"},
      {"name=a", "a"},
      {"name>=b AND name!=c", "b d"},
      {"name:A", "a"},
      {"project=default and name=d", "d"},
      {"state=\"'; drop table documents; --\"", ""},
      {"state=%", ""},
      {"state:%", ""},
      {"created_at >= 2026-01-01", "a b c d"},
      {"created_at = 2026-01-01T00:00:00Z AND updated_at<2026-01-01T00:00:00.000001Z", "a b c d"},
      {"created_at > 2026-01-01T01:00:00+01:00", ""},
      {"revision > 0 AND revision != 1000000", "a b c d"},
  };
  for (const auto& [filter, expected] : cases) {
    EXPECT_EQ(filtered(filter), expected) << filter;
  }
}

TEST_P(MetadataContract, Orders) {
  ASSERT_OK(put("a", R"({"v":"text"})"));
  clock_.advance(std::chrono::seconds(1));
  ASSERT_OK(put("b", R"({"v":10})"));
  ASSERT_OK(put("c", R"({"v":9.5})"));
  ASSERT_OK(put("d", R"({"v":null})"));
  ASSERT_OK(put("e", R"({})"));
  ASSERT_OK(put("f", R"({"v":true})"));
  ASSERT_OK(put("g", R"({"v":"Text"})"));
  ASSERT_OK(put("h", R"({"v":false})"));
  ASSERT_OK(put("i", R"({"v":-9223372036854775807})"));
  for (const int32_t page_size : {0, 1, 2, 3}) {
    EXPECT_EQ(ordered("", page_size), "a b c d e f g h i");
    EXPECT_EQ(ordered("name desc", page_size), "i h g f e d c b a");
    EXPECT_EQ(ordered("v", page_size), "d e h f i c b g a");
    EXPECT_EQ(ordered("v desc", page_size), "a g b c i f h d e");
    EXPECT_EQ(ordered("v desc, name desc", page_size), "a g b c i f h e d");
    EXPECT_EQ(ordered("created_at desc, name ASC", page_size), "b c d e f g h i a");
    EXPECT_EQ(ordered("updated_at, v", page_size), "a d e h f i c b g");
    EXPECT_EQ(ordered("revision desc", page_size), "i h g f e d c b a");
    EXPECT_EQ(ordered("nothing.there", page_size), "a b c d e f g h i");
  }
}

TEST_P(MetadataContract, PagesFollowKeys) {
  for (int i = 0; i < 120; ++i) {
    ASSERT_OK(put(fmt::format("d{:03}", i), fmt::format(R"({{"n":{}}})", i % 7)));
  }
  ListQuery query = {.project = "default", .kind = "dataset", .order_by = "n desc"};
  ASSERT_OK_AND_ASSIGN(DocumentPage page, metadata().list(query));
  EXPECT_EQ(page.documents.size(), 50U);
  // What is put before or removed behind the key neither repeats nor hides another document.
  ASSERT_OK(put("aaa", R"({"n":6})"));
  const std::string last = page.documents.back().key.name;
  ASSERT_OK(remove(last));
  query.page_token = page.next_page_token;
  query.page_size = 1000;  // May change from page to page.
  ASSERT_OK_AND_ASSIGN(page, metadata().list(query));
  EXPECT_EQ(page.documents.size(), 70U);
  EXPECT_EQ(page.next_page_token, "");
}

TEST_P(MetadataContract, ClampsPageSizes) {
  std::vector<Write> writes;
  writes.reserve(1001);
  for (int i = 0; i < 1001; ++i) {
    writes.push_back(Write::put(dataset(fmt::format("d{}", i)), "{}"));
  }
  ASSERT_OK(metadata().commit(writes));
  ListQuery query = {.project = "default", .kind = "dataset", .page_size = 5000};
  ASSERT_OK_AND_ASSIGN(DocumentPage page, metadata().list(query));
  EXPECT_EQ(page.documents.size(), 1000U);
  query.page_token = page.next_page_token;
  ASSERT_OK_AND_ASSIGN(page, metadata().list(query));
  EXPECT_EQ(page.documents.size(), 1U);
  query.page_size = -1;
  EXPECT_THAT(metadata().list(query),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_size is -1")));
}

TEST_P(MetadataContract, BindsPageTokens) {
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_OK(put(name, "{}"));
  }
  const ListQuery first = {.project = "default", .kind = "dataset", .page_size = 1};
  ASSERT_OK_AND_ASSIGN(const DocumentPage page, metadata().list(first));
  const auto with = [&](auto change) {
    ListQuery query = first;
    query.page_token = page.next_page_token;
    change(query);
    return metadata().list(query).status();
  };
  EXPECT_OK(with([](ListQuery&) {}));
  const auto other = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("other arguments"));
  EXPECT_THAT(with([](ListQuery& query) { query.project = "p"; }), other);
  EXPECT_THAT(with([](ListQuery& query) { query.project.reset(); }), other);
  EXPECT_THAT(with([](ListQuery& query) { query.kind = "model"; }), other);
  EXPECT_THAT(with([](ListQuery& query) { query.name_prefix = "a"; }), other);
  EXPECT_THAT(with([](ListQuery& query) { query.filter = "a=1"; }), other);
  EXPECT_THAT(with([](ListQuery& query) { query.order_by = "name desc"; }), other);
  const auto strange = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_token is not"));
  EXPECT_THAT(with([](ListQuery& query) { query.page_token.pop_back(); }), strange);
  EXPECT_THAT(with([](ListQuery& query) { query.page_token = "{}"; }), strange);
  EXPECT_THAT(with([](ListQuery& query) { query.page_token = "W10"; }), strange);  // []
}

TEST_P(MetadataContract, ServesManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kCommits = 20;
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  ASSERT_OK(put("shared", R"({"n":0})"));
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCommits; ++i) {
        EXPECT_OK(put(fmt::format("own-{}-{}", t, i), "{}", kMustNotExist));
        // Every attempt that is not told of a conflict must have counted.
        const auto shared = metadata().get(dataset("shared"));
        ASSERT_OK(shared);
        const auto changed = put("shared", fmt::format(R"({{"n":{}}})", i), shared->revision);
        if (changed.ok()) {
          ++won;
        } else {
          EXPECT_THAT(changed, StatusIs(absl::StatusCode::kAborted));
        }
        EXPECT_OK(metadata().list({.project = "default", .kind = "dataset"}));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GE(won, kCommits);
  EXPECT_OK(metadata().get(dataset("own-3-19")));
  ASSERT_OK_AND_ASSIGN(
      const DocumentPage page,
      metadata().list({.kind = "dataset", .name_prefix = "own-", .page_size = 1000}));
  EXPECT_EQ(page.documents.size(), static_cast<size_t>(kThreads) * kCommits);
}

TEST_P(MetadataContract, VisitsEveryDocumentOfAllKinds) {
  ASSERT_OK(metadata().commit({Write::put({"a", "dataset", "x"}, R"({"n":1})"),
                               Write::put({"b", "model", "x"}, R"({"n":2})"),
                               Write::put({"", "setting", "x"}, R"({"n":3})")}));
  std::vector<std::string> seen;
  ASSERT_OK(metadata().visit_all([&](const Document& document) {
    seen.push_back(document.key.project + " " + document.key.kind + " " + document.body);
    return absl::OkStatus();
  }));
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<std::string>{R"( setting {"n":3})", R"(a dataset {"n":1})",
                                            R"(b model {"n":2})"}));
  int count = 0;
  EXPECT_THAT(metadata().visit_all([&](const Document&) {
    ++count;
    return base::cancelled("enough");
  }),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(count, 1);
}

}  // namespace cromford::store
