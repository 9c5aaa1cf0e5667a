#include "bindings/c/failure.hpp"

#include <array>
#include <atomic>

#include <pthread.h>

#include <symphony/status.hpp>

#include "bindings/c/handles.hpp"

namespace symphony::c_abi {
namespace {

constexpr std::size_t text_size_max = 1023;
thread_local std::array<char, text_size_max + 1> last_text{};

std::atomic<std::uint32_t> fork_count{0};

void count_fork() noexcept {
  // relaxed: the child has one thread.
  fork_count.store(fork_count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// The numbers are the contract's and the errors' own.
static_assert(SYMPHONY_OVERLOADED == status::overloaded && SYMPHONY_DEADLINE == status::deadline &&
              SYMPHONY_CANCELLED == status::cancelled && SYMPHONY_UNKNOWN_TYPE == status::unknown_type &&
              SYMPHONY_BAD_MESSAGE == status::bad_message && SYMPHONY_VERSION == status::version &&
              SYMPHONY_CRASHED == status::crashed && SYMPHONY_TRAPPED == status::trapped &&
              SYMPHONY_POISONED == status::poisoned && SYMPHONY_QUARANTINED == status::quarantined &&
              SYMPHONY_MOVED == status::moved && SYMPHONY_INTERNAL == status::internal &&
              SYMPHONY_CLOSED == status::closed && SYMPHONY_TOO_LARGE == status::too_large &&
              SYMPHONY_FORKED == status::forked && SYMPHONY_CRASHED_ACCEPTED == status::crashed_accepted &&
              SYMPHONY_PEER_FAULT == status::peer_fault && SYMPHONY_UNREACHABLE == status::unreachable &&
              SYMPHONY_BAD_STATE == status::bad_state);
static_assert(SYMPHONY_E_INVALID_ARGUMENT == status_of(errc::invalid_argument) &&
              SYMPHONY_E_OUT_OF_MEMORY == status_of(errc::out_of_memory) &&
              SYMPHONY_E_OUT_OF_DESCRIPTORS == status_of(errc::out_of_descriptors) &&
              SYMPHONY_E_REFUSED == status_of(errc::refused) && SYMPHONY_E_NOT_FOUND == status_of(errc::not_found) &&
              SYMPHONY_E_UNREACHABLE == status_of(errc::unreachable) &&
              SYMPHONY_E_TIMEOUT == status_of(errc::timeout) && SYMPHONY_E_CLOSED == status_of(errc::closed) &&
              SYMPHONY_E_VERSION_MISMATCH == status_of(errc::version_mismatch) &&
              SYMPHONY_E_PEER_FAULT == status_of(errc::peer_fault) && SYMPHONY_E_FORKED == status_of(errc::forked) &&
              SYMPHONY_E_BUSY == status_of(errc::busy) && SYMPHONY_E_TOO_LARGE == status_of(errc::too_large) &&
              SYMPHONY_E_QUARANTINED == status_of(errc::quarantined) && SYMPHONY_E_SYSTEM == status_of(errc::system) &&
              SYMPHONY_E_INTERNAL == status_of(errc::internal));

}  // namespace

std::uint32_t forks() noexcept {
  // relaxed: written only before a child's first line.
  return fork_count.load(std::memory_order_relaxed);
}

void watch_forks() noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, count_fork);
  static_cast<void>(registered);  // without memory for it the endpoint's own page still tells a child
}

std::int32_t fail(std::int32_t status, std::string_view text) noexcept {
  const std::size_t size = text.size() < text_size_max ? text.size() : text_size_max;
  if (size != 0) std::memmove(last_text.data(), text.data(), size);
  last_text[size] = '\0';
  return status;
}

std::int32_t fail(std::int32_t status) noexcept { return fail(status, symphony_status_text(status)); }

std::int32_t fail(const error& why) noexcept { return fail(status_of(why.code), why.text); }

}  // namespace symphony::c_abi

const char* symphony_last_error(void) { return symphony::c_abi::last_text.data(); }

const char* symphony_status_text(int32_t status) {
  if (status > 0) return "status of the pit";
  switch (status) {
#define SYMPHONY_CASE(name, text) \
  case name:                      \
    return text;
    SYMPHONY_STATUS_TABLE(SYMPHONY_CASE)
#undef SYMPHONY_CASE
    default:
      return "unknown status";
  }
}
