// What an instance asks of the program that hosts it, beyond what it does itself.   Layer: hosting (contract,
// bus/base). Called from inside the pit's own call, on its thread: nothing here may block or enter the instance.
#pragma once

#include <symphony/pit.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <symphony/clock.hpp>

namespace symphony::pit {

// A call of a pit to another one, lent.
struct AsyncCall {
  std::string_view service;
  std::uint32_t type = 0;
  std::uint32_t effect = SYMPHONY_EFFECT_ONCE;
  std::span<const std::byte> body;
  TimeNs deadline_ns = no_deadline_ns;
  std::uint64_t cookie = 0;
};

class InstanceServices {
 public:
  // Takes a copy of the call. After OK exactly one Instance::answer() with the cookie follows, as long as the instance
  // lives.
  virtual std::int32_t call_async(const AsyncCall& call) noexcept = 0;
  virtual std::int32_t publish(std::uint32_t type, std::span<const std::byte> body) noexcept = 0;
  // When the earliest timer is due from now on; no_deadline_ns: there is none.
  virtual void timer_due(TimeNs due_ns) noexcept = 0;

 protected:
  ~InstanceServices() = default;
};

}  // namespace symphony::pit
