// Waiting lines against a sorted list.
#include "pits/pool_manager/line.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "pits/pool_manager/deadlines.hpp"
#include "tests/support/samples.hpp"

namespace symphony::pit::pools {
namespace {

struct Entry {
  std::uint32_t node = 0;
  std::uint32_t skips = 0;
  std::uint64_t want = Lines::hidden;
};

TEST(Lines, AnswerAsASortedListWould) {
  std::mt19937_64 rng(test_run::seed());
  Lines lines;
  Line line = 0;
  std::map<Rank, Entry> list;
  std::uint64_t serial = 0;
  const auto any = [&] { return std::next(list.begin(), static_cast<std::ptrdiff_t>(rng() % list.size())); };
  const auto node_of = [&](auto at) { return at == list.end() ? 0 : at->second.node; };
  for (std::uint64_t step = 0; step < test_run::samples(8'000); ++step) {
    const auto what = rng() % 8;
    if (what < 3 || list.empty()) {
      const Rank rank{static_cast<std::int64_t>(rng() % 50), ++serial};
      const auto skips = static_cast<std::uint32_t>(rng() % 3);
      list[rank] = {lines.insert(line, rank, static_cast<std::uint32_t>(serial), skips), skips};
    } else if (what < 5) {
      const auto at = any();
      lines.erase(line, at->second.node);
      list.erase(at);
    } else if (what == 5) {
      const auto at = any();
      at->second.want = rng() % 4 == 0 ? Lines::hidden : rng() % 20;
      lines.show(line, at->second.node, at->second.want);
    } else if (what == 6) {
      const Rank rank{static_cast<std::int64_t>(rng() % 52), rng() % (serial + 1)};
      lines.overtake(line, rank);
      for (auto& [r, entry] : list) entry.skips += r < rank;
    }
    ASSERT_EQ(lines.size(line), list.size());
    ASSERT_EQ(lines.first(line), node_of(list.begin()));
    const Rank after{static_cast<std::int64_t>(rng() % 52), rng() % (serial + 1)};
    const std::uint64_t want_max = rng() % 20;
    const auto skips_min = static_cast<std::uint32_t>(rng() % 40);
    const auto within = [&](const auto& e) { return e.second.want <= want_max; };
    const auto skipped = [&](const auto& e) { return e.second.skips >= skips_min; };
    ASSERT_EQ(lines.first_within(line, want_max, nullptr), node_of(std::find_if(list.begin(), list.end(), within)));
    ASSERT_EQ(lines.first_within(line, want_max, &after),
              node_of(std::find_if(list.upper_bound(after), list.end(), within)));
    ASSERT_EQ(lines.first_skipped(line, skips_min, nullptr), node_of(std::find_if(list.begin(), list.end(), skipped)));
    ASSERT_EQ(lines.first_skipped(line, skips_min, &after),
              node_of(std::find_if(list.upper_bound(after), list.end(), skipped)));
    ASSERT_EQ(lines.before(line, after),
              static_cast<std::size_t>(std::distance(list.begin(), list.lower_bound(after))));
    if (!list.empty()) {
      const auto at = any();
      ASSERT_EQ(lines.skips(line, at->second.node), at->second.skips);
    }
  }
}

TEST(Deadlines, ComeInOrderWhateverWasSetAndCleared) {
  std::mt19937_64 rng(test_run::seed());
  Deadlines deadlines;
  std::map<std::uint32_t, std::uint64_t> list;
  for (std::uint64_t step = 0; step < test_run::samples(8'000); ++step) {
    const auto id = static_cast<std::uint32_t>(rng() % 200);
    if (rng() % 3 == 0) {
      deadlines.clear(id);
      list.erase(id);
    } else {
      list[id] = rng() % 500;
      deadlines.set(id, list[id]);
    }
    const auto first = std::min_element(list.begin(), list.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second, a.first) < std::pair(b.second, b.first);
    });
    ASSERT_EQ(deadlines.next_ns(), first == list.end() ? Deadlines::never : first->second);
    if (first != list.end()) {
      ASSERT_EQ(deadlines.next_id(), first->first);
    }
  }
}

}  // namespace
}  // namespace symphony::pit::pools
