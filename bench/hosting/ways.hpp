// Every way to the pit `prepared` that bench_modes compares, ready to be called.   Layer: bench.
// Threads: the calling one; the broker has its own. Pits in processes run on another processor than the caller.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>

#include "bench/latency/order.hpp"
#include "bench/support/pinning.hpp"
#include "pits/hosting/host.hpp"

namespace symphony::bench {

inline constexpr std::size_t reply_size = 64;
inline constexpr std::size_t small_size = 64;
inline constexpr std::size_t large_size = std::size_t{1} << 20;

// What the pit's handler does, as a virtual function: what a call costs that goes nowhere.
class Direct {
 public:
  Direct() = default;
  Direct(const Direct&) = delete;
  Direct& operator=(const Direct&) = delete;
  virtual ~Direct() = default;
  virtual std::size_t call(std::span<const std::byte> body, std::span<std::byte> reply) noexcept = 0;
};
[[nodiscard]] std::unique_ptr<Direct> make_direct();

enum Way : std::size_t {
  direct,     // the virtual function
  in_static,  // 64 bytes there, 64 back, as all but the last four
  in_dynamic,
  in_wasm,            // copied
  in_wasm_window,     // read in place
  wasm_large,         // 1 MiB there, copied
  wasm_window_large,  // read in place
  message_work,       // of an Order, once, here
  ring,               // bytes of an Order to a process and back, by the bus alone
  in_process,         // an Order built, sent, verified, read, answered with another, and that verified and read
  way_count
};

class Ways {
 public:
  // `program` is this one, to be started as the bus's other side; files stand beside it as in the build tree. On
  // failure stderr says why.
  [[nodiscard]] static std::unique_ptr<Ways> make(const std::string& program);

  // Whether this build and machine have it.
  [[nodiscard]] bool has(std::size_t way) const noexcept;
  // `count` of them. False: one failed.
  [[nodiscard]] bool go(std::size_t way, std::size_t count) noexcept;

 private:
  Ways();
  [[nodiscard]] bool mount_here(const std::string& folder);
  [[nodiscard]] bool mount_apart(const std::string& program, const std::string& folder);
  [[nodiscard]] bool call(pit::Link& link, std::span<const std::byte> body, std::size_t count) noexcept;
  [[nodiscard]] bool over_ring(std::size_t count) noexcept;
  [[nodiscard]] bool typed(std::size_t count) noexcept;

  std::optional<CpuPair> cpus_;
  std::unique_ptr<Direct> direct_;
  std::vector<std::byte> small_, large_;
  std::array<std::byte, reply_size> reply_{};
  std::array<std::unique_ptr<pit::Host>, way_count> hosts_;
  std::optional<EmbeddedBroker> broker_;
  std::optional<Endpoint> endpoint_;
  Link ring_;
  std::array<std::unique_ptr<pit::Link>, way_count> links_;
  std::span<std::byte> window_;
  flatbuffers::FlatBufferBuilder builder_;
  std::uint64_t serial_ = 0;
};

// The other side of `ring`: answers with the same bytes until its broker ends it. Returns the exit status.
int be_ring_pit();

}  // namespace symphony::bench
