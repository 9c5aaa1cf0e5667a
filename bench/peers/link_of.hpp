// The batches of a Link, for anything that can send and receive one message.   Layer: bench.
//
// A Wire has   bool send(number)        writes message `number` and sends it; false: the connection failed
//              Outcome receive(number)  waits for the next message and reads it
// Threads: as Link.
#pragma once

#include <utility>

#include "bench/peers/adapter.hpp"

namespace symphony::bench::peers {

template <class Wire>
class LinkOf final : public Link {
 public:
  template <class... Arguments>
  explicit LinkOf(Arguments&&... arguments) : wire_(std::forward<Arguments>(arguments)...) {}

  Outcome call(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      if (!wire_.send(i)) return Outcome::failed;
      if (const Outcome got = wire_.receive(i); got != Outcome::ok) return got;
    }
    return Outcome::ok;
  }
  Outcome answer(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      if (const Outcome got = wire_.receive(i); got != Outcome::ok) return got;
      if (!wire_.send(i)) return Outcome::failed;
    }
    return Outcome::ok;
  }
  Outcome send(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      if (!wire_.send(i)) return Outcome::failed;
    }
    return Outcome::ok;
  }
  Outcome receive(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      if (const Outcome got = wire_.receive(i); got != Outcome::ok) return got;
    }
    return Outcome::ok;
  }

  [[nodiscard]] Wire& wire() noexcept { return wire_; }

 private:
  Wire wire_;
};

[[nodiscard]] constexpr Outcome judged(bool right) noexcept { return right ? Outcome::ok : Outcome::wrong_data; }

}  // namespace symphony::bench::peers
