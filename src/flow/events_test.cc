#include "flow/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace cromford::flow {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "topic type data" of all that a subscription has to say now.
std::vector<std::string> drain(Subscription& subscription) {
  std::vector<std::string> result;
  while (const auto event = subscription.next()) {
    result.push_back(event->topic + " " + event->type + " " + event->data);
  }
  return result;
}

TEST(EventsTest, EventsOfTheTopicsComeInOrder) {
  const auto hub = make_event_hub();
  int woken = 0;
  const auto subscription =
      hub->subscribe("p", {"job/1", "job/2", "job/1"}, std::nullopt, [&] { ++woken; });
  hub->publish("p", "job/2", "job", "a");
  hub->publish("p", "job/3", "job", "b");
  hub->publish("other", "job/1", "job", "c");
  hub->publish("p", "job/1", "job", "d");
  EXPECT_EQ(woken, 2);
  EXPECT_THAT(drain(*subscription), ElementsAre("job/2 job a", "job/1 job d"));
  EXPECT_THAT(drain(*subscription), IsEmpty());
}

TEST(EventsTest, AListenerGoesOnFromTheLastIdItSaw) {
  const auto hub = make_event_hub();
  hub->publish("p", "t", "x", "1");
  const uint64_t seen = hub->publish("p", "t", "x", "2");
  hub->publish("p", "t", "x", "3");
  EXPECT_EQ(hub->last_id(), seen + 1);
  EXPECT_THAT(drain(*hub->subscribe("p", {"t"}, seen, [] {})), ElementsAre("t x 3"));
  EXPECT_THAT(drain(*hub->subscribe("p", {"t"}, hub->last_id(), [] {})), IsEmpty());
  EXPECT_THAT(drain(*hub->subscribe("p", {"t"}, std::nullopt, [] {})), IsEmpty());
}

TEST(EventsTest, WhoComesTooLateIsToldToBeginAnew) {
  const auto hub = make_event_hub({.events_per_topic = 2});
  const uint64_t first = hub->publish("p", "t", "x", "1");
  const uint64_t other = hub->publish("p", "u", "x", "one");
  hub->publish("p", "t", "x", "2");
  hub->publish("p", "t", "x", "3");
  hub->publish("p", "t", "x", "4");
  const auto late = hub->subscribe("p", {"t", "u"}, first, [] {});
  const auto reset = late->next();
  ASSERT_TRUE(reset.has_value());
  EXPECT_EQ(reset->type, "reset");
  EXPECT_EQ(reset->topic, "t");
  EXPECT_LT(reset->id, other);  // Who comes back with this id still gets the other topic's event.
  EXPECT_THAT(drain(*late), ElementsAre("u x one"));
  hub->publish("p", "t", "x", "5");
  EXPECT_THAT(drain(*late), ElementsAre("t x 5"));
}

TEST(EventsTest, AnIdOfAnotherProcessIsTooOld) {
  const auto hub = make_event_hub({.first_id = 1'000'000});
  EXPECT_THAT(drain(*hub->subscribe("p", {"t"}, 999'999, [] {})), IsEmpty());
  EXPECT_THAT(drain(*hub->subscribe("p", {"t"}, 5, [] {})), ElementsAre("t reset {}"));
  EXPECT_THAT(drain(*hub->subscribe("p", {"t"}, 2'000'000, [] {})), ElementsAre("t reset {}"));
}

TEST(EventsTest, QuietTopicsAreForgottenFirst) {
  const auto hub = make_event_hub({.topics_max = 2});
  const uint64_t before = hub->last_id();
  hub->publish("p", "old", "x", "1");
  hub->publish("p", "busy", "x", "1");
  hub->publish("p", "new", "x", "1");
  EXPECT_THAT(drain(*hub->subscribe("p", {"busy"}, before + 1, [] {})), ElementsAre("busy x 1"));
  EXPECT_THAT(drain(*hub->subscribe("p", {"old"}, before, [] {})), ElementsAre("old reset {}"));
  // A forgotten topic that comes back does not pretend to be complete.
  hub->publish("p", "old", "x", "2");
  EXPECT_THAT(drain(*hub->subscribe("p", {"old"}, before, [] {})), ElementsAre("old reset {}"));
}

TEST(EventsTest, MemoryIsBounded) {
  const auto hub = make_event_hub({.bytes_max = 1000});
  const uint64_t before = hub->last_id();
  hub->publish("p", "a", "x", std::string(600, 'a'));
  hub->publish("p", "b", "x", std::string(600, 'b'));
  EXPECT_THAT(drain(*hub->subscribe("p", {"a"}, before, [] {})), ElementsAre("a reset {}"));
  EXPECT_EQ(drain(*hub->subscribe("p", {"b"}, before + 1, [] {})).size(), 1U);
}

TEST(EventsTest, ListenersMayComeAndGoWhileEventsArePublished) {
  const auto hub = make_event_hub({.events_per_topic = 4});
  std::atomic<bool> done = false;
  std::thread publisher([&] {
    for (int i = 0; i < 20'000; ++i) {
      hub->publish("p", "t", "x", std::to_string(i));
    }
    done = true;
  });
  std::atomic<int> woken = 0;
  while (!done) {
    uint64_t last = 0;
    const auto subscription = hub->subscribe("p", {"t"}, std::nullopt, [&] { ++woken; });
    while (const auto event = subscription->next()) {
      EXPECT_TRUE(event->type == "reset" || event->id > last);
      last = event->id;
    }
  }
  publisher.join();
}

}  // namespace
}  // namespace cromford::flow
