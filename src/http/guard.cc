#include "http/guard.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/hash.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::http {
namespace {

// "[::1]:7040" -> "::1", "localhost:7040" -> "localhost"; nullopt when malformed.
std::optional<std::string_view> without_port(std::string_view host) {
  std::string_view name = host;
  std::string_view port;
  if (host.starts_with('[')) {
    const size_t close = host.find(']');
    if (close == std::string_view::npos) {
      return std::nullopt;
    }
    name = host.substr(1, close - 1);
    port = host.substr(close + 1);
  } else if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    name = host.substr(0, colon);
    port = host.substr(colon);
  }
  if (!port.empty() && (port.front() != ':' || !base::to_number<uint16_t>(port.substr(1)))) {
    return std::nullopt;
  }
  return name.empty() ? std::nullopt : std::optional(name);
}

// The sixteen bytes of an address; IPv4 addresses as IPv6 sees them.
std::optional<std::array<uint8_t, 16>> parse_address(std::string_view text) {
  std::array<uint8_t, 16> bytes{};
  const std::string terminated(text);
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) {
    return bytes;
  }
  bytes[10] = bytes[11] = 0xff;
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data() + 12) == 1) {
    return bytes;
  }
  return std::nullopt;
}

bool is_loopback(const std::array<uint8_t, 16>& address) {
  const std::array<uint8_t, 12> v4_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(v4_prefix.begin(), v4_prefix.end(), address.begin())) {
    return address[12] == 127;
  }
  return std::all_of(address.begin(), address.end() - 1, [](uint8_t b) { return b == 0; }) &&
         address[15] == 1;
}

absl::Status unauthenticated(std::string_view detail) {
  return base::with_remedy(
      absl::Status(absl::StatusCode::kUnauthenticated,
                   absl::string_view(detail.data(), detail.size())),
      "send the configured token as 'Authorization: Bearer TOKEN' (--token or CROMFORD_TOKEN)");
}

}  // namespace

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  // The hashes have one length, so that not even the length of the secret shows.
  const base::ContentHash left = base::content_hash(a);
  const base::ContentHash right = base::content_hash(b);
  return sodium_memcmp(left.bytes.data(), right.bytes.data(), left.bytes.size()) == 0;
}

Guard::Guard(Settings settings) : settings_(std::move(settings)) {}

absl::Status Guard::check_host(std::optional<std::string_view> host,
                               std::string_view local_address) const {
  if (!host || host->empty()) {
    return base::invalid("the request has no Host field");
  }
  const auto name = without_port(*host);
  if (!name) {
    return base::invalid(fmt::format("the Host field '{}' is malformed", *host));
  }
  if (base::equal_ignoring_case(*name, "localhost")) {
    return absl::OkStatus();
  }
  if (const auto address = parse_address(*name)) {
    if (is_loopback(*address) || address == parse_address(local_address)) {
      return absl::OkStatus();
    }
  }
  for (const std::string& known : settings_.host_names) {
    if (base::equal_ignoring_case(*name, known)) {
      return absl::OkStatus();
    }
  }
  return base::denied(fmt::format("this server is not called '{}'", *name),
                      "add the name to `host_names` of the server's configuration");
}

absl::Status Guard::check_origin(std::optional<std::string_view> fetch_site,
                                 std::optional<std::string_view> origin, std::string_view host) {
  const auto refusal = [] {
    return base::denied("a page of another site may not change anything here",
                        "call the API from a program, or from a page of this server");
  };
  if (fetch_site) {
    return *fetch_site == "same-origin" || *fetch_site == "none" ? absl::OkStatus() : refusal();
  }
  if (!origin) {
    return absl::OkStatus();  // No browser.
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin->starts_with(scheme) &&
        base::equal_ignoring_case(origin->substr(scheme.size()), host)) {
      return absl::OkStatus();
    }
  }
  return refusal();
}

absl::StatusOr<Caller> Guard::authenticate(std::optional<std::string_view> authorization,
                                           Permission permission) const {
  constexpr std::string_view kScheme = "bearer ";
  if (!authorization) {
    if (settings_.token.empty() || permission == Permission::kPublic) {
      return Caller::kAnonymous;
    }
    return unauthenticated("the request has no token");
  }
  if (!base::equal_ignoring_case(authorization->substr(0, kScheme.size()), kScheme)) {
    return unauthenticated("the Authorization field is not 'Bearer TOKEN'");
  }
  const std::string_view token = base::trim(authorization->substr(kScheme.size()));
  const bool owner =
      !settings_.owner_token.empty() && equal_in_constant_time(token, settings_.owner_token);
  const bool user = !settings_.token.empty() && equal_in_constant_time(token, settings_.token);
  if (owner) {
    return Caller::kOwner;
  }
  if (user) {
    return Caller::kUser;
  }
  return unauthenticated("the token is wrong");
}

}  // namespace cromford::http
