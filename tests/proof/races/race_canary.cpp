// A producer and a consumer in two threads over one mapping, with one order of the ring taken away, or none.
//
// usage: race_canary none | header_store | header_load | freed_store | freed_load | plain
// ThreadSanitizer must report each but `none`. One mapping, because it knows memory by its address.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <thread>

#include "bus/ring/consumer.hpp"
#include "bus/ring/producer.hpp"

namespace symphony::detail {
namespace {

constexpr std::uint64_t capacity = 1024;  // wraps every eighth record
constexpr int messages = 2000;
constexpr std::size_t body = 56;

struct Shared {
  alignas(64) std::array<std::byte, capacity> data;
  alignas(64) std::uint64_t tail, begun, handled, freed;
};

enum class Access : std::uint8_t { none, load, store };

// RealMem, but for one kind of access to one site, which is relaxed.
template <Site weak_site, Access weak>
struct WeakMem {
  template <Order order, Site site, class T>
  [[nodiscard]] static T load(const T* word) noexcept {
    // relaxed: where the order is taken away; order policy: elsewhere the ring's own.
    return RealMem::load < site == weak_site && weak == Access::load ? Order::relaxed : order, site > (word);
  }
  template <Order order, Site site, class T>
  static void store(T* word, T value) noexcept {
    // relaxed: where the order is taken away; order policy: elsewhere the ring's own.
    RealMem::store<site == weak_site && weak == Access::store ? Order::relaxed : order, site>(word, value);
  }
  static void copy_in(std::byte* shared, const void* from, std::size_t size) noexcept {
    RealMem::copy_in(shared, from, size);
  }
  static void copy_out(void* to, const std::byte* shared, std::size_t size) noexcept {
    RealMem::copy_out(to, shared, size);
  }
};

template <class Mem>
void produce(Shared& shared) {
  Producer<Mem> producer(shared.data.data(), capacity, 7, {&shared.tail, &shared.freed});
  std::array<std::byte, body> bytes{};
  for (int i = 0; i < messages; ++i) {
    for (;;) {
      auto claim = producer.try_claim(body);
      if (claim) {
        bytes[0] = static_cast<std::byte>(i);
        Mem::copy_in(claim.bytes().data(), bytes.data(), body);
        producer.commit(std::move(claim), body);
        break;
      }
      std::this_thread::yield();
    }
  }
}

template <class Mem>
int consume(Shared& shared) {
  Consumer<Mem> consumer(shared.data.data(), capacity, 7, {&shared.begun, &shared.handled, &shared.freed});
  std::array<std::byte, body> bytes{};
  int wrong = 0;
  for (int i = 0; i < messages;) {
    typename Consumer<Mem>::Record record;
    if (consumer.try_peek(record) != Poll::record) {
      std::this_thread::yield();
      continue;
    }
    Mem::copy_out(bytes.data(), record.bytes.data(), body);
    if (bytes[0] != static_cast<std::byte>(i)) ++wrong;
    consumer.finish(record);
    consumer.free();
    ++i;
  }
  return wrong;
}

template <class Mem>
int exchange(bool plain) {
  const int fd = ::memfd_create("race-canary", MFD_CLOEXEC);
  if (fd < 0 || ::ftruncate(fd, sizeof(Shared)) != 0) return 2;
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return 2;
  auto& shared = *static_cast<Shared*>(memory);
  int wrong = 0;
  std::uint64_t counter = 0;
  std::thread consumer([&] {
    if (plain) ++counter;
    wrong = consume<Mem>(shared);
  });
  if (plain) ++counter;
  produce<Mem>(shared);
  consumer.join();
  std::printf("%d messages, %d wrong, %llu\n", messages, wrong, static_cast<unsigned long long>(counter));
  return wrong == 0 ? 0 : 1;
}

int run(std::string_view mode) {
  if (mode == "none") return exchange<WeakMem<Site::header, Access::none>>(false);
  if (mode == "header_store") return exchange<WeakMem<Site::header, Access::store>>(false);
  if (mode == "header_load") return exchange<WeakMem<Site::header, Access::load>>(false);
  if (mode == "freed_store") return exchange<WeakMem<Site::freed, Access::store>>(false);
  if (mode == "freed_load") return exchange<WeakMem<Site::freed, Access::load>>(false);
  if (mode == "plain") return exchange<RealMem>(true);
  return 2;
}

}  // namespace
}  // namespace symphony::detail

int main(int argc, char** argv) { return symphony::detail::run(argc > 1 ? argv[1] : ""); }
