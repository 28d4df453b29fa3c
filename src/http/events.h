#pragma once

// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) seen from the
// server: a handler puts an `EventStream` into its response, and the connection sends what the
// stream has until the client goes, the server stops, or the reader is too slow.
//
//   response.events = open_events(project, topics, after, request.wake);     // in a handler
//   ...
//   while (auto event = stream->next()) append_event(out, *event);           // in the connection
//
// Thread safety: `next` is called by one thread at a time; the wake function may be called by any.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cromford::http {

struct Event {
  uint64_t id = 0;
  std::string type;  // "job", "endpoint"; "reset" when events were lost.
  std::string data;  // Text; may have several lines.
};

class EventStream {
 public:
  virtual ~EventStream() = default;
  // The next event, or nothing for now.
  virtual std::optional<Event> next() = 0;
};

// Opens a stream over `topics` of a project, from behind the event `after` (nullopt: from now).
// `wake` is called on any thread whenever there may be more, and only posts to an event loop.
using OpenEvents = std::function<std::unique_ptr<EventStream>(
    std::string_view project, std::vector<std::string> topics, std::optional<uint64_t> after,
    std::function<void()> wake)>;

// Appends the event in the wire format.
void append_event(std::string& out, const Event& event);

}  // namespace cromford::http
