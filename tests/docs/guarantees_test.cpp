// docs/guarantees.md promises only what a test shows.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tests/docs/document.hpp"

namespace symphony::docs {
namespace {

std::string sources_of_tests(const char* extension) {
  std::string all;
  const std::filesystem::path root(SYMPHONY_SOURCE_DIR);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "tests")) {
    if (entry.path().extension() == extension) all += read_file(entry.path().lexically_relative(root).string());
  }
  return all;
}

// `Suite.Name` of each GoogleTest case, and `Class.test_name` of each method of a Python test.
std::set<std::string> names_of_tests() {
  std::set<std::string> tests;
  const std::string sources = sources_of_tests(".cpp");
  const std::regex definition(R"(\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\))");
  for (std::sregex_iterator i(sources.begin(), sources.end(), definition), end; i != end; ++i) {
    tests.insert((*i)[1].str() + "." + (*i)[2].str());
  }
  const std::regex of_python(R"(class (\w+)\([\w.]+\):|    def (test_\w+)\(self\):)");
  std::istringstream lines(sources_of_tests(".py"));
  std::smatch found;
  for (std::string line, suite; std::getline(lines, line);) {
    if (!std::regex_match(line, found, of_python)) continue;
    if (found[1].matched) {
      suite = found[1];
    } else {
      tests.insert(suite + "." + found[2].str());
    }
  }
  return tests;
}

// What could go wrong: a guarantee stays in the table when the test that showed it is gone or was renamed.
TEST(Guarantees, NameOnlyTestsThatExist) {
  const std::set<std::string> tests = names_of_tests();
  const std::string text = read_file("docs/guarantees.md");
  const std::regex reference(R"(`([A-Z]\w+\.(?:[A-Z]|test_)\w+)`)");
  int named = 0;
  for (std::sregex_iterator i(text.begin(), text.end(), reference), end; i != end; ++i, ++named) {
    EXPECT_TRUE(tests.contains((*i)[1].str())) << (*i)[1].str() << " is no test; mend docs/guarantees.md";
  }
  EXPECT_GE(named, 20) << "a guarantee names its test as `Suite.Name`";
}

// What could go wrong: a promise that nothing shows. Rows are numbered, and the list at the end names what shows each.
TEST(Guarantees, HaveATestForEveryNumberAndANumberInEveryRow) {
  std::set<int> promised, shown;
  std::istringstream in(read_file("docs/guarantees.md"));
  const std::regex row(R"(\| (\d+) \|.*)"), proof(R"(- (\d+): `[A-Z]\w+\.(?:[A-Z]|test_)\w+`.*)"),
      other_row(R"(\| (?!No\.).*)");
  std::smatch found;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_match(line, found, row)) {
      EXPECT_TRUE(promised.insert(std::stoi(found[1])).second) << "this number is taken: " << line;
    } else if (std::regex_match(line, found, proof)) {
      EXPECT_TRUE(shown.insert(std::stoi(found[1])).second) << "this number is taken: " << line;
    } else {
      EXPECT_FALSE(std::regex_match(line, other_row)) << "a row without a number: " << line;
    }
  }
  EXPECT_EQ(promised, shown);
  EXPECT_GE(promised.size(), 30u);
}

}  // namespace
}  // namespace symphony::docs
