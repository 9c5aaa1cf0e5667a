// A pit whose answer is how often its library was asked, whichever instance of it: a local static of an inline
// function, which compilers like to make one for the whole process. COUNTER_REVISION is also its major version.
#include <signal.h>
#include <symphony/pit.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>

#define COUNTER_TEXT(n) #n
#define COUNTER_VERSION(n) COUNTER_TEXT(n) ".0.0"

template <class>
struct Asked {
  static std::uint64_t& count() {
    static std::uint64_t asked = 0;
    return asked;
  }
};

struct Counter {
#if defined(COUNTER_NEEDS)
  static constexpr auto needs = std::array{COUNTER_NEEDS};
#endif
  static constexpr std::uint32_t state_revision = COUNTER_REVISION;
#if defined(COUNTER_RESTORES)
  static constexpr std::uint32_t state_revision_min = COUNTER_RESTORES;
#endif

  symphony::Status on_raw(symphony::Raw raw, symphony::Ctx& ctx) {
    // A message of one byte kills it, but in an instance that was started for it alone.
    if (raw.bytes().n == 1 && std::getenv("SYMPHONY_PIT_ALONE") == nullptr) ::raise(SIGKILL);
#if defined(COUNTER_DIES_AFTER)
    if (Asked<int>::count() == COUNTER_DIES_AFTER) ::raise(SIGKILL);
#endif
    const std::uint64_t answer[] = {++Asked<int>::count(), ++own_, COUNTER_REVISION};
    return ctx.reply_bytes(1, answer, sizeof answer);
  }
  symphony::Status snapshot(symphony::Sink out) const { return out.write_value(own_); }
  symphony::Status restore(symphony::Source in, std::uint32_t) {
    const auto read = in.read_value(own_);
#if defined(COUNTER_FORGETS)
    if (own_ != 0) --own_;
#endif
    return read;
  }

  std::uint64_t own_ = 0;
};

SYMPHONY_PIT(Counter, counter, COUNTER_VERSION(COUNTER_REVISION));
