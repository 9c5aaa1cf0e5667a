// A forked child destroys what it inherited of an endpoint. What could go wrong: it gives back what is the parent's: an
// epoll set and sockets are one with the parent's, and where the segments were the child may have something of its own.
#include <sys/wait.h>

#include "tests/e2e/bus_fixture.hpp"
#include "tests/support/mapped_segments.hpp"

namespace symphony {
namespace {

TEST_F(BusTest, AForkedChildThatDestroysItsCopiesReleasesNothingOfTheParents) {
  std::optional<Link> link = open("greeter");
  ASSERT_TRUE(greet(*link, "x"));
  const MappedSegments segments;
  ASSERT_EQ(segments.count(), 3U) << "its own, the pit's, and the data of the pit's for write-back";
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);  // a child that waits for a thread of its parent would wait for ever
    if (!segments.replace()) ::_exit(2);
    link.reset();
    endpoint.reset();
    ::_exit(segments.replacements_stand() ? 0 : 3);
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
