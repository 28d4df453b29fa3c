#pragma once

// What every implementation of store::Objects must do. A new one passes this suite unchanged:
//
//   INSTANTIATE_TEST_SUITE_P(S3, ObjectsContract, ::testing::Values([] { return open_bucket(); }));
//
// Thread safety: as gtest's own.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "store/objects.h"
#include "testing/temp_dir.h"

namespace cromford::store {

// One empty store for one test.
class ObjectsHarness {
 public:
  virtual ~ObjectsHarness() = default;
  virtual Objects& objects() = 0;
  // Changes a byte of the stored object behind the store's back.
  virtual void damage(const base::ContentHash& hash) = 0;
};

using ObjectsFactory = std::function<std::unique_ptr<ObjectsHarness>()>;

class ObjectsContract : public ::testing::TestWithParam<ObjectsFactory> {
 protected:
  ObjectsContract() : harness_(GetParam()()) {}

  Objects& objects() { return harness_->objects(); }
  // A file with this content, outside the store.
  std::filesystem::path file(const std::string& name, const std::string& content);
  std::string content(const base::ContentHash& hash);

  testing::TempDir directory_;
  std::unique_ptr<ObjectsHarness> harness_;
};

}  // namespace cromford::store
