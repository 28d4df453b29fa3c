#include "table/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "testing/status_matchers.h"

namespace cromford::table {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

Manifest example() {
  Manifest manifest;
  manifest.dataset = "flights";
  manifest.version = 2;
  manifest.created_at = *base::parse_time("2026-11-22T10:00:00Z");
  manifest.schema.columns = {{"delay", ColumnType::kInteger}, {"origin", ColumnType::kText}};
  manifest.parts = {{base::content_hash("a").text(), 3, 100, base::content_hash("b").text()},
                    {base::content_hash("c").text(), 2, 50, base::content_hash("d").text()}};
  manifest.row_count = 5;
  manifest.size_bytes = 150;
  manifest.parents = {"flights@1"};
  manifest.append = true;
  manifest.query = "select * from input";
  ImportedSource source;
  source.name = "f.csv";
  source.size_bytes = 1000;
  source.hash = base::content_hash("e").text();
  source.format = "csv";
  source.encoding = "utf-8";
  source.delimiter = ",";
  source.quote = "\"";
  source.header = true;
  source.row_count = 2;
  source.notes = {{"delay", "missing marks: NA"}, {"", "1 new column: x", true}};
  manifest.sources = {source};
  manifest.checks = {{"not null", "origin", "reject", 0, true}};
  manifest.quarantined_count = 1;
  manifest.quarantine_object = base::content_hash("q").text();
  manifest.engine = "duckdb 1.5.5";
  manifest.content_hash = combined_hash(manifest.schema, manifest.parts);
  return manifest;
}

TEST(Manifest, ReadsWhatItWrote) {
  const Manifest manifest = example();
  const std::string text = format_manifest(manifest);
  ASSERT_OK_AND_ASSIGN(const Manifest back, parse_manifest(text));
  EXPECT_EQ(back, manifest);
  EXPECT_EQ(format_manifest(back), text);
}

// A manifest of the first format, which every later program must read. The values of the hashes
// are promised with it.
TEST(Manifest, KeepsReadingTheFirstFormat) {
  EXPECT_EQ(example().content_hash,
            "b9ad32738dbf8969b39752d45ad7f8f24262063e024a9ba7c726a45da98f0802");
}

TEST(Manifest, RefusesDamage) {
  const std::string text = format_manifest(example());
  const auto with = [&text](const std::string& from, const std::string& to) {
    std::string changed = text;
    const size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    return parse_manifest(changed);
  };
  const auto damage = [](const std::string& part) {
    return StatusIs(absl::StatusCode::kDataLoss, HasSubstr(part));
  };
  EXPECT_THAT(parse_manifest(""), damage("not JSON"));
  EXPECT_THAT(parse_manifest("[]"), damage("not an object"));
  EXPECT_THAT(parse_manifest("{}"), damage("/format is absent"));
  EXPECT_THAT(with("\"format\": 1", "\"format\": 2"), damage("the format 2"));
  EXPECT_THAT(with("\"row_count\": 5", "\"row_count\": 6"), damage("add up"));
  EXPECT_THAT(with("\"row_count\": 5", "\"row_count\": -5"), damage("/row_count is not a count"));
  EXPECT_THAT(with("\"row_count\": 5", "\"row_count\": 5.0"), damage("/row_count is not a count"));
  EXPECT_THAT(with("\"append\": true", "\"append\": 1"), damage("/append"));
  EXPECT_THAT(with("\"append\": true", "\"extra\": 1, \"append\": true"),
              damage("/extra is unknown"));
  EXPECT_THAT(with("\"type\": \"text\"", "\"type\": \"string\""), damage("/schema/1/type"));
  EXPECT_THAT(with("\"name\": \"origin\"", "\"name\": \"DELAY\""), damage("one twice"));
  EXPECT_THAT(with("flights@1", "no such name@1"), damage("/parents/0"));
  EXPECT_THAT(with("\"dataset\": \"flights\"", "\"dataset\": \"../x\""), damage("/dataset"));
  EXPECT_THAT(with("2026-11-22T", "2026-13-22T"), damage("/created_at"));
  EXPECT_THAT(with("\"on_fail\": \"reject\"", "\"on_fail\": \"ignore\""),
              damage("/checks/0/on_fail"));
  EXPECT_THAT(with("\"version\": 2", "\"version\": 0"), damage("/version"));
  EXPECT_THAT(with(example().parts[0].content_hash, example().parts[1].content_hash),
              damage("/content_hash"));
  EXPECT_THAT(with(example().parts[0].object, "xyz"), damage("/parts/0/object"));
}

}  // namespace
}  // namespace cromford::table
