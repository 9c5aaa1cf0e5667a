// What a consumer must make of the headers it was answered: docs/formats/ring.md, not the code.   Layer: tests.
#pragma once

#include <cstdint>

#include "bus/ring/consumer.hpp"
#include "tests/proof/hostile/hostile_mem.hpp"

namespace symphony::hostile {

using detail::Poll;
using detail::RingFault;

// An honest consumer's own positions, and the verdict that is for good.
struct ExpectedConsumer {
  std::uint64_t capacity = 0;
  std::uint32_t salt = 0;
  std::uint64_t head = 0;
  std::uint64_t freed = 0;
  RingFault fault = RingFault::none;

  struct Next {
    Poll poll = Poll::empty;
    std::uint64_t position = 0;
    std::uint64_t size = 0;
    std::size_t headers = 0;  // that it took to find out
  };

  [[nodiscard]] RingFault judge(std::uint64_t header, std::uint64_t position) const {
    if (header >> 32 != ((position / format::line ^ salt) & 0xffff'ffff)) return RingFault::bad_check;
    if ((header & format::present_bit) == 0) return RingFault::bad_flags;
    const std::uint64_t stride = format::stride(header & format::size_mask);
    if (stride > capacity / 2 || position % capacity + stride > capacity) return RingFault::bad_size;
    if (position - freed + stride + format::line > capacity) return RingFault::overrun;
    return RingFault::none;
  }

  // The next record by the headers that the peer answered in this call; moves head over pads.
  Next next(const PeerAnswers& answers) {
    Next out;
    if (fault != RingFault::none) return {Poll::fault, 0, 0, 0};
    while (out.headers < answers.headers_asked() && out.headers < 3) {  // at most two pads before a record
      const std::uint64_t header = answers.header_answered(out.headers++).value;
      if (header == 0) return out;
      fault = judge(header, head);
      if (fault != RingFault::none) {
        out.poll = Poll::fault;
        return out;
      }
      const std::uint64_t size = header & format::size_mask;
      if ((header & format::pad_bit) == 0) {
        out.poll = Poll::record;
        out.position = head;
        out.size = size;
        return out;
      }
      head += format::stride(size);
    }
    return out;
  }
};

// nullptr: the consumer did what the format says.
template <class Record>
[[nodiscard]] const char* compare(const ExpectedConsumer::Next& wanted, Poll poll, const Record& record,
                                  const Watch& watch, const std::byte* ring, const ExpectedConsumer& expected) {
  if (watch.answers.headers_asked() != wanted.headers) return "a header was read that decides nothing, or not read";
  if (poll != wanted.poll) return "a header was judged otherwise than the format says";
  if (poll != Poll::record) return nullptr;
  if (record.position != wanted.position || record.bytes.size() != wanted.size)
    return "another record than was answered";
  if (record.end != wanted.position + format::stride(wanted.size)) return "a record that ends elsewhere";
  if (record.bytes.data() != ring + wanted.position % expected.capacity + 8) return "the bytes of another place";
  return nullptr;
}

}  // namespace symphony::hostile
