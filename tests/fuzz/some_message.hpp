// A message of the control socket made of an input: every kind, with numbers that are mostly small so that they meet
// those of the other side.   Layer: tests. Threads: one.
#pragma once

#include <span>
#include <string>

#include "bus/control/messages.hpp"
#include "tests/fuzz/input.hpp"

namespace symphony::fuzz {

namespace wire = detail::control;

struct MessageMaker {
  Input& from;
  TimeNs now_ns = 0;
  std::span<const wire::Attachment> seen{};  // ones that the other side knows

  [[nodiscard]] wire::Attachment at() {
    const std::uint8_t which = from.byte();
    if (!seen.empty() && which % 4 != 0) return seen[which / 4 % seen.size()];
    return {from.number(), from.number(), from.number()};
  }
  [[nodiscard]] wire::LinkId link() {
    const std::uint8_t which = from.byte();
    return !seen.empty() && which % 4 != 0 ? seen[which / 4 % seen.size()].link : from.number();
  }
  [[nodiscard]] TimeNs time() { return from.flag() ? now_ns + from.number_as<TimeNs>() : from.number_as<TimeNs>(); }
  [[nodiscard]] std::uint16_t version() { return static_cast<std::uint16_t>(from.below(6)); }
  // Mostly one that is served.
  [[nodiscard]] std::string pit() {
    const std::uint32_t which = from.below(8);
    return which < 6 ? "pit" + std::to_string(which) : from.text();
  }
  [[nodiscard]] errc code() { return static_cast<errc>(from.below(24)); }
  [[nodiscard]] PitReport report() {
    PitReport made;
    made.info = {pit(), from.text(), from.number_as<std::int32_t>(), from.number_as<std::uint32_t>(), 1};
    made.reason = from.text();
    made.calls.assign(from.below(4), from.text());
    for (std::uint32_t i = from.below(9); i > 0; --i) {
      PitDeath death;
      death.cause = static_cast<DeathCause>(from.below(death_cause_count + 1));
      death.value = from.number_as<std::int32_t>();
      death.last_lines = from.text();
      made.deaths.push_back(death);
    }
    made.sandbox.required = from.number_as<SandboxBlocks>();
    return made;
  }
  [[nodiscard]] std::vector<std::byte> body() {
    const auto bytes = std::as_bytes(from.some());
    return {bytes.begin(), bytes.end()};
  }

  [[nodiscard]] wire::Message operator()() {
    using namespace wire;
    switch (from.below(34)) {
      case 0: {
        Hello hello{version(), version(), time(), {}};
        for (std::uint32_t i = from.below(4); i > 0; --i) {
          const Attachment held = at();
          hello.links.push_back({held.link, held.epoch});
        }
        return hello;
      }
      case 1:
        return PitReady{version(),   version(),
                        time(),      pit(),
                        from.text(), from.number_as<std::uint32_t>(),
                        from.flag(), from.number_as<SandboxBlocks>()};
      case 2: {
        Open open{from.number(), pit(), from.flag() ? 0 : link(), 0, 0, time(), from.flag(), from.below(8) == 0};
        open.request_capacity = from.flag() ? 0 : from.number_as<std::uint32_t>();
        open.reply_capacity = from.flag() ? 0 : from.number_as<std::uint32_t>();
        return open;
      }
      case 3:
        return Mapped{at()};
      case 4:
        return Ready{at(), from.number()};
      case 5:
        return MapFailed{at(), from.number_as<std::int32_t>()};
      case 6:
        return Drained{at()};
      case 7:
        return wire::PeerFault{at(), from.number_as<std::uint32_t>()};
      case 8:
        return Close{link()};
      case 9:
        return StatusQuery{from.number()};
      case 10:
        return Welcome{from.number(), version()};
      case 11:
        return Own{.at = at(),
                   .correlation = from.number(),
                   .in_flight_max = from.number_as<std::uint32_t>(),
                   .trust = from.byte()};
      case 12:
        return Peer{at()};
      case 13:
        return Go{at(), from.number()};
      case 14:
        return Drop{at(), from.flag()};
      case 15:
        return Keep{from.number(), from.number(), from.number()};
      case 16:
        return Refused{from.number(), from.number(), code(), from.text()};
      case 17:
        return Stop{time()};
      case 18: {
        Status status{from.number(), from.number(), {}};
        for (std::uint32_t i = from.below(4); i > 0; --i)
          status.pits.push_back({pit(), from.text(), from.number_as<std::int32_t>(), 1, 1});
        return status;
      }
      case 19:
        return CallerWanted{from.number()};
      case 20:
        return CallerSocket{from.number(), from.flag()};
      case 21: {
        Command command{.correlation = from.number(), .verb = static_cast<Verb>(from.below(12)), .pit = pit()};
        command.instance = from.flag() ? 0 : from.number_as<std::uint32_t>();
        command.deadline_ns = time();
        command.grace_ns = time();
        if (from.flag()) command.file = from.flag() ? "/other" : from.text();
        command.letter = from.number();
        command.probation_ns = from.number_as<TimeNs>();
        command.rehearse = from.flag();
        return command;
      }
      case 22: {
        Answer answer{.correlation = from.number(), .code = code(), .text = from.text(), .pit = report()};
        for (std::uint32_t i = from.below(3); i > 0; --i) {
          DeadLetter letter;
          letter.id = from.number();
          letter.pit = pit();
          letter.body = body();
          answer.letters.push_back(std::move(letter));
        }
        return answer;
      }
      case 23:
        return Prepared{version(), version()};
      case 24:
        return TakeState{from.number_as<std::uint32_t>()};
      case 25:
        return Freeze{from.number_as<std::uint32_t>(), time()};
      case 26:
        return Frozen{from.number_as<std::uint32_t>(), from.flag() ? code_done : code(), from.text()};
      case 27:
        return Thaw{from.number_as<std::uint32_t>()};
      case 28:
        return Executing{at(),
                         from.number(),
                         from.number_as<std::uint32_t>(),
                         from.number_as<std::uint32_t>(),
                         from.byte(),
                         static_cast<Effect>(from.below(4))};
      case 29:
        return Park{.link = link(),
                    .id = from.number(),
                    .type = 7,
                    .size = from.number_as<std::uint32_t>(),
                    .attempts = from.byte(),
                    .effect = static_cast<Effect>(from.below(4)),
                    .outcome = static_cast<AloneOutcome>(from.below(6)),
                    .alone_link = link(),
                    .body = body()};
      case 30:
        return Rehearse{from.number_as<std::uint32_t>()};
      case 31:
        return Rehearsed{from.number_as<std::uint32_t>(), from.flag() ? code_done : code(), from.text(), time()};
      case 32:
        return StandsStill{at()};
      default:
        return CancelRequest{at(), from.number()};
    }
  }
};

}  // namespace symphony::fuzz
