#include "store/home.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>

#include "base/descriptor.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::store {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFormat = 1;
constexpr std::string_view kFormatText = "cromford home ";
constexpr std::string_view kRestore = "put back a copy of the whole directory";
constexpr uint64_t kSmallFileBytes = 4096;
constexpr int kLockRetries = 20;
constexpr std::chrono::milliseconds kLockPause{10};

fs::path format_file(const fs::path& root) {
  return root / "format";
}

// What may stand in a directory that shall become a home: the traces of an interrupted start, and
// what a file system of its own brings along.
bool is_trace(const std::string& name) {
  static constexpr std::array<std::string_view, 6> kTraces = {"run", "tmp",        "objects",
                                                              "log", "format.tmp", "lost+found"};
  return std::find(kTraces.begin(), kTraces.end(), name) != kTraces.end();
}

absl::Status make_root(const fs::path& root) {
  std::error_code error;
  if (fs::is_directory(root, error)) {
    return absl::OkStatus();
  }
  if (fs::exists(root, error)) {
    return base::invalid(fmt::format("{} is a file, not a directory", root.string()),
                         "name a directory with --home");
  }
  if (root.has_parent_path()) {
    fs::create_directories(root.parent_path(), error);
  }
  // Only for its owner: it will hold data and secrets.
  if (mkdir(root.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::errno_status(errno, "create the directory", root);
  }
  return absl::OkStatus();
}

// A place where nothing can be made is not a thing that was looked for and not found.
absl::Status cannot_be_home(const absl::Status& status, const fs::path& root) {
  return status.code() != absl::StatusCode::kNotFound
             ? status
             : base::internal(fmt::format("{} cannot be made a home: {}", root.string(),
                                          base::message(status)),
                              "name another directory with --home");
}

// Refuses a directory that is somebody else's, before anything is written into it.
absl::Status check_ours(const fs::path& root, base::FileSystem& files) {
  if (files.exists(format_file(root))) {
    return absl::OkStatus();
  }
  TRY(const std::vector<std::string> names, files.list(root));
  if (std::find(names.begin(), names.end(), "cromford.db") != names.end()) {
    return base::damaged(fmt::format("the home {} has no file 'format'", root.string()), kRestore);
  }
  for (const std::string& name : names) {
    if (!is_trace(name)) {
      return base::refused(fmt::format("the directory {} holds other files ('{}') and is no "
                                       "Cromford home",
                                       root.string(), name),
                           "name an empty or a new directory with --home");
    }
  }
  return absl::OkStatus();
}

// "process 17 at 127.0.0.1:7040", as far as it is known.
std::string describe_owner(const fs::path& root, base::FileSystem& files) {
  std::string owner = "another process";
  if (const auto pid = files.read(root / "run" / "lock", kSmallFileBytes); pid.ok()) {
    if (const auto number = base::to_number<int64_t>(base::trim(*pid))) {
      owner = fmt::format("process {}", *number);
    }
  }
  const auto text = files.read(root / "run" / "server.json", kSmallFileBytes);
  if (!text.ok()) {
    return owner;
  }
  const auto json = base::parse_json(*text);
  if (json.ok() && json->is_object() && json->contains("http") && (*json)["http"].is_string()) {
    owner += fmt::format(" at {}", (*json)["http"].get<std::string>());
  }
  return owner;
}

// The descriptor that holds the lock; the kernel lets it go when the process ends, however it does.
absl::StatusOr<int> take_lock(const fs::path& root, base::FileSystem& files) {
  const fs::path path = root / "run" / "lock";
  const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) {
    return base::errno_status(errno, "open", path);
  }
  int failed = flock(lock, LOCK_EX | LOCK_NB);
  // A client that looks whether the lock is held has it, shared, for the blink of an eye.
  for (int i = 0; i < kLockRetries && failed != 0 && errno == EWOULDBLOCK; ++i) {
    std::this_thread::sleep_for(kLockPause);
    failed = flock(lock, LOCK_EX | LOCK_NB);
  }
  if (failed != 0) {
    const int error = errno;
    ::close(lock);
    if (error != EWOULDBLOCK) {
      return base::errno_status(error, "lock", path);
    }
    return base::conflict(
        fmt::format("the home {} is in use by {}", root.string(), describe_owner(root, files)),
        "stop that process, or name another directory with --home");
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(lock, 0) != 0 ||
      pwrite(lock, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    const int error = errno;
    ::close(lock);
    return base::errno_status(error, "write", path);
  }
  return lock;
}

absl::Status check_format(const fs::path& root, base::FileSystem& files) {
  TRY(const std::string text, files.read(format_file(root), kSmallFileBytes));
  std::string_view rest = base::trim(text);
  std::optional<int64_t> format;
  if (rest.starts_with(kFormatText)) {
    rest.remove_prefix(kFormatText.size());
    format = base::to_number<int64_t>(rest);
  }
  if (!format || *format < 1) {
    return base::damaged(fmt::format("the file {} is not readable", format_file(root).string()),
                         kRestore);
  }
  if (*format > kFormat) {
    return base::refused(fmt::format("the home {} has format {}, and this program knows formats up "
                                     "to {}",
                                     root.string(), *format, kFormat),
                         "use the newer program that wrote it, or another directory with --home");
  }
  const auto database_bytes = files.size(root / "cromford.db");
  const bool has_database = database_bytes.ok() && *database_bytes > 0;
  const bool has_objects = files.exists(root / "objects");
  if (database_bytes.ok() && !has_objects) {
    return base::damaged(fmt::format("the home {} has lost its folder 'objects'", root.string()),
                         kRestore);
  }
  if (!has_database && has_objects) {
    TRY(const std::vector<std::string> names, files.list(root / "objects"));
    if (std::any_of(names.begin(), names.end(),
                    [](const auto& name) { return name.size() == 2; })) {
      return base::damaged(
          fmt::format("the home {} has lost its file 'cromford.db'", root.string()), kRestore);
    }
  }
  return absl::OkStatus();
}

// Rows and models are for the owner's eyes, also where the root was made by somebody who let others
// in. (SQLite gives the files beside the database the mode that the database has.)
absl::Status keep_private(const fs::path& root) {
  for (const std::string_view name : {"objects", "log", "tmp", "run"}) {
    if (::chmod((root / name).c_str(), S_IRWXU) != 0) {
      return base::errno_status(errno, "close to others", root / name);
    }
  }
  const fs::path database = root / "cromford.db";
  const base::Descriptor file(
      ::open(database.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file.get() < 0 || ::fchmod(file.get(), S_IRUSR | S_IWUSR) != 0) {
    return base::errno_status(errno, "open", database);
  }
  return absl::OkStatus();
}

absl::Status lay_out(const fs::path& root, base::FileSystem& files) {
  if (files.exists(format_file(root))) {
    TRY(check_format(root, files));
  } else {
    TRY(base::write_atomically(files, format_file(root),
                               fmt::format("{}{}\n", kFormatText, kFormat)));
  }
  TRY(files.remove_all(root / "tmp"));
  for (const std::string_view name : {"objects", "log", "tmp"}) {
    TRY(files.create_directories(root / name));
  }
  TRY(keep_private(root));
  if (files.exists(root / "run" / "server.json")) {  // Of a process that was killed.
    TRY(files.remove(root / "run" / "server.json"));
  }
  return files.sync_directory(root);
}

}  // namespace

Home::Home(fs::path root, base::FileSystem& files, int lock)
    : root_(std::move(root)), files_(&files), lock_(lock) {}

Home::~Home() {
  if (announced_) {
    (void)files_->remove(server_file());
  }
  ::close(lock_);
}

absl::StatusOr<std::unique_ptr<Home>> Home::open(const fs::path& directory,
                                                 base::FileSystem& files) {
  std::error_code error;
  fs::path root = fs::absolute(directory, error).lexically_normal();
  if (directory.empty() || error) {
    return base::invalid("the home directory has no name", "name a directory with --home");
  }
  if (!root.has_filename()) {
    root = root.parent_path();  // "home/" as "home".
  }
  TRY(cannot_be_home(make_root(root), root));
  TRY(check_ours(root, files));
  TRY(cannot_be_home(files.create_directories(root / "run"), root));
  TRY(const int lock, take_lock(root, files));
  std::unique_ptr<Home> home(new Home(std::move(root), files, lock));
  TRY(lay_out(home->root_, files));
  return home;
}

absl::Status Home::announce(std::string_view server_json) {
  announced_ = true;
  return base::write_atomically(*files_, server_file(), server_json, base::Privacy::kPrivate);
}

}  // namespace cromford::store
