// Counts allocations: a request of a size that a thread has answered before needs none.

#include <cstdlib>
#include <new>

#include "base/clock.h"
#include "serve/open_inference.h"
#include "serve/serve_fixture_test.h"

#ifndef CROMFORD_SANITIZED  // Sanitizers bring their own allocator.

namespace {

thread_local uint64_t allocation_count = 0;

void* counted(size_t size) {
  ++allocation_count;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}

}  // namespace

void* operator new(size_t size) {
  return counted(size);
}
void* operator new[](size_t size) {
  return counted(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  std::free(memory);
}

namespace cromford::serve {
namespace {

class Allocation : public ServeFixture {
 protected:
  // Allocations of the hundredth of a hundred like requests.
  template <typename Ask>
  uint64_t steady(Ask&& ask) {
    std::string out;
    for (int i = 0; i < 99; ++i) {
      out.clear();
      EXPECT_OK(ask(out));
      shadows_.wait_until_idle();  // So that the same memory is used again.
    }
    out.clear();
    const uint64_t before = allocation_count;
    const bool ok = ask(out).ok();
    const uint64_t after = allocation_count;
    EXPECT_TRUE(ok);
    return after - before;
  }
};

TEST_F(Allocation, PredictNeedsNone) {
  const auto split = endpoint(
      {{.model = "late", .version = 3, .package = late_package(0.01), .weight = 90},
       {.model = "late",
        .version = 4,
        .package = late_package(0.02),
        .weight = 10,
        .role = Role::kChallenger},
       {.model = "late", .version = 5, .package = late_package(0.03), .role = Role::kShadow}});
  for (const std::string_view body :
       {R"({"rows":[{"origin":"ORD","distance":612,"weekend":true}]})",
        R"({"ids":["a","b"],"rows":[{"origin":"ORD","distance":612},{"departs":null}]})"}) {
    EXPECT_EQ(steady([&](std::string& out) {
                return predict_json(context(), *split, {.body = body}, scratch_, out);
              }),
              0U)
        << body;
  }
}

TEST_F(Allocation, InferNeedsNone) {
  const auto forest = endpoint(forest_package(5, 20));
  EXPECT_EQ(steady([&](std::string& out) {
              return open_inference_infer(
                  context(), *forest,
                  {.model_name = "late",
                   .body = R"({"id":"7","inputs":[{"name":"x","shape":[2,5],"datatype":"FP64",)"
                           R"("data":[[1,2,3,4,5],[6,7,8,9,10]]}],)"
                           R"("outputs":[{"name":"probabilities"},{"name":"id"}]})"},
                  scratch_, out);
            }),
            0U);
  EXPECT_EQ(steady([&](std::string& out) {
              return open_inference_infer(
                  context(), *forest,
                  {.model_name = "late",
                   .body = R"({"inputs":[{"name":"x1","shape":[1],"datatype":"FP64","data":[1]},)"
                           R"({"name":"x4","shape":[1,1],"datatype":"INT64","data":[[1]]}]})"},
                  scratch_, out);
            }),
            0U);
}

}  // namespace
}  // namespace cromford::serve
#endif
