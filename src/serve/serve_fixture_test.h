#pragma once

// What the tests of both body formats share: a clock, ids that are the same in every run, and an
// endpoint made of known packages.
//
//   class PredictJson : public ServeFixture { ... };
//
// Thread safety: as gtest's own.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/limits.h"
#include "serve/endpoint.h"
#include "serve/known_packages.h"
#include "serve/predict_json.h"
#include "serve/scratch.h"
#include "serve/shadow_scorer.h"
#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"
#include "testing/status_matchers.h"

namespace cromford::serve {

class ServeFixture : public ::testing::Test {
 protected:
  static std::shared_ptr<const Endpoint> endpoint(std::vector<VariantSpec> variants) {
    auto made =
        Endpoint::create({.project = "default", .name = "late", .variants = std::move(variants)});
    EXPECT_OK(made);
    return *std::move(made);
  }
  static std::shared_ptr<const Endpoint> endpoint(std::shared_ptr<const model::Package> package,
                                                  int32_t version = 3) {
    return endpoint(
        {{.model = "late", .version = version, .package = std::move(package), .weight = 100}});
  }

  PredictContext context() {
    return {.ids = ids_, .clock = clock_, .limits = limits_, .shadows = &shadows_};
  }

  testing::SimulatedClock clock_;
  testing::SimulatedEntropy entropy_;
  base::IdSource ids_{clock_, entropy_};
  base::Limits limits_;
  Scratch scratch_;
  ShadowScorer shadows_{base::system_clock()};
};

}  // namespace cromford::serve
