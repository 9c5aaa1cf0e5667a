// What could go wrong: a peer that changes its memory while it is read, between any two reads, and never says the same
// twice. Each end of a ring and each side of a link answers to the format for ten million such reads.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/support/figure.hpp"
#include "tests/proof/hostile/random_run.hpp"
#include "tests/support/samples.hpp"

namespace symphony::hostile {
namespace {

constexpr std::uint64_t reads_wanted = 10'000'000;

TEST(HostilePeer, TenMillionAnswersLeadNoEndAstray) {
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t seed = test_run::seed();
  const std::uint64_t factor = std::getenv("SYMPHONY_LONG") != nullptr ? 10 : 1;
  const std::uint64_t each = test_run::samples(reads_wanted * factor) / targets.size() + 1;
  Tally sum;
  for (std::size_t target = 0; target < targets.size(); ++target) {
    Tally tally;
    const char* const wrong = random_run(target, seed + target, each, tally);
    ASSERT_EQ(wrong, nullptr) << targets[target] << ": " << wrong << "; seed " << seed;
    // It was no idle run: rings lived long enough to move records, and lies were told.
    EXPECT_GT(tally.moved, tally.reads / 50) << targets[target];
    EXPECT_GT(tally.faults, tally.reads / 2000) << targets[target];
    // The first target only writes; the others had a backlog often enough.
    if (target != 0) {
      EXPECT_GT(tally.written_back, tally.reads / 500) << targets[target];
    }
    std::printf("%-14s %9llu reads, %8llu rings, %8llu faulted, %9llu records, %9llu lines written back\n",
                targets[target], static_cast<unsigned long long>(tally.reads),
                static_cast<unsigned long long>(tally.rings), static_cast<unsigned long long>(tally.faults),
                static_cast<unsigned long long>(tally.moved), static_cast<unsigned long long>(tally.written_back));
    sum.reads += tally.reads;
    sum.rings += tally.rings;
    sum.written_back += tally.written_back;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_TRUE(
      bench::write_figure({.name = "ring.hostile_reads",
                           .value = static_cast<double>(sum.reads),
                           .of = static_cast<double>(sum.reads),
                           .unit = "reads survived",
                           .n = sum.rings,
                           .seed = seed,
                           .seconds = seconds,
                           .note = "producer, consumer, pit and caller channel; n: rings; lines written back: " +
                                   std::to_string(sum.written_back)}));
}

// What the fuzzer kept, as an ordinary test: an input a line, in hexadecimal.
TEST(HostilePeer, TheCorpusLeadsNoEndAstray) {
  std::ifstream file(SYMPHONY_HOSTILE_CORPUS);
  int inputs = 0;
  for (std::string line; std::getline(file, line); ++inputs) {
    std::vector<std::uint8_t> input;
    for (std::size_t i = 0; i + 1 < line.size(); i += 2) {
      input.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(i, 2), nullptr, 16)));
    }
    ASSERT_FALSE(input.empty());
    Tally tally;
    const char* const wrong = run_target(input[0] % targets.size(), std::span(input).subspan(1), tally);
    EXPECT_EQ(wrong, nullptr) << wrong << ": " << line;
  }
  EXPECT_GT(inputs, 20);
}

}  // namespace
}  // namespace symphony::hostile
