#include "bench/throughput/stream_pair.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <numeric>
#include <random>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/support/pinning.hpp"
#include "bench/throughput/streams.hpp"

namespace symphony::bench {
namespace {

constexpr std::size_t rtt_count = 64 * 64;

// Lines of the pit's page 1 on which the consumer says how far it got; behind those of a link.
constexpr std::size_t taken_line = 8;
constexpr std::size_t sum_line = 9;
constexpr std::size_t disorder_line = 10;

struct Memory {
  std::array<detail::SegmentPair, stream_kinds> streams;  // none for raw_again, which uses those of raw_stream
  detail::SegmentPair rtt;
};

// Whether the producer's segment is mapped writable by the consumer, and the consumer's by the producer.
bool shares_all(std::size_t kind) { return kind == raw_stream || kind == boost_stream; }
bool maps_data_writable(std::size_t kind) { return kind != ring_read_only && kind != channel_read_only; }

template <std::size_t size>
std::uint64_t data_bytes(std::size_t kind, std::size_t capacity) {
  return kind == boost_stream ? capacity + (BoostStream<size>::extra_bytes + 4095) / 4096 * 4096 : capacity;
}

template <std::size_t size>
result<StreamPlace> map_place(const Memory& memory, std::size_t kind, End end, std::size_t capacity) {
  const detail::SegmentPair& pair = memory.streams[kind];
  const bool is_caller = end == End::caller;
  const std::uint64_t caller_bytes = detail::segment_header_size + data_bytes<size>(kind, capacity);
  const std::uint64_t pit_bytes = detail::pit_segment_size(detail::ring_capacity_min);
  const bool writable = is_caller ? shares_all(kind) : maps_data_writable(kind);
  auto own = detail::Mapping::map(is_caller ? pair.caller.get() : pair.pit.get(), is_caller ? caller_bytes : pit_bytes,
                                  detail::Access::read_write);
  if (!own) return unexpected(own.error());
  auto peer = detail::Mapping::map(is_caller ? pair.pit.get() : pair.caller.get(), is_caller ? pit_bytes : caller_bytes,
                                   writable ? detail::Access::read_write : detail::Access::read_only);
  if (!peer) return unexpected(peer.error());
  return StreamPlace{*std::move(own), *std::move(peer), end, static_cast<std::uint32_t>(capacity), writable};
}

template <std::size_t size>
class Side {
 public:
  static result<Side> make(const Memory& memory, End end, std::size_t capacity) {
    std::array<StreamPlace, stream_kinds> places;
    for (std::size_t kind = 0; kind < stream_kinds; ++kind) {
      if (kind == raw_again) continue;
      auto place = map_place<size>(memory, kind, end, capacity);
      if (!place) return unexpected(place.error());
      places[kind] = *std::move(place);
    }
    auto rtt = Area::map(memory.rtt, end, detail::Access::read_write);
    if (!rtt) return unexpected(rtt.error());
    return Side(std::move(places), *std::move(rtt), end);
  }

  // Sends `count` messages of a kind and waits until they were read. False also when they were not what was sent.
  template <class GiveUp>
  bool send(std::size_t kind, std::uint64_t count, GiveUp&& give_up) noexcept {
    const std::size_t place = kind == raw_again ? raw_stream : kind;
    if (!with(kind, [&](auto& stream) { return stream.send(count, give_up); })) return false;
    const std::uint64_t first = done_[place];
    const std::uint64_t end = done_[place] += count;
    const auto taken = [&] { return load(place, taken_line) == end; };
    if (!wait_for(taken, give_up)) return false;
    expected_[place] += Received::sum_of<size>(first, count);
    return load(place, sum_line) == expected_[place] && load(place, disorder_line) == 0;
  }
  template <class GiveUp>
  bool receive(std::size_t kind, std::uint64_t count, GiveUp&& give_up) noexcept {
    const std::size_t place = kind == raw_again ? raw_stream : kind;
    Received& received = received_[place];
    if (!with(kind, [&](auto& stream) { return stream.receive(count, received, give_up); })) return false;
    done_[place] += count;
    store(place, sum_line, received.sum);
    store(place, disorder_line, received.out_of_order);
    store(place, taken_line, done_[place]);
    return true;
  }
  template <class GiveUp>
  bool round_trips(GiveUp&& give_up, std::size_t times = 1) noexcept {
    for (std::size_t i = 0; i < times * rtt_count; ++i) {
      if (!(end_ == End::caller ? rtt_.call(give_up) : rtt_.serve(give_up))) return false;
    }
    return true;
  }

