// Times of calls through the C++ API, for python_bench.py, which loads this as a module. Threads: one.
#include <cstdint>
#include <memory>

#include <symphony/clock.hpp>
#include <symphony/endpoint.hpp>

namespace {

struct Caller {
  symphony::Endpoint endpoint;
  symphony::Link link;
};
std::unique_ptr<Caller> caller;

}  // namespace

#define SYMPHONY_BENCH_API extern "C" __attribute__((visibility("default")))

// 0: the link is open.
SYMPHONY_BENCH_API int cpp_caller_open(const char* path, const char* pit) noexcept {
  try {
    auto endpoint = symphony::Endpoint::connect({.path = path});
    if (!endpoint) return 1;
    auto link = endpoint->open(pit);
    if (!link) return 2;
    caller = std::make_unique<Caller>(Caller{*std::move(endpoint), *std::move(link)});
    return 0;
  } catch (...) {
    return 3;
  }
}

// Times of `count` calls, each in nanoseconds. Returns how many ended well.
SYMPHONY_BENCH_API std::uint64_t cpp_caller_calls(std::uint32_t type, const void* body, std::uint64_t size,
                                                  std::uint64_t count, std::int64_t* times_ns) noexcept {
  std::uint64_t ended = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const symphony::TimeNs begun = symphony::now_ns();
    ended += caller->link.call(type, {static_cast<const std::byte*>(body), size}).ok() ? 1u : 0u;
    times_ns[i] = symphony::now_ns() - begun;
  }
  return ended;
}
SYMPHONY_BENCH_API void cpp_caller_close() noexcept { caller.reset(); }
