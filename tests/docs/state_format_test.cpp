// docs/formats/state.md, line by line, against bus/state and pits/hosting/durable.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "bus/ring/mem.hpp"
#include "bus/state/layout.hpp"
#include "bus/state/state_writer.hpp"
#include "pits/hosting/durable/journal_event.hpp"
#include "tests/docs/document.hpp"

namespace symphony::docs::state_format {
namespace {

using namespace detail;

constexpr const char* document = "docs/formats/state.md";
constexpr StateGeometry geometry{8192, 4096};

TEST(StateFormat, SaysItsConstants) {
  EXPECT_TRUE(holds(table(document, "Constants"), {{"state_magic", {state_magic}},
                                                   {"state_revision", {state_revision}},
                                                   {"state_page", {state_page}},
                                                   {"journal_head_size", {journal_head_size}}}));
}

// The rows that are no numbers name what stands one behind the other.
TEST(StateFormat, SaysWhereEachPartBegins) {
  const Table parts = table(document, "State");
  EXPECT_EQ(parts.cell("0", "Size"), std::to_string(sizeof(StateIdentity)));
  EXPECT_EQ(parts.cell(std::to_string(state_current_offset), "Size"), "8");
  for (const std::uint32_t generation : {2u, 1u}) {
    const std::string at = std::to_string(state_descriptor_offset(generation));
    EXPECT_EQ(parts.cell(at, "Size"), std::to_string(sizeof(StateDescriptor)));
    EXPECT_EQ(parts.cell(at, "Contents"),
              generation == 1 ? "descriptor of the odd generation" : "descriptor of the even generation");
  }
  EXPECT_EQ(parts.cell(std::to_string(state_snapshot_offset(geometry, 2)), "Contents"),
            "snapshot of the even generation");
  EXPECT_EQ(state_journal_offset(geometry, 2), state_snapshot_offset(geometry, 2) + geometry.snapshot_capacity);
  EXPECT_EQ(state_snapshot_offset(geometry, 1), state_journal_offset(geometry, 2) + geometry.journal_capacity);
  EXPECT_EQ(state_size(geometry), state_journal_offset(geometry, 1) + geometry.journal_capacity);
}

TEST(StateFormat, ListsEveryFieldOfTheIdentityAndTheDescriptor) {
  using I = StateIdentity;
  const auto& [magic, revision, sizes] = I{};  // a field more does not compile
  const auto& [snapshot_capacity, journal_capacity] = sizes;
  constexpr std::size_t at = offsetof(I, geometry);
  EXPECT_TRUE(holds(table(document, "Identity"),
                    {{"magic", {offsetof(I, magic), sizeof magic}},
                     {"revision", {offsetof(I, revision), sizeof revision}},
                     {"snapshot_capacity", {at + offsetof(StateGeometry, snapshot_capacity), sizeof snapshot_capacity}},
                     {"journal_capacity", {at + offsetof(StateGeometry, journal_capacity), sizeof journal_capacity}}}));
  using D = StateDescriptor;
  const auto& [generation, size, checksum] = D{};
  EXPECT_TRUE(holds(table(document, "Descriptor"), {{"generation", {offsetof(D, generation), sizeof generation}},
                                                    {"size", {offsetof(D, size), sizeof size}},
                                                    {"checksum", {offsetof(D, checksum), sizeof checksum}}}));
}

TEST(StateFormat, ListsEveryFieldOfARecord) {
  using E = pit::EventHead;
  using H = pit::Heard;
  const auto& [kind, type, link, id, now_ns, deadline_ns, seed, status, flags, attempt, reserved, heard] = E{};
  const auto& [heard_now, waited_for, claim_refused] = heard;
  constexpr std::size_t at = offsetof(E, heard);
  EXPECT_TRUE(holds(table(document, "Journal"),
                    {{"kind", {offsetof(E, kind), sizeof kind}},
                     {"type", {offsetof(E, type), sizeof type}},
                     {"link", {offsetof(E, link), sizeof link}},
                     {"id", {offsetof(E, id), sizeof id}},
                     {"now_ns", {offsetof(E, now_ns), sizeof now_ns}},
                     {"deadline_ns", {offsetof(E, deadline_ns), sizeof deadline_ns}},
                     {"seed", {offsetof(E, seed), sizeof seed}},
                     {"status", {offsetof(E, status), sizeof status}},
                     {"flags", {offsetof(E, flags), sizeof flags}},
                     {"attempt", {offsetof(E, attempt), sizeof attempt}},
                     {"reserved", {offsetof(E, reserved), sizeof reserved}},
                     {"heard.now_ns", {at + offsetof(H, now_ns), sizeof heard_now}},
                     {"heard.waited_for", {at + offsetof(H, waited_for), sizeof waited_for}},
                     {"heard.claim_refused", {at + offsetof(H, claim_refused), sizeof claim_refused}}}));
}

TEST(StateFormat, SaysTheNumberOfEachKind) {
  using K = pit::EventKind;
  const auto of = [](K kind) { return std::vector<std::uint64_t>{static_cast<std::uint64_t>(kind)}; };
  EXPECT_TRUE(holds(table(document, "Kinds"), {{"request", of(K::request)},
                                               {"timer", of(K::timer)},
                                               {"answer", of(K::answer)},
                                               {"drain", of(K::drain)},
                                               {"start", of(K::start)},
                                               {"stop", of(K::stop)},
                                               {"feed", of(K::feed)},
                                               {"owed", of(K::owed)},
                                               {"paid", of(K::paid)},
                                               {"gone", of(K::gone)}}));
}

// A snapshot of `state`, and one record behind it: with them, the words and checksums that the text describes.
TEST(StateFormat, ShowsEveryByteOfAStateThatItTells) {
  std::vector<std::byte> memory(state_size(geometry));
  StateWriter<RealMem> writer(memory.data(), geometry);
  ASSERT_TRUE(writer.write_snapshot(std::as_bytes(std::span("state", 5))));
  pit::EventHead head{.kind = pit::EventKind::gone, .link = 7};
  writer.append(std::as_bytes(std::span(&head, 1)), {});
  const std::span bytes(memory);
  EXPECT_TRUE(shows(hex_block(document, "page-0"), bytes.first(state_page)));
  EXPECT_TRUE(shows(hex_block(document, "snapshot"), bytes.subspan(state_snapshot_offset(geometry, 1), 16)));
  EXPECT_TRUE(shows(hex_block(document, "journal"), bytes.subspan(state_journal_offset(geometry, 1), 128)));
}

}  // namespace
}  // namespace symphony::docs::state_format
