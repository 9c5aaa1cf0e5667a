// The note as bytes against the note as a struct: whatever a pit's class says, the file says, and every damage is
// found.
#include "pits/hosting/note.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <symphony/pit.hpp>
#include <vector>

#include "pit_note_generated.h"
#include "probe_generated.h"
#include "tests/unit/hosting/probe_pit.hpp"

namespace symphony::pit {
namespace {

using ::testing::HasSubstr;

using Probe = Face<probe::ProbePit, "probe", "2.13.999", once<probe::Tree>>;

struct Bare {};
using BareFace = Face<Bare, "b", "0.0.0">;

using namespace std::string_view_literals;
struct Needy {
  static constexpr std::uint32_t state_revision = 0xFFFFFFFF;
  static constexpr std::uint32_t state_revision_min = 7;
  static constexpr std::uint32_t reply_size_max = SYMPHONY_REPLY_SIZE_MAX;
  // No 0 behind the name: the note must have one all the same.
  static constexpr std::string_view all = "poolstore_2";
  static constexpr auto needs = std::array{all.substr(0, 4), all.substr(4), "a"sv};
  Status on(In<probe::Tree>, Ctx&) { return ok(); }
  Status on(In<probe::Summary>, Ctx&) { return ok(); }
  Status snapshot(Sink) const { return ok(); }
  Status restore(Source, std::uint32_t) { return ok(); }
};
using NeedyFace = Face<Needy, "needy", "1.2.3", read<probe::Tree>, idempotent<probe::Summary>>;

struct NeedsByPointer {
  static constexpr auto needs = std::array{"pool"};
};
using NeedsByPointerFace = Face<NeedsByPointer, "pointers", "1.0.0">;

template <const symphony_note& note>
std::vector<std::byte> bytes_of() {
  const auto bytes = std::as_bytes(std::span(elf_note<note>.description));
  return {bytes.begin(), bytes.end()};
}

template <class F>
PitInfo info_of_table() {
  symphony_pit_entry table{};
  PitInfo info;
  EXPECT_TRUE(read_entry(F::entry, table, info).ok());
  return info;
}

template <class F>
class EveryNote : public testing::Test {};
using Faces = testing::Types<Probe, BareFace, NeedyFace, NeedsByPointerFace>;
TYPED_TEST_SUITE(EveryNote, Faces);

TYPED_TEST(EveryNote, InBytesSaysWhatTheTableSays) {
  const auto bytes = bytes_of<TypeParam::note>();
  PitNote read;
  const Outcome outcome = read_note(bytes, read);
  ASSERT_TRUE(outcome.ok()) << outcome.text;
  const PitInfo info = info_of_table<TypeParam>();
  EXPECT_EQ(first_difference(read.info, info), "");
  EXPECT_EQ(read.build, note_build);
  EXPECT_TRUE(read.exceptions);
  EXPECT_TRUE(read.rtti);
}

TYPED_TEST(EveryNote, IsAFlatBufferThatTheGeneratedVerifierTakes) {
  const auto& image = elf_note<TypeParam::note>.description;
  alignas(8) std::array<std::uint8_t, sizeof image> bytes = image;
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  EXPECT_TRUE(note::VerifyPitNoteBuffer(verifier));
  EXPECT_EQ(bytes.size() % 4, 0U);
}

TYPED_TEST(EveryNote, StandsBehindTheHeadOfAnElfNote) {
  const auto& image = elf_note<TypeParam::note>;
  EXPECT_EQ(image.owner_size, 9U);
  EXPECT_EQ(image.size, image.description.size());
  EXPECT_EQ(image.type, 1U);
  EXPECT_EQ(std::string_view(image.owner), "Symphony");
  EXPECT_EQ(sizeof image, 24 + image.description.size());
}

// One bit wrong, anywhere: nothing of it is believed.
TYPED_TEST(EveryNote, WithOneBitFlippedIsRefused) {
  auto bytes = bytes_of<TypeParam::note>();
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    PitNote read;
    const Outcome outcome = read_note(bytes, read);
    EXPECT_EQ(outcome.status, SYMPHONY_BAD_MESSAGE) << "bit " << bit;
    EXPECT_THAT(outcome.text, HasSubstr("build the pit again")) << "bit " << bit;
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

// A vector of its own for each size: AddressSanitizer sees a read behind its end.
TYPED_TEST(EveryNote, CutAnywhereIsRefused) {
  const auto bytes = bytes_of<TypeParam::note>();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    PitNote read;
    EXPECT_EQ(read_note(part, read).status, SYMPHONY_BAD_MESSAGE) << size;
  }
}

// What a pit's process says of the pit to a host.
TYPED_TEST(EveryNote, IsTheSameWhenItIsPassedOn) {
  const PitInfo info = info_of_table<TypeParam>();
  PitNote read;
  const Outcome outcome = read_note(write_note(info), read);
  ASSERT_TRUE(outcome.ok()) << outcome.text;
  EXPECT_EQ(first_difference(read.info, info), "");
}

TEST(Note, OfThePitThatSaysTheMostFitsWhatAnyLinkCarries) {
  PitInfo info = info_of_table<NeedyFace>();
  info.name.assign(pit_name_size_max, 'n');
  info.version = "999999999.999999999.999999999";
  info.messages.clear();
  for (std::uint32_t type = 1; type <= pit_messages_max; ++type) info.messages.push_back({type, 0});
  info.needs.clear();
  for (std::uint32_t i = 10; i < 10 + pit_needs_max; ++i)
    info.needs.push_back(std::string(pit_name_size_max - 2, 'a') + std::to_string(i));
  const auto bytes = write_note(info);
  EXPECT_LE(bytes.size(), 16U * 1024);
  PitNote read;
  const Outcome outcome = read_note(bytes, read);
  ASSERT_TRUE(outcome.ok()) << outcome.text;
  EXPECT_EQ(first_difference(read.info, info), "");
}

TEST(Note, ListsNeedsInTheirOrder) {
  EXPECT_EQ(info_of_table<NeedyFace>().needs, (std::vector<std::string>{"pool", "store_2", "a"}));
  EXPECT_EQ(info_of_table<NeedsByPointerFace>().needs, (std::vector<std::string>{"pool"}));
  EXPECT_TRUE(info_of_table<BareFace>().needs.empty());
}

// A note that a later release wrote: more fields at the end of its table.
TEST(Note, OfALaterReleaseIsReadAsFarAsItIsKnown) {
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString("later");
  const auto version = builder.CreateString("1.0.0");
  const auto start = builder.StartTable();
  builder.AddOffset(note::PitNote::VT_NAME, name);
  builder.AddOffset(note::PitNote::VT_VERSION, version);
  builder.AddElement<std::uint16_t>(note::PitNote::VT_ABI_MAJOR, 1, 0);
  builder.AddElement<std::uint32_t>(note::PitNote::VT_CHECKSUM + 2, 0x12345678, 0);
  builder.ForceDefaults(true);
  builder.AddElement<std::uint32_t>(note::PitNote::VT_CHECKSUM, 0, 0);
  builder.Finish(flatbuffers::Offset<note::PitNote>(builder.EndTable(start)), note::PitNoteIdentifier());
  std::uint32_t sum = note_checksum_start;
  for (std::size_t i = 0; i < builder.GetSize(); ++i) sum = note_checksum(sum, builder.GetBufferPointer()[i]);
  auto* root = flatbuffers::GetMutableRoot<flatbuffers::Table>(builder.GetBufferPointer());
  PitNote read;
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  EXPECT_THAT(read_note(bytes, read).text, HasSubstr("checksum differs"));
  ASSERT_TRUE(root->SetField<std::uint32_t>(note::PitNote::VT_CHECKSUM, sum, 0));
  const Outcome outcome = read_note(bytes, read);
  EXPECT_TRUE(outcome.ok()) << outcome.text;
  EXPECT_EQ(read.info.name, "later");
  EXPECT_EQ(read.info.abi_minor, 0U);
}

TEST(Note, AboveItsSizeLimitIsRefused) {
  PitNote read;
  EXPECT_THAT(read_note(std::vector<std::byte>(note_size_max + 1), read).text, HasSubstr("larger than 64 KiB"));
}

}  // namespace
}  // namespace symphony::pit
