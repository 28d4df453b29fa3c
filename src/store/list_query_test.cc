#include "store/list_query.h"

#include <gtest/gtest.h>

#include <string>

#include "testing/status_matchers.h"

namespace cromford::store::list {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ListQuery, ReadsFilters) {
  ASSERT_OK_AND_ASSIGN(const auto filter, parse_filter("a.`b c`.d>=-1.5e3 AND name : 'it\\'s'"));
  ASSERT_EQ(filter.size(), 2U);
  EXPECT_EQ(filter[0].field.column, Column::kBody);
  EXPECT_EQ(filter[0].field.path, (std::vector<std::string>{"a", "b c", "d"}));
  EXPECT_EQ(filter[0].op, Operator::kGreaterEqual);
  EXPECT_EQ(std::get<double>(filter[0].literal.value), -1500.0);
  EXPECT_EQ(filter[1].field.column, Column::kName);
  EXPECT_EQ(filter[1].op, Operator::kContains);
  EXPECT_EQ(std::get<std::string>(filter[1].literal.value), "it's");
}

TEST(ListQuery, TellsKindsOfValues) {
  const auto value = [](const std::string& text) {
    return parse_filter("x=" + text)->front().literal.value;
  };
  EXPECT_TRUE(std::holds_alternative<Null>(value("null")));
  EXPECT_EQ(std::get<bool>(value("true")), true);
  EXPECT_EQ(std::get<int64_t>(value("-7")), -7);
  EXPECT_EQ(std::get<double>(value("99999999999999999999")), 1e20);
  EXPECT_EQ(std::get<std::string>(value("2001-02-01T10:00:00Z")), "2001-02-01T10:00:00Z");
  EXPECT_EQ(std::get<std::string>(value("'7'")), "7");
  EXPECT_EQ(std::get<std::string>(value("\"\"")), "");
}

TEST(ListQuery, SaysWhatIsWrongWithAFilter) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"state", "one of = != < <= > >= : is expected, at its end"},
      {"state=", "a value is expected, at its end"},
      {"=1", "a field's name is expected, before '=1'"},
      {"a..b=1", "a field's name is expected"},
      {"a=1 OR b=2", "joined by AND only"},
      {"a=1 b=2", "joined by AND only"},
      {"a=1,b=2 c", "joined by AND only"},
      {"a=1 AND", "expected after AND"},
      {"(a=1)", "a field's name is expected, before '(a=1)'"},
      {"a='b", "the ' that opens here is not closed, before ''b'"},
      {"`a=1", "the ` that opens here is not closed"},
      {"`a\"b`=1", "cannot have a quotation mark"},
      {std::string("`a\0b`=1", 7), "cannot have control characters"},
      {"a==1", "a value is expected"},
      {"a<true", "true has no order"},
      {"a>null", "null has no order"},
      {"created_at>yesterday", "a time like 2001-02-01T10:00:00Z"},
      {"created_at:2001", "a time like"},
      {"revision=x", "a whole number"},
      {"revision:1", "a whole number"},
      {"\xff=1", "not UTF-8"},
  };
  for (const auto& [filter, why] : cases) {
    const auto parsed = parse_filter(filter);
    EXPECT_THAT(parsed, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why))) << filter;
    EXPECT_NE(base::remedy(parsed.status()), "") << filter;
  }
}

TEST(ListQuery, LimitsFilters) {
  EXPECT_THAT(parse_filter(std::string(4001, ' ')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limit is 4000")));
  std::string many = "a=1";
  for (int i = 1; i < 32; ++i) {
    many += " and a=1";
  }
  EXPECT_OK(parse_filter(many));
  EXPECT_THAT(parse_filter(many + " and a=1"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than 32")));
}

TEST(ListQuery, ReadsOrders) {
  ASSERT_OK_AND_ASSIGN(const auto order, parse_order(" created_at DESC,metrics.auc "));
  ASSERT_EQ(order.size(), 4U);  // Completed by name and project.
  EXPECT_EQ(order[0].field.column, Column::kCreatedAt);
  EXPECT_TRUE(order[0].descending);
  EXPECT_EQ(order[1].field.path, (std::vector<std::string>{"metrics", "auc"}));
  EXPECT_FALSE(order[1].descending);
  EXPECT_EQ(order[2].field.column, Column::kName);
  EXPECT_EQ(order[3].field.column, Column::kProject);
  EXPECT_EQ(parse_order("")->size(), 2U);
  EXPECT_EQ(parse_order("name desc")->size(), 2U);
}

TEST(ListQuery, SaysWhatIsWrongWithAnOrder) {
  for (const char* order : {"a b", "a desc asc", ",a", "a;b", "a desc; drop table x", "a,,b"}) {
    EXPECT_THAT(parse_order(order), StatusIs(absl::StatusCode::kInvalidArgument)) << order;
  }
  EXPECT_THAT(parse_order("a,b,c,d,e"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than 4")));
  EXPECT_THAT(parse_order("\xff"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ListQuery, TokensGiveBackTheirKeys) {
  ListQuery query = {.kind = "dataset", .order_by = "auc desc"};
  ASSERT_OK_AND_ASSIGN(const Plan first, plan(query));
  const std::vector<KeyValue> keys = {int64_t{2}, 0.1, std::string("flüge"), std::string("p")};
  query.page_token = make_token(first, keys);
  ASSERT_OK_AND_ASSIGN(const Plan second, plan(query));
  EXPECT_EQ(second.after, keys);
  EXPECT_EQ(second.page_size, 50);
  EXPECT_TRUE(first.after.empty());
}

}  // namespace
}  // namespace cromford::store::list
