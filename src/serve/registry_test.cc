#include "serve/registry.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "serve/open_inference.h"
#include "serve/serve_fixture_test.h"

namespace cromford::serve {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

class RegistryTest : public ServeFixture {
 protected:
  EndpointSpec spec(const std::string& project, const std::string& name, int32_t version,
                    std::shared_ptr<const model::Package> package = nullptr) const {
    return {.project = project,
            .name = name,
            .variants = {{.model = "late",
                          .version = version,
                          .package = package ? std::move(package) : late_,
                          .weight = 1}}};
  }

  std::shared_ptr<const model::Package> late_ = late_package();
  Registry registry_;
};

TEST_F(RegistryTest, FindsWhatWasSet) {
  EXPECT_FALSE(registry_.find("default", "late"));
  ASSERT_OK(registry_.set(spec("default", "late", 3)));
  ASSERT_OK(registry_.set(spec("other", "late", 4)));
  EXPECT_EQ(registry_.find("default", "late")->champion().spec.version, 3);
  EXPECT_EQ(registry_.find("other", "late")->champion().spec.version, 4);
  EXPECT_EQ(registry_.find_model("late")->champion().spec.version, 3);
  EXPECT_EQ(registry_.find_model("other.late")->champion().spec.version, 4);
  EXPECT_FALSE(registry_.find_model("other.late.x"));
  EXPECT_FALSE(registry_.find_model("."));
  EXPECT_FALSE(registry_.find("defaultl", "ate"));
  ASSERT_EQ(registry_.list().size(), 2U);
  EXPECT_EQ(registry_.list()[1]->project(), "other");
  EXPECT_TRUE(registry_.remove("default", "late"));
  EXPECT_FALSE(registry_.remove("default", "late"));
  EXPECT_FALSE(registry_.find("default", "late"));
}

TEST_F(RegistryTest, AWrongEndpointChangesNothing) {
  ASSERT_OK(registry_.set(spec("default", "late", 3)));
  EndpointSpec wrong = spec("default", "late", 4);
  wrong.variants[0].weight = 0;
  EXPECT_THAT(registry_.set(wrong),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("weight")));
  EXPECT_EQ(registry_.find("default", "late")->champion().spec.version, 3);
}

TEST_F(RegistryTest, CountersOfAVersionGoOn) {
  ASSERT_OK(registry_.set(spec("default", "late", 3)));
  registry_.find("default", "late")->champion().counters->count({.rows = 5});
  registry_.find("default", "late")->refused().count({.failed = true});
  ASSERT_OK(registry_.set(spec("default", "late", 3)));
  EXPECT_EQ(registry_.find("default", "late")->traffic().rows, 5U);
  EXPECT_EQ(registry_.find("default", "late")->traffic().errors, 1U);
  ASSERT_OK(registry_.set(spec("default", "late", 4)));
  EXPECT_EQ(registry_.find("default", "late")->traffic().rows, 0U);
}

TEST_F(RegistryTest, ALeaseKeepsWhatItFound) {
  std::weak_ptr<const model::Package> old;
  {
    auto package = late_package();
    old = package;
    ASSERT_OK(registry_.set(spec("default", "late", 3, package)));
  }
  {
    const Lease lease = registry_.find("default", "late");
    const Lease second = registry_.find("default", "late");  // Leases of one thread may overlap.
    ASSERT_OK(registry_.set(spec("default", "late", 4)));
    EXPECT_EQ(registry_.find("default", "late")->champion().spec.version, 4);
    EXPECT_TRUE(registry_.remove("default", "late"));
    EXPECT_EQ(lease->champion().spec.version, 3);
    EXPECT_FALSE(old.expired());
    std::string out;
    EXPECT_OK(predict_json(context(), *lease, {.body = R"({"rows":[{}]})"}, scratch_, out));
  }
  EXPECT_TRUE(old.expired());  // Freed as soon as the last lease was gone.
  EXPECT_EQ(internal_published::collect(), 0U);
}

TEST_F(RegistryTest, AnotherThreadsReaderIsWaitedFor) {
  std::weak_ptr<const model::Package> old;
  {
    auto package = late_package();
    old = package;
    ASSERT_OK(registry_.set(spec("default", "late", 3, package)));
  }
  std::atomic<int> step = 0;
  std::thread reader([&] {
    const Lease lease = registry_.find("default", "late");
    step = 1;
    step.notify_all();
    step.wait(1);
    EXPECT_EQ(lease->champion().spec.version, 3);
  });
  step.wait(0);
  ASSERT_OK(registry_.set(spec("default", "late", 4)));
  EXPECT_FALSE(old.expired());
  step = 2;
  step.notify_all();
  reader.join();
  EXPECT_TRUE(old.expired());
}

// Versions are swapped, split, shadowed and removed while four threads ask; every request is
// answered, and by a version that was served at that moment. Run under TSan in CI.
TEST_F(RegistryTest, ASwapUnderLoadFailsNoRequest) {
  const auto small = late_package(0.01);
  const auto steep = late_package(0.02);
  ASSERT_OK(registry_.set(spec("default", "late", 1, small)));
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> answered = 0;
  std::vector<std::thread> clients;
  for (int t = 0; t < 4; ++t) {
    clients.emplace_back([&, t] {
      Scratch scratch;
      std::string out;
      while (!stop) {
        out.clear();
        const Lease endpoint = registry_.find("default", "late");
        ASSERT_TRUE(endpoint);
        const absl::Status status =
            t % 2 == 0
                ? predict_json(context(), *endpoint, {.body = R"({"rows":[{"distance":600},{}]})"},
                               scratch, out)
                : open_inference_infer(context(), *endpoint,
                                       {.model_name = "late",
                                        .body = R"({"inputs":[{"name":"distance","shape":[2],)"
                                                R"("datatype":"FP64","data":[600,null]}]})"},
                                       scratch, out);
        EXPECT_OK(status);
        EXPECT_THAT(out, HasSubstr("0.5"));
        ++answered;
      }
    });
  }
  const auto late = [](int32_t version, std::shared_ptr<const model::Package> package,
                       uint32_t weight, Role role) {
    return VariantSpec{.model = "late",
                       .version = version,
                       .package = std::move(package),
                       .weight = weight,
                       .role = role};
  };
  int32_t version = 1;
  for (int round = 0; round < 300 || answered < 2000; ++round) {
    ++version;
    // A new package in each round, so that one freed too early would be seen.
    ASSERT_OK(
        registry_.set({.project = "default",
                       .name = "late",
                       .variants = {late(version, small, 90, Role::kChampion),
                                    late(version + 1, late_package(0.03), 10, Role::kChallenger),
                                    late(version + 2, steep, 0, Role::kShadow)}}));
    ASSERT_OK(registry_.set(spec("default", fmt::format("other-{}", round % 5), 1)));
    registry_.remove("default", fmt::format("other-{}", (round + 2) % 5));
    std::this_thread::yield();
  }
  stop = true;
  for (std::thread& client : clients) {
    client.join();
  }
  EXPECT_GE(answered, 2000U);
  EXPECT_EQ(internal_published::collect(), 0U);
}

}  // namespace
}  // namespace cromford::serve
