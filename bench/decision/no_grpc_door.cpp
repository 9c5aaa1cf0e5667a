// Where the tree was configured without the peers, or gRPC is not installed.
#include "bench/decision/door.hpp"

namespace symphony::bench {

std::unique_ptr<Door> open_grpc_door(const DoorPlan&, std::string& why) {
  why = "not built: install libgrpc++-dev and configure with -DSYMPHONY_PEERS=ON";
  return nullptr;
}

}  // namespace symphony::bench
