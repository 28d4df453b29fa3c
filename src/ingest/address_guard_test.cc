#include "ingest/address_guard.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <vector>

#include "testing/status_matchers.h"

namespace cromford::ingest {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

struct AddressCase {
  const char* address;
  bool is_public;
};

const std::vector<AddressCase>& addresses() {
  static const std::vector<AddressCase> kAddresses = {
      // Public.
      {"1.1.1.1", true},
      {"8.8.8.8", true},
      {"9.255.255.255", true},
      {"11.0.0.0", true},
      {"100.63.255.255", true},
      {"100.128.0.0", true},
      {"126.255.255.255", true},
      {"128.0.0.1", true},
      {"169.253.255.255", true},
      {"169.255.0.0", true},
      {"172.15.255.255", true},
      {"172.32.0.0", true},
      {"192.0.1.0", true},
      {"192.167.255.255", true},
      {"192.169.0.0", true},
      {"198.17.255.255", true},
      {"198.20.0.0", true},
      {"223.255.255.255", true},
      {"2606:4700:4700::1111", true},
      {"2a00:1450:4001:81b::200e", true},
      {"2001:200::1", true},
      {"2001:4860:4860::8888", true},
      {"::ffff:8.8.8.8", true},
      {"64:ff9b::8.8.8.8", true},
      {"2a00::200:5efe:808:808", true},
      // "This network", loopback, unspecified.
      {"0.0.0.0", false},
      {"0.1.2.3", false},
      {"127.0.0.1", false},
      {"127.255.255.254", false},
      {"::", false},
      {"::1", false},
      // Private, carrier-grade NAT, unique local.
      {"10.0.0.1", false},
      {"10.255.255.255", false},
      {"100.64.0.0", false},
      {"100.127.255.255", false},
      {"172.16.0.1", false},
      {"172.31.255.255", false},
      {"192.168.0.1", false},
      {"192.168.255.255", false},
      {"fc00::1", false},
      {"fd12:3456:789a::1", false},
      // Link-local; the metadata services of clouds.
      {"169.254.0.1", false},
      {"169.254.169.254", false},
      {"168.63.129.16", false},
      {"fe80::1", false},
      {"febf::1", false},
      {"fec0::1", false},
      {"fd00:ec2::254", false},
      // Documentation, benchmarks, protocol assignments, relays.
      {"192.0.0.1", false},
      {"192.0.2.1", false},
      {"192.88.99.1", false},
      {"198.18.0.1", false},
      {"198.19.255.255", false},
      {"198.51.100.1", false},
      {"203.0.113.1", false},
      {"2001:db8::1", false},
      {"3fff:fff::1", false},
      {"100::1", false},
      {"5f00::1", false},
      // Multicast, reserved, broadcast.
      {"224.0.0.1", false},
      {"239.255.255.250", false},
      {"240.0.0.1", false},
      {"255.255.255.255", false},
      {"ff02::1", false},
      // IPv4 in IPv6 clothes.
      {"::ffff:127.0.0.1", false},
      {"::ffff:10.0.0.1", false},
      {"::ffff:169.254.169.254", false},
      {"::127.0.0.1", false},
      {"::8.8.8.8", false},
      {"64:ff9b::10.0.0.1", false},
      {"64:ff9b:1::8.8.8.8", false},
      {"2002:7f00:1::1", false},
      {"2002:808:808::1", false},
      {"2001::1", false},
      {"2a00::5efe:10.0.0.1", false},
  };
  return kAddresses;
}

TEST(AddressGuardTest, TableOfLiterals) {
  for (const AddressCase& one : addresses()) {
    EXPECT_EQ(is_public_literal(one.address), one.is_public) << one.address;
  }
  for (const char* text : {"", "example.org", "fe80::1%eth0", "1.2.3", "1.2.3.4.5", "0x7f.1"}) {
    EXPECT_FALSE(is_public_literal(text)) << text;
  }
}

TEST(AddressGuardTest, TableOfSocketAddresses) {
  for (const AddressCase& one : addresses()) {
    sockaddr_storage storage{};
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    if (inet_pton(AF_INET, one.address, &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
    } else {
      ASSERT_EQ(inet_pton(AF_INET6, one.address, &v6.sin6_addr), 1) << one.address;
      v6.sin6_family = AF_INET6;
    }
    EXPECT_EQ(is_public_address(reinterpret_cast<const sockaddr&>(storage)), one.is_public)
        << one.address;
  }
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  EXPECT_FALSE(is_public_address(reinterpret_cast<const sockaddr&>(local)));
}

struct UrlCase {
  const char* url;
  absl::StatusCode code;
  const char* words;
};

TEST(CheckUrlTest, TableOfUrls) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
  const std::vector<UrlCase> cases = {
      {"", kInvalid, "the URL is refused"},
      {"example.org/a.csv", kInvalid, "the URL is refused"},
      {"/etc/passwd", kInvalid, "the URL is refused"},
      {"file:///etc/passwd", kInvalid, "only http and https"},
      {"ftp://example.org/a.csv", kInvalid, "only http and https"},
      {"gopher://example.org/", kInvalid, "only http and https"},
      {"jar:http://example.org/", kInvalid, "the URL is refused"},
      {"http://user:secret@example.org/", kInvalid, "user name or password"},
      {"http://user@example.org/", kInvalid, "user name or password"},
      {"http://", kInvalid, "the URL is refused"},
      {"http://exa mple.org/", kInvalid, "blank or control"},
      {"http://example.org/\r\nHost: x", kInvalid, "blank or control"},
      {"http://example.org:99999/", kInvalid, "the URL is refused"},
      {"http://localhost/", kDenied, "localhost is not an address"},
      {"http://LOCALHOST./", kDenied, "not an address"},
      {"http://a.b.localhost:8080/", kDenied, "not an address"},
      {"http://printer.local/", kDenied, "not an address"},
      {"http://metadata.google.internal/", kDenied, "not an address"},
      {"http://127.0.0.1/", kDenied, "127.0.0.1 is not an address"},
      {"http://127.1/", kDenied, "not an address"},
      {"http://127./", kDenied, "not an address"},
      {"http://127.0.0.1./", kDenied, "not an address"},
      {"http://10.1./", kDenied, "not an address"},
      {"http://2130706433/", kDenied, "not an address"},
      {"http://0x7f000001/", kDenied, "not an address"},
      {"http://0177.0.0.1/", kDenied, "not an address"},
      {"http://[::1]/", kDenied, "::1 is not an address"},
      {"http://[::ffff:7f00:1]/", kDenied, "not an address"},
      {"http://[fe80::1%25eth0]/", kDenied, "not an address"},
      {"http://169.254.169.254/latest/meta-data/", kDenied, "not an address"},
  };
  for (const UrlCase& one : cases) {
    EXPECT_THAT(check_url(one.url, AddressPolicy::kPublic),
                StatusIs(one.code, HasSubstr(one.words)))
        << one.url;
  }
  EXPECT_THAT(check_url("http://a/" + std::string(9000, 'x'), AddressPolicy::kPublic),
              StatusIs(kInvalid, HasSubstr("longer than")));
}

TEST(CheckUrlTest, GoodUrlsComeBackWithoutFragment) {
  ASSERT_OK_AND_ASSIGN(
      const CheckedUrl url,
      check_url("HTTPS://Example.org:8443/a/b%20c.csv?sig=1#top", AddressPolicy::kPublic));
  EXPECT_EQ(url.url, "https://Example.org:8443/a/b%20c.csv?sig=1");
  EXPECT_EQ(url.path, "/a/b%20c.csv");
  ASSERT_OK_AND_ASSIGN(const CheckedUrl v6,
                       check_url("http://[2606:4700::1111]/", AddressPolicy::kPublic));
  EXPECT_EQ(v6.host, "2606:4700::1111");
}

TEST(CheckUrlTest, TheConfigurationMayAllowPrivateAddresses) {
  EXPECT_OK(check_url("http://127.0.0.1:8080/a.csv", AddressPolicy::kAny));
  EXPECT_OK(check_url("http://localhost/a.csv", AddressPolicy::kAny));
  EXPECT_THAT(check_url("file:///etc/passwd", AddressPolicy::kAny),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace cromford::ingest
