#include "pits/hosting/durable/handed_state.hpp"

#include <utility>

#include "bus/ring/mem.hpp"
#include "bus/state/state_reader.hpp"
#include "bus/state/state_writer.hpp"
#include "pits/hosting/durable/durable_pit.hpp"

namespace symphony::pit {

Outcome describe(Instance& of, StateFrame& into) {
  if (Outcome taken = of.snapshot(into.snapshot); !taken.ok()) return taken;
  into.pit = of.info().name;
  into.version = of.info().version;
  into.schema_hash = of.info().schema_hash;
  into.snapshot.timers.clear();
  into.memory = of.memory();
  into.clock_ns = of.clock_ns();
  into.boot = boot_of_this_machine();
  into.drained = of.state() == State::drained;
  return {};
}

Outcome write_handed_state(Instance& of, UniqueFd memory) {
  StateFrame frame;
  if (Outcome described = describe(of, frame); !described.ok()) return described;
  const auto mapped = detail::StateMemory::map_own(std::move(memory), detail::handed_state_geometry, false);
  if (!mapped) return {SYMPHONY_OVERLOADED, mapped.error().text};
  const std::vector<std::byte> bytes = write_state_frame(frame);
  detail::StateWriter<detail::RealMem> writer(mapped->bytes().data(), detail::handed_state_geometry);
  if (const auto reserved =
          mapped->reserve(detail::state_snapshot_offset(writer.geometry(), writer.generation() + 1), bytes.size());
      !reserved) {
    return {SYMPHONY_OVERLOADED, reserved.error().text};
  }
  if (!writer.write_snapshot(bytes)) return {SYMPHONY_OVERLOADED, "the state is larger than may be handed over, 1 GiB"};
  return {};
}

Outcome read_handed_state(const detail::StateMemory& from, std::string_view pit, StateFrame& into) {
  const detail::StateReader<detail::RealMem> reader(from.bytes());
  if (reader.found() != detail::StateFound::whole) {
    return {SYMPHONY_BAD_STATE, "the pit that was to hand over its state left none that is whole"};
  }
  auto frame = read_state_frame(reader.snapshot());
  if (!frame) return {SYMPHONY_BAD_STATE, "the state that was handed over is none of this version"};
  if (frame->pit != pit) {
    return {SYMPHONY_BAD_STATE, "the state that was handed over is of pit '" + frame->pit + "', not of '" +
                                    std::string(pit) + "': swap a pit with another build of itself"};
  }
  into = *std::move(frame);
  return {};
}

}  // namespace symphony::pit
