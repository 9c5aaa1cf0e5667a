// What could go wrong with many links on one thread: one that was idle for long is not heard when it speaks, or looking
// at those that say nothing costs what the busy ones need.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "bench/support/figure.hpp"
#include "bus/endpoint/link_set.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"
#include "tests/waiting/forked_service.hpp"
#include "tests/waiting/quiet_time.hpp"

namespace symphony::detail {
namespace {

constexpr CallOptions patient{.timeout_ns = 60 * second_ns};

struct ManyLinks : testing::TestWithParam<std::size_t> {
  void open_all(Waiting waiting) {
    for (std::size_t i = 0; i < GetParam(); ++i) links.push_back(pit.open({.in_flight_max = 4, .waiting = waiting}));
  }
  bool is_answered(std::size_t i) {
    const std::string text = "link " + std::to_string(i);
    const Reply reply = links[i]->call(1, bytes_of(text), patient);
    return reply.ok() && std::ranges::equal(reply.body, bytes_of(text));
  }
  ForkedService pit;
  std::vector<std::unique_ptr<LinkCore>> links;
};

TEST_P(ManyLinks, AreEachHeardAfterAnySilence) {
  open_all(Waiting::adaptive);
  std::uint64_t calls = 0;
  for (std::size_t i = 0; i < links.size(); ++i, ++calls) ASSERT_TRUE(is_answered(i)) << i;
  // The pit sleeps now; beyond 126 links most are parked. Each wakes it, the last first; some twice in a row.
  for (std::size_t round = 0; round < 3; ++round) {
    let_pass(20 * ms_ns);
    for (std::size_t i = links.size(); i-- > 0; ++calls) {
      ASSERT_TRUE(is_answered(i)) << i;
      if (i % 97 == round) {
        let_pass(2 * ms_ns);
        ASSERT_TRUE(is_answered(i)) << i;
        ++calls;
      }
    }
  }
  std::uint64_t lost = 0;
  for (const auto& link : links) lost += link->counters().timeouts_with_data;
  links.clear();
  const ServiceCounters service = pit.stop().counters;
  EXPECT_EQ(service.requests, calls);
  EXPECT_EQ(service.timeouts_with_data + lost, 0u);
}

TEST_P(ManyLinks, CostNoTimeWhileNobodySpeaks) {
#if defined(SYMPHONY_CHECKED)
  GTEST_SKIP() << "what sanitizers and checks add is nobody's promise";
#endif
  open_all(Waiting::adaptive);
  for (std::size_t i = 0; i < links.size(); ++i) ASSERT_TRUE(is_answered(i)) << i;
  let_pass(50 * ms_ns);
  const pid_t served_by = pit.pid();
  const QuietTime quiet = quietest_second({&served_by, 1});
  std::printf("%zu links: %.0f us of processor time a second\n", links.size(), quiet.sum);
  EXPECT_LE(quiet.sum, idle_limit_us_per_s);
}

INSTANTIATE_TEST_SUITE_P(Links, ManyLinks, testing::Values(1, 8, 64, 512));

// In this process: what a thread pays for looking at links that say nothing.
TEST(LinkSweep, OfIdleLinksIsMeasured) {
  struct Nobody : RequestHandler {
    void on_request(const Request&, ReplyWriter&) noexcept override { FAIL(); }
  } nobody;
  for (const std::size_t count : {1u, 8u, 64u, 512u}) {
    LinkSet links(nullptr);
    std::vector<std::unique_ptr<Attached>> callers;
    for (std::size_t i = 0; i < count; ++i) {
      auto epoch = make_epoch(i + 1);
      callers.push_back(std::move(epoch.caller));
      links.add(std::make_shared<ServedLink>(std::move(epoch.pit), 256));
    }
    ServiceCounters counters;
    std::vector<double> times;
    for (int batch = 0; batch < 200; ++batch) {
      const TimeNs start = now_ns();
      for (int i = 0; i < 128; ++i) {
        const auto swept = links.sweep(nobody, counters, coarse_now_ns());
        ASSERT_FALSE(swept.served || swept.faulted != count);
      }
      times.push_back(static_cast<double>(now_ns() - start) / 128);
    }
    std::nth_element(times.begin(), times.begin() + 100, times.end());
    bench::Figure figure;
    figure.name = "link.sweep_ns." + std::to_string(count);
    figure.value = times[100];
    figure.unit = "ns";
    figure.n = 200 * 128;
    figure.note = "median of batches of 128 sweeps of idle links; " +
                  std::to_string(times[100] / static_cast<double>(count)) + " ns a link";
    EXPECT_TRUE(bench::write_figure(figure));
    std::printf("%s %.1f, %s\n", figure.name.c_str(), figure.value, figure.note.c_str());
  }
}

// The other half of a sweep that leaves links out: none is left out for ever.
TEST(LinkSweep, FindsARequestOnALongIdleLinkWithinSixteenSweeps) {
  constexpr std::size_t count = 40;
  LinkSet links(nullptr);
  std::vector<std::unique_ptr<Attached>> callers;
  for (std::size_t i = 0; i < count; ++i) {
    auto epoch = make_epoch(i + 1);
    callers.push_back(std::move(epoch.caller));
    links.add(std::make_shared<ServedLink>(std::move(epoch.pit), 256));
  }
  ServiceCounters counters;
  Echo echo;
  for (int i = 0; i < 1000; ++i) (void)links.sweep(echo, counters, 0);
  for (std::size_t i = 0; i < count; ++i) {
    CallerChannel<> caller(callers[i]->own.data(), callers[i]->peer.data(), callers[i]->geometry);
    std::uint64_t at = 0;
    ASSERT_TRUE(caller.try_send({.id = 1, .type = 1, .flags = flag::request}, bytes_of("x"), 0, at));
    std::uint32_t sweeps = 0;
    while (counters.requests == i) {
      (void)links.sweep(echo, counters, 0);
      ASSERT_LE(++sweeps, LinkSet::idle_period);
    }
  }
}

}  // namespace
}  // namespace symphony::detail
