#pragma once

// What a command works with: the output, and the way to the factory, which is opened only when it
// is first needed, so that `version` and `--help` start nothing. The factory is the server of
// --url, else the one that runs on the home, else one hosted inside this process.
//
//   absl::Status list(const Invocation& call, Session& session) {
//     TRY(const base::Json datasets, session.get("/datasets"));   // of the project
//     session.output().document(datasets);
//     ...
//
// Thread safety: belongs to one thread.

#include <absl/status/statusor.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/client.h"
#include "cli/environment.h"
#include "cli/grammar.h"
#include "cli/output.h"

namespace cromford::cli {

class Session {
 public:
  // INVALID_ARGUMENT where the global flags contradict each other.
  static absl::StatusOr<std::unique_ptr<Session>> create(const Invocation& call,
                                                         Environment& environment);

  Output& output() { return output_; }
  Environment& environment() { return environment_; }
  const std::filesystem::path& home() const { return home_; }
  const std::string& project() const { return project_; }
  const std::string& token() const { return token_; }
  bool yes() const { return yes_; }

  // Opens the way to the factory where it is not open yet. UNAVAILABLE: --url does not answer, or
  // no server runs and none can be hosted.
  absl::StatusOr<Client*> client();
  // A second connection of its own to the same server, for another thread; after client().
  std::unique_ptr<Client> another_client() const;
  // A client of a server that runs already (of --url or on the home) for requests that may take no
  // longer than `timeout`; null where none is known. For completion.
  std::unique_ptr<Client> running_server(std::chrono::milliseconds timeout);
  // Whether the server is on this machine and may be given file paths; after client().
  bool server_reads_our_files() const { return owner_; }
  // Whether the server lives inside this process; after client().
  bool hosts() const { return hosted_ != nullptr; }
  std::string url() const { return options_.url; }

  // Below /api/v1/projects/{project}; `path` begins with a slash.
  std::string in_project(std::string_view path) const;
  absl::StatusOr<base::Json> get(std::string_view path, Query query = {});
  absl::StatusOr<base::Json> post(std::string_view path, const base::Json& body);
  absl::StatusOr<base::Json> document(Request request);  // `path` within the project.
  // DELETE; NOT_FOUND and so on from the server.
  absl::Status remove(std::string_view path);

  // All pages of a list, as one document of the API's shape: {"datasets":[...]}. At most `limit`
  // items (0: all).
  absl::StatusOr<base::Json> list(std::string_view path, std::string_view key, const Query& query,
                                  int64_t limit);

  // At the end of a command that hosts the server: waits for other commands that use it meanwhile,
  // until Ctrl-C. No client may be used any more.
  void let_others_finish();

  // OK where a job can go on without this command: not in a hosted server, which ends with it.
  absl::Status allow_detach();

  // OK when --yes was given or the person at the terminal agrees to `question`.
  absl::Status confirm(std::string_view question);

 private:
  Session(Environment& environment, OutputOptions options)
      : environment_(environment), output_(environment, options) {}

  absl::Status open();
  absl::Status open_home();
  bool home_is_held() const;
  // How to reach the server that home/run/server.json tells of; its url is empty without one.
  ClientOptions named_in_home() const;

  Environment& environment_;
  Output output_;
  std::filesystem::path home_;
  std::string url_;  // Of --url; empty: by the home.
  std::string project_;
  std::string token_;
  bool yes_ = false;
  bool owner_ = false;
  std::unique_ptr<HostedServer> hosted_;
  ClientOptions options_;
  std::unique_ptr<Client> client_;
};

// Reads a file of the user's machine, at most `bytes_max`. NOT_FOUND, INVALID_ARGUMENT.
absl::StatusOr<std::string> read_text_file(const std::filesystem::path& path, size_t bytes_max);

}  // namespace cromford::cli
