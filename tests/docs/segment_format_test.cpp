// docs/formats/segment.md, line by line, against bus/memory and bus/channel.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "bus/channel/layout.hpp"
#include "bus/memory/layout.hpp"
#include "bus/memory/segment.hpp"
#include "tests/docs/document.hpp"
#include "tests/docs/link_sample.hpp"

namespace symphony::docs::segment_format {
namespace {

using namespace detail;

constexpr const char* document = "docs/formats/segment.md";

TEST(SegmentFormat, SaysTheFingerprintOfTheLayout) {
  EXPECT_TRUE(holds(table(document, "Constants"), {{"layout_fingerprint", {layout_fingerprint}},
                                                   {"segment_protocol", {segment_protocol}},
                                                   {"segment_header_size", {segment_header_size}},
                                                   {"words_offset", {words_offset}},
                                                   {"data_offset", {data_offset}},
                                                   {"ring_capacity_min", {ring_capacity_min}},
                                                   {"ring_capacity_default", {ring_capacity_default}},
                                                   {"ring_capacity_max", {ring_capacity_max}},
                                                   {"role caller", {static_cast<std::uint64_t>(SegmentRole::caller)}},
                                                   {"role pit", {static_cast<std::uint64_t>(SegmentRole::pit)}},
                                                   {"state open", {static_cast<std::uint64_t>(SideState::open)}},
                                                   {"state closing", {static_cast<std::uint64_t>(SideState::closing)}},
                                                   {"state closed", {static_cast<std::uint64_t>(SideState::closed)}}}));
}

TEST(SegmentFormat, SaysWhereEachPartBegins) {
  EXPECT_TRUE(holds(table(document, "Segment"), {{"0", {words_offset}},
                                                 {std::to_string(words_offset), {data_offset - words_offset}},
                                                 {std::to_string(data_offset), {}}}));
}

TEST(SegmentFormat, ListsEveryFieldOfPage0AtItsOffset) {
  using S = SegmentIdentity;
  const auto& [fingerprint, protocol, role, reserved, nonce] = S{};  // a field more does not compile
  EXPECT_TRUE(
      holds(table(document, "Page 0: identity"), {{"fingerprint", {offsetof(S, fingerprint), sizeof fingerprint}},
                                                  {"protocol", {offsetof(S, protocol), sizeof protocol}},
                                                  {"role", {offsetof(S, role), sizeof role}},
                                                  {"reserved", {offsetof(S, reserved), sizeof reserved}},
                                                  {"nonce", {offsetof(S, nonce), sizeof nonce}}}));
}

TEST(SegmentFormat, ListsEveryWordOfTheCallerAtItsOffset) {
  using W = CallerWords;
  const auto& [request_tail, replies_freed, side, cancel_id, placement] = W{};
  const auto& [sleeping, bell, state, want_space] = side;
  constexpr std::size_t at = words_offset, common = at + offsetof(W, side);
  EXPECT_TRUE(holds(table(document, "Page 1 of the caller's segment"),
                    {{"request_tail", {at + offsetof(W, request_tail), sizeof request_tail}},
                     {"replies_freed", {at + offsetof(W, replies_freed), sizeof replies_freed}},
                     {"sleeping", {common + offsetof(SideWords, sleeping), sizeof sleeping}},
                     {"bell", {common + offsetof(SideWords, bell), sizeof bell}},
                     {"state", {common + offsetof(SideWords, state), sizeof state}},
                     {"want_space", {common + offsetof(SideWords, want_space), sizeof want_space}},
                     {"cancel_id", {at + offsetof(W, cancel_id), sizeof cancel_id}},
                     {"placement", {at + offsetof(W, placement), sizeof placement}}}));
}

TEST(SegmentFormat, ListsEveryWordOfThePitAtItsOffset) {
  using W = PitWords;
  const auto& [reply_tail, requests_begun, requests_handled, requests_freed, side] = W{};
  const auto& [sleeping, bell, state, want_space] = side;
  constexpr std::size_t at = words_offset, common = at + offsetof(W, side);
  EXPECT_TRUE(holds(table(document, "Page 1 of the pit's segment"),
                    {{"reply_tail", {at + offsetof(W, reply_tail), sizeof reply_tail}},
                     {"requests_begun", {at + offsetof(W, requests_begun), sizeof requests_begun}},
                     {"requests_handled", {at + offsetof(W, requests_handled), sizeof requests_handled}},
                     {"requests_freed", {at + offsetof(W, requests_freed), sizeof requests_freed}},
                     {"sleeping", {common + offsetof(SideWords, sleeping), sizeof sleeping}},
                     {"bell", {common + offsetof(SideWords, bell), sizeof bell}},
                     {"state", {common + offsetof(SideWords, state), sizeof state}},
                     {"want_space", {common + offsetof(SideWords, want_space), sizeof want_space}}}));
}

TEST(SegmentFormat, ShowsEveryByteOfBothHeadersAfterTheHistoryItTells) {
  const LinkSample sample;
  EXPECT_TRUE(shows(hex_block(document, "caller-header"), sample.caller().first(segment_header_size)));
  EXPECT_TRUE(shows(hex_block(document, "pit-header"), sample.pit().first(segment_header_size)));
}

}  // namespace
}  // namespace symphony::docs::segment_format
