// UTF-8: every short byte string is judged as the table of well-formed sequences says (Unicode, chapter 3).
#include "tools/symphony/graph/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {
namespace {

std::string encoded(std::uint32_t point) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xC0 | point >> 6), byte(0x80 | (point & 0x3F))};
  if (point < 0x10000) return {byte(0xE0 | point >> 12), byte(0x80 | (point >> 6 & 0x3F)), byte(0x80 | (point & 0x3F))};
  return {byte(0xF0 | point >> 18), byte(0x80 | (point >> 12 & 0x3F)), byte(0x80 | (point >> 6 & 0x3F)),
          byte(0x80 | (point & 0x3F))};
}

TEST(Utf8, EveryCharacterIsAcceptedAndEverySurrogateIsNot) {
  for (std::uint32_t point = 0; point <= 0x110000; ++point) {
    const bool exists = point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    ASSERT_EQ(first_bad_utf8(encoded(point)) == all_utf8, exists) << std::hex << point;
  }
}

TEST(Utf8, EveryPairOfBytesIsAcceptedExactlyWhenItEncodesCharacters) {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const std::string text{static_cast<char>(first), static_cast<char>(second)};
      std::size_t expected = all_utf8;
      if (first < 0x80) {
        if (second >= 0x80) expected = 1;
      } else if (first < 0xC2 || first > 0xDF || second < 0x80 || second > 0xBF) {
        expected = 0;
      }
      ASSERT_EQ(first_bad_utf8(text), expected) << first << ' ' << second;
    }
  }
}

TEST(Utf8, OverlongFormsAreRefused) {
  EXPECT_EQ(first_bad_utf8("\xC0\x80"), 0U);
  EXPECT_EQ(first_bad_utf8("\xE0\x9F\xBF"), 0U);
  EXPECT_EQ(first_bad_utf8("\xF0\x8F\xBF\xBF"), 0U);
}

TEST(Utf8, OffsetIsThatOfTheFirstBadByteWhereverItStands) {
  for (std::size_t at = 0; at < 40; ++at) {
    std::string text(40, 'x');
    text[at] = '\xFF';
    EXPECT_EQ(first_bad_utf8(text), at);
  }
}

TEST(Utf8, CharacterCutByTheEndIsToldFromABrokenOne) {
  EXPECT_TRUE(is_cut_utf8("a\xE6\x9D", 1));
  EXPECT_FALSE(is_cut_utf8("a\xE6\x9Dz", 1));
  EXPECT_FALSE(is_cut_utf8("a\xFF", 1));
}

TEST(Printable, ControlCharactersNeverReachATerminal) {
  EXPECT_EQ(printable("a\x1B[31m\nb\x7F"), "a?[31m?b?");
  EXPECT_EQ(printable("x\xC2\x9Bm"), "x?m");
  EXPECT_EQ(printable("größe"), "größe");
}

TEST(Printable, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(printable("abcdefgh", 8), "abcdefgh");
  EXPECT_EQ(printable("abcdefghi", 8), "abcde...");
  EXPECT_EQ(printable("abcd\xC3\xA4xyz", 8), "abcd...");
}

}  // namespace
}  // namespace symphony::tools
