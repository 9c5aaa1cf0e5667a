// Does each wall keep away what it is there for? Each attempt to get out is made without walls, where it must work,
// with all of them, where it must not, with the first phase alone, without each wall in turn, and with each wall alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bench/support/figure.hpp"
#include "tests/hostile/escape/cell.hpp"

namespace symphony::hostile {
namespace {

struct Layer {
  const char* name;
  SandboxBlocks blocks;
  SandboxBlocks needs = 0;  // it does not stand without
};
constexpr SandboxBlocks nnp = bit_of(SandboxBlock::no_new_privileges);
constexpr SandboxBlocks landlock =
    bit_of(SandboxBlock::landlock) | bit_of(SandboxBlock::landlock_network) | bit_of(SandboxBlock::landlock_scope);
constexpr SandboxBlocks seccomp = bit_of(SandboxBlock::start_filter) | bit_of(SandboxBlock::filter);
constexpr Layer layers[] = {
    {"user", bit_of(SandboxBlock::user_namespace)},
    {"pid", bit_of(SandboxBlock::pid_namespace)},
    {"mount", bit_of(SandboxBlock::mount_namespace)},
    {"net", bit_of(SandboxBlock::network_namespace)},
    {"ipc", bit_of(SandboxBlock::ipc_namespace)},
    {"capabilities", bit_of(SandboxBlock::capabilities)},
    {"limits", bit_of(SandboxBlock::limits)},
    {"landlock", landlock, nnp},
    {"seccomp", seccomp, nnp},
};

// Kept away by one wall alone: were that to break, they would work. A wall that is added shortens this list.
const std::map<std::string, std::string> single_layer{
    {"begin a process", "seccomp"},
    {"begin a hundred", "seccomp"},
    {"make a netlink socket", "seccomp"},
    {"make a namespace of users", "seccomp"},
    {"add a key", "seccomp"},
    {"count by perf", "seccomp"},
    {"handle page faults", "seccomp"},
    {"change its personality", "seccomp"},
    {"read its descriptor table", "seccomp"},
    {"map a page to write and execute", "seccomp"},
    {"make a page executable", "seccomp"},
    {"change the flags of a shared socket", "seccomp"},
    {"take 2 GiB of memory", "limits"},
    {"hold 512 descriptors", "limits"},
};
// Kept away by the second phase alone: a hostile pit can leave that out (docs/security.md).
const std::set<std::string> second_phase_only{
    "map a page to write and execute",
    "make a page executable",
    "change the flags of a shared socket",
};

TEST(Escape, WorksWithoutWallsAndNeverWithThem) {
  prepare_attempts();
  std::vector<Walls> trials{{0}, {sandbox_all_blocks}, {sandbox_all_blocks, true}};
  for (const Layer& l : layers) trials.push_back({sandbox_all_blocks & ~l.blocks});
  for (const Layer& l : layers) trials.push_back({l.blocks | l.needs});
  constexpr std::size_t without = 3, alone = without + std::size(layers);
  int runnable = 0, blocked = 0, twice = 0;
  std::string matrix, not_runnable, singles, seconds;
  SandboxBlocks seen = 0;
  for (const Attempt& attempt : attempts()) {
    SCOPED_TRACE(attempt.name);
    const auto results = try_in_cell(attempt, trials);
    if (!results)
      GTEST_SKIP() << "this machine gives no namespaces to try in, so a confined pit is not run here either";
    const std::vector<Trial>& r = *results;
    if (!r[0].worked) {  // not a thing that could be had without walls here: nothing is shown by its not being had
      not_runnable += std::string(not_runnable.empty() ? "" : ", ") + attempt.name;
      continue;
    }
    ++runnable;
    ASSERT_TRUE(r[1].ran);
    seen = r[1].reached;
    EXPECT_FALSE(r[1].worked);
    blocked += r[1].worked ? 0 : 1;
    const bool needs_second = r[2].worked;
    EXPECT_EQ(needs_second, second_phase_only.count(attempt.name) == 1);
    if (needs_second) seconds += std::string(seconds.empty() ? "" : ", ") + attempt.name;
    std::string by, single;
    for (std::size_t i = 0; i < std::size(layers); ++i) {
      EXPECT_TRUE(r[without + i].ran && r[alone + i].ran) << layers[i].name;
      if (r[without + i].worked) single = layers[i].name;
      if (!r[alone + i].worked) by.append(by.empty() ? "" : " ").append(layers[i].name);
    }
    const auto known = single_layer.find(attempt.name);
    EXPECT_EQ(single, known == single_layer.end() ? "" : known->second);
    if (single.empty()) ++twice;
    if (!single.empty()) singles += std::string(singles.empty() ? "" : ", ") + attempt.name + " (" + single + ")";
    matrix += std::string(matrix.empty() ? "" : "; ") + std::to_string(attempt.number) + " " + attempt.name + ": " + by;
    std::printf("%2d %-38s %s%s%s\n", attempt.number, attempt.name, by.c_str(), single.empty() ? "" : "   ONLY ",
                single.c_str());
  }
  EXPECT_GE(runnable, 25);
  std::printf("walls: %s\nnot runnable here: %s\nsingle: %s\nsecond phase: %s\n", names_of(seen).c_str(),
              not_runnable.c_str(), singles.c_str(), seconds.c_str());
  const auto total = static_cast<double>(attempts().size());
  const auto write = [](const char* name, double value, double of, const std::string& note) {
    bench::Figure figure;
    figure.name = name;
    figure.value = value;
    figure.of = of;
    figure.unit = "attempts";
    figure.n = static_cast<std::uint64_t>(of);
    figure.note = note;
    EXPECT_TRUE(bench::write_figure(figure).has_value());
  };
  write("sandbox.escapes_blocked", blocked, runnable, "with the walls " + names_of(seen));
  write("sandbox.escapes_control", runnable, total, "worked without walls; not to be had here at all: " + not_runnable);
  write("sandbox.layers", twice, runnable,
        "kept away whichever one wall is left out. Walls that do it alone: " + matrix);
}

}  // namespace
}  // namespace symphony::hostile
