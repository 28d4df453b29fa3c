// Any filter, order and page token is either refused or becomes a statement that SQLite runs.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "store/list_query.h"
#include "store/sqlite_connection.h"
#include "store/sqlite_list.h"
#include "store/sqlite_schema.h"

namespace {

using namespace cromford::store;  // NOLINT(google-build-using-namespace)

sqlite::Connection& database() {
  static const std::unique_ptr<sqlite::Connection> connection = [] {
    auto opened = sqlite::Connection::open(":memory:", {.create = true});
    if (!opened.ok() ||
        !sqlite::migrate(**opened, sqlite::migrations(), cromford::base::Time()).ok() ||
        !(*opened)
             ->execute("insert into documents values ('p', 'k', 'n', 1, 2, 3, "
                       "'{\"a\":1,\"b\":\"x\",\"c\":[1,\"x\",null],\"d\":{\"e\":true}}')")
             .ok()) {
      std::abort();
    }
    return std::move(*opened);
  }();
  return *connection;
}

}  // namespace

// The input: filter, order and token, divided by line feeds.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t first = std::min(text.find('\n'), text.size());
  const size_t second = std::min(text.find('\n', first + 1), text.size());
  ListQuery query = {.kind = "k", .filter = std::string(text.substr(0, first))};
  if (first < text.size()) {
    query.order_by = text.substr(first + 1, second - first - 1);
  }
  if (second < text.size()) {
    query.page_token = text.substr(second + 1);
  }
  const auto plan = list::plan(query);
  if (!plan.ok()) {
    return 0;
  }
  const sqlite::ListStatement statement = sqlite::compile(query, *plan);
  auto prepared = database().query(statement.sql);
  if (!prepared.ok()) {
    std::abort();
  }
  for (const sqlite::Value& parameter : statement.parameters) {
    prepared->bind_value(parameter);
  }
  if (!prepared->next().ok()) {
    std::abort();
  }
  return 0;
}
