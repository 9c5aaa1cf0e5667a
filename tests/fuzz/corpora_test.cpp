// The inputs that the fuzzer kept, and those that once broke something: none breaks a promise any more.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {
namespace {

// An input a line, in hexadecimal.
void read_inputs(const std::string& name, std::vector<std::vector<std::uint8_t>>& inputs) {
  std::ifstream file(SYMPHONY_FUZZ_CORPORA "/" + name);
  for (std::string line; std::getline(file, line);) {
    std::vector<std::uint8_t> input;
    for (std::size_t i = 0; i + 1 < line.size(); i += 2)
      input.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(i, 2), nullptr, 16)));
    inputs.push_back(std::move(input));
  }
}

TEST(FuzzCorpora, BreakNoPromiseOfAnyTarget) {
  for (const Target& target : targets) {
    std::vector<std::vector<std::uint8_t>> inputs;
    read_inputs(std::string(target.name) + ".found", inputs);
    read_inputs(std::string(target.name) + ".txt", inputs);
    EXPECT_GT(inputs.size(), 20U) << target.name;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const char* const wrong = target.run(inputs[i]);
      EXPECT_EQ(wrong, nullptr) << target.name << ", input " << i << ": " << wrong;
    }
  }
}

}  // namespace
}  // namespace symphony::fuzz
