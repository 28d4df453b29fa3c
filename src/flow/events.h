#pragma once

// What happens, told to whoever listens: one ring of recent events per topic ("job/ID",
// "endpoint/NAME"), in memory. A listener that comes back with the id it saw last goes on from
// there; one that comes too late is told to load the resource again (`reset`).
//
//   hub.publish("default", "job/01h...", "job", resource_text);
//   auto subscription = hub.subscribe("default", {"job/01h..."}, last_event_id, wake);
//   while (auto event = subscription->next()) send(*event);
//
// Thread safety: every member may be called from any thread. `wake` is called on the publisher's
// thread and must only post to an event loop.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cromford::flow {

struct Event {
  uint64_t id = 0;  // Grows over all topics of the hub; unique within the process.
  std::string topic;
  std::string type;  // "job", "endpoint", ...; "reset" when events were lost.
  std::string data;  // JSON on one line.
};

class Subscription {
 public:
  virtual ~Subscription() = default;
  // The next event, or nothing for now.
  virtual std::optional<Event> next() = 0;
};

class EventHub {
 public:
  virtual ~EventHub() = default;
  virtual uint64_t publish(std::string_view project, std::string_view topic, std::string_view type,
                           std::string data) = 0;
  // Events after `after` (nullopt: from now on); `wake` is called whenever there may be more, and
  // never after the subscription is gone. It must not call the hub.
  virtual std::unique_ptr<Subscription> subscribe(std::string_view project,
                                                  std::vector<std::string> topics,
                                                  std::optional<uint64_t> after,
                                                  std::function<void()> wake) = 0;
  // The id of the newest event: what a resource carries as `event_id`.
  virtual uint64_t last_id() const = 0;
};

struct EventHubOptions {
  size_t events_per_topic = 256;
  size_t topics_max = 10'000;               // The topics that were quiet longest are forgotten.
  uint64_t bytes_max = uint64_t{32} << 20;  // Of all events together, likewise.
  // The id of the first event. Give it the time in microseconds, so that ids of an earlier process
  // are recognised as too old.
  uint64_t first_id = 1;
};

std::unique_ptr<EventHub> make_event_hub(const EventHubOptions& options = {});

}  // namespace cromford::flow