 private:
  Side(std::array<StreamPlace, stream_kinds> places, Area rtt, End end) noexcept
      : places_(std::move(places)),
        rtt_area_(std::move(rtt)),
        end_(end),
        rtt_(rtt_area_, end),
        raw_(places_[raw_stream]),
        ring_(places_[ring_stream]),
        ring_read_only_(places_[ring_read_only]),
        channel_(places_[channel_stream]),
        channel_read_only_(places_[channel_read_only]),
        channel_batch_(places_[channel_batch]),
        boost_(places_[boost_stream]) {}

  template <class Use>
  bool with(std::size_t kind, Use&& use) noexcept {
    switch (kind) {
      case raw_stream:
      case raw_again:
        return use(raw_);
      case ring_stream:
        return use(ring_);
      case ring_read_only:
        return use(ring_read_only_);
      case channel_stream:
        return use(channel_);
      case channel_read_only:
        return use(channel_read_only_);
      case channel_batch:
        return use(channel_batch_);
      default:
        return use(boost_);
    }
  }
  std::uint64_t load(std::size_t place, std::size_t line) const noexcept {
    // sync stream.taken acquire: the sums stored before it are there.
    return std::atomic_ref(*places_[place].pit_word(line)).load(std::memory_order_acquire);
  }
  void store(std::size_t place, std::size_t line, std::uint64_t value) noexcept {
    // sync stream.taken release: all messages up to it were read, and the sums are stored.
    std::atomic_ref(*places_[place].pit_word(line)).store(value, std::memory_order_release);
  }

  std::array<StreamPlace, stream_kinds> places_;
  Area rtt_area_;
  End end_;
  RawPair<32> rtt_;
  RawStream<size> raw_;
  RingStream<size> ring_;
  RingStream<size> ring_read_only_;
  ChannelStream<size, 1> channel_;
  ChannelStream<size, 1> channel_read_only_;
  ChannelStream<size, 16> channel_batch_;
  BoostStream<size> boost_;
  std::array<std::uint64_t, stream_kinds> done_{};
  std::array<std::uint64_t, stream_kinds> expected_{};
  std::array<Received, stream_kinds> received_{};
};

// Both processes draw the same orders.
class Orders {
 public:
  explicit Orders(std::uint64_t seed) : random_(seed) { std::iota(order_.begin(), order_.end(), std::size_t{0}); }
  const std::array<std::size_t, stream_kinds>& next() {
    for (std::size_t i = stream_kinds - 1; i > 0; --i) std::swap(order_[i], order_[random_() % (i + 1)]);
    return order_;
  }

