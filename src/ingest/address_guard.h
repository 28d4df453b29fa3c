#pragma once

// Where a server may be sent to fetch something. A user who names a URL must not be able to make
// the factory talk to machines that only the factory can reach (server-side request forgery):
// loopback, link-local, private and other special-purpose addresses are refused, whether they are
// written in the URL, come from DNS or stand in a redirect.
//
//   TRY(const CheckedUrl url, check_url("https://example.org/orders.csv", AddressPolicy::kPublic));
//   if (!is_public_address(*reinterpret_cast<const sockaddr*>(&address))) { ... }
//
// The check of the name alone proves nothing, as DNS may answer differently the next moment:
// ingest/fetch.h therefore asks `is_public_address` about the very address it is about to connect
// to.
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

struct sockaddr;

namespace cromford::ingest {

enum class AddressPolicy {
  kPublic,  // Only addresses that anybody on the internet can reach.
  kAny,     // The configuration allows private ones as well.
};

// Whether `address` (AF_INET or AF_INET6) is a globally reachable unicast address: not in the IANA
// special-purpose registries (RFC 6890 and successors), nor multicast, and neither is an IPv4
// address embedded in it (mapped, compatible, NAT64, 6to4, Teredo). False for other families.
bool is_public_address(const sockaddr& address);

// The same of a literal such as "10.0.0.1", "::1" or "fe80::1%eth0"; false for what is no literal.
bool is_public_literal(std::string_view address);

struct CheckedUrl {
  std::string url;   // As libcurl understands it, without a fragment.
  std::string host;  // A name, or a literal without brackets.
  std::string path;  // Begins with '/'; still percent-encoded.
};

// Parses with the parser that will fetch it, so that the two cannot differ in opinion.
// INVALID_ARGUMENT: not a URL, no http or https, a user name or password in it, longer than 8 KiB,
// control characters. PERMISSION_DENIED: the host is a special-purpose address or a name such as
// "localhost", and `policy` is kPublic.
absl::StatusOr<CheckedUrl> check_url(std::string_view url, AddressPolicy policy);

}  // namespace cromford::ingest
