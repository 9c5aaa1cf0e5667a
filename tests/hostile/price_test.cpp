// What walls cost: a pit's start and its calls, with walls and without, in turns.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <symphony/operator.hpp>

#include "bench/support/figure.hpp"
#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

struct PriceTest : BusTest {
  void SetUp() override {
    PitConfig plain = pit_config("greeter"), walled = pit_config("greeter");
    plain.name = "plain";
    walled.name = "walled";
    plain.trust = walled.trust = Trust::hostile;
    walled.sandbox.profile = SandboxProfile::heap;
    start({plain, walled});
    auto asked = Operator::adopt(broker->connect().value());
    ASSERT_TRUE(asked) << asked.error().text;
    operator_.emplace(*std::move(asked));
    const auto state = [&] { return operator_->show("walled", 30 * second_ns).pit.info.state; };
    ASSERT_TRUE(comes_true([&] { return state() == "ready" || state() == "quarantined"; }));
    if (state() != "ready") GTEST_SKIP() << "this machine does not give the walls, so there is no price of them";
  }

  static double median(std::vector<TimeNs> all) {
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2), all.end());
    return static_cast<double>(all[all.size() / 2]);
  }
  static void write(const char* name, const std::vector<TimeNs>& with, const std::vector<TimeNs>& without,
                    const std::string& note) {
    bench::Figure figure;
    figure.name = name;
    figure.value = median(with) / median(without);
    figure.unit = "ratio";
    figure.n = with.size();
    figure.note = note + "; medians " + std::to_string(median(with) / 1000) + " and " +
                  std::to_string(median(without) / 1000) + " us, in turns";
    std::printf("%s %.3f (%s)\n", name, figure.value, figure.note.c_str());
    EXPECT_GT(figure.value, 0);
    EXPECT_TRUE(bench::write_figure(figure).has_value());
  }

  std::optional<Operator> operator_;
};

TEST_F(PriceTest, OfAStartIsSeenBesideOneWithoutWalls) {
  constexpr int pairs = 30;
  std::vector<TimeNs> with, without;
  const auto restart = [&](const char* pit, std::vector<TimeNs>& times) {
    ASSERT_TRUE(operator_->stop(pit, 30 * second_ns).ok());
    const TimeNs from = now_ns();
    ASSERT_TRUE(operator_->start(pit, 30 * second_ns).ok());
    times.push_back(now_ns() - from);
  };
  for (int i = 0; i < pairs; ++i) {
    restart(i % 2 == 0 ? "plain" : "walled", i % 2 == 0 ? without : with);
    restart(i % 2 == 0 ? "walled" : "plain", i % 2 == 0 ? with : without);
  }
  write("sandbox.start_ratio", with, without, "from asking for a start to ready, all walls over none");
}

TEST_F(PriceTest, OfACallIsSeenBesideOneWithoutWalls) {
  constexpr int rounds = 40, calls = 50;
  Link plain = open("plain"), walled = open("walled");
  std::vector<TimeNs> with, without;
  const auto call_it = [&](Link& link, std::vector<TimeNs>& times) {
    for (int i = 0; i < calls; ++i) {
      const TimeNs from = now_ns();
      ASSERT_TRUE(greet(link, "you"));
      times.push_back(now_ns() - from);
    }
  };
  for (int i = 0; i < rounds; ++i) {
    call_it(i % 2 == 0 ? plain : walled, i % 2 == 0 ? without : with);
    call_it(i % 2 == 0 ? walled : plain, i % 2 == 0 ? with : without);
  }
  write("price.walls.64", with, without, "a call of a hostile pit that copies either way, all walls over none");
}

}  // namespace
}  // namespace symphony
