#pragma once

// The first stage of a round: takes what the request path counted since the last one
// (serve/bin_counters.h) and adds it to the stored windows (monitor/window_store.h).
//
//   stage.watch(*endpoint);              // whenever an endpoint is published
//   TRY(stage.run(round));               // takes, merges, stores; sets the round's watermark
//
// Each row is counted once: what was taken is kept here until a commit has stored it. A process
// that is killed loses the counts since its last round; one that ends stores them first.
//
// Thread safety: every member, from any thread.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "app/rounds.h"
#include "monitor/window_store.h"
#include "serve/endpoint.h"

namespace cromford::app {

class CountersStage final : public RoundStage {
 public:
  explicit CountersStage(const Context& context);

  // Keeps hold of the counters of all variants until they are replaced, no request is left that
  // could count on them, and their last counts are stored.
  void watch(const serve::Endpoint& endpoint);

  std::string_view name() const override { return "counters"; }
  absl::Status run(RoundContext& round) override;
  std::vector<EndpointName> unfinished() const override;
  absl::Status close() override;

 private:
  struct Watched {
    std::string model;
    int32_t version = 0;
    bool shadow = false;
    std::shared_ptr<serve::BinCounters> bins;
    std::shared_ptr<serve::TrafficCounters> traffic;  // Null: somebody else counts its errors.
    uint64_t errors = 0;                              // That were counted already.
  };
  struct Endpoint {
    std::vector<Watched> watched;
    std::vector<monitor::StoredWindow> taken;  // And not stored yet.
    uint64_t refused = 0;                      // Requests that were counted already.
    base::Time folded{};                       // Hours before it are days already.
  };

  // The counts of a variant since the last time. Errors happen at no event time; they stand in the
  // hour at which the clock of the endpoint is: `clock`.
  static void take(Watched& watched, base::Time clock, std::vector<monitor::StoredWindow>& out);
  // The same of all variants; lets those go that nobody can count on any more.
  std::vector<monitor::StoredWindow> take_all(const EndpointName& name, base::Time clock);
  // Requests that were refused before a version was chosen stand with the champion.
  void take_refused(const serve::Endpoint& served, base::Time clock);
  // Once a day of event time, puts old hours together to days.
  absl::Status fold(const EndpointName& name, base::Time watermark);
  // Stores what was taken, now or earlier; the number of rows.
  absl::StatusOr<uint64_t> store(const EndpointName& name, const serve::Endpoint* served);

  const Context& context_;
  monitor::WindowStore windows_;
  mutable std::mutex mutex_;
  std::map<EndpointName, Endpoint> endpoints_;
};

}  // namespace cromford::app
