// A bug that stands behind four bytes, for the test of tools/fuzz: only who follows coverage finds it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 3 && data[0] == 'p' && data[1] == 'i' && data[2] == 't' && data[3] == 's') std::abort();
  return 0;
}
