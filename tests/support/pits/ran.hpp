// Shows that a file was mapped and its initialisers ran: they leave a word in the environment.   Layer: tests.
#pragma once

#include <cstdlib>

namespace {
__attribute__((constructor)) void leave_a_trace() { ::setenv("SYMPHONY_TEST_RAN", "yes", 1); }
}  // namespace
