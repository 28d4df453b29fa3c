#include "http/target.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::http {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

bool is_control(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u < 0x20 || u == 0x7f;
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// The length of the "http://" or "https://" that an absolute form begins with, else 0.
size_t scheme_length(std::string_view raw) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (base::equal_ignoring_case(raw.substr(0, scheme.size()), scheme)) {
      return scheme.size();
    }
  }
  return 0;
}

// Appends what `encoded` stands for; false for a broken percent-encoding.
bool append_decoded(std::string& out, std::string_view encoded, bool plus_is_blank) {
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '%') {
      if (encoded.size() - i < 3) {
        return false;
      }
      const int high = hex_value(encoded[i + 1]);
      const int low = hex_value(encoded[i + 2]);
      if (high < 0 || low < 0) {
        return false;
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += encoded[i] == '+' && plus_is_blank ? ' ' : encoded[i];
    }
  }
  return true;
}

}  // namespace

absl::Status Target::parse(std::string_view raw) {
  raw_.assign(raw);
  decoded_.clear();
  // Once for the checks, once for the query's names and values, once for decode() by the router.
  decoded_.reserve(3 * raw.size());
  path_ = {};
  authority_ = {};
  segments_.clear();
  queries_.clear();
  std::string_view rest = raw_;
  if (!is_visible_ascii(rest)) {
    return base::invalid("the request target has characters that must be percent-encoded");
  }
  if (rest.find('#') != std::string_view::npos) {
    return base::invalid("the request target has a fragment ('#')");
  }
  if (const size_t scheme = scheme_length(rest); scheme > 0) {
    rest.remove_prefix(scheme);
    const size_t end = std::min(rest.find_first_of("/?"), rest.size());
    authority_ = rest.substr(0, end);
    rest.remove_prefix(end);
    if (authority_.empty()) {
      return base::invalid("the request target names no host");
    }
    if (rest.empty() || rest.front() == '?') {
      authority_ = {};
      return base::invalid("the request target has no path", "write a '/' behind the host");
    }
  }
  if (rest.empty() || rest.front() != '/') {
    return base::invalid("the request target does not begin with '/'");
  }
  const size_t question = rest.find('?');
  absl::Status status = parse_path(rest.substr(0, question));
  if (status.ok() && question != std::string_view::npos) {
    status = parse_query(rest.substr(question + 1));
  }
  if (!status.ok()) {
    path_ = {};
    authority_ = {};
    segments_.clear();
    queries_.clear();
  }
  return status;
}

absl::Status Target::parse_path(std::string_view path) {
  path_ = path;
  for (size_t start = 1; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string_view segment = path.substr(start, end - start);
    start = end + 1;
    if (segments_.size() == kSegmentsMax) {
      return base::invalid(fmt::format("the path has more than {} segments", kSegmentsMax));
    }
    TRY(const std::string_view text, decode_strictly(segment, false));
    if (text == "." || text == "..") {
      return base::invalid("the path has '.' or '..' as a segment");
    }
    if (std::any_of(text.begin(), text.end(), is_control)) {
      return base::invalid("the path has control characters");
    }
    segments_.push_back(segment);
  }
  return absl::OkStatus();
}

absl::Status Target::parse_query(std::string_view query) {
  for (size_t start = 0; start < query.size();) {
    const size_t end = std::min(query.find('&', start), query.size());
    const std::string_view pair = query.substr(start, end - start);
    start = end + 1;
    if (pair.empty()) {
      continue;
    }
    if (queries_.size() == kQueryParametersMax) {
      return base::invalid(
          fmt::format("the query has more than {} parameters", kQueryParametersMax));
    }
    const size_t equals = std::min(pair.find('='), pair.size());
    TRY(const std::string_view name, decode_strictly(pair.substr(0, equals), true));
    TRY(const std::string_view value,
        decode_strictly(pair.substr(std::min(equals + 1, pair.size())), true));
    if (this->query(name)) {
      return base::invalid(fmt::format("the query parameter '{}' stands twice", name));
    }
    queries_.emplace_back(name, value);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> Target::decode_strictly(std::string_view encoded,
                                                         bool plus_is_blank) {
  const size_t before = decoded_.size();
  if (!append_decoded(decoded_, encoded, plus_is_blank)) {
    return base::invalid("the request target has a '%' without two hexadecimal digits behind it",
                         "write a percent sign as %25");
  }
  const std::string_view text = std::string_view(decoded_).substr(before);
  if (text.find('\0') != std::string_view::npos) {
    return base::invalid("the request target has a NUL character");
  }
  if (!base::is_utf8(text)) {
    return base::invalid("the request target is not UTF-8 once it is decoded");
  }
  return text;
}

std::string_view Target::path() const {
  return path_;
}

std::string_view Target::authority() const {
  return authority_;
}

std::optional<std::string_view> Target::query(std::string_view name) const {
  for (const auto& [known, value] : queries_) {
    if (known == name) {
      return value;
    }
  }
  return std::nullopt;
}

std::string_view Target::decode(std::string_view encoded) {
  if (encoded.find('%') == std::string_view::npos) {
    return encoded;
  }
  CROMFORD_ASSERT(decoded_.size() + encoded.size() <= decoded_.capacity(),
                  "parse() reserves room for every segment to be decoded once more");
  const size_t before = decoded_.size();
  append_decoded(decoded_, encoded, false);
  return std::string_view(decoded_).substr(before);
}

}  // namespace cromford::http
