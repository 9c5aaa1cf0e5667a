// A note or table that is wrong in one place is refused, and the refusal says which place.
#include "pits/hosting/pit_info.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/hosting/scripted_pit.hpp"

namespace symphony::pit {
namespace {

using ::testing::HasSubstr;

TEST(PitInfo, OfASoundEntryIsACopyOfItsNote) {
  const symphony_pit_entry entry = test::scripted_entry();
  symphony_pit_entry table{};
  PitInfo info;
  ASSERT_TRUE(read_entry(entry, table, info).ok());
  EXPECT_EQ(info.name, "scripted");
  EXPECT_EQ(info.version, "1.2.3");
  EXPECT_EQ(info.state_revision, 3U);
  EXPECT_EQ(info.state_revision_min, 2U);
  EXPECT_EQ(info.effect_of(7), std::uint32_t{SYMPHONY_EFFECT_READ});
  EXPECT_EQ(info.effect_of(9), std::uint32_t{SYMPHONY_EFFECT_ONCE});
  EXPECT_EQ(info.effect_of(8), std::nullopt);
}

struct Wrong {
  const char* what;
  std::function<void(symphony_pit_entry&, symphony_note&)> spoil;
  std::int32_t status;
  const char* text;
};

TEST(PitInfo, RefusesEachWrongFieldAndNamesIt) {
  static constexpr symphony_message_note unsorted[] = {{9, 0}, {7, 0}};
  static constexpr symphony_message_note twice[] = {{7, 0}, {7, 0}};
  static constexpr symphony_message_note nothing[] = {{0, 0}};
  static constexpr symphony_message_note odd_effect[] = {{7, 3}};
  const std::string long_name(64, 'a');
  const std::string longest_name(63, 'a');
  static constexpr const char* itself[] = {"scripted"};
  static constexpr const char* pool_twice[] = {"pool", "pool"};
  static constexpr const char* null_need[] = {nullptr};
  const auto needs = [](const char* const* list, std::uint32_t n) {
    return [=](symphony_pit_entry&, symphony_note& note) { note.needs = list, note.need_count = n; };
  };
  const auto messages = [](const symphony_message_note* list, std::uint32_t n) {
    return [=](symphony_pit_entry&, symphony_note& note) { note.messages = list, note.message_count = n; };
  };
  const auto name = [](const char* text) {
    return [=](symphony_pit_entry&, symphony_note& note) { note.name = text; };
  };
  const auto version = [](const char* text) {
    return [=](symphony_pit_entry&, symphony_note& note) { note.version = text; };
  };
  using E = symphony_pit_entry;
  using N = symphony_note;
  const std::vector<Wrong> all = {
      {"entry size 0", [](E& e, N&) { e.struct_size = 0; }, SYMPHONY_BAD_MESSAGE, "size of its entry"},
      {"entry size huge", [](E& e, N&) { e.struct_size = 4097; }, SYMPHONY_BAD_MESSAGE, "size of its entry"},
      {"no note", [](E& e, N&) { e.note = nullptr; }, SYMPHONY_BAD_MESSAGE, "no note"},
      {"note size", [](E&, N& n) { n.struct_size = 4; }, SYMPHONY_BAD_MESSAGE, "size of its note"},
      {"abi major", [](E&, N& n) { n.abi_major = 2; }, SYMPHONY_VERSION, "needs ABI 2."},
      {"abi minor", [](E&, N& n) { n.abi_minor = SYMPHONY_ABI_MINOR + 1; }, SYMPHONY_VERSION, "this host offers 1."},
      {"null name", name(nullptr), SYMPHONY_BAD_MESSAGE, "the name in its note"},
      {"empty name", name(""), SYMPHONY_BAD_MESSAGE, "the name in its note"},
      {"upper-case name", name("Scripted"), SYMPHONY_BAD_MESSAGE, "the name in its note"},
      {"name with a slash", name("a/b"), SYMPHONY_BAD_MESSAGE, "the name in its note"},
      {"name of 64", name(long_name.c_str()), SYMPHONY_BAD_MESSAGE, "the name in its note"},
      {"null version", version(nullptr), SYMPHONY_BAD_MESSAGE, "version"},
      {"two parts", version("1.2"), SYMPHONY_BAD_MESSAGE, "version"},
      {"four parts", version("1.2.3.4"), SYMPHONY_BAD_MESSAGE, "version"},
      {"leading zero", version("1.02.3"), SYMPHONY_BAD_MESSAGE, "version"},
      {"suffix", version("1.2.3-rc1"), SYMPHONY_BAD_MESSAGE, "version"},
      {"missing digits", version("1..3"), SYMPHONY_BAD_MESSAGE, "version"},
      {"reply above 16 MiB", [](E&, N& n) { n.reply_size_max = pit_reply_size_max + 1; }, SYMPHONY_BAD_MESSAGE,
       "16 MiB"},
      {"revisions", [](E&, N& n) { n.state_revision_min = 4; }, SYMPHONY_BAD_MESSAGE, "newer than it writes"},
      {"unsorted", messages(unsorted, 2), SYMPHONY_BAD_MESSAGE, "not sorted"},
      {"twice", messages(twice, 2), SYMPHONY_BAD_MESSAGE, "twice"},
      {"type 0", messages(nothing, 1), SYMPHONY_BAD_MESSAGE, "or 0"},
      {"effect", messages(odd_effect, 1), SYMPHONY_BAD_MESSAGE, "effect class"},
      {"null list", messages(nullptr, 1), SYMPHONY_BAD_MESSAGE, "no message list"},
      {"too many", messages(unsorted, pit_messages_max + 1), SYMPHONY_BAD_MESSAGE, "1,024 messages"},
      {"null needs", needs(nullptr, 1), SYMPHONY_BAD_MESSAGE, "no list of needs"},
      {"too many needs", needs(pool_twice, pit_needs_max + 1), SYMPHONY_BAD_MESSAGE, "more than 64"},
      {"null need", needs(null_need, 1), SYMPHONY_BAD_MESSAGE, "no name of another pit"},
      {"needs itself", needs(itself, 1), SYMPHONY_BAD_MESSAGE, "no name of another pit"},
      {"needs twice", needs(pool_twice, 2), SYMPHONY_BAD_MESSAGE, "a pit twice"},
      {"thread model", [](E&, N& n) { n.thread_model = 1; }, SYMPHONY_VERSION, "thread model 1"},
      {"no create", [](E& e, N&) { e.create = nullptr; }, SYMPHONY_BAD_MESSAGE, "lacks create"},
      {"no handle", [](E& e, N&) { e.handle = nullptr; }, SYMPHONY_BAD_MESSAGE, "lacks create, handle"},
      {"no destroy", [](E& e, N&) { e.destroy = nullptr; }, SYMPHONY_BAD_MESSAGE, "destroy"},
  };
  for (const Wrong& wrong : all) {
    symphony_pit_entry entry = test::scripted_entry();
    wrong.spoil(entry, test::scripted_note());
    symphony_pit_entry table{};
    PitInfo info;
    const Outcome outcome = read_entry(entry, table, info);
    EXPECT_EQ(outcome.status, wrong.status) << wrong.what;
    EXPECT_THAT(outcome.text, HasSubstr(wrong.text)) << wrong.what;
  }
  // The bounds themselves are fine.
  std::vector<std::string> need_names;
  std::vector<const char*> many_needs;
  for (std::uint32_t i = 0; i < pit_needs_max; ++i) need_names.push_back("p" + std::to_string(i));
  for (const std::string& need : need_names) many_needs.push_back(need.c_str());
  symphony_pit_entry entry = test::scripted_entry();
  test::scripted_note().name = longest_name.c_str();
  entry.note = &(test::scripted_note() =
                     symphony_note{sizeof(symphony_note), 1, 0, longest_name.c_str(), "0.0.999999999", nullptr, 0,
                                   pit_reply_size_max, 0, 0, many_needs.data(), pit_needs_max, 0, 0});
  symphony_pit_entry table{};
  PitInfo info;
  EXPECT_TRUE(read_entry(entry, table, info).ok());
}

TEST(PitInfo, FunctionsThatThePitWasCompiledWithoutAreNullWhateverStandsBehindItsTable) {
  // An older pit's table ends after handle; the bytes behind it belong to somebody else.
  symphony_pit_entry entry = test::scripted_entry();
  entry.struct_size = offsetof(symphony_pit_entry, drain);
  symphony_pit_entry table{};
  PitInfo info;
  // destroy is required and missing: this is how one sees that it was not read.
  EXPECT_THAT(read_entry(entry, table, info).text, HasSubstr("lacks"));
  EXPECT_EQ(table.drain, nullptr);
  EXPECT_EQ(table.destroy, nullptr);

  entry.struct_size = offsetof(symphony_pit_entry, get_extension);
  entry.get_extension = [](void*, std::uint64_t) -> const void* { return nullptr; };
  ASSERT_TRUE(read_entry(entry, table, info).ok());
  EXPECT_EQ(table.get_extension, nullptr);
  EXPECT_NE(table.drain, nullptr);
}

TEST(PitInfo, APitFromBeforeTheNoteHadNeedsNeedsNone) {
  symphony_pit_entry entry = test::scripted_entry();
  static constexpr const char* someone_elses[] = {"pool"};
  test::scripted_note().needs = someone_elses;
  test::scripted_note().need_count = 1;
  symphony_note old = *entry.note;
  old.struct_size = offsetof(symphony_note, needs);
  entry.note = &old;
  symphony_pit_entry table{};
  PitInfo info;
  ASSERT_TRUE(read_entry(entry, table, info).ok());
  EXPECT_TRUE(info.needs.empty());
}

TEST(PitInfo, APitOfANewerMinorThatAsksForNoMoreIsAccepted) {
  // Its structs are longer than ours; what we know is copied, the rest is left alone.
  struct Newer {
    symphony_pit_entry known;
    void* unknown;
  } newer{test::scripted_entry(), nullptr};
  newer.known.struct_size = sizeof newer;
  symphony_pit_entry table{};
  PitInfo info;
  ASSERT_TRUE(read_entry(newer.known, table, info).ok());
  EXPECT_EQ(table.handle, newer.known.handle);
}

TEST(PitInfo, ANoteWithoutStateMakesSnapshotFunctionsUnreachable) {
  symphony_pit_entry entry = test::scripted_entry();
  test::scripted_note();
  symphony_note stateless = *entry.note;
  stateless.state_revision = stateless.state_revision_min = 0;
  entry.note = &stateless;
  symphony_pit_entry table{};
  PitInfo info;
  ASSERT_TRUE(read_entry(entry, table, info).ok());
  EXPECT_EQ(table.snapshot, nullptr);
  EXPECT_EQ(table.restore, nullptr);
}

}  // namespace
}  // namespace symphony::pit
