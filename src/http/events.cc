#include "http/events.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace cromford::http {

void append_event(std::string& out, const Event& event) {
  fmt::format_to(std::back_inserter(out), "id: {}\nevent: {}\n", event.id, event.type);
  for (size_t start = 0; start <= event.data.size();) {
    const size_t end = std::min(event.data.find_first_of("\r\n", start), event.data.size());
    out += "data: ";
    out += std::string_view(event.data).substr(start, end - start);
    out += '\n';
    start = end + 1;
  }
  out += '\n';
}

}  // namespace cromford::http
