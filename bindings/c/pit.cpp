// A pit that is written in another language, run in this process.
#include <symphony/pit.h>

#include "bindings/c/failure.hpp"
#include "pits/hosting/process/runtime.hpp"

using namespace symphony;
using namespace symphony::c_abi;

static_assert(SYMPHONY_EXIT_FINISHED == pit::exit_finished && SYMPHONY_EXIT_STORM == pit::exit_storm &&
              SYMPHONY_EXIT_TRY_AGAIN == pit::exit_try_again && SYMPHONY_EXIT_PERMANENT == pit::exit_permanent);

int32_t symphony_pit_run(const struct symphony_pit_entry* entry) {
  return guarded([&]() -> std::int32_t {
    if (entry == nullptr) return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_pit_run: no table of the pit's functions");
    return pit::run_pit_from_environment(*entry);
  });
}
