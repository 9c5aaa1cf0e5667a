// What a broker and its keeper tell the next ones: records, dead letters, datagrams, orders, a line of environment.
#include "bus/broker/records.hpp"
#include "bus/broker/dead_letters.hpp"
#include "bus/broker/keeper_protocol.hpp"
#include "bus/broker/pit_slots.hpp"
#include "bus/state/handover.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {
namespace {

namespace kept = detail::broker;

// Decodes with `decode`; what that took is taken again when `encode` has written it, and is the same then.
template <class Decode, class Encode>
const char* same_again(std::span<const std::byte> bytes, Decode decode, Encode encode) {
  const auto read = decode(bytes);
  if (!read) return nullptr;
  const std::vector<std::byte> written = encode(*read);
  const auto again = decode(std::span<const std::byte>(written));
  if (!again) return "what was read cannot be read again once it is written";
  return encode(*again) == written ? nullptr : "what was read is something else when written and read";
}

}  // namespace

// The first byte: which of them.
const char* run_records(std::span<const std::uint8_t> input) {
  Input from(input);
  const std::uint32_t which = from.below(7);
  Exactly rest(from.rest());
  const std::span<const std::byte> bytes = rest.bytes();
  switch (which) {
    case 0:
      return same_again(
          bytes, [](auto b) { return kept::decode_pit(b); }, [](const auto& r) { return kept::encode(r); });
    case 1:
      return same_again(
          bytes, [](auto b) { return kept::decode_link(b); }, [](const auto& r) { return kept::encode(r); });
    case 2:
      return same_again(
          bytes, [](auto b) { return kept::DeadLetters::decode(b); }, [](const auto& r) { return r.encode(); });
    case 3:
      return same_again(
          bytes, [](auto b) { return kept::keeper::decode_spawn(b); },
          [](const auto& r) { return kept::keeper::encode(r); });
    case 4:
      return same_again(
          bytes, [](auto b) { return kept::decode_pits(b); },
          [](const auto& r) { return kept::encode_pits(r.slots, r.probations); });
    case 5: {
      const auto read = kept::keeper::parse(bytes);
      return read && read->payload.size() > bytes.size() ? "a payload larger than its datagram" : nullptr;
    }
    default: {
      const std::string line(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      const auto read = detail::read_handover(line);
      if (!read) return nullptr;
      const auto again = detail::read_handover(detail::write_handover(*read));
      return again && detail::write_handover(*again) == detail::write_handover(*read)
                 ? nullptr
                 : "another line when written again";
    }
  }
}

}  // namespace symphony::fuzz
