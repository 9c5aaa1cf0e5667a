// The ABI against the committed list of it: an offset, a size or a number that changes changes a line here, and whoever
// changes it sees which pits stop to load.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tests/support/abi_structs.hpp"

namespace symphony {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Every `#define SYMPHONY_NAME number` of the header, in its order.
std::string constants(const std::string& header) {
  static const std::regex line(R"(#define (SYMPHONY_\w+) ([^\n"]+))");
  static const std::regex number(R"(\(?-?[0-9][-0-9* ()]*)");
  std::string all;
  for (std::sregex_iterator at(header.begin(), header.end(), line), end; at != end; ++at) {
    std::smatch value;
    const std::string rest = (*at)[2];
    if (!std::regex_search(rest, value, number, std::regex_constants::match_continuous)) continue;
    std::string text = value.str();
    while (text.back() == ' ') text.pop_back();
    all += (*at)[1].str() + " " + text + "\n";
  }
  return all;
}

std::string dump() {
  std::string all;
  for (const test::AbiStruct& type : test::abi_structs()) {
    all += type.name + " " + std::to_string(type.size) + "\n";
    for (const test::AbiField& field : type.fields) {
      all += "  " + std::to_string(field.offset) + " " + std::to_string(field.size) + " " + field.name + "\n";
    }
  }
  return all + constants(text_of(SYMPHONY_CONTRACT_HEADER));
}

TEST(PitAbi, IsTheCommittedOne) {
  const std::string now = dump();
  std::istringstream was_lines(text_of(SYMPHONY_ABI_LIST)), now_lines(now);
  std::string was_line, now_line;
  for (int number = 1; std::getline(was_lines, was_line); ++number) {
    if (!was_line.empty() && was_line.front() == '#') continue;
    std::getline(now_lines, now_line);
    ASSERT_EQ(now_line, was_line)
        << "line " << number << " of " << SYMPHONY_ABI_LIST
        << ": a field or number may be added behind the others, never changed. The whole list:\n"
        << now;
  }
  EXPECT_FALSE(std::getline(now_lines, now_line))
      << "not in " << SYMPHONY_ABI_LIST << ": " << now_line << "\nThe whole list:\n"
      << now;
}

TEST(PitAbi, ListLeavesOutNoStructOfTheHeader) {
  const std::string header = text_of(SYMPHONY_CONTRACT_HEADER);
  std::set<std::string> listed, declared;
  for (const test::AbiStruct& type : test::abi_structs()) listed.insert(type.name);
  static const std::regex definition(R"(typedef struct (symphony_\w+) \{)");
  for (std::sregex_iterator at(header.begin(), header.end(), definition), end; at != end; ++at)
    declared.insert((*at)[1]);
  EXPECT_GE(declared.size(), 10U);
  EXPECT_EQ(listed, declared);
}

TEST(PitAbi, StructsHaveNoByteWithoutAName) {
  for (const test::AbiStruct& type : test::abi_structs()) {
    std::size_t end = 0;
    for (const test::AbiField& field : type.fields) {
      EXPECT_EQ(field.offset, end) << type.name << "." << field.name;
      end = field.offset + field.size;
    }
    EXPECT_EQ(end, type.size) << type.name;
  }
}

}  // namespace
}  // namespace symphony
