#pragma once

// Who may ask at all, decided before anything of the body is read. The Host check keeps a web page
// from reaching a server on loopback by letting its own name resolve to 127.0.0.1 (DNS rebinding);
// the origin check keeps a page of another site from changing anything (cross-site request
// forgery); the token says who the caller is.
//
//   TRY(guard.check_host(host, connection.local_address()));
//   TRY(guard.check_origin(method, origin, fetch_site, host));
//   TRY(request.caller, guard.authenticate(authorization, route.permission));
//
// Thread safety: a guard is immutable.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/route.h"

namespace cromford::http {

class Guard {
 public:
  struct Settings {
    std::string token;                    // Empty: none is needed.
    std::string owner_token;              // Empty: nobody is the owner.
    std::vector<std::string> host_names;  // Besides localhost and IP addresses.
  };
  explicit Guard(Settings settings);

  // `host` is the Host field or the authority of the target, with or without a port. Accepted are
  // "localhost", loopback addresses, the address at which the connection arrived
  // (`local_address`), and the configured names. 400 when there is none, 403 when it is another.
  absl::Status check_host(std::optional<std::string_view> host,
                          std::string_view local_address) const;

  // For methods that change something: refuses (403) what a browser says comes from another site.
  static absl::Status check_origin(std::optional<std::string_view> fetch_site,
                                   std::optional<std::string_view> origin, std::string_view host);

  // Who the Authorization field proves the caller to be; UNAUTHENTICATED (401) when a token is
  // needed and absent, and always when a wrong one is sent.
  absl::StatusOr<Caller> authenticate(std::optional<std::string_view> authorization,
                                      Permission permission) const;

 private:
  Settings settings_;
};

// Compares without telling by its duration where the texts differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace cromford::http
