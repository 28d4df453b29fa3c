#include "http/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/status_matchers.h"

namespace cromford::http {
namespace {

using cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

const Handler kNothing = [](Request&, Response&) { return absl::OkStatus(); };

constexpr Route kRoutes[] = {
    {.method = Method::kGet, .pattern = "/things/{name}", .operation = "get"},
    {.method = Method::kDelete, .pattern = "/things/{name}", .operation = "delete"},
    {.method = Method::kPost, .pattern = "/things/{name}:poke", .operation = "poke"},
    {.method = Method::kGet, .pattern = "/things/special", .operation = "special"},
    {.method = Method::kGet, .pattern = "/things/{name}/parts/{part}", .operation = "part"},
    {.method = Method::kGet, .pattern = "/things/special/only", .operation = "only"},
    {.method = Method::kGet, .pattern = "/", .operation = "root"},
};

class RouterTest : public ::testing::Test {
 protected:
  RouterTest()
      : router_(*Router::create(kRoutes, {{"get", kNothing},
                                          {"delete", kNothing},
                                          {"poke", kNothing},
                                          {"special", kNothing},
                                          {"part", kNothing},
                                          {"only", kNothing},
                                          {"root", kNothing}})) {}

  // The operation found, or "404", or "405".
  std::string find(Method method, std::string_view path) {
    EXPECT_OK(target_.parse(path));
    match_ = router_.find(method, target_, parameters_);
    switch (match_.outcome) {
      case Router::Outcome::kFound:
        return std::string(match_.route->operation);
      case Router::Outcome::kNoSuchPath:
        return "404";
      case Router::Outcome::kMethodNotAllowed:
        return "405";
    }
    return "";
  }

  Router router_;
  Target target_;
  Parameters parameters_;
  Router::Match match_;
};

TEST_F(RouterTest, FindsByMethodAndPath) {
  EXPECT_EQ(find(Method::kGet, "/things/a%20b"), "get");
  EXPECT_THAT(parameters_, ElementsAre(Pair("name", "a b")));
  EXPECT_EQ(find(Method::kHead, "/things/a"), "get");
  EXPECT_EQ(find(Method::kDelete, "/things/a"), "delete");
  EXPECT_EQ(find(Method::kGet, "/"), "root");
  EXPECT_TRUE(parameters_.empty());
  EXPECT_EQ(find(Method::kGet, "/things/x/parts/y%2Fz"), "part");
  EXPECT_THAT(parameters_, ElementsAre(Pair("name", "x"), Pair("part", "y/z")));
}

TEST_F(RouterTest, LiteralsGoBeforeParametersButDoNotHideThem) {
  EXPECT_EQ(find(Method::kGet, "/things/special"), "special");
  EXPECT_EQ(find(Method::kGet, "/things/special/only"), "only");
  EXPECT_EQ(find(Method::kGet, "/things/special/parts/1"), "part");
  EXPECT_THAT(parameters_, ElementsAre(Pair("name", "special"), Pair("part", "1")));
}

TEST_F(RouterTest, VerbsAreTakenFromTheLastSegmentAlone) {
  EXPECT_EQ(find(Method::kPost, "/things/a:poke"), "poke");
  EXPECT_THAT(parameters_, ElementsAre(Pair("name", "a")));
  EXPECT_EQ(find(Method::kPost, "/things/a:prod"), "404");
  EXPECT_EQ(find(Method::kPost, "/things/:poke"), "404");
  EXPECT_EQ(find(Method::kPost, "/things/a%3Apoke"), "405");  // A name that has a colon in it.
  EXPECT_EQ(find(Method::kGet, "/things/a:poke"), "405");
}

TEST_F(RouterTest, OtherPathsAndMethods) {
  for (const char* path : {"/thing", "/things", "/things/", "/things//parts/x", "/things/a/b",
                           "/things/a/parts", "/things/a/parts/b/c", "//"}) {
    EXPECT_EQ(find(Method::kGet, path), "404") << path;
  }
  EXPECT_EQ(find(Method::kPut, "/things/a"), "405");
  EXPECT_THAT(match_.allowed, ElementsAre("GET", "HEAD", "DELETE"));
}

TEST(RouterCreationTest, TableAndHandlersMustMatchOneToOne) {
  const auto create = [](Route route, std::map<std::string, Handler, std::less<>> handlers) {
    static Route table[2];
    table[0] = route;
    table[1] = {.method = Method::kGet, .pattern = "/a/{x}", .operation = "b"};
    handlers.emplace("b", kNothing);
    return Router::create(table, std::move(handlers)).status();
  };
  const Route good{.method = Method::kGet, .pattern = "/c", .operation = "c"};
  EXPECT_OK(create(good, {{"c", kNothing}}));
  const auto fault = [](const char* text) {
    return StatusIs(absl::StatusCode::kInternal, HasSubstr(text));
  };
  EXPECT_THAT(create(good, {}), fault("c has a route but no handler"));
  EXPECT_THAT(create(good, {{"c", kNothing}, {"d", kNothing}}),
              fault("d has a handler but no route"));
  const auto with = [&](std::string_view pattern, Method method = Method::kGet) {
    return create({.method = method, .pattern = pattern, .operation = "c"}, {{"c", kNothing}});
  };
  EXPECT_THAT(with("a"), fault("does not begin"));
  EXPECT_THAT(with("/a/{y}"), fault("is also that of c"));
  EXPECT_THAT(with("/a/{y"), fault("malformed parameter"));
  EXPECT_THAT(with("/a:x/b"), fault("not in its last segment"));
  EXPECT_THAT(with("/c", Method::kHead), fault("cannot be registered"));
  EXPECT_THAT(
      create({.method = Method::kPost, .pattern = "/c", .operation = "c", .body_bytes_max = 1},
             {{"c", kNothing}}),
      fault("content types"));
}

}  // namespace
}  // namespace cromford::http
