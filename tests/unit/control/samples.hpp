// One filled message of every kind, and one at every maximum.   Used by the codec's tests.
#pragma once

#include <string>
#include <vector>

#include "bus/control/codec.hpp"

namespace symphony::detail::control {

inline std::vector<Message> samples() {
  const Attachment at{3, 0x1122334455667788, 9};
  return {
      Hello{1, 2, 123456789, {{7, 1}, {8, 2}}},
      PitReady{1, 1, 55, "dag_tracker", "1.2.3", 4096, true},
      Open{77, "greeter", 5, 262144, 4096, 1'000'000, true},
      Mapped{at},
      Ready{at, 42},
      MapFailed{at, 12},
      Drained{at},
      PeerFault{at, 4},
      Close{5},
      StatusQuery{6},
      Welcome{3, 1},
      Own{at, 77, 262144, 65536, 0xdeadbeef, 0xfeedface, 256, 1000, 2, true},
      Peer{at},
      Go{at, 41},
      Drop{at, true},
      Keep{3, 5, 9},
      Refused{77, 5, errc::quarantined, "pit greeter failed 5 times in 60 s: see its stderr"},
      Stop{99},
      Status{6, 3, {{"greeter", "ready", 4711, 2, 1}, {"dag_tracker", "backoff", 0, 3, 0}}},
      CallerWanted{12},
      CallerSocket{12, true},
  };
}

inline std::vector<Message> largest_samples() {
  Hello hello;
  hello.links.assign(links_per_caller_max, HeldLink{~0ULL, ~0ULL});
  PitReady ready;
  ready.name = std::string(pit_name_size_max, 'n');
  ready.version = std::string(version_size_max, 'v');
  Open open;
  open.pit = std::string(pit_name_size_max, 'p');
  Refused refused;
  refused.text = std::string(text_size_max, 't');
  Status status;
  status.pits.assign(pits_in_status_max,
                     {std::string(pit_name_size_max, 'n'), std::string(state_size_max, 's'), -1, ~0U, ~0U});
  return {hello, ready, open, refused, status};
}

}  // namespace symphony::detail::control
