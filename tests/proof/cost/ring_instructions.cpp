// Functions for callgrind to count: a push and a pop of 64 bytes, and what a push and a pop do to shared bytes, once
// through RealMem and once by hand. Each is one function, not inlined, so that its count has a name.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "bus/ring/consumer.hpp"
#include "bus/ring/producer.hpp"

using symphony::detail::Consumer;
using symphony::detail::Order;
using symphony::detail::Poll;
using symphony::detail::Producer;
using symphony::detail::RealMem;
using symphony::detail::Site;

namespace {

constexpr std::size_t capacity = 65'536;
constexpr std::size_t body = 64;

struct Shared {
  alignas(64) std::array<std::byte, capacity> data{};
  alignas(64) std::uint64_t tail = 0, begun = 0, handled = 0, freed = 0;
};

template <class Mem>
struct Words {
  [[no_unique_address]] Mem mem;
  std::byte* data;
  std::uint64_t* header;
  std::uint64_t* tail;
};

}  // namespace

extern "C" {

[[gnu::noinline]] bool counted_push(Producer<RealMem>& producer, const std::byte* from) {
  auto claim = producer.try_claim(body);
  if (!claim) return false;
  RealMem::copy_in(claim.bytes().data(), from, body);
  producer.commit(std::move(claim), body);
  return true;
}

[[gnu::noinline]] bool counted_pop(Consumer<RealMem>& consumer, std::byte* to) {
  Consumer<RealMem>::Record record;
  if (consumer.try_peek(record) != Poll::record || record.bytes.size() != body) return false;
  consumer.begin(record);
  RealMem::copy_out(to, record.bytes.data(), body);
  consumer.finish(record);
  if (consumer.frees_soon()) consumer.free();
  return true;
}

[[gnu::noinline]] void publish_by_policy(Words<RealMem>& w, const std::byte* from, std::uint64_t header) {
  w.mem.copy_in(w.data, from, body);
  // relaxed: counted, not shared; the orders are those of the ring.
  w.mem.template store<Order::relaxed, Site::next_header>(w.header + 16, std::uint64_t{0});
  // order policy: as above.
  w.mem.template store<Order::release, Site::header>(w.header, header);
  // relaxed: as above.
  w.mem.template store<Order::relaxed, Site::tail>(w.tail, header);
  // order policy: as above.
  w.mem.template store<Order::seq_cst, Site::want_space>(w.tail + 1, header);
}

[[gnu::noinline]] void publish_by_hand(Words<RealMem>& w, const std::byte* from, std::uint64_t header) {
  std::memcpy(w.data, from, body);
  // relaxed: the same by hand.
  std::atomic_ref<std::uint64_t>(w.header[16]).store(0, std::memory_order_relaxed);
  // order policy: the same by hand.
  std::atomic_ref<std::uint64_t>(*w.header).store(header, std::memory_order_release);
  // relaxed: the same by hand.
  std::atomic_ref<std::uint64_t>(*w.tail).store(header, std::memory_order_relaxed);
  // order policy: the same by hand.
  std::atomic_ref<std::uint64_t>(w.tail[1]).store(header, std::memory_order_seq_cst);
}

[[gnu::noinline]] std::uint64_t take_by_policy(Words<RealMem>& w, std::byte* to) {
  // order policy: as above.
  const auto header = w.mem.template load<Order::acquire, Site::header>(w.header);
  if (header == 0) return 0;
  w.mem.copy_out(to, w.data, body);
  // order policy: as above.
  w.mem.template store<Order::release, Site::handled>(w.tail, header);
  // order policy: as above.
  return w.mem.template load<Order::seq_cst, Site::freed>(w.tail) + header;
}

[[gnu::noinline]] std::uint64_t take_by_hand(Words<RealMem>& w, std::byte* to) {
  // order policy: the same by hand.
  const auto header = std::atomic_ref<std::uint64_t>(*w.header).load(std::memory_order_acquire);
  if (header == 0) return 0;
  std::memcpy(to, w.data, body);
  // order policy: the same by hand.
  std::atomic_ref<std::uint64_t>(*w.tail).store(header, std::memory_order_release);
  // order policy: the same by hand.
  return std::atomic_ref<std::uint64_t>(*w.tail).load(std::memory_order_seq_cst) + header;
}

// The control: the same work and one instruction at least besides, so that a difference is known to show.
[[gnu::noinline]] std::uint64_t take_with_more(Words<RealMem>& w, std::byte* to) {
  // order policy: twice, on purpose.
  const auto again = std::atomic_ref<std::uint64_t>(*w.header).load(std::memory_order_acquire);
  // order policy: as above.
  const auto header = std::atomic_ref<std::uint64_t>(*w.header).load(std::memory_order_acquire);
  if (header == 0 || again == 0) return 0;
  std::memcpy(to, w.data, body);
  // order policy: as above.
  std::atomic_ref<std::uint64_t>(*w.tail).store(header, std::memory_order_release);
  // order policy: as above.
  return std::atomic_ref<std::uint64_t>(*w.tail).load(std::memory_order_seq_cst) + header;
}
}

// usage: ring_instructions ROUNDS
int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 1;
  const auto shared = std::make_unique<Shared>();
  Producer<RealMem> producer(shared->data.data(), capacity, 7, {&shared->tail, &shared->freed});
  Consumer<RealMem> consumer(shared->data.data(), capacity, 7, {&shared->begun, &shared->handled, &shared->freed});
  std::array<std::byte, body> from{}, to{};
  int moved = 0;
  for (int i = 0; i < rounds; ++i) {
    from[0] = static_cast<std::byte>(i);
    if (counted_push(producer, from.data()) && counted_pop(consumer, to.data()) && to == from) ++moved;
  }
  alignas(64) std::array<std::uint64_t, 64> words{};
  Words<RealMem> w{{}, reinterpret_cast<std::byte*>(words.data() + 1), words.data(), words.data() + 32};
  std::uint64_t sum = 0;
  for (int i = 0; i < rounds; ++i) {
    publish_by_policy(w, from.data(), 9);
    publish_by_hand(w, from.data(), 9);
    sum += take_by_policy(w, to.data()) + take_by_hand(w, to.data()) + take_with_more(w, to.data());
  }
  std::printf("%d of %d moved, %llu\n", moved, rounds, static_cast<unsigned long long>(sum));
  return moved == rounds ? 0 : 1;
}
