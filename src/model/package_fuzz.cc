// Feeds damaged packages to the loader, behind the checksums, and uses what still loads.

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "model/format.h"
#include "model/package.h"
#include "model/row_batch.h"
#include "model/sample_packages.h"

namespace {

using cromford::model::Explanation;
using cromford::model::InputType;
using cromford::model::Package;
using cromford::model::RowBuffer;
using cromford::model::Workspace;

constexpr size_t kRowCount = 3;

// Rows that fit whatever contract the package has.
void use(const Package& package) {
  RowBuffer rows(package.contract());
  rows.reset(kRowCount);
  for (size_t column = 0; column < package.contract().size(); ++column) {
    if (package.contract()[column].type == InputType::kText) {
      rows.set_text(0, column, "ORD");
      rows.set_text(1, column, "late snow, unseen");
    } else {
      rows.set_number(0, column, 1e9);
      rows.set_number(1, column, -1e300);
    }
  }
  Workspace workspace;
  const auto predictions = package.predict(rows.batch(), workspace);
  std::vector<uint32_t> bins(package.bin_layout().bins_per_row());
  for (size_t row = 0; row < kRowCount; ++row) {
    package.bin_layout().bins_of_row(rows.batch(), predictions, row, bins);
    for (const uint32_t bin : bins) {
      if (bin >= package.bin_layout().bin_count()) {
        std::abort();
      }
    }
  }
  Explanation explanation;
  package.explain(rows.batch(), 1, Package::kPredictedClass, workspace, explanation);
}

// Changes a few bytes of one of the samples, as the input says: (sample, then place and value).
std::vector<std::byte> changed_sample(std::span<const uint8_t> input) {
  static const std::vector<std::vector<std::byte>> samples = {
      cromford::model::write_package(cromford::model::sample_binary()).value(),
      cromford::model::write_package(cromford::model::sample_multiclass()).value(),
      cromford::model::write_package(cromford::model::sample_regression()).value()};
  std::vector<std::byte> bytes = samples[input[0] % samples.size()];
  for (size_t i = 1; i + 3 <= input.size(); i += 3) {
    const size_t place = (input[i] | (size_t{input[i + 1]} << 8U)) % bytes.size();
    bytes[place] = std::byte{input[i + 2]};
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto* raw = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> bytes =
      data[0] < 128 ? changed_sample({data, size}) : std::vector<std::byte>(raw + 1, raw + size);
  cromford::model::renew_checksums(bytes);
  const auto package = Package::load(std::move(bytes));
  if (package.ok()) {
    use(**package);
  }
  return 0;
}
