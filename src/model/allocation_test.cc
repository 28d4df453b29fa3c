// Prediction allocates nothing once its workspace has seen a batch of that size.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "model/package.h"
#include "model/sample_packages.h"

namespace {
thread_local size_t g_allocation_count = 0;
}  // namespace

#ifndef CROMFORD_SANITIZED  // The sanitizers bring their own.
void* operator new(size_t size) {
  ++g_allocation_count;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) {
    return memory;
  }
  std::abort();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
#endif

namespace cromford::model {
namespace {

TEST(Allocation, NoneInSteadyState) {
  for (const PackageParts& parts : {sample_binary(), sample_multiclass(), sample_regression()}) {
    const auto package = Package::load(write_package(parts).value()).value();
    RowBuffer rows(package->contract());
    std::vector<std::string> texts;
    std::mt19937_64 random(3);
    fill_sample_rows(random, 100, rows, texts);
    Workspace workspace;
    Explanation explanation;
    const auto use = [&] {
      rows.reset(100);
      for (size_t i = 0; i < 100; ++i) {
        rows.set_text(i, 0, texts[2 * i]);
        rows.set_text(i, 5, texts[2 * i + 1]);
      }
      static_cast<void>(package->predict(rows.batch(), workspace));
      package->explain(rows.batch(), 7, Package::kPredictedClass, workspace, explanation);
      static_cast<void>(package->predict({}, workspace));
    };
    use();
    const size_t before = g_allocation_count;
    use();
    EXPECT_EQ(g_allocation_count, before);
#ifndef CROMFORD_SANITIZED
    EXPECT_GT(before, 0U);  // the counter counts
#endif
  }
}

}  // namespace
}  // namespace cromford::model
