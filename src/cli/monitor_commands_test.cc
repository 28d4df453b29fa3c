#include <gmock/gmock.h>

#include "cli/command_fixture.h"

namespace cromford::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MonitorCommandsTest : public CommandTest {
 protected:
  static std::string view() {
    return R"json({"endpoint":"late","window":"1d","watermark":"2001-02-03T00:00:00Z","windows":[
      {"start":"2001-02-01T00:00:00Z","rows":1000,"versions":[{"model":"late","model_version":3,
        "rows":1000,"errors":0,"latency_us":{"p99":120},"inputs":{"missing":0.5,"unseen":0},
        "drift":{"state":"steady","summary":"no distribution moved (1,000 rows)",
          "columns":[{"judged":true,"effect":0.01,"ordinary":0.02}]}}]},
      {"start":"2001-02-02T00:00:00Z","rows":2000,"versions":[{"model":"late","model_version":3,
        "rows":2000,"errors":7,"latency_us":null,"inputs":null,
        "drift":{"state":"confirmed","summary":"these columns moved: `distance`",
          "columns":[{"judged":true,"effect":0.2,"ordinary":0.02}]}}]}]})json";
  }
};

TEST_F(MonitorCommandsTest, WindowsAreRowsAndLines) {
  on("GET", "/endpoints/late/monitor", {200, view()});
  EXPECT_EQ(run({"monitor", "show", "late", "--from", "2001-02-01", "--window", "1d"}), 0) << err_;
  EXPECT_THAT(server_.requests().back().query, HasSubstr("from=2001-02-01"));
  EXPECT_THAT(out_, HasSubstr("2001-02-01T00:00:00Z\tlate@3\t1000\t0\t120\t0.5\t0\t\tsteady\t"));
  EXPECT_THAT(out_, HasSubstr("confirmed\tthese columns moved: `distance`"));
  EXPECT_THAT(out_, Not(HasSubstr("▁")));
  terminal_ = true;
  EXPECT_EQ(run({"monitor", "show", "late"}), 0);
  EXPECT_THAT(out_, HasSubstr("rows    ▅█"));
  EXPECT_THAT(out_, HasSubstr("errors  ▁█"));
}

TEST_F(MonitorCommandsTest, JsonIsTheAnswerAndIsNotWatched) {
  on("GET", "/endpoints/late/monitor", {200, R"({"windows":[]})"});
  EXPECT_EQ(run({"--json", "monitor", "show", "late"}), 0);
  EXPECT_EQ(out_, "{\"windows\":[]}\n");
  EXPECT_EQ(run({"--json", "monitor", "show", "late", "--watch"}), 2);
}

TEST_F(MonitorCommandsTest, AlertsThatAreOpen) {
  on("GET", "/alerts", {200, R"({"alerts":[{"id":"a1","state":"firing","rule":"drift",
      "endpoint":"late","since":"2001-02-02T00:00:00Z","what":"it moved","remedy":"look"}]})"});
  EXPECT_EQ(run({"alert", "list"}), 0);
  EXPECT_THAT(server_.requests().back().query, HasSubstr("filter=open%20%3D%20true"));
  EXPECT_THAT(out_, HasSubstr("a1\tfiring\tdrift\tlate\t2001-02-02T00:00:00Z\tit moved"));
  on("POST", "/alerts/a1:acknowledge", {200, R"({"id":"a1","state":"acknowledged"})"});
  EXPECT_EQ(run({"alert", "ack", "a1"}), 0);
  EXPECT_EQ(out_, "a1\tacknowledged\n");
}

}  // namespace
}  // namespace cromford::cli
