#include "bus/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace symphony::detail {

void check_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: bug: this does not hold: %s\n", file, line, expression);
  std::abort();
}

}  // namespace symphony::detail
