// A way to a pit, whichever hosts it, as the measuring sees it.   Layer: bench. Threads: one.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include <symphony/clock.hpp>
#include <symphony/conductor.hpp>

#include "bench/decision/trace.hpp"

namespace symphony::bench {

// How a pit is to be hosted. `name` is the row: static, dynamic, wasm, process, process+spin, process+sleep,
// process+ring, process+heap, process+threads, uds+flatbuffers, uds+json,
// grpc.
struct DoorPlan {
  std::string name;
  std::string file;                           // of the native pit
  std::string schema;                         // uds+json: its .fbs; empty: there is none
  std::string pit;                            // as it calls itself
  const symphony_pit_entry* entry = nullptr;  // linked in; null: it is not
};

class Door {
 public:
  Door() = default;
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;
  virtual ~Door() = default;

  // Body and text as those of Reply: until the next call.
  virtual Reply call(const TracedCall& call) noexcept = 0;
  virtual StepResult snapshot(PitState& out) = 0;
  virtual StepResult restore(const PitState& from) = 0;
  // The process that the pit is in; 0: this one.
  [[nodiscard]] virtual pid_t process() const { return 0; }
  // Kills that process as a crash would. bad_state: there is none, or nothing would start it again.
  virtual StepResult kill() { return {status::bad_state, "nothing starts it again here"}; }
  // Puts a new instance of the same file in the pit's place; `pause_ns`: what callers wait.
  virtual StepResult swap(TimeNs&) { return {status::bad_state, "this way has no swap"}; }
  // Whether replies are compared as the text of their JSON: what a schema makes of JSON may lie in another order of
  // bytes.
  [[nodiscard]] virtual bool compares_json() const noexcept { return false; }
  // With compares_json(): of the reply that is there, and of another one.
  [[nodiscard]] virtual std::string json_of(std::uint32_t, std::span<const std::byte>) { return {}; }
};

// Null with a line in `why`: it cannot be hosted so. The one that a name means.
[[nodiscard]] std::unique_ptr<Door> open_door(const DoorPlan& plan, std::string& why);
[[nodiscard]] std::unique_ptr<Door> open_conductor_door(const DoorPlan& plan, std::string& why);
[[nodiscard]] std::unique_ptr<Door> open_socket_door(const DoorPlan& plan, std::string& why);
[[nodiscard]] std::unique_ptr<Door> open_grpc_door(const DoorPlan& plan, std::string& why);

}  // namespace symphony::bench
