// main() of every process pit; the entry comes from a generated file beside the pit (cmake/SymphonyPit.cmake).
#include <symphony/pit.h>

#include "pits/hosting/process/runtime.hpp"

int main() { return symphony::pit::run_pit_from_environment(*symphony_hosted_pit()); }
