// The last failure of a thread, and the wall that no exception passes.   Layer: bindings. Threads: any, each its own.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include <symphony.h>

#include <symphony/result.hpp>

namespace symphony::c_abi {

// Keeps the text for symphony_last_error().   Returns `status`.
std::int32_t fail(std::int32_t status, std::string_view text) noexcept;
std::int32_t fail(std::int32_t status) noexcept;  // with the table's text
std::int32_t fail(const error& why) noexcept;

[[nodiscard]] constexpr std::int32_t status_of(errc code) noexcept { return -100 - static_cast<std::int32_t>(code); }

// What `body` returns; where it throws, the status of that.
template <class Body>
auto guarded(Body&& body) noexcept -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return fail(SYMPHONY_E_OUT_OF_MEMORY);
  } catch (...) {
    return fail(SYMPHONY_E_INTERNAL);
  }
}

// The caller's options in this library's size, 0 where the caller's are shorter. False: no size that a struct like this
// may have (one that ends inside a field), or larger than ours with something in what we do not know.
template <class Options>
[[nodiscard]] bool read_options(const Options* from, Options& to) noexcept {
  to = Options{};
  if (from == nullptr) return true;
  const std::size_t size = from->struct_size;
  if (size < sizeof(from->struct_size) || size % alignof(Options) != 0) return false;
  std::memcpy(&to, from, size < sizeof to ? size : sizeof to);
  const auto* bytes = reinterpret_cast<const unsigned char*>(from);
  for (std::size_t i = sizeof to; i < size; ++i) {
    if (bytes[i] != 0) return false;
  }
  return true;
}

}  // namespace symphony::c_abi
