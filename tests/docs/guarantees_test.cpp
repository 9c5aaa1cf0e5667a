// docs/guarantees.md and docs/security.md promise only what a test shows.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

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
  const std::regex reference(R"(`([A-Z]\w+\.(?:[A-Z]|test_)\w+)`)");
  for (const char* document : {"docs/guarantees.md", "docs/security.md"}) {
    const std::string text = read_file(document);
    int named = 0;
    for (std::sregex_iterator i(text.begin(), text.end(), reference), end; i != end; ++i, ++named)
      EXPECT_TRUE(tests.contains((*i)[1].str())) << (*i)[1].str() << " is no test; mend " << document;
    EXPECT_GE(named, 10) << document << ": what is promised names its test as `Suite.Name`";
  }
}

using Row = std::vector<std::string>;

// The cells of a row of a table, trimmed; nothing: it is none.
Row row_of(const std::string& line) {
  Row cells;
  if (line.empty() || line.front() != '|') return cells;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    const auto first = cell.find_first_not_of(' ');
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
  }
  return cells;
}

// The rows of each table of the overview, the header among them.
std::vector<std::vector<Row>> tables_of_overview() {
  std::vector<std::vector<Row>> tables;
  std::istringstream in(read_file("docs/guarantees.md"));
  bool is_inside = false, is_table = false;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("## ", 0) == 0) is_inside = line == "## Overview";
    const Row cells = is_inside ? row_of(line) : Row{};
    if (!cells.empty() && !is_table) tables.emplace_back();
    is_table = !cells.empty();
    if (is_table && line.find("|---|") == std::string::npos) tables.back().push_back(cells);
  }
  return tables;
}

std::set<int> numbers_of_rows() {
  std::set<int> numbers;
  std::istringstream in(read_file("docs/guarantees.md"));
  for (std::string line; std::getline(in, line);) {
    const Row cells = row_of(line);
    if (!cells.empty() && std::regex_match(cells[0], std::regex(R"(\d+)"))) numbers.insert(std::stoi(cells[0]));
  }
  return numbers;
}

// What is wrong with a cell: it names rows, in parentheses, or says openly that nothing is promised.
std::string trouble_with(const std::string& cell, const std::set<int>& rows) {
  const std::regex list(R"(\((\d+(?:-\d+)?(?:, \d+(?:-\d+)?)*)\))"), one(R"((\d+)(?:-(\d+))?)");
  bool names_any = false;
  for (std::sregex_iterator i(cell.begin(), cell.end(), list), end; i != end; ++i) {
    const std::string numbers = (*i)[1];
    for (std::sregex_iterator n(numbers.begin(), numbers.end(), one); n != end; ++n) {
      names_any = true;
      for (const auto& bound : {(*n)[1], (*n)[2]}) {
        if (bound.matched && !rows.contains(std::stoi(bound))) return "there is no row " + bound.str();
      }
    }
  }
  if (!names_any && cell.find("not promised") == std::string::npos) return "it names no row";
  return "";
}

// What could go wrong: a case that nobody thought of. Each party and each thing that can become of it has a cell.
TEST(Guarantees, HaveAnOverviewInWhichEveryCellNamesRowsOrSaysThatNothingIsPromised) {
  const auto tables = tables_of_overview();
  ASSERT_EQ(tables.size(), 2u);
  const auto column = [](const std::vector<Row>& table) {
    Row first;
    for (const Row& row : table) first.push_back(row[0]);
    return first;
  };
  EXPECT_EQ(tables[0][0], (Row{"", "dies", "stops", "lies", "is slow"}));
  EXPECT_EQ(column(tables[0]), (Row{"", "caller", "pit", "broker", "keeper", "machine"}));
  EXPECT_EQ(tables[1][0], (Row{"", "`none`", "`snapshot`", "`journal`, in memory", "`journal`, in a folder, synced"}));
  EXPECT_EQ(column(tables[1]), (Row{"", "caller dies", "pit dies", "broker dies", "pit and broker die", "keeper dies",
                                    "machine dies", "any stops, is slow", "its bytes are damaged"}));
  const std::set<int> rows = numbers_of_rows();
  for (const auto& table : tables) {
    for (const Row& row : table) {
      ASSERT_EQ(row.size(), table[0].size()) << row[0];
      if (&row == &table[0]) continue;
      for (std::size_t i = 1; i < row.size(); ++i)
        EXPECT_EQ(trouble_with(row[i], rows), "") << row[0] << ": " << row[i];
    }
  }
}

TEST(Guarantees, OfAnOverviewAreFoundToBeMissing) {
  const std::set<int> rows{1, 2, 3};
  for (const char* good : {"it goes on (1)", "it (1-3), and (2)", "not promised", "a (2, 3); not promised"}) {
    EXPECT_EQ(trouble_with(good, rows), "") << good;
  }
  for (const char* bad : {"", "it goes on", "it (4)", "a (1), b (2, 5)", "a (1-4)", "not promised (7)"}) {
    EXPECT_NE(trouble_with(bad, rows), "") << bad;
  }
}

// What could go wrong: a promise that nothing shows. Rows are numbered, and the list at the end names what shows each.
TEST(Guarantees, HaveATestForEveryNumberAndANumberInEveryRow) {
  std::set<int> promised, shown;
  std::istringstream in(read_file("docs/guarantees.md"));
  const std::regex row(R"(\| (\d+) \|.*)"), proof(R"(- (\d+): `(?:[A-Z]\w+\.(?:[A-Z]|test_)|test_)\w+`.*)"),
      other_row(R"(\| (?!No\.).*)");
  std::smatch found;
  bool is_overview = false;  // whose rows have names, and a test of their own
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("## ", 0) == 0) is_overview = line == "## Overview";
    if (is_overview) continue;
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
