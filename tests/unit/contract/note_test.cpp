// What SYMPHONY_PIT says of a class: read from the note alone, without running anything of the pit.
#include <gtest/gtest.h>

#include <string_view>
#include <symphony/pit.hpp>

#include "greeter_generated.h"

SYMPHONY_DECLARE_PIT(greeter);

namespace symphony {
namespace {

struct Modest {
  static constexpr std::uint32_t reply_size_max = 128;
  Status on(In<greeter::Hello>, Ctx&) { return ok(); }
  Status on(In<greeter::Greeting>, Ctx&) { return ok(); }
};
using ModestFace = pit::Face<Modest, "modest", "0.9.12", idempotent<greeter::Greeting>, read<greeter::Hello>>;

struct Versioned {
  static constexpr std::uint32_t state_revision = 4;
  static constexpr std::uint32_t state_revision_min = 2;
  Status snapshot(Sink) const { return ok(); }
  Status restore(Source, std::uint32_t) { return ok(); }
};

TEST(PitNote, OfTheTemplateSaysWhoItIs) {
  const symphony_pit_entry& entry = *symphony_pit_greeter();
  ASSERT_NE(entry.note, nullptr);
  EXPECT_EQ(entry.struct_size, sizeof(symphony_pit_entry));
  EXPECT_EQ(entry.note->struct_size, sizeof(symphony_note));
  EXPECT_EQ(entry.note->abi_major, SYMPHONY_ABI_MAJOR);
  EXPECT_EQ(std::string_view(entry.note->name), "greeter");
  EXPECT_EQ(std::string_view(entry.note->version), "1.0.0");
  ASSERT_EQ(entry.note->message_count, 1U);
  EXPECT_EQ(entry.note->messages[0].type, pit_type_id<greeter::Hello>());
  EXPECT_EQ(entry.note->messages[0].effect, std::uint32_t{SYMPHONY_EFFECT_ONCE});
  EXPECT_EQ(entry.note->reply_size_max, pit::default_reply_size_max);
}

TEST(PitNote, ListsMessagesSortedByTypeWithTheirEffects) {
  const symphony_note& note = ModestFace::note;
  ASSERT_EQ(note.message_count, 2U);
  EXPECT_LT(note.messages[0].type, note.messages[1].type);
  for (std::uint32_t i = 0; i < 2; ++i) {
    const bool hello = note.messages[i].type == pit_type_id<greeter::Hello>();
    EXPECT_EQ(note.messages[i].effect, std::uint32_t(hello ? SYMPHONY_EFFECT_READ : SYMPHONY_EFFECT_IDEMPOTENT));
  }
  EXPECT_EQ(note.reply_size_max, 128U);
}

TEST(PitNote, OfAPitWithoutStateHasNoSnapshotFunctionsAndRevisionZero) {
  EXPECT_EQ(ModestFace::entry.snapshot, nullptr);
  EXPECT_EQ(ModestFace::entry.restore, nullptr);
  EXPECT_EQ(ModestFace::note.state_revision, 0U);
}

TEST(PitNote, CarriesTheRevisionsThatThePitWritesAndReads) {
  using Face = pit::Face<Versioned, "versioned", "1.0.0">;
  EXPECT_EQ(Face::note.state_revision, 4U);
  EXPECT_EQ(Face::note.state_revision_min, 2U);
  EXPECT_EQ(Face::note.message_count, 0U);
  EXPECT_NE(Face::entry.restore, nullptr);
}

TEST(PitNote, NamesThatNoFileOrSymbolCouldCarryAreNotPitNames) {
  EXPECT_TRUE(pit::is_pit_name("dag_tracker2"));
  for (const char* bad : {"", "Dag", "2dag", "_dag", "dag-tracker", "dag tracker"})
    EXPECT_FALSE(pit::is_pit_name(bad)) << bad;
}

}  // namespace
}  // namespace symphony
