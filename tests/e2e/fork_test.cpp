// A forked child destroys what it inherited of an endpoint. What could go wrong: it gives back what is the parent's: an
// epoll set and sockets are one with the parent's, and where the segments were the child may have something of its own.
#include <sys/mman.h>
#include <sys/wait.h>

#include <fstream>
#include <vector>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

struct Range {
  std::byte* begin;
  std::size_t size;
};

// Where this process has mapped segments.
std::vector<Range> mapped_segments() {
  std::vector<Range> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    if (line.find("/memfd:symphony") == std::string::npos) continue;
    if (std::sscanf(line.c_str(), "%zx-%zx", &begin, &end) != 2) continue;
    found.push_back({reinterpret_cast<std::byte*>(begin), end - begin});
  }
  return found;
}

TEST_F(BusTest, AForkedChildThatDestroysItsCopiesReleasesNothingOfTheParents) {
  std::optional<Link> link = open("greeter");
  ASSERT_TRUE(greet(*link, "x"));
  const std::vector<Range> segments = mapped_segments();
  ASSERT_EQ(segments.size(), 3U) << "its own, the pit's, and the data of the pit's for write-back";
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    for (const Range& range : segments) {
      if (::mmap(range.begin, range.size, PROT_READ | PROT_WRITE, flags, -1, 0) != range.begin) ::_exit(2);
      *range.begin = std::byte{42};
    }
    link.reset();
    endpoint.reset();
    for (const Range& range : segments) {
      if (*range.begin != std::byte{42}) ::_exit(3);  // unmapped: the read ends the child
    }
    ::_exit(0);
  }
  int result = 1;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(greet(*link, "y")->count(), 2u);
  EXPECT_EQ(broker->status().at(0).links, 1u) << "the child closed the parent's link";
  // The control thread still runs, and its epoll set still has the pit and the socket: a death brings a new epoch.
  const std::uint64_t epoch = link->epoch();
  ASSERT_TRUE(broker->kill_pit("greeter"));
  EXPECT_TRUE(comes_true([&] { return greet(*link, "z") && link->epoch() > epoch; }));
  Link another = open("probe");
  EXPECT_TRUE(probe_do(another, probe::Act::NOTHING));
}

}  // namespace
}  // namespace symphony
