// Tables and numbers as people read them.
#include "tools/symphony/table.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace symphony::tools {
namespace {

TEST(Table, WordsStandLeftAndNumbersRight) {
  Table table({"mode", "calls", "p99"});
  table.add_row({"static", "200,000", "1.23 µs"});
  table.add_row({"process", "9", "950 ns"});
  EXPECT_EQ(table.text(),
            "mode       calls      p99\n"
            "-------  -------  -------\n"
            "static   200,000  1.23 µs\n"
            "process        9   950 ns\n");
}

TEST(Table, MissingNumbersDoNotTurnTheirColumn) {
  Table table({"what", "count"});
  table.add_row({"a", "12"});
  table.add_row({"b", "-"});
  table.add_row({"c"});
  EXPECT_EQ(table.text(false), "a  12\nb   -\nc\n");
}

TEST(Table, OneWordAmongNumbersKeepsTheColumnLeft) {
  Table table({"value"});
  table.add_row({"12"});
  table.add_row({"unknown"});
  EXPECT_EQ(table.text(false), "12\nunknown\n");
}

TEST(Table, NumbersMayHaveASignAndAUnit) {
  Table table({"value"});
  for (const char* cell : {"-1", "+2.5 %", "~3 µs", "<4", "1.2x", "1,000,000"}) table.add_row({cell});
  EXPECT_EQ(table.text(false), "       -1\n   +2.5 %\n    ~3 µs\n       <4\n     1.2x\n1,000,000\n");
}

TEST(Table, WideAndCombiningCharactersKeepColumnsStraight) {
  Table table({"name", "of"});
  table.add_row({"東京", "x"});
  table.add_row({"größe", "x"});
  table.add_row({"e\xCC\x81t\xCC\x81", "x"});
  EXPECT_EQ(table.text(false), "東京   x\ngröße  x\ne\xCC\x81t\xCC\x81     x\n");
}

TEST(Table, ControlCharactersInACellReachNoTerminal) {
  Table table({"name"});
  table.add_row({"a\x1B[2Jb\nc\xC2\x9B"});
  EXPECT_EQ(table.text(false), "a?[2Jb?c?\n");
}

TEST(Table, WithoutRowsTheHeadsRemain) {
  EXPECT_EQ(Table({"one", "two"}).text(), "one  two\n---  ---\n");
  EXPECT_EQ(Table({"one", "two"}).text(false), "");
}

TEST(TableDeathTest, CellTooManyIsABug) {
  Table table({"one"});
  EXPECT_DEATH(table.add_row({"1", "2"}), "cells.size");
}

TEST(Width, BytesThatAreNotUtf8TakeOneColumnEach) {
  EXPECT_EQ(width_of("a\xFF\xFEz"), 4U);
  EXPECT_EQ(width_of("\xE6\x9D"), 2U);
  EXPECT_EQ(width_of(""), 0U);
  EXPECT_EQ(width_of("🎻"), 2U);
}

TEST(CountText, ThousandsAreSeparated) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1'000), "1,000");
  EXPECT_EQ(count_text(264'191), "264,191");
  EXPECT_EQ(count_text(std::numeric_limits<std::uint64_t>::max()), "18,446,744,073,709,551,615");
}

TEST(DurationText, ThreeDigitsAndTheUnitThatFits) {
  EXPECT_EQ(duration_text(0), "0 ns");
  EXPECT_EQ(duration_text(999), "999 ns");
  EXPECT_EQ(duration_text(1'000), "1.00 µs");
  EXPECT_EQ(duration_text(1'234), "1.23 µs");
  EXPECT_EQ(duration_text(9'996), "10.0 µs");
  EXPECT_EQ(duration_text(45'600'000), "45.6 ms");
  EXPECT_EQ(duration_text(999'499), "999 µs");
  EXPECT_EQ(duration_text(999'500), "1.00 ms");
  EXPECT_EQ(duration_text(7'890'000'000), "7.89 s");
  EXPECT_EQ(duration_text(123'456'000'000'000), "123456 s");
  EXPECT_EQ(duration_text(-1'500), "-1.50 µs");
  EXPECT_EQ(duration_text(std::numeric_limits<std::int64_t>::min()), "-9223372037 s");
}

TEST(DurationText, EveryMagnitudeHasAtMostThreeDigitsUpToAThousandSeconds) {
  for (std::int64_t ns = 1; ns < 999'000'000'000; ns += 1 + ns / 97) {
    const std::string text = duration_text(ns);
    std::size_t digits = 0;
    for (const char c : text) digits += c >= '0' && c <= '9' ? 1U : 0U;
    ASSERT_LE(digits, 3U) << ns << " as " << text;
    ASSERT_TRUE(ns < 1000 || digits == 3) << ns << " as " << text;
  }
}

}  // namespace
}  // namespace symphony::tools
