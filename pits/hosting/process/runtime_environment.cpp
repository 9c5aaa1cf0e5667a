// What a broker says to the process that it started: in its environment and by inherited descriptors.
#include <fcntl.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "bus/state/handover.hpp"
#include "pits/hosting/process/runtime.hpp"

namespace symphony::pit {

int run_pit_from_environment(const symphony_pit_entry& entry, sandbox::Confinement* confinement) {
  const char* text = std::getenv("SYMPHONY_CONTROL_FD");
  int fd = -1;
  if (text != nullptr) {
    const char* end = text + std::strlen(text);
    if (const auto [at, error] = std::from_chars(text, end, fd); error != std::errc{} || at != end) fd = -1;
  }
  if (fd < 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    std::fprintf(stderr,
                 "symphony-pit: this program is a pit and is started by a broker, which hands it a control socket; "
                 "run `symphony broker run` with a manifest that names it\n");
    return exit_permanent;
  }
  const auto text_of = [](const char* name) {
    return std::string_view(std::getenv(name) != nullptr ? std::getenv(name) : "");
  };
  const char* const handed_over = std::getenv(detail::state_variable);
  auto state = detail::read_handover(handed_over != nullptr ? handed_over : "");
  if (handed_over != nullptr && !state) {
    std::fprintf(stderr,
                 "symphony-pit: %s is not what this version reads: install broker and pit host from one release\n",
                 detail::state_variable);
    return exit_permanent;
  }
  if (state) state->is_live = std::getenv("SYMPHONY_PIT_ALONE") != nullptr;
  for (const int inherited : {state ? state->own_fd : -1, state ? state->old_fd : -1}) {
    if (inherited >= 0) ::fcntl(inherited, F_SETFD, FD_CLOEXEC);
  }
  return run_pit(
      entry,
      {.control_socket = UniqueFd(fd),
       .config = text_of("SYMPHONY_PIT_CONFIG"),
       .waiting = waiting_of(text_of("SYMPHONY_PIT_WAITING")).value_or(Waiting::adaptive),
       .placement = placement_of(text_of("SYMPHONY_PIT_PLACEMENT")).value_or(Placement::automatic),
       .state = std::move(state),
       .confinement = confinement,
       .storm = ExceptionStorm::from(text_of("SYMPHONY_PIT_EXCEPTIONS")).value_or(ExceptionStorm(0, second_ns))});
}

}  // namespace symphony::pit
