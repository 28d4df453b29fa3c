// Where a command finds its server: on the home, at --url, or inside this process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/command_fixture.h"

namespace cromford::cli {
namespace {

using ::testing::HasSubstr;

class HostingTest : public CommandTest {};

// What main would give: a server inside this process.
class FakeHosted : public HostedServer {
 public:
  // Others are seen at it `looks_in_use` times.
  FakeHosted(std::string url, int& alive, int looks_in_use = 0)
      : url_(std::move(url)), alive_(alive), looks_in_use_(looks_in_use) {
    ++alive_;
  }
  ~FakeHosted() override { --alive_; }
  std::string url() const override { return url_; }
  std::string token() const override { return "hosted-token"; }
  bool in_use() const override { return looks_in_use_-- > 0; }

 private:
  std::string url_;
  int& alive_;
  mutable int looks_in_use_;
};

TEST_F(HostingTest, WithoutAServerOneIsHostedForAsLongAsTheCommandTakes) {
  int alive = 0;
  std::string home;
  environment_.host =
      [&](const std::filesystem::path& path) -> absl::StatusOr<std::unique_ptr<HostedServer>> {
    home = path.string();
    return std::make_unique<FakeHosted>(server_.url(), alive);
  };
  on("GET", "/jobs", [&](const SeenRequest&) {
    EXPECT_EQ(alive, 1);
    return ScriptedAnswer{200, R"({"jobs":[]})"};
  });
  variables_["CROMFORD_HOME"] = (folder_.path() / "elsewhere").string();
  EXPECT_EQ(run_bare({"job", "list"}), 0);
  EXPECT_EQ(home, variables_["CROMFORD_HOME"]);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(server_.requests()[0].headers.at("authorization"), "Bearer hosted-token");
}

TEST_F(HostingTest, AHostStaysForOtherCommands) {
  int alive = 0;
  environment_.host =
      [&](const std::filesystem::path&) -> absl::StatusOr<std::unique_ptr<HostedServer>> {
    return std::make_unique<FakeHosted>(server_.url(), alive, 20);
  };
  int waits = 0;
  on_sleep_ = [&] {
    EXPECT_EQ(alive, 1);
    ++waits;
  };
  on("GET", "/jobs", [&](const SeenRequest&) { return ScriptedAnswer{200, R"({"jobs":[]})"}; });
  EXPECT_EQ(run_bare({"job", "list"}), 0);
  EXPECT_EQ(waits, 20);
  EXPECT_EQ(alive, 0);
  EXPECT_THAT(err_, HasSubstr("other commands use the factory in this process"));
}

TEST_F(HostingTest, WaitsForAHomeThatIsAboutToBeFree) {
  int alive = 0;
  int tries = 0;
  environment_.host =
      [&](const std::filesystem::path&) -> absl::StatusOr<std::unique_ptr<HostedServer>> {
    if (++tries < 4) {
      return absl::AlreadyExistsError("the home is in use");
    }
    return std::make_unique<FakeHosted>(server_.url(), alive);
  };
  on("GET", "/jobs", [&](const SeenRequest&) { return ScriptedAnswer{200, R"({"jobs":[]})"}; });
  EXPECT_EQ(run_bare({"job", "list"}), 0);
  EXPECT_EQ(tries, 4);
  tries = -100'000;
  EXPECT_EQ(run_bare({"job", "list"}), 6);
  EXPECT_THAT(err_, HasSubstr("in use"));
}

TEST_F(HostingTest, DetachNeedsAServerThatStays) {
  int alive = 0;
  environment_.host =
      [&](const std::filesystem::path&) -> absl::StatusOr<std::unique_ptr<HostedServer>> {
    return std::make_unique<FakeHosted>(server_.url(), alive);
  };
  EXPECT_EQ(run_bare({"train", "d", "--target", "y", "--detach"}), 2);
  EXPECT_THAT(err_, HasSubstr("--detach needs a running server"));
  EXPECT_TRUE(server_.requests().empty());
}

// After kill -9 the file stays, and any program may have got the port meanwhile.
TEST_F(HostingTest, WithoutTheHomesLockNobodyGetsTheTokenOfItsFile) {
  run_server_on_home();
  lock_.reset();
  ScriptedServer hosted;
  int alive = 0;
  environment_.host =
      [&](const std::filesystem::path&) -> absl::StatusOr<std::unique_ptr<HostedServer>> {
    return std::make_unique<FakeHosted>(hosted.url(), alive);
  };
  server_.on("GET /healthz", {200, "{}"});
  hosted.on("GET /api/v1/projects/default/jobs", {200, R"({"jobs":[]})"});
  EXPECT_EQ(run({"job", "list"}), 0);
  EXPECT_TRUE(server_.requests().empty());
  EXPECT_EQ(hosted.requests().size(), 1U);
}

TEST_F(HostingTest, AFileOfADeadServerDoesNotMislead) {
  int alive = 0;
  on_home_ = true;
  std::filesystem::create_directories(folder_.path() / "home" / "run");
  write_file("home/run/server.json", R"({"http":"127.0.0.1:1","token":"t","pid":1})");
  environment_.host =
      [&](const std::filesystem::path&) -> absl::StatusOr<std::unique_ptr<HostedServer>> {
    return std::make_unique<FakeHosted>(server_.url(), alive);
  };
  on("GET", "/jobs", {200, R"({"jobs":[]})"});
  EXPECT_EQ(run({"job", "list"}), 0);
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(HostingTest, UrlNeverHosts) {
  environment_.host =
      [&](const std::filesystem::path&) -> absl::StatusOr<std::unique_ptr<HostedServer>> {
    ADD_FAILURE() << "hosted";
    return nullptr;
  };
  variables_["CROMFORD_URL"] = "http://127.0.0.1:1";
  EXPECT_EQ(run_bare({"job", "list"}), 7);
}

TEST_F(HostingTest, ServerHandsItsFlagsOver) {
  ServerCommand seen;
  environment_.run_server = [&](const ServerCommand& command) {
    seen = command;
    return 17;
  };
  EXPECT_EQ(run_bare({"--home", "/h", "server", "--listen", "127.0.0.1:0", "--config", "c.yaml",
                      "--token", "t"}),
            17);
  EXPECT_EQ(seen.home, "/h");
  EXPECT_EQ(seen.listen, "127.0.0.1:0");
  EXPECT_EQ(seen.config, "c.yaml");
  EXPECT_EQ(seen.token, "t");
  EXPECT_EQ(run_bare({"--url", "http://x", "server"}), 2);
  EXPECT_EQ(run_bare({"server", "--grpc-listen", "x"}), 2);
}

}  // namespace
}  // namespace cromford::cli
