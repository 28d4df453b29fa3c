#pragma once

// Downloads a file from an http or https URL, guarded (ingest/address_guard.h) and limited. The
// body is streamed to the file, so memory does not depend on its size.
//
//   FetchOptions options{.url = "https://example.org/orders.csv", .output = work / "orders.csv"};
//   options.progress = [&](const FetchProgress& p) { channel.report(p.received, p.expected); };
//   options.cancel = token;
//   TRY(const FetchResult result, fetch(options));
//
// Redirects are followed by hand, each checked like the first URL; one from https to http is
// refused. No cookies, no .netrc, no proxy from the environment, and no credentials ever leave.
// The body is stored as it came: a compressed file stays compressed.
//
// Thread safety: fetches are independent of each other and may run at the same time.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "ingest/address_guard.h"

namespace cromford::ingest {

struct FetchProgress {
  uint64_t received = 0;
  std::optional<uint64_t> expected;  // Where the server says so.
};

struct FetchOptions {
  std::string url;
  std::filesystem::path output;  // Made or replaced; removed again after an error.

  AddressPolicy policy = AddressPolicy::kPublic;
  // In place of `is_public_address`, for the addresses that are connected to under kPublic.
  std::function<bool(const sockaddr&)> allowed_address;
  // "host:port:address": known without DNS, like a hosts file.
  std::vector<std::string> known_hosts;
  std::string proxy;  // The operator's own; empty: none. Addresses are then the proxy's business.
  uint64_t bytes_max = 64ULL << 30;
  int redirects_max = 5;
  std::chrono::milliseconds connect_timeout{15'000};
  std::chrono::milliseconds idle_timeout{60'000};  // Without a single byte.
  std::chrono::milliseconds duration_max{6 * 3600 * 1000};

  std::function<void(const FetchProgress&)>
      progress;  // On the caller's thread, some times a second.
  base::CancelToken cancel;
  base::FileSystem* files = &base::system_files();
  const base::Clock* clock = &base::system_clock();
};

struct FetchResult {
  uint64_t bytes = 0;
  std::string final_url;     // After redirects; without its query, which may hold a secret.
  std::string content_type;  // In lower case, without parameters; "" where none is sent.
  std::string file_name;     // From Content-Disposition, else the URL's last path segment, cleaned
                             // to [A-Za-z0-9._-]; "download" where nothing is left.
  std::string etag;
  std::string last_modified;
};

// INVALID_ARGUMENT, PERMISSION_DENIED: as `check_url`, or the server refuses (401, 403).
// NOT_FOUND: 404, 410. UNAVAILABLE: no such host, no connection, a broken transfer, 429, 5xx.
// RESOURCE_EXHAUSTED: larger than `bytes_max`, too many redirects, the disk is full.
// DEADLINE_EXCEEDED: `idle_timeout` or `duration_max`. CANCELLED. The output does not exist then.
absl::StatusOr<FetchResult> fetch(const FetchOptions& options);

}  // namespace cromford::ingest
