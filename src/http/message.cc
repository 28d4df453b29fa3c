#include "http/message.h"

#include "base/assert.h"
#include "base/text.h"

namespace cromford::http {

Upload::Upload(std::filesystem::path path, uint64_t bytes,
               std::function<void(const std::filesystem::path&)> remove)
    : path_(std::move(path)), bytes_(bytes), remove_(std::move(remove)) {}

Upload::~Upload() {
  if (!path_.empty()) {
    remove_(path_);
  }
}

std::filesystem::path Upload::take() {
  return std::exchange(path_, {});
}

std::optional<std::string_view> Request::header(std::string_view lower_case_name) const {
  for (const HeaderField& field : headers) {
    if (base::equal_ignoring_case(field.name, lower_case_name)) {
      return field.value;
    }
  }
  return std::nullopt;
}

std::string_view Request::parameter(std::string_view name) const {
  for (const auto& [known, value] : parameters) {
    if (known == name) {
      return value;
    }
  }
  CROMFORD_ASSERT(false, "a handler asks only for parameters of its route's pattern");
}

void Response::clear() {
  status = 200;
  content_type = "application/json";
  content_type_text.clear();
  body.clear();
  etag.clear();
  location.clear();
  retry_after_s = 0;
  too_long_here = false;
  allow.clear();
  file.reset();
  later = nullptr;
  events.reset();
}

}  // namespace cromford::http
