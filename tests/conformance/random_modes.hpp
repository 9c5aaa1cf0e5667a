// Random requests to a pit in every mode: of the same ones the same state, byte for byte, wherever it runs.
// Layer: tests.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/conformance/mounted.hpp"
#include "tests/support/samples.hpp"

namespace symphony {

// A mounted pit whose clock the test feeds, and whose state can be put back to empty.
class RandomPit {
 public:
  RandomPit(Mode mode, const char* name, const symphony_pit_entry* entry) : name_(name), pit_(mode, name, entry) {
    EXPECT_TRUE(pit_.conductor->snapshot(name_, empty_).ok());
  }
  void begin() {
    constexpr TimeNs first_ns = 1'000'000;  // the time at which both kinds of runs begin
    EXPECT_TRUE(pit_.conductor->feed(name_, 1, first_ns).ok());
    EXPECT_TRUE(pit_.conductor->restore(name_, empty_).ok());
  }
  Reply call(std::uint32_t type, std::span<const std::byte> body) { return pit_.caller.call(type, body); }
  // Empty, or what failed; so of swap(), which takes the state away and puts it back.
  std::string feed(std::uint64_t now_ns) {
    return std::string(pit_.conductor->feed(name_, 1, static_cast<TimeNs>(now_ns)).text);
  }
  std::string swap() {
    PitState state;
    if (!pit_.conductor->snapshot(name_, state).ok()) return "the snapshot";
    return std::string(pit_.conductor->restore(name_, state).text);
  }
  std::vector<std::byte> state() {
    PitState state;
    EXPECT_TRUE(pit_.conductor->snapshot(name_, state).ok());
    return {state.bytes.begin(), state.bytes.end()};
  }

 private:
  const char* name_;
  Mounted pit_;
  PitState empty_;
};

// `run(pit, operations)`: plays them to a pit and to its model; where those part, what it says. Fewer in mode process.
template <class Run>
void expect_same_bytes_in_every_mode(const char* name, const symphony_pit_entry* entry, std::uint64_t runs, Run run) {
  const std::uint64_t seed = test_run::seed();
  std::vector<std::vector<std::byte>> states;
  for (const Mode mode : modes_built()) {
    SCOPED_TRACE(to_string(mode));
    RandomPit pit(mode, name, entry);
    const std::uint64_t here = mode == Mode::process ? (runs + 9) / 10 : runs;
    for (std::uint64_t r = 0; r < here && !::testing::Test::HasFailure(); ++r) {
      pit.begin();
      EXPECT_EQ(run(pit, test_run::operations(seed + r)), "") << "SYMPHONY_SEED " << seed + r;
      const auto state = pit.state();
      if (mode == Mode::static_) states.push_back(state);
      ASSERT_TRUE(state == states[r]) << "SYMPHONY_SEED " << seed << ", run " << r;
    }
  }
}

}  // namespace symphony
