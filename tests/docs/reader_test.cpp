// The reader of documents itself: what could go wrong is a comparison that cannot fail.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>

#include "tests/docs/document.hpp"

namespace symphony::docs {
namespace {

HexBlock block(std::map<std::size_t, HexBlock::Byte> bytes) { return {"x.md", std::move(bytes)}; }

TEST(DocumentReader, AByteThatDiffersIsReportedWithItsLineAndTheRightBytes) {
  const std::array actual{std::byte{0xab}, std::byte{2}, std::byte{0}};
  EXPECT_TRUE(shows(block({{0, {0xab, 1}}, {1, {2, 1}}}), actual));
  const auto wrong = shows(block({{0, {0xab, 7}}, {1, {3, 7}}}), actual);
  ASSERT_FALSE(wrong);
  EXPECT_NE(std::string(wrong.message()).find("x.md:7"), std::string::npos) << wrong.message();
  EXPECT_NE(std::string(wrong.message()).find("00000000  ab 02"), std::string::npos) << wrong.message();
}

TEST(DocumentReader, AByteThatIsNotShownMustBeZeroAndNoneMayFollowTheEnd) {
  const std::array actual{std::byte{1}, std::byte{2}};
  EXPECT_FALSE(shows(block({{0, {1, 1}}}), actual)) << "2 is not shown";
  EXPECT_FALSE(shows(block({{0, {1, 1}}, {1, {2, 1}}, {2, {0, 1}}}), actual)) << "there is no third byte";
}

TEST(DocumentReader, ATableMustHaveEveryRowAndNoOtherWithTheSameNumbers) {
  const Table read{{"name", "offset", "size"}, {{"a", {"a", "0x10", "8"}}, {"b", {"b", "-3", "4"}}}};
  const Numbers a{"a", {16, 8}}, b{"b", {std::uint64_t{0} - 3, 4}};
  EXPECT_TRUE(holds(read, {a, b}));
  EXPECT_FALSE(holds(read, {a})) << "the document has a row more";
  EXPECT_FALSE(holds(read, {a, b, {"c", {1}}})) << "the document has a row less";
  EXPECT_FALSE(holds(read, {a, {"b", {3, 4}}})) << "another number";
  EXPECT_FALSE(holds(read, {{"a", {16, 9}}, b})) << "another size";
}

TEST(DocumentReader, WhatIsNotThereIsAnError) {
  EXPECT_THROW((void)read_file("docs/formats/nothing.md"), std::runtime_error);
  EXPECT_THROW((void)hex_block("docs/formats/ring.md", "nothing"), std::runtime_error);
  EXPECT_THROW((void)table("docs/formats/ring.md", "Nothing"), std::runtime_error);
}

}  // namespace
}  // namespace symphony::docs
