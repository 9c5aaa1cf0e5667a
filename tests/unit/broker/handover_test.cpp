// What a keeper of one release and a broker of the next have in common (next_program.hpp). What could go wrong: a byte
// of it changes, the number does not, and a broker that takes over reads nonsense and forgets links.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "bus/broker/dead_letters.hpp"
#include "bus/broker/keeper_protocol.hpp"
#include "bus/broker/next_program.hpp"
#include "bus/broker/pit_slots.hpp"
#include "bus/broker/records.hpp"
#include "bus/state/checksum.hpp"

namespace symphony::detail::broker {
namespace {

std::uint64_t sum_of(std::span<const std::byte> bytes) { return Checksum(0, bytes.size()).add(bytes).value(); }

PitConfig some_pit() {
  PitConfig pit;
  pit.name = "pit";
  pit.executable = "/bin/pit";
  pit.args = {"a", "b"};
  pit.config = "c";
  pit.environment = {"D=e"};
  pit.calls = {"other"};
  pit.callers = {"pit:third", "programs"};
  pit.state.durability = Durability::journal;
  pit.state.folder = "/f";
  return pit;
}

TEST(Handover, OfThisVersionHasTheseBytes) {
  PitRecord pit;
  pit.state = PitState::ready;
  pit.instance = 2;
  pit.state_instance = 1;
  pit.reason = "reason";
  pit.failures = {1, 2};
  pit.protocol = 3;
  pit.has_death = true;
  pit.death.at_ns = 5;
  pit.death.value = 9;
  const LinkRecord link{1, 2, 1000, 4096, 8192, true, 7, 8, 9, "home"};
  keeper::SpawnRequest spawn;
  spawn.executable = "/bin/pit";
  spawn.args = {"pit"};
  spawn.environment = {"A=b"};
  spawn.inherited = {{7, true}};
  const std::vector<Probation> probations{{0, 11, "/before"}};
  const std::array<std::uint64_t, 6> sums{
      sum_of(encode(pit)),
      sum_of(encode(link)),
      sum_of(keeper::encode(spawn)),
      sum_of(encode_pits({some_pit()}, probations)),
      sum_of(keeper::datagram(keeper::Kind::exited, 3, keeper::exit_value(true, 9, true))),
      fingerprint(some_pit())};
  const std::array<std::uint64_t, 6> of_version_2{12654727818851357629U, 17303891568597194989U, 14321406229986173850U,
                                                  12830309321881867667U, 1021655665735412615U,  13457542850953389284U};
  ASSERT_EQ(handover_version, 2) << "another version: put its sums here";
  EXPECT_EQ(sums, of_version_2) << "what brokers leave each other has changed: one more for handover_version";
}

struct NextProgram : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    path = folder + "/program";
    put("one");
  }
  void TearDown() override {
    ::unsetenv("SYMPHONY_NEXT_BROKER");
    std::filesystem::remove_all(folder);
  }
  void put(const std::string& text) const {
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  }
  std::string folder, path;
};

TEST_F(NextProgram, IsNewWhenItsFileIsAnotherAndNotAfterItFailed) {
  ProgramFile file({path, {"program"}});
  EXPECT_FALSE(file.is_new());
  put("two");
  EXPECT_TRUE(file.is_new());
  file.distrust();
  EXPECT_FALSE(file.is_new());
  put("three");
  EXPECT_TRUE(file.is_new());
  std::filesystem::remove(path);
  EXPECT_FALSE(file.is_new()) << "nothing is there";
  std::filesystem::create_directory(path);
  EXPECT_FALSE(file.is_new()) << "nor what could be executed";
  EXPECT_FALSE(ProgramFile({}).is_new());
  EXPECT_FALSE(ProgramFile({folder + "/none", {"x"}}).is_new()) << "nobody knows what it was";
}

TEST_F(NextProgram, TakesOnlyAnInheritanceOfItsVersion) {
  EXPECT_FALSE(inheritance_from_environment());
  const auto refused = [](const std::string& text) {
    ::setenv("SYMPHONY_NEXT_BROKER", text.c_str(), 1);
    const auto got = inheritance_from_environment();
    EXPECT_EQ(::getenv("SYMPHONY_NEXT_BROKER"), nullptr) << "no child may believe it";
    EXPECT_TRUE(got && !*got) << text;
    return got && !*got ? got->error().code : errc::internal;
  };
  const std::string mine = std::to_string(handover_version);
  EXPECT_EQ(refused(std::to_string(handover_version + 1) + ":1:0:0:0:0"), errc::version_mismatch);
  EXPECT_EQ(refused(std::to_string(handover_version + 1) + " in other words"), errc::version_mismatch);
  for (const char* rest : {"", ":", ":1:0:0:0", ":1:0:0:0:0:0", ":1:0:0:0:x", ":1:0:0:0:-1", ":1:9999:0:0:0"}) {
    EXPECT_EQ(refused(mine + rest), errc::invalid_argument) << rest;
  }
}

}  // namespace
}  // namespace symphony::detail::broker
