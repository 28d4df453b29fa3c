#pragma once

// Turns the plan of a list into one SQL statement for SQLite. Whatever a user wrote becomes a bound
// parameter; the text of the statement is put together from fixed pieces only.
//
//   TRY(const list::Plan plan, list::plan(query));
//   const sqlite::ListStatement statement = sqlite::compile(query, plan);
//   // project, kind, name, body, revision, created_at, updated_at, then the values of the order
//   keys
//
// Thread safety: functions only.

#include <string>
#include <vector>

#include "store/list_query.h"
#include "store/metadata.h"
#include "store/sqlite_connection.h"

namespace cromford::store::sqlite {

// The columns that stand before the values of the order keys.
inline constexpr int kListColumns = 7;

struct ListStatement {
  std::string sql;
  std::vector<Value> parameters;
};

// Asks for one row more than the page has, which tells whether another page follows.
ListStatement compile(const ListQuery& query, const list::Plan& plan);

}  // namespace cromford::store::sqlite
