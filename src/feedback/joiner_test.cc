// The log against a model of a few lines, in random orders with kills between.

#include <algorithm>
#include <map>

#include "base/random.h"
#include "feedback/log_fixture_test.h"

namespace cromford::feedback {
namespace {

using namespace std::chrono_literals;

// What should be counted, from all that ever happened.
class Model {
 public:
  void predict(const std::string& id, base::Time now) { ids_[id].predicted.push_back(now); }
  void tell(const std::string& id, const std::string& value, std::optional<base::Time> at,
            base::Time now) {
    Id& known = ids_[id];
    for (const Told& told : known.told) {
      if (told.value == value && told.at == at) {
        ++duplicates;
        return;
      }
    }
    corrections += known.told.empty() ? 0 : 1;
    known.told.push_back({value, at, now});
  }

  uint64_t joined() const { return count(true); }
  uint64_t waiting() const { return count(false); }
  // The value that counts; nullptr where nothing was told.
  const std::string* value(const std::string& id) const {
    const auto known = ids_.find(id);
    if (known == ids_.end() || known->second.told.empty()) {
      return nullptr;
    }
    const Told* best = nullptr;
    for (const Told& told : known->second.told) {
      if (best == nullptr || std::pair(told.at.value_or(told.arrived), told.arrived) >=
                                 std::pair(best->at.value_or(best->arrived), best->arrived)) {
        best = &told;
      }
    }
    return &best->value;
  }
  bool predicted(const std::string& id) const {
    const auto known = ids_.find(id);
    return known != ids_.end() && !known->second.predicted.empty();
  }

  uint64_t duplicates = 0;
  uint64_t corrections = 0;

 private:
  struct Told {
    std::string value;
    std::optional<base::Time> at;
    base::Time arrived;
  };
  struct Id {
    std::vector<base::Time> predicted;
    std::vector<Told> told;
  };
  uint64_t count(bool with_prediction) const {
    return static_cast<uint64_t>(std::count_if(ids_.begin(), ids_.end(), [&](const auto& known) {
      return !known.second.told.empty() && with_prediction == !known.second.predicted.empty();
    }));
  }
  std::map<std::string, Id> ids_;
};

class JoinerTest : public LogFixture, public ::testing::WithParamInterface<uint64_t> {};

TEST_P(JoinerTest, CountsWhatAModelCounts) {
  base::Random random(GetParam());
  options.segment_records = 16;
  options.writers = 3;
  open();
  Model model;
  for (int step = 0; step < 600; ++step) {
    const std::string id = std::to_string(random.below(150));
    clock.advance(1s);
    if (random.below(2) == 0) {
      ASSERT_OK(predict(id, random.below(3)));
      model.predict(id, clock.now());
    } else {
      const std::string value = random.below(4) == 0 ? "false" : "true";
      const auto at = random.below(3) == 0
                          ? std::nullopt
                          : std::optional(clock.now() - std::chrono::seconds(random.below(3)));
      ASSERT_OK(outcome(id, value, at));
      model.tell(id, value, at, clock.now());
    }
    if (random.below(20) == 0) {
      ASSERT_OK(log->maintain());
    }
    if (random.below(60) == 0) {
      crash();
      open();
    }
  }
  EXPECT_GT(model.duplicates, 10U);
  EXPECT_GT(model.corrections, 10U);
  EXPECT_GT(model.waiting(), 3U);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(statistics().joined, model.joined());
    EXPECT_EQ(statistics().waiting, model.waiting());
    EXPECT_EQ(statistics().duplicates, model.duplicates);
    EXPECT_EQ(statistics().corrections, model.corrections);
    for (int i = 0; i < 150; ++i) {
      const std::string id = std::to_string(i);
      const auto found = log->find(kLate, id);
      ASSERT_EQ(found.ok(), model.predicted(id));
      const std::string* const value = model.value(id);
      if (found.ok()) {
        ASSERT_EQ(found->outcomes.empty(), value == nullptr);
        EXPECT_TRUE(value == nullptr || found->outcomes[0].text == *value) << id;
      }
    }
    open();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JoinerTest, ::testing::Range<uint64_t>(1, 7));

}  // namespace
}  // namespace cromford::feedback
