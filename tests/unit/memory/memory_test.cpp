#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "bus/memory/layout.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/memory/segment.hpp"

namespace symphony::detail {
namespace {

constexpr std::uint64_t size = segment_header_size + 8192;

struct Sealed : testing::Test {
  void SetUp() override {
    auto pair = create_segment_pair(size, size, 42);
    ASSERT_TRUE(pair) << pair.error().text;
    fd = std::move(pair->caller);
    auto mapped = Mapping::map(fd.get(), size, Access::read_write);
    ASSERT_TRUE(mapped) << mapped.error().text;
    own = *std::move(mapped);
    const auto sealed = seal_segment(fd.get());
    ASSERT_TRUE(sealed) << sealed.error().text;
  }
  UniqueFd fd;
  Mapping own;
};

TEST(Segment, IsAllocatedWholeAndSaysWhatItIs) {
  const auto pair = create_segment_pair(size, 2 * size, 0x1122334455667788);
  ASSERT_TRUE(pair);
  struct stat about {};
  ASSERT_EQ(::fstat(pair->pit.get(), &about), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(about.st_size), 2 * size);
  EXPECT_GE(static_cast<std::uint64_t>(about.st_blocks) * 512, 2 * size) << "sparse";
  const auto view = Mapping::map(pair->pit.get(), segment_header_size, Access::read_only);
  ASSERT_TRUE(view);
  const auto& id = *reinterpret_cast<const SegmentIdentity*>(view->data());
  EXPECT_EQ(id.fingerprint, layout_fingerprint);
  EXPECT_EQ(id.role, SegmentRole::pit);
  EXPECT_EQ(id.nonce, 0x1122334455667788u);
}

TEST(Segment, SmallerThanItsHeaderIsRefused) {
  EXPECT_EQ(create_segment_pair(4096, size, 1).error().code, errc::invalid_argument);
}

TEST(Segment, ThatTheSystemCannotGiveIsAnErrorAtOnceAndLeaksNoDescriptor) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{64UL * 1024, 64UL * 1024};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const int before = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
    ::close(before);
    const auto pair = create_segment_pair(1 << 20, 1 << 20, 1);
    const int after = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
    ::_exit(!pair && pair.error().code == errc::out_of_memory && before == after ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Segment, WithoutDescriptorsIsANamedError) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{3, 3};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const auto pair = create_segment_pair(size, size, 1);
    ::_exit(!pair && pair.error().code == errc::out_of_descriptors && pair.error().sys_errno == EMFILE ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// What could go wrong: a reader finds one more way to write. Each way the kernel offers is tried after the hand-over.
TEST_F(Sealed, OnlyTheOwnersMappingStillWrites) {
  const auto reader_fd = reopen_read_only(fd.get());
  ASSERT_TRUE(reader_fd);
  const auto reader = Mapping::map(reader_fd->get(), size, Access::read_only);
  ASSERT_TRUE(reader);
  std::memcpy(own.data() + segment_header_size, "hello", 5);
  EXPECT_EQ(std::memcmp(reader->data() + segment_header_size, "hello", 5), 0);

  for (const int victim : {fd.get(), reader_fd->get()}) {
    const auto writable = Mapping::map(victim, size, Access::read_write);
    ASSERT_FALSE(writable);
    EXPECT_EQ(writable.error().code, errc::refused);
    EXPECT_EQ(::pwrite(victim, "x", 1, 0), -1);
    EXPECT_EQ(::ftruncate(victim, 4096), -1);
    EXPECT_EQ(::fallocate(victim, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    EXPECT_EQ(::fcntl(victim, F_ADD_SEALS, F_SEAL_WRITE), -1);
  }
  EXPECT_EQ(::mprotect(reader->data(), size, PROT_READ | PROT_WRITE), -1);
  EXPECT_EQ(errno, EACCES);
  EXPECT_EQ(::madvise(reader->data(), size, MADV_REMOVE), -1);
  const std::string proc = "/proc/self/fd/" + std::to_string(reader_fd->get());
  const UniqueFd reopened(::open(proc.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(Mapping::map(reopened.get(), size, Access::read_write));
}

TEST_F(Sealed, PassesThePeersCheckAndNothingElseDoes) {
  EXPECT_TRUE(check_peer_segment(fd.get(), size));
  EXPECT_EQ(check_peer_segment(fd.get(), size + 4096).error().code, errc::peer_fault);
  const auto unsealed = create_segment_pair(size, size, 1);
  EXPECT_EQ(check_peer_segment(unsealed->pit.get(), size).error().code, errc::peer_fault);
  EXPECT_EQ(check_peer_segment(0, size).error().code, errc::peer_fault);
}

// A child that inherits a ring could write into it with its parent's positions.
TEST_F(Sealed, AForkedChildDoesNotHaveTheMapping) {
  const pid_t child = ::fork();
  if (child == 0) {
    unsigned char resident = 0;
    ::_exit(::mincore(own.data(), 1, &resident) == -1 && errno == ENOMEM ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(RingCapacity, IsAPowerOfTwoBetweenItsNamedBounds) {
  EXPECT_FALSE(is_ring_capacity(ring_capacity_min / 2));
  EXPECT_TRUE(is_ring_capacity(ring_capacity_min));
  EXPECT_FALSE(is_ring_capacity(ring_capacity_min + 64));
  EXPECT_TRUE(is_ring_capacity(ring_capacity_max));
  EXPECT_FALSE(is_ring_capacity(2ull * ring_capacity_max));
}

}  // namespace
}  // namespace symphony::detail
