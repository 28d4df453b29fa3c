#pragma once

// The request target ("/api/v1/x?y=z") taken apart, strictly: what is not plainly well-formed is
// refused instead of guessed at, because a guess that differs from a proxy's is a security hole.
//
//   Target target;
//   TRY(target.parse("/api/v1/projects/default/runs?page_size=10"));
//   target.segments()[4];            // "runs", still percent-encoded; decode() makes it text
//   target.query("page_size");       // "10"
//
// Thread safety: a target belongs to one thread. It is made to be parsed again and again without
// allocating.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cromford::http {

class Target {
 public:
  static constexpr size_t kSegmentsMax = 32;
  static constexpr size_t kQueryParametersMax = 64;

  // Takes origin-form ("/path?query") and absolute-form ("http://host/path"). INVALID_ARGUMENT for
  // everything else, for a broken percent-encoding, for what decodes to control characters in the
  // path, to NUL, or to text that is not UTF-8, for "." and ".." as segments, and for a query
  // parameter that stands twice. On error the target is empty. Does not keep `raw`.
  absl::Status parse(std::string_view raw);

  // "/api/v1/x", as it came.
  std::string_view path() const;
  // Of the absolute form, which goes before the Host field; empty otherwise.
  std::string_view authority() const;
  // The path between its slashes, not decoded: "/a/b" has two, "/" one, which is empty.
  const std::vector<std::string_view>& segments() const { return segments_; }
  // Decoded ('+' is a blank); nullopt when absent.
  std::optional<std::string_view> query(std::string_view name) const;
  const std::vector<std::pair<std::string_view, std::string_view>>& queries() const {
    return queries_;
  }

  // The text of a segment or of a part of one, which `parse` has already checked. Lives as long as
  // the target is not parsed again.
  std::string_view decode(std::string_view encoded);

 private:
  absl::Status parse_path(std::string_view path);
  absl::Status parse_query(std::string_view query);
  absl::StatusOr<std::string_view> decode_strictly(std::string_view encoded, bool plus_is_blank);

  std::string raw_;
  std::string decoded_;  // Reserved in parse() so that views into it stay valid.
  std::string_view path_;
  std::string_view authority_;
  std::vector<std::string_view> segments_;
  std::vector<std::pair<std::string_view, std::string_view>> queries_;
};

}  // namespace cromford::http
