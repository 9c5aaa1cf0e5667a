// The broker's boards without a broker: who may write, who hears what, and that every table has an end.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "bus/broker/boards.hpp"

namespace symphony::detail::broker {
namespace {

using control::BoardKind;

struct BoardsTest : testing::Test {
  Boards boards{3, [](std::string_view name) { return name == "pool"; }};

  static Boards::Party program(ConnId conn) { return {conn, "", static_cast<pid_t>(1000 + conn)}; }
  static control::BoardWrite writing(std::uint64_t correlation, std::string name, BoardKind kind = BoardKind::cell) {
    return {correlation, std::move(name), kind, 77, cell_slots, 64};
  }
  std::vector<Boards::Out> said() {
    std::vector<Boards::Out> all;
    while (auto one = boards.pop()) all.push_back(*std::move(one));
    return all;
  }
  // The one thing that is said, as a T.
  template <class T>
  T only(ConnId to) {
    auto all = said();
    EXPECT_EQ(all.size(), 1u);
    if (all.size() != 1 || !std::holds_alternative<T>(all[0].message)) {
      ADD_FAILURE() << "something else was said";
      return {};
    }
    EXPECT_EQ(all[0].to, to);
    last_fd = all[0].fd;
    return std::get<T>(all[0].message);
  }
  errc refusal(const Boards::Party& from, const control::Message& message) {
    EXPECT_TRUE(boards.on(from, message));
    return only<control::Refused>(from.conn).code;
  }
  std::uint64_t write(ConnId conn, std::uint64_t correlation, const std::string& name,
                      BoardKind kind = BoardKind::cell) {
    EXPECT_TRUE(boards.on(program(conn), writing(correlation, name, kind)));
    const std::uint64_t board = only<control::BoardOwn>(conn).board;
    EXPECT_TRUE(boards.on(program(conn), control::BoardMapped{board}));
    return board;
  }
  std::shared_ptr<UniqueFd> last_fd;
};

TEST_F(BoardsTest, AReaderHasTheMemoryReadOnlyAndOnlyWhenItsWriterHasMappedIt) {
  ASSERT_TRUE(boards.on(program(2), control::BoardRead{9, "a", BoardKind::cell}));
  EXPECT_TRUE(said().empty());
  ASSERT_TRUE(boards.on(program(1), writing(5, "a")));
  const auto own = only<control::BoardOwn>(1);
  const auto own_fd = last_fd;
  ASSERT_TRUE(own_fd);
  const std::uint64_t size = BoardGeometry{cell_slots, 64}.size();
  void* const written = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, own_fd->get(), 0);
  ASSERT_NE(written, MAP_FAILED);
  ASSERT_TRUE(boards.on(program(1), control::BoardMapped{own.board}));
  const auto view = only<control::BoardView>(2);
  EXPECT_EQ(view.correlation, 9u);
  EXPECT_EQ(view.board, own.board);
  EXPECT_EQ(view.source, 77u);
  EXPECT_TRUE(view.reader_was_first);
  // What the reader has: no way to write, now or later.
  const int fd = last_fd->get();
  EXPECT_EQ(::fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  void* const seen = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(seen, MAP_FAILED);
  EXPECT_NE(::mprotect(seen, size, PROT_READ | PROT_WRITE), 0);
  const UniqueFd again(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(!again || ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, again.get(), 0) == MAP_FAILED);
  EXPECT_NE(::ftruncate(again ? again.get() : fd, 0), 0);
  static_cast<char*>(written)[5000] = 'x';
  EXPECT_EQ(static_cast<const char*>(seen)[5000], 'x') << "the writer's own mapping goes on writing";
  ::munmap(written, size);
  ::munmap(seen, size);
}

TEST_F(BoardsTest, ANameHasOneWriterAtATimeAndReadersGoOverToTheNext) {
  const std::uint64_t first = write(1, 5, "a");
  EXPECT_EQ(refusal(program(2), writing(6, "a")), errc::refused);
  ASSERT_TRUE(boards.on(program(3), control::BoardRead{7, "a", BoardKind::cell}));
  const auto view = only<control::BoardView>(3);
  EXPECT_EQ(view.board, first);
  EXPECT_FALSE(view.reader_was_first) << "what is on it may be old";
  boards.on_left(1);
  EXPECT_EQ(only<control::BoardEnd>(3).board, first);
  // Who comes now still has it, and hears that nobody writes it.
  ASSERT_TRUE(boards.on(program(4), control::BoardRead{8, "a", BoardKind::cell}));
  EXPECT_EQ(said().size(), 2u);
  ASSERT_TRUE(boards.on(program(2), writing(6, "a")));
  const auto own = only<control::BoardOwn>(2);
  EXPECT_GT(own.board, first);
  ASSERT_TRUE(boards.on(program(2), control::BoardMapped{own.board}));
  EXPECT_EQ(said().size(), 2u) << "both readers go over";
}

TEST_F(BoardsTest, AWriterThatDiesBeforeItHasMappedLeavesTheNameFree) {
  ASSERT_TRUE(boards.on(program(1), writing(5, "a")));
  const auto own = only<control::BoardOwn>(1);
  EXPECT_EQ(refusal(program(2), writing(6, "a")), errc::refused) << "it is being made";
  boards.on_left(1);
  EXPECT_EQ(boards.size(), 0u);
  ASSERT_TRUE(boards.on(program(2), control::BoardMapped{own.board})) << "too late, and of another";
  EXPECT_TRUE(said().empty());
  write(2, 6, "a");
}

TEST_F(BoardsTest, ABoardMappedOfAnotherConnectionMeansNothing) {
  ASSERT_TRUE(boards.on(program(1), writing(5, "a")));
  const auto own = only<control::BoardOwn>(1);
  ASSERT_TRUE(boards.on(program(2), control::BoardRead{7, "a", BoardKind::cell}));
  ASSERT_TRUE(boards.on(program(2), control::BoardMapped{own.board}));
  EXPECT_TRUE(said().empty()) << "it would be sealed before its writer has it";
  ASSERT_TRUE(boards.on(program(1), control::BoardMapped{own.board}));
  only<control::BoardView>(2);
}

TEST_F(BoardsTest, TheNamesOfPitsAndPitsWithoutGrantAreRefused) {
  EXPECT_EQ(refusal(program(1), writing(5, "pool")), errc::refused);
  EXPECT_EQ(refusal(program(1), writing(5, "pool/free")), errc::refused);
  EXPECT_EQ(refusal({2, "pool", 0}, writing(5, "pool")), errc::refused) << "nobody granted it";
  EXPECT_EQ(refusal({2, "pool", 0}, control::BoardRead{5, "a", BoardKind::cell}), errc::refused);
  EXPECT_EQ(boards.size(), 0u);
}

TEST_F(BoardsTest, AClosedBoardIsForThoseWhoHaveItAndItsNameIsFree) {
  write(1, 5, "a");
  ASSERT_TRUE(boards.on(program(1), control::BoardClose{5}));
  EXPECT_EQ(boards.size(), 0u);
  write(2, 6, "a", BoardKind::topic);
  ASSERT_TRUE(boards.on(program(3), control::BoardRead{7, "a", BoardKind::topic}));
  only<control::BoardView>(3);
  ASSERT_TRUE(boards.on(program(3), control::BoardClose{6})) << "another's number closes nothing";
  EXPECT_TRUE(said().empty());
  ASSERT_TRUE(boards.on(program(3), control::BoardClose{7}));
  ASSERT_TRUE(boards.on(program(2), control::BoardClose{6}));
  EXPECT_TRUE(said().empty());
  EXPECT_EQ(boards.size(), 0u);
}

TEST_F(BoardsTest, OneConnectionWritesAndReadsABoundedNumber) {
  for (std::size_t i = 0; i < boards_per_writer_max; ++i) write(1, i + 1, "w" + std::to_string(i));
  EXPECT_EQ(refusal(program(1), writing(9999, "one-more")), errc::too_large);
  for (std::size_t i = 0; i < reads_per_caller_max; ++i) {
    ASSERT_TRUE(boards.on(program(2), control::BoardRead{i + 1, "r", BoardKind::cell}));
  }
  EXPECT_EQ(refusal(program(2), control::BoardRead{9999, "r", BoardKind::cell}), errc::too_large);
  EXPECT_FALSE(boards.on(program(3), control::BoardRead{1, "r", BoardKind::cell}) &&
               boards.on(program(3), control::BoardRead{1, "r", BoardKind::cell}))
      << "one number for two";
  // And all of it ends with the connection.
  boards.on_left(1);
  boards.on_left(2);
  (void)said();
  write(1, 1, "again");
}

TEST_F(BoardsTest, ThereIsABoundedNumberAndWhatNobodyUsesMakesRoom) {
  for (std::size_t i = 0; i < boards_max; ++i) {
    ASSERT_TRUE(boards.on(program(1 + i / 200), control::BoardRead{i + 1, "n" + std::to_string(i), BoardKind::cell}));
  }
  EXPECT_EQ(refusal(program(99), writing(1, "one-more")), errc::too_large);
  boards.on_left(1);
  write(99, 1, "one-more");
  boards.on_left(99);  // its value is kept
  (void)said();
  EXPECT_EQ(boards.size(), boards_max - 200 + 1);
  for (std::size_t i = 0; i < 199; ++i) {
    ASSERT_TRUE(boards.on(program(1), control::BoardRead{i + 1, "m" + std::to_string(i), BoardKind::cell}));
  }
  EXPECT_EQ(boards.size(), boards_max);
  ASSERT_TRUE(boards.on(program(1), control::BoardRead{500, "last", BoardKind::cell}));
  EXPECT_TRUE(said().empty()) << "the dead writer's board did not make room";
  EXPECT_EQ(boards.size(), boards_max);
}

TEST_F(BoardsTest, WhatNoCallerSaysEndsItsConnection) {
  EXPECT_FALSE(boards.on(program(1), control::BoardView{}));
  EXPECT_FALSE(boards.on(program(1), control::Hello{}));
}

}  // namespace
}  // namespace symphony::detail::broker
