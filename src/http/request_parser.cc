#include "http/request_parser.h"

#include <fmt/format.h>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"
#include "http/problem.h"

namespace cromford::http {
namespace {

namespace beast = boost::beast;
using ErrorCode = beast::error_code;
using Text = beast::string_view;

struct Place {
  size_t begin = 0;
  size_t size = 0;
};

// What a request leaves behind while it is parsed; kept from request to request.
struct Parsed {
  std::string text;  // Method, target and fields, one after the other.
  std::string_view method_text;
  Place method;
  Place target;
  std::vector<std::pair<Place, Place>> places;
  std::vector<HeaderField> fields;
  std::string* body = nullptr;
  size_t body_bytes_max = 0;
  uint64_t target_bytes_max = 0;
  bool target_too_long = false;
  bool http_1_0 = false;

  Place keep(Text piece) {
    const size_t begin = text.size();
    text.append(piece.data(), piece.size());
    return {begin, piece.size()};
  }
  std::string_view at(Place place) const {
    return std::string_view(text).substr(place.begin, place.size);
  }
  void clear() {
    text.clear();
    method = target = {};
    places.clear();
    fields.clear();
    target_too_long = false;
    http_1_0 = false;
  }
};

class Parser final : public beast::http::basic_parser<true> {
 public:
  Parser(Parsed& parsed, uint32_t header_bytes_max) : parsed_(parsed) {
    header_limit(header_bytes_max);
    body_limit(boost::none);
  }

 private:
  void on_request_impl(beast::http::verb /*verb*/, Text method, Text target, int version,
                       ErrorCode& error) override {
    if (target.size() > parsed_.target_bytes_max) {
      parsed_.target_too_long = true;
      error = beast::http::error::bad_target;
      return;
    }
    parsed_.method = parsed_.keep(method);
    parsed_.target = parsed_.keep(target);
    parsed_.http_1_0 = version == 10;
  }
  void on_response_impl(int /*code*/, Text /*reason*/, int /*version*/,
                        ErrorCode& /*error*/) override {}
  void on_field_impl(beast::http::field /*field*/, Text name, Text value,
                     ErrorCode& /*error*/) override {
    if (!parsed_.fields.empty()) {
      return;  // A trailer behind a chunked body; nothing here needs one.
    }
    const Place name_place = parsed_.keep(name);
    parsed_.places.emplace_back(name_place, parsed_.keep(value));
  }
  void on_header_impl(ErrorCode& /*error*/) override {
    for (const auto& [name, value] : parsed_.places) {
      parsed_.fields.push_back({parsed_.at(name), parsed_.at(value)});
    }
  }
  void on_body_init_impl(const boost::optional<uint64_t>& /*length*/,
                         ErrorCode& /*error*/) override {}
  size_t on_body_impl(Text /*body*/, ErrorCode& /*error*/) override { return 0; }
  void on_chunk_header_impl(uint64_t /*size*/, Text /*extensions*/, ErrorCode& /*error*/) override {
  }
  size_t on_chunk_body_impl(uint64_t /*remain*/, Text body, ErrorCode& error) override {
    if (parsed_.body->size() > parsed_.body_bytes_max) {
      error = beast::http::error::need_buffer;
      return 0;
    }
    parsed_.body->append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(ErrorCode& /*error*/) override {}

  Parsed& parsed_;
};

}  // namespace

class RequestParser::Impl {
 public:
  Impl(uint64_t header_bytes_max, uint64_t target_bytes_max) : header_bytes_max_(header_bytes_max) {
    parsed_.target_bytes_max = target_bytes_max;
    reset();
  }

  void reset() {
    parsed_.clear();
    header_bytes_ = 0;
    parser_.emplace(parsed_, static_cast<uint32_t>(header_bytes_max_));
  }

  absl::StatusOr<size_t> read_header(std::string_view bytes) {
    ErrorCode error;
    const size_t used = parser_->put({bytes.data(), bytes.size()}, error);
    header_bytes_ += used;
    if (error && error != beast::http::error::need_more) {
      return describe(error);
    }
    const size_t seen = header_bytes_ + (parser_->is_header_done() ? 0 : bytes.size() - used);
    if (seen > header_bytes_max_) {
      return too_large();
    }
    if (parser_->is_header_done()) {
      TRY(check_coding());
      parser_->eager(true);
    }
    return used;
  }

