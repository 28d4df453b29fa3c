#pragma once

// The one data directory of a factory: its layout, its format version, and the lock that makes one
// process its owner.
//
//   TRY(std::unique_ptr<store::Home> home, store::Home::open("/srv/cromford"));
//   TRY(auto metadata, store::open_sqlite(home->database(), clock));
//   TRY(auto objects, store::open_directory(home->objects()));
//   TRY(home->announce(R"({"http":"127.0.0.1:7040","token":"...","pid":17})"));
//   ...                               // The lock is held until `home` is destroyed or the process
//   ends.
//
// Thread safety: open it once; the accessors may be called from any thread.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>
#include <string_view>

#include "base/file_system.h"

namespace cromford::store {

class Home {
 public:
  // Makes the directory and its layout where there is none, takes the lock, empties tmp/.
  // Errors: ALREADY_EXISTS where another process owns it (names its pid and address);
  // FAILED_PRECONDITION where a newer program wrote it, or where the directory has files in it but
  // is no home; DATA_LOSS where parts of it are missing; PERMISSION_DENIED where it cannot be
  // written.
  static absl::StatusOr<std::unique_ptr<Home>> open(const std::filesystem::path& directory,
                                                    base::FileSystem& files = base::system_files());

  // Takes back the announcement and lets the lock go.
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path database() const { return root_ / "cromford.db"; }
  std::filesystem::path objects() const { return root_ / "objects"; }
  std::filesystem::path log() const { return root_ / "log"; }
  std::filesystem::path run() const { return root_ / "run"; }
  std::filesystem::path tmp() const { return root_ / "tmp"; }
  std::filesystem::path server_file() const { return run() / "server.json"; }

  // Writes `server_json` ({"http":"HOST:PORT","token":"...","pid":n}) to server_file(), readable by
  // the owner of the process only, so that commands on this machine find the server.
  absl::Status announce(std::string_view server_json);

 private:
  Home(std::filesystem::path root, base::FileSystem& files, int lock);

  std::filesystem::path root_;
  base::FileSystem* files_;
  int lock_;
  bool announced_ = false;
};

}  // namespace cromford::store
