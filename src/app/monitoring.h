#pragma once

// What an endpoint's windows say: the stored counts of hours, added up to windows of the wanted
// length, each version's judged against its training. For people (GET monitor), for alerts and for
// metrics alike.
//
//   Monitoring monitoring(context, registry);
//   TRY(const MonitorView view, monitoring.look({"default", "late"}, {.length = hours(24)}));
//   TRY(const base::Json document, monitoring.show({"default", "late"}, "", "", "1d"));
//
// Thread safety: every member, from any thread.

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/context.h"
#include "app/package_cache.h"
#include "app/rounds.h"
#include "base/json.h"
#include "base/status.h"
#include "monitor/drift_watch.h"
#include "monitor/window_store.h"
#include "serve/registry.h"

namespace cromford::app {

// Rows and requests of one version in one window.
struct WatchedWindow {
  monitor::StoredWindow stored;
  // Nothing where the version's package is gone.
  std::optional<monitor::JudgedWindow> drift = std::nullopt;
};
struct WatchedVersion {
  std::string model;
  int32_t version = 0;
  bool shadow = false;
  std::shared_ptr<const model::Package> package;  // Null where it is gone.
  std::vector<WatchedWindow> windows;             // In order of time.
};
struct MonitorView {
  std::chrono::seconds length{};
  std::optional<base::Time> watermark;
  base::Time from{};
  base::Time to{};
  std::vector<WatchedVersion> versions;
};

// What /metrics tells of one distribution.
struct DriftFigure {
  EndpointName endpoint;
  std::string model;
  int32_t version = 0;
  std::string distribution;  // A column, or "prediction NAME".
  double effect = 0;
  double tolerated = 0;
  bool confirmed = false;
};

class Monitoring {
 public:
  Monitoring(const Context& context, const serve::Registry& registry);

  struct Request {
    std::chrono::seconds length = std::chrono::hours(24);
    std::optional<base::Time> from = std::nullopt;  // Absent: 31 windows back.
    std::optional<base::Time> to = std::nullopt;    // Absent: up to the watermark's window.
  };
  // Both ends are taken to whole windows. INVALID_ARGUMENT where that are too many windows.
  absl::StatusOr<MonitorView> look(const EndpointName& name, const Request& request);
  // The same as the API shows it; times and length as clients write them, empty for the default.
  absl::StatusOr<base::Json> show(const EndpointName& name, const std::string& from,
                                  const std::string& to, const std::string& window);

  // Keeps the figures of the last closed window of each version for drift_figures(), in place of
  // those kept of this endpoint before.
  void remember(const EndpointName& name, const MonitorView& view);
  std::vector<DriftFigure> drift_figures() const;

 private:
  std::shared_ptr<const model::Package> package_of(const EndpointName& name,
                                                   const WatchedVersion& version);
  absl::Status judge(const EndpointName& name, std::optional<base::Time> watermark,
                     std::chrono::seconds length, WatchedVersion& version);

  const Context& context_;
  const serve::Registry& registry_;
  monitor::WindowStore windows_;
  PackageCache packages_;
  mutable std::mutex mutex_;
  std::map<EndpointName, std::vector<DriftFigure>> figures_;
};

// INVALID_ARGUMENT where it is no whole number of hours from one to 31 days.
absl::StatusOr<std::chrono::seconds> parse_window_length(const std::string& text);

}  // namespace cromford::app
