// The inputs that the fuzzer kept, and those that once broke something: none breaks a promise any more.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {
namespace {

// An input a line, in hexadecimal.
std::vector<std::vector<std::uint8_t>> corpus_of(const std::string& target) {
  std::vector<std::vector<std::uint8_t>> inputs;
  std::ifstream file(std::string(SYMPHONY_FUZZ_CORPORA) + '/' + target + ".txt");
  for (std::string line; std::getline(file, line);) {
    std::vector<std::uint8_t> input;
    for (std::size_t i = 0; i + 1 < line.size(); i += 2)
      input.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(i, 2), nullptr, 16)));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

TEST(FuzzCorpora, BreakNoPromiseOfAnyTarget) {
  for (const Target& target : targets) {
    const auto inputs = corpus_of(target.name);
    EXPECT_GT(inputs.size(), 20U) << target.name;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const char* const wrong = target.run(inputs[i]);
      EXPECT_EQ(wrong, nullptr) << target.name << ", line " << i + 1 << ": " << wrong;
    }
  }
}

}  // namespace
}  // namespace symphony::fuzz
