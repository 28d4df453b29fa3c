#pragma once

// The configuration of a server: the file of `cromford server --config FILE`
// (docs/configuration.md), with defaults that are right for one machine.
//
//   listen: 127.0.0.1:7040
//   token_file: /etc/cromford/token        # needed to listen on more than this machine
//   host_names: [factory.example.org]
//   jobs: {at_once: 2, memory: 4GiB}
//   log: {durability: fsync, full_disk: refuse, age_max: 90d, size_max: 100GiB}
//   allow_private_urls: false
//
// Thread safety: values.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"
#include "base/limits.h"
#include "feedback/log.h"

namespace cromford::main_program {

// What `app::Options` says of the log of predictions and outcomes.
struct LogConfig {
  feedback::Durability durability = feedback::Durability::kKernel;
  feedback::FullDisk full_disk = feedback::FullDisk::kAnswer;
  feedback::Retention retention;
};

struct Config {
  std::string listen = "127.0.0.1:7040";
  std::string token;  // What every caller must send; empty: none is needed.
  std::vector<std::string> host_names;
  int http_threads = 0;  // 0: one for each core, at most four.
  base::Limits limits;
  LogConfig log;
  bool allow_private_urls = false;
  app::SmtpOptions smtp = {};  // Alerts are mailed by it.
};

// INVALID_ARGUMENT names the line and the key. `directory` is what relative paths start from.
absl::StatusOr<Config> parse_config(std::string_view yaml, const std::filesystem::path& directory);
absl::StatusOr<Config> read_config(const std::filesystem::path& file);

// Refuses what would let strangers in: an address beyond this machine without a token.
absl::Status check_exposure(const Config& config);

}  // namespace cromford::main_program
