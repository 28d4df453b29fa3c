#include "cli/session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/descriptor.h"
#include "base/name.h"
#include "base/status.h"
#include "cli/json_fields.h"

namespace cromford::cli {
namespace {

constexpr size_t kServerFileMax = 64 << 10;
constexpr int64_t kPageSizeMax = 1000;
constexpr std::chrono::milliseconds kHomeWait{20};
constexpr int kHomeWaits = 500;
constexpr std::chrono::milliseconds kOthersWait{100};

// The flag, else the environment variable, else the default.
std::string setting(const Invocation& call, const Environment& environment, std::string_view flag,
                    std::string_view variable, std::string_view otherwise) {
  if (call.given(flag)) {
    return call.text(flag);
  }
  if (environment.variable) {
    if (const auto value = environment.variable(variable); value && !value->empty()) {
      return *value;
    }
  }
  return std::string(otherwise);
}

std::string default_home(const Environment& environment) {
  const auto home = environment.variable ? environment.variable("HOME") : std::nullopt;
  return home && !home->empty() ? *home + "/.cromford" : ".cromford";
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) {
    url.pop_back();
  }
  return url.empty() || url.find("://") != std::string::npos ? url : "http://" + url;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::create(const Invocation& call,
                                                         Environment& environment) {
  if (call.given("--home") && call.given("--url")) {
    return base::invalid("--home and --url are both given",
                         "name either a home of this machine or the URL of a server");
  }
  auto session = std::unique_ptr<Session>(new Session(
      environment, {.json = call.switched_on("--json"), .quiet = call.switched_on("--quiet")}));
  session->home_ = setting(call, environment, "--home", "CROMFORD_HOME", default_home(environment));
  if (!call.given("--home")) {
    session->url_ = without_slash(setting(call, environment, "--url", "CROMFORD_URL", ""));
  }
  session->project_ = setting(call, environment, "--project", "CROMFORD_PROJECT", "default");
  TRY(base::check_name("project", session->project_));
  session->token_ = setting(call, environment, "--token", "CROMFORD_TOKEN", "");
  session->yes_ = call.switched_on("--yes");
  return session;
}

// Whether a server holds the lock of the home (store/home.h): the kernel lets it go with the
// process, while server.json outlives a kill.
bool Session::home_is_held() const {
  const base::Descriptor lock(::open((home_ / "run" / "lock").c_str(), O_RDONLY | O_CLOEXEC));
  return lock.get() >= 0 && flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

ClientOptions Session::named_in_home() const {
  ClientOptions options;
  if (!home_is_held()) {
    return options;  // Whoever listens at that address now must not get the owner's token.
  }
  const absl::StatusOr<std::string> text =
      read_text_file(home_ / "run" / "server.json", kServerFileMax);
  const absl::StatusOr<base::Json> file =
      text.ok() ? base::parse_json(*text) : absl::StatusOr<base::Json>(text.status());
  if (file.ok()) {
    options.url = without_slash(text_field(*file, "http"));
    options.token = text_field(*file, "token");
    options.connect_timeout = std::chrono::seconds(2);
  }
  return options;
}

std::unique_ptr<Client> Session::running_server(std::chrono::milliseconds timeout) {
  ClientOptions options = named_in_home();
  if (!url_.empty()) {
    options = {.url = url_, .token = token_};
  }
  if (options.url.empty()) {
    return nullptr;
  }
  options.connect_timeout = timeout;
  options.total_timeout = timeout;
  return std::make_unique<Client>(options);
}

absl::Status Session::open() {
  if (!url_.empty()) {
    options_ = {.url = url_, .token = token_, .interrupts = environment_.interrupts};
    client_ = std::make_unique<Client>(options_);
    return absl::OkStatus();
  }
  owner_ = true;
  absl::Status status = open_home();
  // Somebody who is about to announce himself, or to go.
  for (int waits = 0; absl::IsAlreadyExists(status) && waits < kHomeWaits; ++waits) {
    environment_.sleep(kHomeWait);
    status = open_home();
  }
  return status;
}

// The server that runs on the home, or else one inside this process. ALREADY_EXISTS where the home
// is held by somebody who does not answer.
absl::Status Session::open_home() {
  options_ = named_in_home();
  options_.interrupts = environment_.interrupts;
  if (!options_.url.empty()) {
    client_ = std::make_unique<Client>(options_);
    // A file that a killed server left behind leads nowhere, or to another program.
    if (client_->send({.path = "/healthz"}).ok()) {
      return absl::OkStatus();
    }
    client_.reset();
  }
  if (!environment_.host) {
    return base::unavailable(fmt::format("no server runs on {}", home_.string()),
                             "start one with `cromford server`");
  }
  TRY(hosted_, environment_.host(home_));
  options_.url = without_slash(hosted_->url());
  options_.token = hosted_->token();
  client_ = std::make_unique<Client>(options_);
  return absl::OkStatus();
}

void Session::let_others_finish() {
  if (!hosts()) {
    return;
  }
  client_.reset();
  const auto interrupts = [&] {
    return environment_.interrupts != nullptr ? environment_.interrupts->load() : 0;
  };
  const int before = interrupts();
  bool told = false;
  // Short at first: the server has yet to notice that this command has hung up.
  for (std::chrono::milliseconds pause{1}; hosted_->in_use() && interrupts() == before;
       pause = std::min(2 * pause, kOthersWait)) {
    if (pause == kOthersWait && !std::exchange(told, true)) {
      output_.note("other commands use the factory in this process: it ends after them");
    }
    environment_.sleep(pause);
  }
}

absl::StatusOr<Client*> Session::client() {
  if (client_ == nullptr) {
    TRY(open());
  }
  return client_.get();
}

std::unique_ptr<Client> Session::another_client() const {
  return std::make_unique<Client>(options_);
}

std::string Session::in_project(std::string_view path) const {
  return fmt::format("/api/v1/projects/{}{}", encoded(project_), path);
}

absl::StatusOr<base::Json> Session::document(Request request) {
  TRY(Client* const way, client());
  request.path = in_project(request.path);
  return way->document(request);
}

absl::StatusOr<base::Json> Session::get(std::string_view path, Query query) {
  return document({.path = std::string(path), .query = std::move(query)});
}

absl::StatusOr<base::Json> Session::post(std::string_view path, const base::Json& body) {
  return document({.method = "POST",
                   .path = std::string(path),
                   .body = base::dump_json(body),
                   .content_type = "application/json"});
}

absl::Status Session::remove(std::string_view path) {
  TRY(Client* const way, client());
  return way->send({.method = "DELETE", .path = in_project(path)}).status();
}

absl::StatusOr<base::Json> Session::list(std::string_view path, std::string_view key,
                                         const Query& query, int64_t limit) {
  base::Json items = base::Json::array();
  std::string token;
  do {
    const int64_t wanted = limit == 0 ? kPageSizeMax : limit - static_cast<int64_t>(items.size());
    Query page_query = query;
    page_query.emplace_back("page_size", std::to_string(std::min(wanted, kPageSizeMax)));
    page_query.emplace_back("page_token", token);
    TRY(const base::Json page, get(path, std::move(page_query)));
    for (const base::Json& item : array_field(page, key)) {
      items.push_back(item);
    }
    token = text_field(page, "next_page_token");
  } while (!token.empty() && (limit == 0 || static_cast<int64_t>(items.size()) < limit));
  base::Json all = {{std::string(key), std::move(items)}};
  if (!token.empty()) {
    all["next_page_token"] = token;
  }
  return all;
}

absl::Status Session::allow_detach() {
  TRY(client());
  return !hosts() ? absl::OkStatus()
                  : base::invalid(
                        "--detach needs a running server: without one the job ends with "
                        "this command",
                        "leave --detach out, or start `cromford server` first");
}

absl::Status Session::confirm(std::string_view question) {
  if (yes_) {
    return absl::OkStatus();
  }
  if (!output_.can_ask()) {
    return base::invalid(fmt::format("this wants a confirmation: {}", question),
                         "add --yes to go ahead");
  }
  return output_.ask(question) ? absl::OkStatus() : base::cancelled("nothing was changed");
}

absl::StatusOr<std::string> read_text_file(const std::filesystem::path& path, size_t bytes_max) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return base::invalid(fmt::format("{} is a folder, not a file", path.string()));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return base::not_found(fmt::format("the file {} cannot be opened", path.string()),
                           "check its name, and that you may read it");
  }
  std::string text(bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > bytes_max) {
    return base::invalid(
        fmt::format("the file {} is longer than {} bytes", path.string(), bytes_max));
  }
  return text;
}

}  // namespace cromford::cli
