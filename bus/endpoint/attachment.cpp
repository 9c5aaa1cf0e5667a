#include "bus/endpoint/attachment.hpp"

#include <algorithm>

#include "bus/memory/segment.hpp"

namespace symphony::detail {
namespace {

std::uint64_t segment_size(const Geometry& g, Side writer) {
  return writer == Side::caller ? caller_segment_size(g.request_capacity) : pit_segment_size(g.reply_capacity);
}

Side other(Side side) { return side == Side::caller ? Side::pit : Side::caller; }

}  // namespace

result<std::unique_ptr<Attached>> map_own(const control::Own& own, UniqueFd segment, Side side, UniqueFd peer_segment) {
  if (!is_ring_capacity(own.request_capacity) || !is_ring_capacity(own.reply_capacity)) {
    return unexpected(errc::invalid_argument, "a ring's capacity is a power of two from 4 KiB to 1 GiB");
  }
  auto attached = std::make_unique<Attached>();
  attached->at = own.at;
  attached->geometry = {own.request_capacity, own.reply_capacity, own.request_salt, own.reply_salt, own.heavy_barriers};
  attached->in_flight_max = own.in_flight_max;
  attached->reply_size_max = own.reply_size_max;
  attached->look_after_ns = own.look_after_ms * ms_ns;
  attached->trust = static_cast<Trust>(std::min<std::uint8_t>(own.trust, std::uint8_t{2}));
  auto mapping = Mapping::map(segment.get(), segment_size(attached->geometry, side), Access::read_write);
  if (!mapping) return unexpected(mapping.error());
  attached->own = *std::move(mapping);
  if (peer_segment && attached->trust != Trust::hostile) {
    const std::uint64_t size = segment_size(attached->geometry, other(side)) - segment_header_size;
    auto data = Mapping::map(peer_segment.get(), size, Access::read_write, segment_header_size);
    if (!data) return unexpected(data.error());
    attached->peer_data = *std::move(data);
  }
  return attached;
}

result<void> map_peer(Attached& attached, UniqueFd segment, Side side) {
  const std::uint64_t size = segment_size(attached.geometry, other(side));
  if (const auto checked = check_peer_segment(segment.get(), size); !checked) return unexpected(checked.error());
  auto mapping = Mapping::map(segment.get(), size, Access::read_only);
  if (!mapping) return unexpected(mapping.error());
  attached.peer = *std::move(mapping);
  return {};
}

}  // namespace symphony::detail