  absl::StatusOr<size_t> read_chunks(std::string_view bytes, std::string& out, size_t bytes_max) {
    parsed_.body = &out;
    parsed_.body_bytes_max = bytes_max;
    ErrorCode error;
    const size_t used = parser_->put({bytes.data(), bytes.size()}, error);
    if (error && error != beast::http::error::need_more &&
        error != beast::http::error::need_buffer) {
      return describe(error);
    }
    return used;
  }

  const Parsed& parsed() const { return parsed_; }
  const Parser& parser() const { return *parser_; }

 private:
  absl::Status too_large() const {
    return with_http_status(
        base::exhausted(fmt::format("the header of the request is longer than {}",
                                    base::format_size(header_bytes_max_))),
        431);
  }

  absl::Status describe(const ErrorCode& error) const {
    if (error == beast::http::error::header_limit) {
      return too_large();
    }
    if (parsed_.target_too_long) {
      return with_http_status(
          base::exhausted(fmt::format("the request target is longer than {}",
                                      base::format_size(parsed_.target_bytes_max)),
                          "send a long query as the body of a POST"),
          414);
    }
    return base::invalid(fmt::format("the request is not HTTP/1.1: {}", error.message()));
  }

  // Only "chunked" alone is understood, and only in HTTP/1.1: anything else might be understood
  // differently by a proxy in front.
  absl::Status check_coding() const {
    for (const HeaderField& field : parsed_.fields) {
      if (!base::equal_ignoring_case(field.name, "transfer-encoding")) {
        continue;
      }
      if (parsed_.http_1_0) {
        return base::invalid("an HTTP/1.0 request cannot have a Transfer-Encoding");
      }
      if (!base::equal_ignoring_case(base::trim(field.value), "chunked")) {
        return with_http_status(
            absl::Status(absl::StatusCode::kUnimplemented,
                         "the only Transfer-Encoding that is understood is 'chunked'"),
            501);
      }
    }
    return absl::OkStatus();
  }

  uint64_t header_bytes_max_;
  uint64_t header_bytes_ = 0;
  Parsed parsed_;
  std::optional<Parser> parser_;
};

RequestParser::RequestParser(uint64_t header_bytes_max, uint64_t target_bytes_max)
    : impl_(std::make_unique<Impl>(header_bytes_max, target_bytes_max)) {}
RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  impl_->reset();
}
absl::StatusOr<size_t> RequestParser::read_header(std::string_view bytes) {
  return impl_->read_header(bytes);
}
bool RequestParser::header_done() const {
  return impl_->parser().is_header_done();
}
Method RequestParser::method() const {
  return method_from_name(method_text());
}
std::string_view RequestParser::method_text() const {
  return impl_->parsed().at(impl_->parsed().method);
}
std::string_view RequestParser::target() const {
  return impl_->parsed().at(impl_->parsed().target);
}
std::span<const HeaderField> RequestParser::headers() const {
  return impl_->parsed().fields;
}
std::optional<std::string_view> RequestParser::header(std::string_view lower_case_name) const {
  for (const HeaderField& field : headers()) {
    if (base::equal_ignoring_case(field.name, lower_case_name)) {
      return field.value;
    }
  }
  return std::nullopt;
}
bool RequestParser::http_1_0() const {
  return impl_->parsed().http_1_0;
}
bool RequestParser::keep_alive() const {
  return impl_->parser().keep_alive();
}
bool RequestParser::chunked() const {
  return impl_->parser().chunked();
}
std::optional<uint64_t> RequestParser::content_length() const {
  const auto length = impl_->parser().content_length();
  return length ? std::optional<uint64_t>(*length) : std::nullopt;
}
absl::StatusOr<size_t> RequestParser::read_chunks(std::string_view bytes, std::string& out,
                                                  size_t out_bytes_max) {
  return impl_->read_chunks(bytes, out, out_bytes_max);
}
bool RequestParser::body_done() const {
  return impl_->parser().is_done();
}

}  // namespace cromford::http
