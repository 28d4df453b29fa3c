#include "flow/events.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace cromford::flow {
namespace {

class Listener;

// The recent events of one topic, oldest first.
struct Ring {
  std::deque<Event> events;
  uint64_t dropped_until = 0;  // The id of the newest event that is not kept any more.
  uint64_t newest = 0;
};

uint64_t event_bytes(const Event& event) {
  return sizeof(Event) + event.topic.size() + event.type.size() + event.data.size();
}

class Hub final : public EventHub {
 public:
  explicit Hub(const EventHubOptions& options)
      : options_(options), newest_(options.first_id - 1), forgotten_until_(options.first_id - 1) {}

  uint64_t publish(std::string_view project, std::string_view topic, std::string_view type,
                   std::string data) override;
  std::unique_ptr<Subscription> subscribe(std::string_view project, std::vector<std::string> topics,
                                          std::optional<uint64_t> after,
                                          std::function<void()> wake) override;
  uint64_t last_id() const override {
    const std::lock_guard lock(mutex_);
    return newest_;
  }

  std::optional<Event> next_for(Listener& listener);
  void remove(const Listener& listener);

 private:
  // All need the mutex.
  void drop_oldest(Ring& ring);
  void forget_quiet_topics(const std::string& but);
  uint64_t dropped_until(const std::string& key) const;

  const EventHubOptions options_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Ring> rings_;
  std::map<uint64_t, std::string> topics_by_newest_;  // Which topic's newest event has this id.
  std::unordered_map<std::string, std::vector<Listener*>> listeners_;
  uint64_t newest_;
  uint64_t forgotten_until_;  // No topic without a ring had an event after this id.
  uint64_t bytes_ = 0;
};

class Listener final : public Subscription {
 public:
  struct Topic {
    std::string name;
    std::string key;
    uint64_t seen = 0;
    bool lost = false;  // What was seen last is unknown here, so the topic begins with a reset.
  };

  Listener(Hub& hub, std::vector<Topic> topics, uint64_t delivered, std::function<void()> wake)
      : hub_(hub), topics_(std::move(topics)), delivered_(delivered), wake_(std::move(wake)) {}
  ~Listener() override { hub_.remove(*this); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::optional<Event> next() override { return hub_.next_for(*this); }

 private:
  friend class Hub;
  Hub& hub_;
  // Guarded by the hub's mutex.
  std::vector<Topic> topics_;
  uint64_t delivered_;
  std::function<void()> wake_;
};

std::string key_of(std::string_view project, std::string_view topic) {
  return fmt::format("{}\n{}", project, topic);
}

uint64_t Hub::publish(std::string_view project, std::string_view topic, std::string_view type,
                      std::string data) {
  const std::string key = key_of(project, topic);
  const std::lock_guard lock(mutex_);
  Ring& ring = rings_[key];
  if (ring.events.empty()) {
    ring.dropped_until = forgotten_until_;
  } else {
    topics_by_newest_.erase(ring.newest);
  }
  ring.newest = ++newest_;
  topics_by_newest_.emplace(ring.newest, key);
  ring.events.push_back({newest_, std::string(topic), std::string(type), std::move(data)});
  bytes_ += event_bytes(ring.events.back());
  if (ring.events.size() > options_.events_per_topic) {
    drop_oldest(ring);
  }
  forget_quiet_topics(key);
  if (const auto found = listeners_.find(key); found != listeners_.end()) {
    for (const Listener* listener : found->second) {
      listener->wake_();
    }
  }
  return newest_;
}

void Hub::drop_oldest(Ring& ring) {
  ring.dropped_until = ring.events.front().id;
  bytes_ -= event_bytes(ring.events.front());
  ring.events.pop_front();
}

void Hub::forget_quiet_topics(const std::string& but) {
  while (rings_.size() > 1 &&
         (rings_.size() > options_.topics_max || bytes_ > options_.bytes_max)) {
    const auto quietest = topics_by_newest_.begin();
    if (quietest->second == but) {
      return;
    }
    const auto ring = rings_.find(quietest->second);
    for (const Event& event : ring->second.events) {
      bytes_ -= event_bytes(event);
    }
    forgotten_until_ = std::max(forgotten_until_, ring->second.newest);
    rings_.erase(ring);
    topics_by_newest_.erase(quietest);
  }
}

uint64_t Hub::dropped_until(const std::string& key) const {
  const auto ring = rings_.find(key);
  return ring == rings_.end() ? forgotten_until_ : ring->second.dropped_until;
}

std::unique_ptr<Subscription> Hub::subscribe(std::string_view project,
                                             std::vector<std::string> topics,
                                             std::optional<uint64_t> after,
                                             std::function<void()> wake) {
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  const std::lock_guard lock(mutex_);
  // An id that this hub never gave belongs to another process: as old as can be.
  const bool foreign = after && (*after > newest_ || *after + 1 < options_.first_id);
  const uint64_t seen = foreign ? newest_ : after.value_or(newest_);
  std::vector<Listener::Topic> followed;
  for (std::string& topic : topics) {
    std::string key = key_of(project, topic);
    followed.push_back({std::move(topic), std::move(key), seen, foreign});
  }
  auto listener = std::make_unique<Listener>(*this, std::move(followed), seen, std::move(wake));
  for (const Listener::Topic& topic : listener->topics_) {
    listeners_[topic.key].push_back(listener.get());
  }
  return listener;
}

std::optional<Event> Hub::next_for(Listener& listener) {
  const std::lock_guard lock(mutex_);
  Listener::Topic* earliest = nullptr;
  const Event* event = nullptr;
  for (Listener::Topic& topic : listener.topics_) {
    if (topic.lost || dropped_until(topic.key) > topic.seen) {
      topic.lost = false;
      const auto ring = rings_.find(topic.key);
      topic.seen = ring == rings_.end() ? newest_ : ring->second.newest;
      // The id stays at what was delivered: other topics may still have earlier events to send.
      return Event{listener.delivered_, topic.name, "reset", "{}"};
    }
    const auto ring = rings_.find(topic.key);
    if (ring == rings_.end()) {
      continue;
    }
    const auto& events = ring->second.events;
    const auto first = std::upper_bound(events.begin(), events.end(), topic.seen,
                                        [](uint64_t id, const Event& e) { return id < e.id; });
    if (first != events.end() && (event == nullptr || first->id < event->id)) {
      event = &*first;
      earliest = &topic;
    }
  }
  if (event == nullptr) {
    return std::nullopt;
  }
  earliest->seen = event->id;
  listener.delivered_ = event->id;
  return *event;
}

void Hub::remove(const Listener& listener) {
  const std::lock_guard lock(mutex_);
  for (const Listener::Topic& topic : listener.topics_) {
    const auto found = listeners_.find(topic.key);
    std::erase(found->second, &listener);
    if (found->second.empty()) {
      listeners_.erase(found);
    }
  }
}

}  // namespace

std::unique_ptr<EventHub> make_event_hub(const EventHubOptions& options) {
  return std::make_unique<Hub>(options);
}

}  // namespace cromford::flow
