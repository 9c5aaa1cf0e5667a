// Latest values and topics: what one side writes and any number reads, without a copy for each.   Layer: endpoint.
//
//   auto writer = endpoint.write_cell("plant/speed", {.value_size_max = 64}).value();
//   writer.write(type, bytes);                                  never waits for a reader
//   auto reader = endpoint.read_cell("plant/speed").value();
//   CellValue value = reader.read(buffer);                      the newest value, whole
//
// A cell keeps the newest value, a topic the last `history` of them, each with its number: 1, 2, … A name is written
// by one connection at a time. Readers map the memory read-only: none can change it, delay the writer or be seen by it.
// A reader outlives its writer: what was last written stays readable, and when somebody writes the name again it goes
// over. After the broker's death both go on, and find the next one by themselves.
// Threads: each object belongs to one thread at a time [data-thread]. Fork: as Endpoint.
// Names: 1 to 63 of a-z 0-9 _ - . and single slashes between them; NAME and NAME/... of a pit NAME are that pit's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/result.hpp>

namespace symphony {

namespace detail {
class WrittenBoard;
class ReadBoard;
}  // namespace detail

struct CellOptions {
  std::uint32_t value_size_max = 4096;  // bytes, up to 64 KiB
};
struct TopicOptions {
  std::uint32_t value_size_max = 4096;  // bytes, up to 64 KiB
  std::uint32_t history = 64;           // how many are kept for readers that are late, 2 to 4096; together up to 64 MiB
};

enum class ReadOutcome : std::uint8_t {
  value,
  none,     // nothing was written yet, or nothing newer before the deadline
  busy,     // the writer was faster than each of many tries to copy
  too_big,  // the buffer is smaller than value_size_max()
  fault,    // the writer broke the format: what it wrote cannot be read
};

// What was read; the bytes are in the reader's buffer.
struct TopicValue {
  ReadOutcome outcome = ReadOutcome::none;
  std::uint32_t type = 0;
  std::uint32_t size = 0;
  std::uint64_t number = 0;   // of this value: its version
  std::uint64_t source = 0;   // whose numbers these are: another one, another count from 1
  std::uint64_t dropped = 0;  // of a topic: values that were overwritten before this reader came to them, just now
  [[nodiscard]] bool ok() const noexcept { return outcome == ReadOutcome::value; }
};

// The writing end of a name.
class BoardWriting {
 public:
  BoardWriting() noexcept;
  BoardWriting(BoardWriting&&) noexcept;
  BoardWriting& operator=(BoardWriting&&) noexcept;
  ~BoardWriting();  // ends it: the name is free, and its memory goes with its last reader

  // The next value; returns its number. Waits neither for readers nor for the broker. Errors: too_large, closed (moved
  // from, or another had the name when a new broker came), forked.   [data-thread]
  result<std::uint64_t> write(std::uint32_t type, std::span<const std::byte> value) noexcept;
  // Ends without closing: when the endpoint ends, what was written stays readable for who comes later, as if this
  // process had died.   [data-thread]
  void leave() noexcept;

 private:
  friend class Endpoint;
  explicit BoardWriting(std::unique_ptr<detail::WrittenBoard> board) noexcept;
  std::unique_ptr<detail::WrittenBoard> board_;
};
class CellWriter : public BoardWriting {
  using BoardWriting::BoardWriting;
};
// Each write wakes the readers that sleep, with one system call.
class Publisher : public BoardWriting {
  using BoardWriting::BoardWriting;
};

// A reading end of a name.
class BoardReading {
 public:
  BoardReading() noexcept;
  BoardReading(BoardReading&&) noexcept;
  BoardReading& operator=(BoardReading&&) noexcept;
  ~BoardReading();

  // How large a buffer has to be. Rises only when another writer has larger values.   [data-thread]
  [[nodiscard]] std::uint32_t value_size_max() const noexcept;
  // Whether somebody writes the name now, as far as the broker said.
  [[nodiscard]] bool has_writer() const noexcept;

 protected:
  explicit BoardReading(std::unique_ptr<detail::ReadBoard> board) noexcept;
  std::unique_ptr<detail::ReadBoard> board_;
};

class CellReader : public BoardReading {
 public:
  CellReader() noexcept = default;
  // The newest value, whole, as often as one likes. Never sleeps.   [data-thread]
  [[nodiscard]] TopicValue read(std::span<std::byte> into) noexcept;

 private:
  friend class Endpoint;
  using BoardReading::BoardReading;
};

class Subscription : public BoardReading {
 public:
  Subscription() noexcept = default;
  // The next value, in order; where the oldest were overwritten meanwhile the oldest there is, and how many were lost.
  // `none`: there is none newer. Never sleeps.   [data-thread]
  [[nodiscard]] TopicValue try_next(std::span<std::byte> into) noexcept;
  // The same, and sleeps until there is one, or until the deadline.   [data-thread]
  [[nodiscard]] TopicValue wait_next(std::span<std::byte> into, TimeNs deadline_ns) noexcept;
  [[nodiscard]] std::uint64_t dropped() const noexcept;  // values lost since it was made

 private:
  friend class Endpoint;
  using BoardReading::BoardReading;
};

struct TopicInfo {
  std::string name;
  bool is_cell = false;
  std::string writer;         // the pit that writes it; empty: a program, or nobody
  std::int32_t pid = 0;       // of that program
  std::uint32_t readers = 0;  // connections that read it
  std::uint32_t history = 0;
  std::uint32_t value_size_max = 0;
  std::uint64_t latest = 0;  // number of the newest value, as its writer says
};

}  // namespace symphony
