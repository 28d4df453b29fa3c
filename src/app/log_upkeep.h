#pragma once

// What is done with the log of predictions and outcomes beside the requests: a thread that looks
// once a minute which endpoints' datasets are due (endpoint_log.h), and whether segments are older
// or more than the configuration allows.
//
//   LogUpkeep upkeep(context);                 // until it is destroyed
//
// Thread safety: made and destroyed by one thread.

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "app/context.h"

namespace cromford::app {

// Removes what retention no longer keeps, once. What goes wrong is logged: the next round tries
// again.
void apply_retention(feedback::Log& log, const feedback::Retention& retention);

class LogUpkeep {
 public:
  explicit LogUpkeep(Context& context);
  ~LogUpkeep();
  LogUpkeep(const LogUpkeep&) = delete;
  LogUpkeep& operator=(const LogUpkeep&) = delete;

 private:
  void run();
  void compact_what_is_due();
  absl::Status compact_if_due(const std::string& project, const std::string& endpoint);

  Context& context_;
  std::map<std::string, base::Time> submitted_at_;  // By the endpoint's key.
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;  // The last member: it uses the others.
};

}  // namespace cromford::app
