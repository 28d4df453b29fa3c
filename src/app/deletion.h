#pragma once

// Deleting datasets and models, and when the objects are removed that nothing refers to any more
// (store/sweep.h): after each deletion, and while the factory is open, soon after its start and
// every hour.
//
//   TRY(delete_with_versions(context, "dataset", "default", "flights"));
//   Sweeper sweeper(context);                       // until it is destroyed
//
// Thread safety: as the stores; a Sweeper is made and destroyed by one thread.

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "app/context.h"
#include "base/cancel.h"

namespace cromford::app {

// Deletes the dataset or model (`kind`) with all its versions in one commit, and sweeps.
// FAILED_PRECONDITION names an unfinished job that reads or makes it: its child process reads
// objects by their path, so they must stay until it is done.
absl::Status delete_with_versions(const Context& context, const std::string& kind,
                                  const std::string& project, const std::string& name);

// Removes what was garbage for long enough. What goes wrong is logged: the next sweep tries again.
void sweep_objects(const Context& context, const base::CancelToken& cancel = {});

class Sweeper {
 public:
  explicit Sweeper(const Context& context);
  ~Sweeper();
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;

 private:
  void run();

  const Context& context_;
  base::CancelSource stop_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  std::thread thread_;  // The last member: it uses the others.
};

}  // namespace cromford::app
