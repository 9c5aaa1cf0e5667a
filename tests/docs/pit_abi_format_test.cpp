// docs/formats/pit-abi.md: its numbers against symphony/pit.h, the pit runtime's messages byte for byte. The layouts of
// symphony/pit.h are compared where the contract is tested (tests/unit/hosting).
#include <gtest/gtest.h>

#include <symphony/pit.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <symphony/pit_note.hpp>

#include "pits/hosting/process/runtime_protocol.hpp"
#include "pits/hosting/process/snapshot_frame.hpp"
#include "tests/docs/document.hpp"

SYMPHONY_DECLARE_PIT(greeter);

namespace symphony::docs::pit_abi_format {
namespace {

constexpr const char* document = "docs/formats/pit-abi.md";

std::uint64_t signed_number(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// The heading carries the size, the rows every byte: a field that the document lacks leaves a gap or another size.
void expect_struct(const std::string& name, std::size_t size, const std::vector<Numbers>& fields) {
  SCOPED_TRACE(name);
  EXPECT_TRUE(holds(table(document, name + ", " + std::to_string(size) + " bytes"), fields));
  std::size_t end = 0;
  for (const Numbers& field : fields) {
    EXPECT_EQ(field.values.at(0), end) << field.name << " does not begin where the field before it ends";
    end = field.values.at(0) + field.values.at(1);
  }
  EXPECT_EQ(end, size) << "the last field does not end where the struct ends";
}

#define FIELD(type, name)                               \
  Numbers {                                             \
#name, { offsetof(type, name), sizeof(type::name) } \
  }

TEST(PitAbiFormat, ListsEveryFieldOfTheRuntimesMessages) {
  using namespace pit::runtime;
  expect_struct("StepBody", sizeof(StepBody),
                {FIELD(StepBody, step), FIELD(StepBody, reserved), FIELD(StepBody, deadline_ns)});
  expect_struct("SnapshotBody", sizeof(SnapshotBody),
                {FIELD(SnapshotBody, offset), FIELD(SnapshotBody, number), FIELD(SnapshotBody, reserved)});
  expect_struct("ChunkHead", sizeof(ChunkHead),
                {FIELD(ChunkHead, revision), FIELD(ChunkHead, number), FIELD(ChunkHead, total)});
  using R = RestoreHead;
  expect_struct("RestoreHead", sizeof(R), {FIELD(R, revision), FIELD(R, resumes), FIELD(R, offset), FIELD(R, total)});
  expect_struct("FrameHead", sizeof(FrameHead), {FIELD(FrameHead, timer_count), FIELD(FrameHead, reserved)});
  expect_struct("FrameTimer", sizeof(FrameTimer), {FIELD(FrameTimer, id), FIELD(FrameTimer, remaining_ns)});
  expect_struct("FeedBody", sizeof(FeedBody), {FIELD(FeedBody, seed), FIELD(FeedBody, now_ns)});
  EXPECT_TRUE(holds(table(document, "The pit runtime's own messages"), {{"symphony.runtime.Info", {type_info}},
                                                                        {"symphony.runtime.Step", {type_step}},
                                                                        {"symphony.runtime.Snapshot", {type_snapshot}},
                                                                        {"symphony.runtime.Feed", {type_feed}},
                                                                        {"symphony.runtime.Restore", {type_restore}}}));
}

TEST(PitAbiFormat, SaysEveryNumberOfTheHeader) {
#define NUMBER(name)                                      \
  Numbers {                                               \
    "SYMPHONY_" #name, { signed_number(SYMPHONY_##name) } \
  }
  EXPECT_TRUE(holds(table(document, "Statuses"), {NUMBER(OK),          NUMBER(OVERLOADED),       NUMBER(DEADLINE),
                                                  NUMBER(CANCELLED),   NUMBER(UNKNOWN_TYPE),     NUMBER(BAD_MESSAGE),
                                                  NUMBER(VERSION),     NUMBER(CRASHED),          NUMBER(TRAPPED),
                                                  NUMBER(POISONED),    NUMBER(QUARANTINED),      NUMBER(MOVED),
                                                  NUMBER(INTERNAL),    NUMBER(CLOSED),           NUMBER(TOO_LARGE),
                                                  NUMBER(FORKED),      NUMBER(CRASHED_ACCEPTED), NUMBER(PEER_FAULT),
                                                  NUMBER(UNREACHABLE), NUMBER(BAD_STATE),        NUMBER(PENDING),
                                                  NUMBER(DENIED)}));
  // A number of a C header may be a product of ints.
  // NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result)
  EXPECT_TRUE(holds(table(document, "Other numbers"), {NUMBER(ABI_MAJOR),
                                                       NUMBER(ABI_MINOR),
                                                       NUMBER(EFFECT_ONCE),
                                                       NUMBER(EFFECT_READ),
                                                       NUMBER(EFFECT_IDEMPOTENT),
                                                       NUMBER(THREAD_MODEL_SERIAL),
                                                       NUMBER(NOTE_TYPE),
                                                       NUMBER(NEEDS_MAX),
                                                       NUMBER(TIMERS_MAX),
                                                       NUMBER(PENDING_MAX),
                                                       NUMBER(CALLS_MAX),
                                                       NUMBER(LOG_DEBUG),
                                                       NUMBER(LOG_INFO),
                                                       NUMBER(LOG_WARNING),
                                                       NUMBER(LOG_ERROR),
                                                       NUMBER(ERROR_TEXT_MAX),
                                                       NUMBER(LOG_TEXT_MAX),
                                                       NUMBER(REPLY_SIZE_MAX),
                                                       NUMBER(FLAG_REQUEST),
                                                       NUMBER(FLAG_REPLY),
                                                       NUMBER(FLAG_EVENT),
                                                       NUMBER(FLAG_ERROR),
                                                       NUMBER(FLAG_HAS_EXTENSION_BLOCK),
                                                       NUMBER(FLAG_REDELIVERED),
                                                       NUMBER(FLAG_BODY_AT_64),
                                                       NUMBER(FLAG_MORE)}));
  // NOLINTEND(bugprone-implicit-widening-of-multiplication-result)
}

TEST(PitAbiFormat, ShowsEveryByteOfTheTemplatesNote) {
  symphony_note source = *symphony_pit_greeter()->note;
  source.schema_hash = 0;
  pit::ElfNote<156> image;
  const pit::NoteWriter writer(source, image.description.data(), "gcc 12.2.0",
                               pit::note_build_exceptions | pit::note_build_rtti);
  ASSERT_EQ(writer.size(), image.description.size());
  const HexBlock block = hex_block(document, "greeter-note");
  EXPECT_TRUE(shows(block, std::as_bytes(std::span(&image, 1))));
  EXPECT_EQ(block.bytes.size(), sizeof image);
}

}  // namespace
}  // namespace symphony::docs::pit_abi_format
