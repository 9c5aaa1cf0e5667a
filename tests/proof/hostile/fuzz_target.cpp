// The sessions as a libFuzzer target; the first byte of an input names the target. Built by tools/fuzz.
#include <cstdio>
#include <cstdlib>

#include "tests/proof/hostile/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t target = data[0] % symphony::hostile::targets.size();
  symphony::hostile::Tally tally;
  const char* const wrong = symphony::hostile::run_target(target, {data + 1, size - 1}, tally);
  if (wrong != nullptr) {
    std::fprintf(stderr, "%s: %s\n", symphony::hostile::targets[target], wrong);
    std::abort();
  }
  return 0;
}
