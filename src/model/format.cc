#include "model/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/hash.h"
#include "base/status.h"

namespace cromford::model {
namespace {

constexpr std::array<unsigned char, 8> kMagic = {0x89, 'C', 'R', 'O', 'M', 'P', '\r', '\n'};
constexpr size_t kAlignment = 64;
constexpr uint32_t kSectionCountMax = 10000;
constexpr std::string_view kDamagedRemedy =
    "copy or export the package again: the file was altered or cut off";

struct Header {
  std::array<unsigned char, 8> magic{};
  uint32_t version = 0;
  uint32_t section_count = 0;
  uint64_t file_size = 0;
  uint32_t table_checksum = 0;
  uint32_t header_checksum = 0;  // of all bytes before it
  std::array<uint64_t, 4> zero{};
};
static_assert(sizeof(Header) == 64);

struct TableEntry {
  uint32_t kind = 0;
  uint32_t index = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint32_t checksum = 0;
  uint32_t zero = 0;
};
static_assert(sizeof(TableEntry) == 32);

constexpr size_t kChecksummedHeader = offsetof(Header, header_checksum);

size_t align_up(size_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

absl::Status damaged(std::string_view what) {
  return base::damaged(fmt::format("the package is damaged: {}", what), kDamagedRemedy);
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

absl::StatusOr<Header> read_header(std::span<const std::byte> file) {
  Header header;
  if (file.size() < sizeof(header.magic) ||
      std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) {
    return base::invalid("the file is not a model package",
                         "give a file written by `cromford model export`");
  }
  if (file.size() < sizeof(Header)) {
    return damaged("it ends within its header");
  }
  std::memcpy(&header, file.data(), sizeof(Header));
  if (header.header_checksum != base::crc32c(file.first(kChecksummedHeader)) ||
      !all_zero(bytes_of(header.zero))) {
    return damaged("its header does not have the stated checksum");
  }
  if (header.version != kFormatVersion) {
    return base::refused(fmt::format("the package has the format version {}; this program reads {}",
                                     header.version, kFormatVersion),
                         "use a newer version of Cromford");
  }
  if (header.file_size != file.size()) {
    return damaged(
        fmt::format("it has {} bytes and should have {}", file.size(), header.file_size));
  }
  if (header.section_count > kSectionCountMax ||
      header.section_count > (file.size() - sizeof(Header)) / sizeof(TableEntry)) {
    return damaged("its table of sections does not fit");
  }
  return header;
}

}  // namespace

std::string_view section_name(SectionKind kind) {
  switch (kind) {
    case SectionKind::kModel:
      return "model";
    case SectionKind::kPipeline:
      return "pipeline";
    case SectionKind::kPredictor:
      return "predictor";
    case SectionKind::kAnswer:
      return "answer";
    case SectionKind::kBaseline:
      return "baseline";
    case SectionKind::kManifest:
      return "manifest";
  }
  return "unknown";
}

std::vector<std::byte> write_frame(std::span<const Section> sections) {
  std::vector<TableEntry> table;
  size_t end = sizeof(Header) + sections.size() * sizeof(TableEntry);
  for (const Section& section : sections) {
    TableEntry entry;
    entry.kind = static_cast<uint32_t>(section.kind);
    entry.index = section.index;
    entry.offset = align_up(end);
    entry.size = section.bytes.size();
    entry.checksum = base::crc32c(section.bytes);
    table.push_back(entry);
    end = entry.offset + entry.size;
  }
  Header header;
  header.magic = kMagic;
  header.version = kFormatVersion;
  header.section_count = static_cast<uint32_t>(sections.size());
  header.file_size = end;
  header.table_checksum = base::crc32c(std::as_bytes(std::span(table)));
  header.header_checksum = base::crc32c(bytes_of(header).first(kChecksummedHeader));

  std::vector<std::byte> file(end, std::byte{0});
  std::ranges::copy(bytes_of(header), file.begin());
  std::ranges::copy(std::as_bytes(std::span(table)), file.begin() + sizeof(Header));
  for (size_t i = 0; i < sections.size(); ++i) {
    std::ranges::copy(sections[i].bytes,
                      file.begin() + static_cast<std::ptrdiff_t>(table[i].offset));
  }
  return file;
}

absl::StatusOr<std::vector<SectionView>> read_frame(std::span<const std::byte> file) {
  TRY(const Header header, read_header(file));
  const size_t table_size = header.section_count * sizeof(TableEntry);
  const auto table_bytes = file.subspan(sizeof(Header), table_size);
  if (header.table_checksum != base::crc32c(table_bytes)) {
    return damaged("its table of sections does not have the stated checksum");
  }
  std::vector<TableEntry> table(header.section_count);
  if (table_size > 0) {
    std::memcpy(table.data(), table_bytes.data(), table_size);
  }
  std::vector<SectionView> sections;
  size_t end = sizeof(Header) + table_size;
  for (const TableEntry& entry : table) {
    if (entry.offset != align_up(end) || entry.zero != 0 || entry.offset > file.size() ||
        entry.size > file.size() - entry.offset) {
      return damaged(fmt::format("section {} lies outside the file", sections.size()));
    }
    SectionView section;
    section.kind = static_cast<SectionKind>(entry.kind);
    section.index = entry.index;
    section.bytes = file.subspan(entry.offset, entry.size);
    if (!all_zero(file.subspan(end, entry.offset - end)) ||
        entry.checksum != base::crc32c(section.bytes)) {
      return damaged(fmt::format("the section '{}' does not have the stated checksum",
                                 section_name(section.kind)));
    }
    sections.push_back(section);
    end = entry.offset + entry.size;
  }
  if (end != file.size()) {
    return damaged("there are bytes behind the last section");
  }
  return sections;
}

void renew_checksums(std::span<std::byte> file) {
  if (file.size() < sizeof(Header)) {
    return;
  }
  Header header;
  std::memcpy(&header, file.data(), sizeof(Header));
  const size_t count =
      std::min<size_t>(header.section_count, (file.size() - sizeof(Header)) / sizeof(TableEntry));
  std::vector<TableEntry> table(count);
  const auto table_bytes = file.subspan(sizeof(Header), count * sizeof(TableEntry));
  if (count > 0) {
    std::memcpy(table.data(), table_bytes.data(), table_bytes.size());
  }
  for (TableEntry& entry : table) {
    if (entry.offset <= file.size() && entry.size <= file.size() - entry.offset) {
      entry.checksum =
          base::crc32c(std::span<const std::byte>(file.subspan(entry.offset, entry.size)));
    }
  }
  std::ranges::copy(std::as_bytes(std::span(table)), table_bytes.begin());
  header.file_size = file.size();
  header.table_checksum = base::crc32c(std::as_bytes(std::span(table)));
  header.header_checksum = base::crc32c(bytes_of(header).first(kChecksummedHeader));
  std::ranges::copy(bytes_of(header), file.begin());
}

}  // namespace cromford::model
