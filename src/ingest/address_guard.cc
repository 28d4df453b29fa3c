#include "ingest/address_guard.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "base/status.h"
#include "base/text.h"

namespace cromford::ingest {
namespace {

constexpr size_t kUrlBytesMax = 8192;

using Bytes4 = std::array<uint8_t, 4>;
using Bytes16 = std::array<uint8_t, 16>;

template <size_t kSize>
struct Network {
  std::array<uint8_t, kSize> address;
  unsigned bits;

  bool contains(const std::array<uint8_t, kSize>& other) const {
    for (unsigned bit = 0; bit < bits; bit += 8) {
      const unsigned left = std::min(8U, bits - bit);
      const auto mask = static_cast<uint8_t>(0xff00U >> left);
      if (((address[bit / 8] ^ other[bit / 8]) & mask) != 0) {
        return false;
      }
    }
    return true;
  }
};

// The IANA IPv4 Special-Purpose Address Registry (what is not globally reachable), multicast, and
// the address under which Azure's machines find their host.
constexpr std::array<Network<4>, 17> kSpecial4 = {{
    {{0, 0, 0, 0}, 8},          // "this network"
    {{10, 0, 0, 0}, 8},         // private
    {{100, 64, 0, 0}, 10},      // shared by carriers (CGNAT)
    {{127, 0, 0, 0}, 8},        // loopback
    {{168, 63, 129, 16}, 32},   // Azure's host
    {{169, 254, 0, 0}, 16},     // link-local, and the metadata services of clouds
    {{172, 16, 0, 0}, 12},      // private
    {{192, 0, 0, 0}, 24},       // IETF protocol assignments
    {{192, 0, 2, 0}, 24},       // documentation
    {{192, 88, 99, 0}, 24},     // 6to4 relays, withdrawn
    {{192, 168, 0, 0}, 16},     // private
    {{198, 18, 0, 0}, 15},      // benchmarks
    {{198, 51, 100, 0}, 24},    // documentation
    {{203, 0, 113, 0}, 24},     // documentation
    {{224, 0, 0, 0}, 4},        // multicast
    {{240, 0, 0, 0}, 4},        // reserved
    {{255, 255, 255, 255}, 32}  // broadcast
}};

constexpr Network<16> kGlobalUnicast = {{0x20}, 3};
// What is special within global unicast (IANA IPv6 Special-Purpose Address Registry).
constexpr std::array<Network<16>, 4> kSpecial6 = {{
    {{0x20, 0x01, 0x00}, 23},        // IETF protocol assignments, Teredo among them
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x20, 0x02}, 16},              // 6to4
    {{0x3f, 0xff, 0x00}, 20},        // documentation
}};
constexpr Network<16> kMapped4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
constexpr Network<16> kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};

bool is_public4(const Bytes4& address) {
  return std::none_of(kSpecial4.begin(), kSpecial4.end(),
                      [&](const Network<4>& network) { return network.contains(address); });
}

bool is_public6(const Bytes16& address) {
  const Bytes4 last = {address[12], address[13], address[14], address[15]};
  if (kMapped4.contains(address) || kNat64.contains(address)) {
    return is_public4(last);
  }
  if (!kGlobalUnicast.contains(address) ||
      std::any_of(kSpecial6.begin(), kSpecial6.end(),
                  [&](const Network<16>& network) { return network.contains(address); })) {
    return false;
  }
  // ISATAP (RFC 5214) puts an IPv4 address behind 00-00-5E-FE or 02-00-5E-FE.
  const bool isatap =
      (address[8] & 0xfdU) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
  return !isatap || is_public4(last);
}

// Names that always mean this machine or this network (RFC 6761, 6762, 8375; ICANN's .internal).
bool is_local_name(std::string_view host) {
  std::string name = base::lower(host);
  while (name.ends_with('.')) {
    name.pop_back();
  }
  constexpr std::array<std::string_view, 6> kLocal = {"localhost", "local",       "internal",
                                                      "home.arpa", "localdomain", "lan"};
  return std::any_of(kLocal.begin(), kLocal.end(), [&](std::string_view local) {
    return name == local || (name.size() > local.size() && name.ends_with(local) &&
                             name[name.size() - local.size() - 1] == '.');
  });
}

