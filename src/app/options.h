#pragma once

// What `main` decides about a factory: where its home is and what it may use. Values only.

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/limits.h"
#include "feedback/log.h"

namespace cromford::app {

// The mail server by which alerts are sent; an empty URL: none.
struct SmtpOptions {
  std::string url;   // smtp://HOST:PORT or smtps://HOST:PORT
  std::string from;  // The sender's address.
  std::string user;  // Empty: without a log-in.
  std::string password;
};

struct Options {
  std::filesystem::path home;
  std::string
      address;  // What this server is called in home/run/server.json, e.g. "127.0.0.1:7040".
  std::string version;  // Of the program; part of every package's lineage, as is:
  std::string commit;   // what it was built from; empty where that is not known.
  // The command that starts a worker, e.g. {"/usr/bin/cromford", "worker"}.
  std::vector<std::string> worker_command;

  // Whether jobs that an earlier process left are gone on with; not by a command that hosts the
  // factory only for as long as it takes itself.
  bool takes_up_jobs = true;
  base::Limits limits;
  bool allow_private_urls = false;  // Whether URLs may lead to private addresses.
  SmtpOptions smtp = {};
  std::chrono::seconds round_interval{60};  // Between two rounds of the endpoints; 0: none.
  size_t prediction_threads = 16;           // How many threads will answer predictions, at most.
  feedback::Durability durability = feedback::Durability::kKernel;
  feedback::FullDisk full_disk = feedback::FullDisk::kAnswer;
  feedback::Retention log_retention = {};  // Of the log's segments; 0: kept for ever.
};

}  // namespace cromford::app
