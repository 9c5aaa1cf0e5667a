// The four targets behind one door: what an input does to them.   Layer: tests. Threads: one.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "tests/proof/hostile/channel_session.hpp"
#include "tests/proof/hostile/ring_sessions.hpp"

namespace symphony::hostile {

inline constexpr std::array<const char*, 4> targets = {"producer", "consumer", "pit channel", "caller channel"};

template <class Session>
const char* run_until_empty(FuzzBytes& bytes, Tally& tally) {
  do {
    if (const char* wrong = Session(bytes, tally).run()) return wrong;
  } while (!bytes.empty());
  return nullptr;
}

// nullptr, or what was violated.
inline const char* run_target(std::size_t target, std::span<const std::uint8_t> input, Tally& tally) {
  FuzzBytes bytes(input);
  switch (target) {
    case 0:
      return run_until_empty<ProducerSession>(bytes, tally);
    case 1:
      return run_until_empty<ConsumerSession>(bytes, tally);
    case 2:
      return ChannelSession<detail::PitChannel<HostileMem>>::run_until_empty(bytes, tally);
    default:
      return ChannelSession<detail::CallerChannel<HostileMem>>::run_until_empty(bytes, tally);
  }
}

}  // namespace symphony::hostile
