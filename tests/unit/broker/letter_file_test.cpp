// Dead letters in a pit's folder. What could go wrong: half of them come back, or something else; what is damaged is
// written over; those of another pit are taken for its own.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>

#include "bus/broker/letter_file.hpp"
#include "tests/support/samples.hpp"
#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

namespace fs = std::filesystem;

DeadLetter letter_of(const std::string& pit, const std::string& text) {
  DeadLetter l;
  l.pit = pit;
  l.version = "1.2.3";
  l.at_ns = 77;
  l.death.at_ns = 66;
  l.death.last_lines = "the end\n";
  for (const char c : text) l.body.push_back(static_cast<std::byte>(c));
  l.size = static_cast<std::uint32_t>(text.size());
  return l;
}

struct LetterFileTest : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-letters-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    for (const char* text : {"first", "second", "third"}) letters.park(letter_of("pit", text));
  }
  void TearDown() override { fs::remove_all(folder); }
  [[nodiscard]] std::string path() const { return folder + "/pit.letters"; }
  [[nodiscard]] std::string bytes() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const std::string& text) const { std::ofstream(path(), std::ios::binary | std::ios::trunc) << text; }
  [[nodiscard]] result<void> write() const { return write_letter_file(folder, "pit", letters.of("pit").encode()); }
  void expect_refused_and_kept(const std::string& damaged) const {
    put(damaged);
    const auto read = read_letter_file(folder, "pit");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, errc::refused);
    EXPECT_FALSE(fs::exists(path()));
    EXPECT_EQ(fs::file_size(path() + ".refused"), damaged.size()) << "whoever wants to look at it finds it";
  }
  std::string folder;
  DeadLetters letters;
};

TEST_F(LetterFileTest, ComesBackWhole) {
  EXPECT_FALSE(read_letter_file(folder, "pit").value()) << "there is none yet";
  ASSERT_TRUE(write());
  const auto read = read_letter_file(folder, "pit").value();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->encode(), letters.of("pit").encode());
  EXPECT_EQ(read->find("pit", 2)->at_ns, 77);
  letters.drop("pit", 2);
  ASSERT_TRUE(write()) << "it takes the place of the one before";
  EXPECT_EQ(read_letter_file(folder, "pit").value()->list("", 0, 10).size(), 2U);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << "and nothing else is there";
}

TEST_F(LetterFileTest, AreOfOneProcessAtATimeWhoeverKillsIt) {
  int ends[2], let_go[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(let_go, O_CLOEXEC), 0);
  const pid_t other = ::fork();
  if (other == 0) {  // another broker
    const auto lock = lock_letter_file(folder, "pit");
    const char held = lock ? 'y' : 'n';
    (void)!::write(ends[1], &held, 1);
    char any;
    (void)!::read(let_go[0], &any, 1);
    ::_exit(0);
  }
  char held = 0;
  ASSERT_EQ(::read(ends[0], &held, 1), 1);
  ASSERT_EQ(held, 'y');
  const auto refused = lock_letter_file(folder, "pit");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::busy);
  EXPECT_TRUE(lock_letter_file(folder, "another")) << "of each pit its own";
  ASSERT_EQ(::kill(other, SIGKILL), 0);
  ASSERT_EQ(::waitpid(other, nullptr, 0), other);
  const auto mine = lock_letter_file(folder, "pit");
  ASSERT_TRUE(mine) << "nothing of a dead one is left";
  EXPECT_EQ(lock_letter_file(folder, "pit").error().code, errc::busy) << "of one broker of two in one program too";
  for (const int fd : {ends[0], ends[1], let_go[0], let_go[1]}) ::close(fd);
}

TEST_F(LetterFileTest, WithAnyBitChangedIsRefused) {
  ASSERT_TRUE(write());
  const std::string whole = bytes();
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += test_run::every()) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    expect_refused_and_kept(damaged);
    if (HasFatalFailure()) return;
  }
}

TEST_F(LetterFileTest, CutAnywhereOrWithMoreBehindItIsRefused) {
  ASSERT_TRUE(write());
  const std::string whole = bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    expect_refused_and_kept(whole.substr(0, size));
    if (HasFatalFailure()) return;
  }
  expect_refused_and_kept(whole + "x");
}

TEST_F(LetterFileTest, OfAnotherPitIsRefused) {
  letters.park(letter_of("other", "text"));
  ASSERT_TRUE(write_letter_file(folder, "pit", letters.of("other").encode()));
  EXPECT_EQ(read_letter_file(folder, "pit").error().code, errc::refused);
}

TEST_F(LetterFileTest, ThatCannotBeWrittenLeavesTheOneBefore) {
  ASSERT_TRUE(write());
  const std::string before = bytes();
  letters.park(letter_of("pit", std::string(4000, 'x')));
  // A child of its own: no file of it may be longer than that.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{before.size() + 100, before.size() + 100};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(2);
    const auto written = write();
    ::_exit(!written && written.error().code == errc::out_of_memory ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(bytes(), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  EXPECT_EQ(write().error().code, errc::refused) << "anybody may write there";
}

// ---- what the core makes of it

CoreDriver with_folder(std::vector<std::vector<std::byte>> found) {
  auto pits = some_pits(1);
  pits[0].name = "pit";
  pits[0].state.folder = "/folder";
  CoreDriver d(pits);
  CoreConfig config{std::move(pits), 1, 42, 1000, false, 4711, "/logs"};
  config.letters_in_folders = std::move(found);
  d.core = BrokerCore(std::move(config));
  d.begin();
  return d;
}

TEST_F(LetterFileTest, IsWhatTheNextDaemonHasAndKeepsAnew) {
  auto d = with_folder({letters.of("pit").encode()});
  const ConnId c = d.caller();
  d.command(c, control::Verb::letters, "pit");
  const auto listed = d.to_caller<control::Answer>();
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->letters.size(), 3U);
  d.out.clear();
  control::Command drop{++d.correlation, control::Verb::drop_letter, "pit", 0, d.now + second_ns};
  drop.letter = 2;
  d.say(c, drop);
  const auto keep = d.take<KeepLetters>();
  ASSERT_TRUE(keep && keep->pit);
  EXPECT_EQ(*keep->pit, 0U);
  EXPECT_EQ(DeadLetters::decode(keep->of_pit)->list("", 0, 10).size(), 2U);
}

TEST_F(LetterFileTest, IsOlderThanWhatTheBrokerBeforeKnew) {
  DeadLetters newer = *DeadLetters::decode(letters.encode());
  newer.drop("pit", 0);
  newer.adopt(letters.of("pit"));
  EXPECT_EQ(newer.counts("pit").kept, 0U) << "all were dropped, and stay so";
}

TEST_F(LetterFileTest, WhoseNumbersAreTakenGivesOthersAndLosesNone) {
  DeadLetters here;
  here.park(letter_of("mine", "a"));
  here.adopt(letters.of("pit"));
  EXPECT_EQ(here.counts("pit").kept, 3U);
  EXPECT_EQ(here.counts("mine").kept, 1U);
  EXPECT_GT(here.park(letter_of("pit", "next")), 4U);
  letters.forget_times();
  EXPECT_EQ(letters.find("pit", 1)->at_ns, 0) << "of another run of the machine";
}

}  // namespace
}  // namespace symphony::detail::broker
