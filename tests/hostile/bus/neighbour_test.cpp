// What an attack costs who calls the honest pit: beside a harmless pit that is as busy, in turns.
#include "tests/hostile/bus/hostile_bus.hpp"

#include "bench/support/figure.hpp"

namespace symphony {
namespace {

struct NeighbourTest : HostileBus {
  // The 99th percentile of calls of the honest pit, while the other one does that.
  double p99_ns(const char* attack) {
    constexpr int rounds = 200;
    meet(attack);
    for (int i = 0; i < 20; ++i) round();
    took_.clear();
    for (int i = 0; i < rounds && !HasFatalFailure(); ++i) round();
    const auto at = took_.begin() + static_cast<std::ptrdiff_t>(took_.size() * 99 / 100);
    std::nth_element(took_.begin(), at, took_.end());
    return static_cast<double>(*at);
  }
};

TEST_F(NeighbourTest, OfAnAttackerIsSeenBesideOneOfABusyHarmlessPit) {
  const int turns = std::getenv("SYMPHONY_LONG") != nullptr ? 15 : 3;
  double worst = 0;
  std::string note;
  for (const char* attack : {"positions", "flips", "storms", "steals"}) {
    std::vector<double> ratios;
    for (int turn = 0; turn < turns; ++turn) {
      const double harmless = p99_ns("stands in"), attacked = p99_ns(attack);
      if (HasFatalFailure()) return;
      ratios.push_back(attacked / harmless);
    }
    std::nth_element(ratios.begin(), ratios.begin() + turns / 2, ratios.end());
    const double ratio = ratios[static_cast<std::size_t>(turns / 2)];
    char text[64];
    std::snprintf(text, sizeof text, "%s%s %.2f", note.empty() ? "" : ", ", attack, ratio);
    note += text;
    worst = std::max(worst, ratio);
  }
  bench::Figure figure;
  figure.name = "hostile.neighbour_p99_ratio";
  figure.value = worst;
  figure.unit = "ratio";
  figure.n = static_cast<std::uint64_t>(turns);
  figure.note =
      "p99 of calls of an honest pit, beside an attacker over beside a harmless pit as busy, in turns; the worst of " +
      note;
  std::printf("%s %.2f (%s)\n", figure.name.c_str(), worst, figure.note.c_str());
  EXPECT_GT(worst, 0);
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

}  // namespace
}  // namespace symphony