// A host that is an address in any spelling that a resolver might take for one ("127.", "0x7f.1"),
// or else a name.
bool is_special_host(std::string host) {
  while (host.ends_with('.')) {
    host.pop_back();
  }
  Bytes16 bytes{};
  const std::string plain = host.substr(0, host.find('%'));
  if (inet_pton(AF_INET6, plain.c_str(), bytes.data()) == 1) {
    return !is_public_literal(host);
  }
  in_addr lenient{};
  if (inet_aton(host.c_str(), &lenient) != 0) {
    Bytes4 bytes4{};
    std::memcpy(bytes4.data(), &lenient, bytes4.size());
    return !is_public4(bytes4);
  }
  return is_local_name(host);
}

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlDeleter>;

std::string part_of(const UrlHandle& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, 0) != CURLUE_OK || text == nullptr) {
    return {};
  }
  std::string copy(text);
  curl_free(text);
  return copy;
}

absl::Status refuse_url(std::string_view reason, std::string_view remedy) {
  return base::invalid(fmt::format("the URL is refused: {}", reason), remedy);
}

absl::Status check_text(std::string_view url) {
  if (url.size() > kUrlBytesMax) {
    return refuse_url(fmt::format("it is longer than {} bytes", kUrlBytesMax), "");
  }
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) {
      return refuse_url("it contains a blank or control character",
                        "write a blank as %20 and other special characters percent-encoded");
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool is_public_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in known{};
    std::memcpy(&known, &address, sizeof(known));
    Bytes4 bytes{};
    std::memcpy(bytes.data(), &known.sin_addr, bytes.size());
    return is_public4(bytes);
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 known{};
    std::memcpy(&known, &address, sizeof(known));
    Bytes16 bytes{};
    std::memcpy(bytes.data(), &known.sin6_addr, bytes.size());
    return known.sin6_scope_id == 0 && is_public6(bytes);
  }
  return false;
}

bool is_public_literal(std::string_view address) {
  const std::string text(address);
  Bytes4 bytes4{};
  if (inet_pton(AF_INET, text.c_str(), bytes4.data()) == 1) {
    return is_public4(bytes4);
  }
  Bytes16 bytes16{};
  return inet_pton(AF_INET6, text.c_str(), bytes16.data()) == 1 && is_public6(bytes16);
}

absl::StatusOr<CheckedUrl> check_url(std::string_view url, AddressPolicy policy) {
  TRY(check_text(url));
  const UrlHandle handle(curl_url());
  if (handle == nullptr) {
    return base::internal("no memory to read a URL");
  }
  const std::string text(url);
  const CURLUcode parsed =
      curl_url_set(handle.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER);
  if (parsed == CURLUE_USER_NOT_ALLOWED) {
    return refuse_url("it contains a user name or password, which would be kept in the lineage",
                      "leave them out, or download the file and import it");
  }
  const std::string scheme = base::lower(part_of(handle, CURLUPART_SCHEME));
  if (parsed == CURLUE_UNSUPPORTED_SCHEME ||
      (parsed == CURLUE_OK && scheme != "http" && scheme != "https")) {
    return refuse_url("only http and https can be fetched",
                      "download the file and import it from disk");
  }
  if (parsed != CURLUE_OK) {
    return refuse_url(curl_url_strerror(parsed), "write it like https://example.org/path/file.csv");
  }
  curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);
  CheckedUrl checked{.url = part_of(handle, CURLUPART_URL),
                     .host = part_of(handle, CURLUPART_HOST),
                     .path = part_of(handle, CURLUPART_PATH)};
  if (checked.host.starts_with('[') && checked.host.ends_with(']')) {
    checked.host = checked.host.substr(1, checked.host.size() - 2);
  }
  if (checked.url.empty() || checked.host.empty()) {
    return refuse_url("it names no host", "write it like https://example.org/path/file.csv");
  }
  if (policy == AddressPolicy::kPublic && is_special_host(checked.host)) {
    return base::denied(
        fmt::format("{} is not an address of the public internet", checked.host),
        "the factory fetches only from public addresses unless its configuration allows others; "
        "download the file and import it from disk");
  }
  return checked;
}

}  // namespace cromford::ingest
