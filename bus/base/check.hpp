// Checks of our own code's promises, by who is running.   Layer: base.
//   SYMPHONY_CHECK(x)   daemons, tools and tests: prints file, line and expression, then aborts. Never in code that
//                       runs inside a user's process: there a broken promise makes the endpoint BROKEN and is returned.
//   SYMPHONY_DCHECK(x)  checked builds only; nothing on the release data path.
// Neither is ever applied to what a peer wrote: that is a peer fault, not a bug.
#pragma once

namespace symphony::detail {
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;
}  // namespace symphony::detail

#define SYMPHONY_CHECK(x) \
  (static_cast<bool>(x) ? static_cast<void>(0) : ::symphony::detail::check_failed(#x, __FILE__, __LINE__))

#if defined(SYMPHONY_CHECKED)
#define SYMPHONY_DCHECK(x) SYMPHONY_CHECK(x)
#else
#define SYMPHONY_DCHECK(x) static_cast<void>(sizeof(!(x)))
#endif
