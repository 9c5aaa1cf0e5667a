// Datagrams of the control socket: those that are messages, one changed in a few places, and anything.
#include "bus/control/codec.hpp"
#include "tests/fuzz/some_message.hpp"
#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {
namespace {

// What was believed is said again in the same bytes; whoever decodes those gets the same.
const char* judge_datagram(std::span<const std::byte> bytes) {
  const auto message = wire::decode(bytes);
  if (!message) return message.error().code == errc::peer_fault ? nullptr : "refused as something else";
  const auto said = wire::encode(*message);
  if (!said) return "a message that was decoded cannot be encoded";
  const auto heard = wire::decode(*said);
  if (!heard) return "what was encoded cannot be decoded";
  if (heard->index() != message->index()) return "another kind of message when it is said again";
  const auto again = wire::encode(*heard);
  return again && *again == *said ? nullptr : "another message when it is said again";
}

}  // namespace

// The first byte: whether the rest are bytes of a datagram, or a message is made of them and some of its bytes changed.
const char* run_control(std::span<const std::uint8_t> input) {
  Input from(input);
  if (from.flag()) {
    Exactly rest(from.rest());
    return judge_datagram(rest.bytes());
  }
  const std::uint32_t changes = from.below(4);
  std::uint64_t places[4], values[4];
  for (std::uint32_t i = 0; i < changes; ++i) {
    places[i] = from.take(2);
    values[i] = from.byte();
  }
  auto made = wire::encode(MessageMaker{from}());
  if (!made) return made.error().code == errc::too_large ? nullptr : "not encoded, and not for its size";
  for (std::uint32_t i = 0; i < changes; ++i) (*made)[places[i] % made->size()] = static_cast<std::byte>(values[i]);
  made->shrink_to_fit();
  return judge_datagram(*made);
}

}  // namespace symphony::fuzz
