// The programs that README.md shows are the ones that are compiled, and print what it says.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <sstream>
#include <string>

#include "tests/docs/document.hpp"

namespace symphony::docs {
namespace {

bool shows_program(const std::string& program) {
  const auto shown = blocks("README.md", "cpp");
  return std::find(shown.begin(), shown.end(), read_file(program)) != shown.end();
}

int lines_of_code(const std::string& program) {
  std::istringstream in(read_file(program));
  int count = 0;
  for (std::string line; std::getline(in, line);) count += !line.empty() && line.rfind("#include", 0) != 0;
  return count;
}

TEST(Readme, ShowsTheTemplatePitAsItIsCompiled) {
  EXPECT_TRUE(shows_program("pits/template/greeter.cpp")) << "copy the file into README.md, it is the truth";
  EXPECT_LE(lines_of_code("pits/template/greeter.cpp"), 15);
}

TEST(Readme, ShowsTheCallerAsItIsCompiled) {
  EXPECT_TRUE(shows_program("tests/docs/caller.cpp")) << "copy the file into README.md, it is the truth";
  EXPECT_LE(lines_of_code("tests/docs/caller.cpp"), 10);
}

TEST(Readme, ShowsWhatTheCallerPrints) {
  FILE* const program = ::popen(SYMPHONY_README_CALLER, "re");
  ASSERT_NE(program, nullptr);
  std::string printed;
  for (std::array<char, 256> part{}; std::fgets(part.data(), part.size(), program) != nullptr;) printed += part.data();
  EXPECT_EQ(::pclose(program), 0);
  EXPECT_EQ(printed, "Hello, world!\n");
  const auto shown = blocks("README.md", "text");
  EXPECT_NE(std::find(shown.begin(), shown.end(), printed), shown.end()) << "README.md shows another output";
}

}  // namespace
}  // namespace symphony::docs
