#pragma once

// Boost.Beast's HTTP/1 parser behind a small interface: it is fed bytes as they come, keeps the
// header in memory that is used again, and undoes the chunked coding of bodies. Bodies with a
// Content-Length do not pass through it.
//
//   parser.reset();
//   TRY(const size_t used, parser.read_header(buffer.view()));
//   if (parser.header_done()) { ... parser.method(), parser.headers(), parser.content_length() ...
//   }
//
// Thread safety: belongs to one thread.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/message.h"
#include "http/method.h"

namespace cromford::http {

class RequestParser {
 public:
  RequestParser(uint64_t header_bytes_max, uint64_t target_bytes_max);
  ~RequestParser();

  // Before each request.
  void reset();

  // Takes what belongs to the header from the beginning of `bytes` and returns how much that was;
  // what it did not take must be there again, with more behind it, at the next call. An error says
  // what is wrong with the request and carries its HTTP status (400, 414, 431, 501).
  absl::StatusOr<size_t> read_header(std::string_view bytes);
  bool header_done() const;

  // All views live until the next reset().
  Method method() const;
  std::string_view method_text() const;
  std::string_view target() const;
  std::span<const HeaderField> headers() const;
  // The first field of that name in lower case.
  std::optional<std::string_view> header(std::string_view lower_case_name) const;
  bool http_1_0() const;
  bool keep_alive() const;
  bool chunked() const;
  std::optional<uint64_t> content_length() const;

  // Appends the content of a chunked body to `out`; returns how many bytes it took. Stops early
  // when `out` has become longer than `out_bytes_max`.
  absl::StatusOr<size_t> read_chunks(std::string_view bytes, std::string& out,
                                     size_t out_bytes_max);
  bool body_done() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cromford::http
