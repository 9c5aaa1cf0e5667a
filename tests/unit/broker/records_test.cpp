// What a broker leaves with the keeper for the next one, as bytes.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "bus/broker/records.hpp"

namespace symphony::detail::broker {
namespace {

TEST(Records, ComeBackAsTheyWere) {
  PitRecord pit{PitState::backoff, 9, 8, 4096, true, errc::closed, "it failed", {1, 2, 3}};
  pit.after_exit = AfterExit::start_again;
  pit.cause = DeathCause::hang_up;
  pit.kill_at_ns = 5;
  pit.started_with = 6;
  pit.sandbox = 11;
  pit.excused = {11, 12};
  pit.has_death = true;
  pit.death = {7, 8, DeathCause::exit, true, 9, 10, "", {}, 0, ""};
  const auto back = decode_pit(encode(pit));
  ASSERT_TRUE(back);
  EXPECT_EQ(std::tie(back->state, back->instance, back->state_instance, back->reply_size_max, back->heavy_barriers,
                     back->end_code, back->reason, back->failures),
            std::tie(pit.state, pit.instance, pit.state_instance, pit.reply_size_max, pit.heavy_barriers, pit.end_code,
                     pit.reason, pit.failures));
  EXPECT_EQ(
      std::tie(back->after_exit, back->cause, back->kill_at_ns, back->started_with, back->has_death, back->sandbox,
               back->excused),
      std::tie(pit.after_exit, pit.cause, pit.kill_at_ns, pit.started_with, pit.has_death, pit.sandbox, pit.excused));
  EXPECT_EQ(std::tie(back->death.at_ns, back->death.instance, back->death.cause, back->death.signalled,
                     back->death.value, back->death.ready_ns),
            std::tie(pit.death.at_ns, pit.death.instance, pit.death.cause, pit.death.signalled, pit.death.value,
                     pit.death.ready_ns));
  const LinkRecord link{1, 2, 3, 4, 5, true, 6, 7, 8};
  const auto same = decode_link(encode(link));
  ASSERT_TRUE(same);
  EXPECT_EQ(std::tie(same->pit, same->instance, same->uid, same->request_capacity, same->reply_capacity,
                     same->heavy_barriers, same->open, same->attaching, same->last_id),
            std::tie(link.pit, link.instance, link.uid, link.request_capacity, link.reply_capacity, link.heavy_barriers,
                     link.open, link.attaching, link.last_id));
}

TEST(Records, FitWhatTheKeeperTakes) {
  PitRecord pit{PitState::ready, ~0U, ~0U, ~0U, true, errc::internal, std::string(10'000, 'x'), {}};
  pit.failures.assign(100, 1);
  pit.excused.assign(100, 1);
  pit.has_death = true;
  EXPECT_LE(encode(pit).size(), record_size_max);
  EXPECT_LE(encode(LinkRecord{}).size(), record_size_max);
}

TEST(Records, OfAnotherSizeAreRefused) {
  const auto pit = encode(PitRecord{PitState::ready, 1, 1, 1, true, errc::internal, "r", {1}});
  const auto link = encode(LinkRecord{});
  for (std::size_t size = 0; size < pit.size(); ++size) EXPECT_FALSE(decode_pit(std::span(pit).first(size)));
  for (std::size_t size = 0; size < link.size(); ++size) EXPECT_FALSE(decode_link(std::span(link).first(size)));
}

}  // namespace
}  // namespace symphony::detail::broker
