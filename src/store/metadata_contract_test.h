#pragma once

// What every implementation of store::Metadata must do. A new one passes this suite unchanged:
//
//   INSTANTIATE_TEST_SUITE_P(Postgres, MetadataContract,
//                            ::testing::Values([](base::Clock& clock) { return open(clock); }));
//
// Thread safety: as gtest's own.

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "store/metadata.h"
#include "testing/simulated_clock.h"

namespace cromford::store {

// One empty store for one test.
class MetadataHarness {
 public:
  virtual ~MetadataHarness() = default;
  virtual Metadata& metadata() = 0;
  // Closes the store and opens the same one again, as a restarted program would.
  virtual absl::Status reopen() = 0;
};

using MetadataFactory = std::function<std::unique_ptr<MetadataHarness>(base::Clock&)>;

class MetadataContract : public ::testing::TestWithParam<MetadataFactory> {
 protected:
  MetadataContract() : harness_(GetParam()(clock_)) {}

  Metadata& metadata() { return harness_->metadata(); }
  // Puts a dataset of the project "default".
  absl::StatusOr<int64_t> put(const std::string& name, const std::string& body,
                              std::optional<int64_t> expected = std::nullopt);
  absl::StatusOr<int64_t> remove(const std::string& name,
                                 std::optional<int64_t> expected = std::nullopt);
  // The names of all documents of the query, page by page, joined by blanks.
  std::string names(ListQuery query);
  std::string filtered(const std::string& filter);
  std::string ordered(const std::string& order_by, int32_t page_size = 0);

  testing::SimulatedClock clock_;
  std::unique_ptr<MetadataHarness> harness_;
};

}  // namespace cromford::store
