// A shared object that is no pit.
#include "tests/support/pits/ran.hpp"

extern "C" int plain() { return 1; }
