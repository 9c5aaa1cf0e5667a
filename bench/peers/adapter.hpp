// What a means of communication must be able to do to be compared with ours.   Layer: bench.
//
// An Adapter makes one connection between a caller and a helper for messages of one size; a Link is one end of it. Both
// ends count messages alike, and each message is a function of its number (payload.hpp): whoever sends writes all of
// it, whoever receives reads all of it and says whether it was right. The batch is virtual, not the message: nothing
// but the adapter's own code runs between two messages. Threads: an Adapter belongs to the program's first process; a
// Link to the thread that opened it. The two ends trust each other. A call that waits waits for ever: the supervisor
// (pair.hpp) ends both processes when one of them dies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <symphony/result.hpp>

namespace symphony::bench::peers {

enum class End { caller, helper };
enum class Outcome : std::uint32_t { ok, wrong_data, failed };

class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;

  // Round trips first .. first + count - 1, one after the other: call() in the caller, answer() in the helper.
  virtual Outcome call(std::uint64_t first, std::uint64_t count) = 0;
  virtual Outcome answer(std::uint64_t first, std::uint64_t count) = 0;

  // Messages in one direction, as many on the way as the connection takes: send() in the caller, receive() in the
  // helper, which returns when the last one was read.
  virtual Outcome send(std::uint64_t first, std::uint64_t count) = 0;
  virtual Outcome receive(std::uint64_t first, std::uint64_t count) = 0;
};

class Adapter {
 public:
  Adapter() = default;
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;
  virtual ~Adapter() = default;

  // In the first process, which then forks: what both ends inherit. No threads yet.
  [[nodiscard]] virtual result<void> prepare(std::size_t size) = 0;

  // In each of the two processes (or threads) after that; either may come first. Null: `errno` may say why.
  [[nodiscard]] virtual std::unique_ptr<Link> open(End end) = 0;
};

// Bytes on the way at most, where a peer lets its user choose.
inline constexpr std::size_t buffer_bytes = 1024 * 1024;

struct AdapterEntry {
  std::string_view name;  // as in known.hpp
  std::unique_ptr<Adapter> (*make)();
};

// What this program can run; each peer's file defines it.
[[nodiscard]] std::span<const AdapterEntry> adapters() noexcept;

}  // namespace symphony::bench::peers