 private:
  std::mt19937_64 random_;
  std::array<std::size_t, stream_kinds> order_{};
};

std::uint64_t messages_a_lap(const StreamPairOptions& options) {
  return std::max<std::uint64_t>(1, options.capacity / options.size);
}

template <std::size_t size>
int serve(const Memory& memory, const StreamPairOptions& options, pid_t parent, const std::optional<CpuPair>& cpus) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return 1;
  const Pinned pinned(cpus ? std::optional(cpus->helper) : std::nullopt);
  auto side = Side<size>::make(memory, End::pit, options.capacity);
  if (!side) return 1;
  const auto yield = [] { return ::sched_yield() != 0; };
  Orders orders(options.seed);
  const std::uint64_t lap = messages_a_lap(options);
  if (!side->round_trips(yield, 2)) return 1;
  for (std::size_t round = 0; round <= options.rounds; ++round) {
    for (const std::size_t kind : orders.next()) {
      if (!side->receive(kind, lap, yield) || !side->receive(kind, lap * options.laps, yield)) return 1;
    }
  }
  return side->round_trips(yield, 2) ? 0 : 1;
}

template <std::size_t size>
bool produce(const Memory& memory, const StreamPairOptions& options, pid_t child, const std::optional<CpuPair>& cpus,
             StreamPairResult& result) {
  const Pinned pinned(cpus ? std::optional(cpus->caller) : std::nullopt);
  auto side = Side<size>::make(memory, End::caller, options.capacity);
  if (!side) return false;
  const auto child_gone = [child] {
    ::sched_yield();
    siginfo_t about{};
    return ::waitid(P_PID, static_cast<id_t>(child), &about, WEXITED | WNOHANG | WNOWAIT) != 0 || about.si_pid != 0;
  };
  const auto rtt_ns = [&](double& into) {
    if (!side->round_trips(child_gone)) return false;  // warms up, and waits until the other side is there
    const TimeNs start = now_ns();
    const bool done = side->round_trips(child_gone);
    into = static_cast<double>(now_ns() - start) / rtt_count;
    return done;
  };
  std::array<std::vector<double>, stream_kinds> rates;
  Orders orders(options.seed);
  const std::uint64_t lap = messages_a_lap(options);
  if (!rtt_ns(result.rtt_before_ns)) return false;
  for (std::size_t round = 0; round <= options.rounds; ++round) {
    for (const std::size_t kind : orders.next()) {
      if (!side->send(kind, lap, child_gone)) return false;
      const TimeNs start = now_ns();
      if (!side->send(kind, lap * options.laps, child_gone)) return false;
      const double took_s = static_cast<double>(now_ns() - start) / 1e9;
      if (round != 0) rates[kind].push_back(static_cast<double>(lap * options.laps) / took_s);  // the first warms up
    }
  }
  if (!rtt_ns(result.rtt_after_ns)) return false;
  for (std::size_t kind = 0; kind < stream_kinds; ++kind) {
    const auto middle = rates[kind].begin() + static_cast<std::ptrdiff_t>(rates[kind].size() / 2);
    std::nth_element(rates[kind].begin(), middle, rates[kind].end());
    result.messages_per_s[kind] = *middle;
  }
  return true;
}

template <std::size_t size>
result<Memory> make_memory(const StreamPairOptions& options) {
  Memory memory;
  for (std::size_t kind = 0; kind < stream_kinds; ++kind) {
    if (kind == raw_again) continue;
    auto made = detail::create_segment_pair(detail::segment_header_size + data_bytes<size>(kind, options.capacity),
                                            detail::pit_segment_size(detail::ring_capacity_min), options.seed);
    if (!made) return unexpected(made.error());
    memory.streams[kind] = *std::move(made);
  }
  auto rtt = detail::create_segment_pair(detail::caller_segment_size(link_capacity),
                                         detail::pit_segment_size(link_capacity), options.seed);
  if (!rtt) return unexpected(rtt.error());
  memory.rtt = *std::move(rtt);
  auto queue = map_place<size>(memory, boost_stream, End::caller, options.capacity);
  if (!queue) return unexpected(queue.error());
  BoostStream<size>::construct(queue->data(), options.capacity);
  return memory;
}

template <std::size_t size>
bool run_sized(const StreamPairOptions& options, StreamPairResult& result) {
  const auto memory = make_memory<size>(options);
  if (!memory) {
    std::fprintf(stderr, "bench_throughput: %s\n", memory.error().text);
    return false;
  }
  const auto cpus = two_cpus();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) ::_exit(serve<size>(*memory, options, parent, cpus));
  const bool done = produce<size>(*memory, options, child, cpus, result);
  if (!done) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!done || status != 0) std::fputs("bench_throughput: a stream broke off or carried wrong bytes\n", stderr);
  return done && status == 0;
}

}  // namespace

bool run_stream_pair(const StreamPairOptions& options, StreamPairResult& result) {
  switch (options.size) {
    case 64:
      return run_sized<64>(options, result);
    case 256:
      return run_sized<256>(options, result);
    case 1024:
      return run_sized<1024>(options, result);
    case 4096:
      return run_sized<4096>(options, result);
    case 65536:
      return run_sized<65536>(options, result);
    default:
      return false;
  }
}

}  // namespace symphony::bench
