// Mode dynamic as a program sees it: versions side by side, files that are refused with the remedy, and a host that
// goes on whatever it was asked to load.
#include <symphony/conductor.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

SYMPHONY_DECLARE_PIT(greeter);

namespace symphony {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string test_pit(const std::string& name) { return std::string(SYMPHONY_TEST_PITS) + "/" + name + ".so"; }

MountOptions from(const std::string& name) { return {.mode = Mode::dynamic, .file = test_pit(name)}; }

// What the counter says: how often its library was asked, how often this instance, and its revision.
struct Count {
  std::uint64_t library, instance, revision;
};
Count ask(Caller& caller) {
  const Reply reply = caller.call(1, {});
  Count count{};
  EXPECT_EQ(reply.status, status::ok) << reply.text;
  EXPECT_EQ(reply.body.size(), sizeof count);
  if (reply.body.size() == sizeof count) std::memcpy(&count, reply.body.data(), sizeof count);
  return count;
}

TEST(DynamicMode, TwoVersionsOfOnePitInOneProcessShareNothing) {
  Conductor conductor;
  ASSERT_TRUE(conductor.mount("old", from("counter_1")).ok());
  ASSERT_TRUE(conductor.mount("new", from("counter_2")).ok());
  Caller old = conductor.open("old"), young = conductor.open("new");
  const Count old_before = ask(old), young_before = ask(young);
  EXPECT_EQ(old_before.revision, 1u);
  EXPECT_EQ(young_before.revision, 2u);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(ask(old).library, old_before.library + i);
    EXPECT_EQ(ask(young).library, young_before.library + 2 * i - 1);
    EXPECT_EQ(ask(young).library, young_before.library + 2 * i);
  }
}

TEST(DynamicMode, InstancesOfOneFileHaveStatesOfTheirOwn) {
  Conductor conductor;
  ASSERT_TRUE(conductor.mount("a", from("counter_1")).ok());
  ASSERT_TRUE(conductor.mount("b", from("counter_1")).ok());
  Caller a = conductor.open("a"), b = conductor.open("b");
  (void)ask(a);
  EXPECT_EQ(ask(a).instance, 2u);
  EXPECT_EQ(ask(b).instance, 1u);
}

TEST(DynamicMode, AnUnmountedVersionIsRetiredWhenItsLastCallerIsGone) {
  Conductor conductor;
  ASSERT_TRUE(conductor.mount("a", from("counter_2")).ok());
  const LoadedPits used = loaded_pits();
  {
    Caller caller = conductor.open("a");
    ASSERT_TRUE(conductor.unmount("a").ok());
    EXPECT_EQ(ask(caller).instance, 1u) << "an open caller stays usable";
    EXPECT_EQ(loaded_pits().retired, used.retired);
  }
  EXPECT_EQ(loaded_pits().retired, used.retired + 1);
  EXPECT_EQ(loaded_pits().loaded, used.loaded);
}

TEST(DynamicMode, APitThatNeedsAnotherIsMountedAfterItAndNotBefore) {
  Conductor conductor;
  const std::uint32_t loaded = loaded_pits().loaded;
  const StepResult early = conductor.mount("needy", from("needy"));
  EXPECT_EQ(early.status, status::unreachable);
  EXPECT_THAT(early.text, AllOf(HasSubstr("needs 'pool'"), HasSubstr("mount it first")));
  EXPECT_EQ(loaded_pits().loaded, loaded) << "it was loaded for nothing";
  ASSERT_TRUE(conductor.mount("pool", {.entry = symphony_pit_greeter()}).ok());
  const StepResult later = conductor.mount("needy", from("needy"));
  EXPECT_TRUE(later.ok()) << later.text;
}

TEST(DynamicMode, AStateOfARevisionThatThePitDoesNotRestoreIsRefusedAndTheOldOneStays) {
  Conductor conductor;
  ASSERT_TRUE(conductor.mount("old", from("counter_1")).ok());
  ASSERT_TRUE(conductor.mount("new", from("counter_2")).ok());
  Caller young = conductor.open("new");
  (void)ask(young);
  PitState state;
  ASSERT_TRUE(conductor.snapshot("old", state).ok());
  EXPECT_EQ(state.revision, 1u);
  const StepResult restored = conductor.restore("new", state);
  EXPECT_EQ(restored.status, status::version);
  EXPECT_THAT(restored.text, AllOf(HasSubstr("restores snapshots of revision 2 to 2"), HasSubstr("has 1")));
  EXPECT_EQ(ask(young).instance, 2u);
}

class Damaged {
 public:
  explicit Damaged(const std::string& of)
      : path_(std::filesystem::temp_directory_path() / ("symphony_damaged_" + std::to_string(::getpid()) + ".so")) {
    std::ifstream file(of, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  ~Damaged() { std::filesystem::remove(path_); }
  Damaged(const Damaged&) = delete;
  Damaged& operator=(const Damaged&) = delete;
  [[nodiscard]] std::string write() const {
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_.string();
  }
  std::string bytes;

 private:
  std::filesystem::path path_;
};

TEST(DynamicMode, EachBadFileIsRefusedWithItsReasonAndWhatIsMountedGoesOn) {
  Conductor conductor;
  ASSERT_TRUE(conductor.mount("counter", from("counter_1")).ok());
  Caller caller = conductor.open("counter");
  (void)ask(caller);

  Damaged text(test_pit("counter_1")), cut(test_pit("counter_1")), flipped(test_pit("counter_1"));
  text.bytes = "#!/bin/sh\necho no pit\n";
  cut.bytes.resize(cut.bytes.size() / 2);
  const std::size_t note = flipped.bytes.find("SPN1");
  ASSERT_NE(note, std::string::npos);
  const std::size_t name = flipped.bytes.find("counter", note);
  ASSERT_NE(name, std::string::npos);
  flipped.bytes[name] = static_cast<char>(flipped.bytes[name] ^ 1);

  const auto expect = [&](const std::string& file, CallStatus wrong, const char* what, const char* remedy) {
    const StepResult mounted = conductor.mount("bad", {.mode = Mode::dynamic, .file = file});
    EXPECT_EQ(mounted.status, wrong) << file;
    EXPECT_THAT(mounted.text, AllOf(HasSubstr(what), HasSubstr(remedy))) << file;
    EXPECT_FALSE(conductor.open("bad").ok()) << file;
  };
  expect(text.write(), status::bad_message, "no ELF file", "name the .so");
  expect(cut.write(), status::bad_message, "truncated", "copy or build it again");
  expect(flipped.write(), status::bad_message, "checksum differs", "build the pit again");
  expect(test_pit("plain"), status::bad_message, "no pit", "symphony_add_pit");
  expect(test_pit("other_major"), status::version, "needs ABI 2.0", "build both from one release");
  expect(test_pit("unique"), status::bad_message, "unique symbol", "-fno-gnu-unique");
  expect(test_pit("liar"), status::bad_message, "differ in the reply_size_max", "build it again");
  expect("/no/such.so", status::unreachable, "cannot be read", "name a pit's file");
  EXPECT_THAT(conductor.mount("bad", {.mode = Mode::dynamic}).text, HasSubstr("needs its file"));

  EXPECT_EQ(ask(caller).instance, 2u);
  EXPECT_TRUE(conductor.mount("bad", from("counter_2")).ok()) << "the name is free after each refusal";
}

}  // namespace
}  // namespace symphony
