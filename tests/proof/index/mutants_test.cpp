// The proof of index_test.cpp can fail: each edge, moved by one, is met by some state.
#include <gtest/gtest.h>

#include <iterator>

#include "mutants.hpp"
#include "tests/proof/index/consumer_states.hpp"
#include "tests/proof/index/producer_states.hpp"

namespace symphony::narrow {
namespace {

// The smallest ring first: most mutants are met there.
const char* first_error(std::uint64_t& states) {
  for (const int capacity : capacities) {
    if (const char* wrong = ProducerStates(capacity, states).run()) return wrong;
    if (const char* wrong = ConsumerStates(capacity, states).run()) return wrong;
  }
  return nullptr;
}

TEST(RingIndexMutants, EachEdgeThatIsMovedIsMet) {
  for (std::size_t i = 0; i < std::size(mutants::names); ++i) {
    mutants::chosen = static_cast<int>(i);
    std::uint64_t states = 0;
    const char* const wrong = first_error(states);
    EXPECT_NE(wrong, nullptr) << mutants::names[i] << " was not caught";
    std::printf("%-36s %s, after %llu states\n", mutants::names[i], wrong != nullptr ? wrong : "NOT CAUGHT",
                static_cast<unsigned long long>(states));
  }
  mutants::chosen = -1;
}

}  // namespace
}  // namespace symphony::narrow
