#include "govern/times.h"

namespace cromford::govern {

std::string fixed_width_time(base::Time time) {
  std::string text = base::format_time(time);
  if (text.find('.') == std::string::npos) {
    text.insert(text.size() - 1, ".000000");
  }
  return text;
}

}  // namespace cromford::govern
