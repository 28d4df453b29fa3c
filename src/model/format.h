#pragma once

// The frame of a package file: header, section table, sections (docs/formats/package.md). What
// stands inside the sections is the business of those who write and read them.
//
//   std::vector<Section> sections = {{SectionKind::kModel, 0, bytes}, ...};
//   std::vector<std::byte> file = write_frame(sections);
//   TRY(std::vector<SectionView> views, read_frame(file));   // every byte checked by a checksum
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace cromford::model {

constexpr uint32_t kFormatVersion = 1;

// In the order in which they stand in a file: one of each, but any number of predictors.
enum class SectionKind : uint32_t {
  kModel = 1,
  kPipeline = 2,
  kPredictor = 3,
  kAnswer = 4,
  kBaseline = 5,
  kManifest = 6,
};
std::string_view section_name(SectionKind kind);

struct Section {
  SectionKind kind = SectionKind::kModel;
  uint32_t index = 0;  // among its kind
  std::vector<std::byte> bytes = {};
};

struct SectionView {
  SectionKind kind = SectionKind::kModel;
  uint32_t index = 0;
  std::span<const std::byte> bytes;  // at a multiple of 64 from the start of the file
};

std::vector<std::byte> write_frame(std::span<const Section> sections);

// INVALID_ARGUMENT: no package at all. FAILED_PRECONDITION: of a newer format. DATA_LOSS: damaged
// or cut off; the sections are of known kinds, in order, and every byte of the file is accounted
// for. `file` begins at a multiple of 8.
absl::StatusOr<std::vector<SectionView>> read_frame(std::span<const std::byte> file);

// Writes the right checksums into a frame that was changed, as far as it can be read. For tests and
// fuzzers, which want to come past the checksums.
void renew_checksums(std::span<std::byte> file);

}  // namespace cromford::model
