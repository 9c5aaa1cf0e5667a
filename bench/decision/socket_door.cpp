// What people build without a bus: the pit in a process behind a Unix stream socket, messages as they are (FlatBuffers)
// or as JSON made and read by the schema, at both ends. Blocking reads, one caller.
#include "bench/decision/far_pit.hpp"

namespace symphony::bench {
namespace {

int serve(int line, FarPit& pit) {
  FarMessage message;
  FarView answer;
  while (read_message(line, message)) {
    if (!pit.answer(message, answer)) return 1;
    if (!send_message(line, answer)) break;
  }
  return 0;
}

class SocketDoor final : public FarDoor {
 public:
  [[nodiscard]] bool open(const DoorPlan& plan, std::string& why) {
    return start(plan, plan.name == "uds+json", why, serve);
  }

 private:
  [[nodiscard]] bool exchange(const FarView& message) noexcept override {
    return send_message(line(), message) && read_message(line(), answer_);
  }
};

}  // namespace

std::unique_ptr<Door> open_socket_door(const DoorPlan& plan, std::string& why) {
  auto door = std::make_unique<SocketDoor>();
  return door->open(plan, why) ? std::move(door) : nullptr;
}

}  // namespace symphony::bench
