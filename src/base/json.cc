#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/status.h"

namespace cromford::base {
namespace {

constexpr int kDepthMax = 64;

// Notes what nlohmann's parser would let pass: repeated keys and very deep nesting.
class StrictChecks {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kDepthMax) {
      problem_ = fmt::format("it is nested deeper than {} levels", kDepthMax);
    }
    if (event == Json::parse_event_t::object_start) {
      keys_.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      keys_.pop_back();
    } else if (event == Json::parse_event_t::key && !keys_.empty()) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) {
        problem_ = fmt::format("the key '{}' stands twice in one object", key);
      }
    }
    return true;
  }
  const std::string& problem() const { return problem_; }

 private:
  std::vector<std::set<std::string>> keys_;
  std::string problem_;
};

// nlohmann recurses while it destroys a document, so depth is checked before it is built.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      i += c == '\\' ? 1 : 0;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDepthMax) {
        return true;
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<Json> parse_json(std::string_view text) {
  if (too_deep(text)) {
    return invalid(fmt::format("the JSON document is nested deeper than {} levels", kDepthMax));
  }
  StrictChecks checks;
  try {
    Json document = Json::parse(text.begin(), text.end(),
                                [&checks](int depth, Json::parse_event_t event, Json& parsed) {
                                  return checks(depth, event, parsed);
                                });
    if (!checks.problem().empty()) {
      return invalid(fmt::format("the JSON document is refused: {}", checks.problem()));
    }
    return document;
  } catch (const Json::parse_error& error) {
    const std::string_view before = text.substr(0, std::min(text.size(), error.byte));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t newline = before.rfind('\n');
    const size_t column =
        newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
    return invalid(fmt::format("the text is not JSON: line {}, column {}", line, column));
  } catch (const Json::out_of_range&) {
    return invalid("a number in the JSON document is too large to be stored",
                   "give numbers within 1.8e308, or texts");
  } catch (const Json::exception&) {
    return invalid("the text is not JSON");
  }
}

std::string dump_json(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string pretty_json(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cromford::base
