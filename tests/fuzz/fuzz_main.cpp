// One target under libFuzzer: SYMPHONY_FUZZ_TARGET is its function. Built by tools/fuzz.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (const char* wrong = symphony::fuzz::SYMPHONY_FUZZ_TARGET({data, size})) {
    std::fprintf(stderr, "broken promise: %s\n", wrong);
    std::abort();
  }
  return 0;
}
