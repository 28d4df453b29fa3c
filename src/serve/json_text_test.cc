#include "serve/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"

namespace cromford::serve {
namespace {

TEST(JsonText, IsReadBackByAnotherLibrary) {
  std::string all;
  for (int c = 0; c < 128; ++c) {
    all += static_cast<char>(c);
  }
  for (const std::string& text :
       {std::string(), std::string("plain"), all, std::string("Flüge 🛫")}) {
    std::string out = "[";
    append_json_text(out, text);
    out += "]";
    const auto parsed = base::parse_json(out);
    ASSERT_TRUE(parsed.ok()) << out;
    EXPECT_EQ((*parsed)[0], text);
  }
}

TEST(JsonText, EscapesShortly) {
  std::string out;
  append_json_text(out, "a\"\\\n\r\t\x01");
  EXPECT_EQ(out, R"("a\"\\\n\r\t\u0001")");
}

}  // namespace
}  // namespace cromford::serve
