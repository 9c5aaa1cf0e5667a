// What can be wrong with an input file: one kind, one line, one exit status.   Layer: tools.
// The texts carry names from the file, so unlike bus errors they are built; printable() keeps them to one line and
// keeps control characters of a hostile file off the terminal.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace symphony::tools {

// Stable: numbers are never reused.
enum class InputFault : std::uint8_t {
  no_such_file = 1,
  is_directory = 2,
  no_permission = 3,
  read_failed = 4,  // the system could not deliver bytes that should be there
  empty = 5,        // nothing but white space
  no_tasks = 6,     // well-formed, but there is nothing to do in it
  too_large = 7,
  truncated = 8,  // ends inside a stanza's line or a JSON value
  not_utf8 = 9,
  unknown_format = 10,
  malformed = 11,     // the format is known, a place in it is wrong
  unknown_task = 12,  // a JSON edge names a task that is not in the list
  duplicate_task = 13,
  cycle = 14,
  compressed = 15,  // compressed, and nothing here can unpack it
  unpack_failed = 16,
};

// One line: what is wrong with which input; then the remedy. No line end.
struct InputError {
  InputFault fault = InputFault::malformed;
  std::string text;

  // Status 2 (usage) for everything that another file or another flag cures; 70 when the system failed to read.
  [[nodiscard]] int exit_status() const noexcept { return fault == InputFault::read_failed ? 70 : 2; }
};

// A T or an InputError.
template <class T>
class [[nodiscard]] InputResult {
 public:
  InputResult(T value) : held_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  InputResult(InputError error)
      : held_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return held_.index() == 0; }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

  // Precondition: has_value().
  [[nodiscard]] T& operator*() noexcept { return *std::get_if<0>(&held_); }
  [[nodiscard]] const T& operator*() const noexcept { return *std::get_if<0>(&held_); }
  [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&held_); }
  [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&held_); }

  // Precondition: !has_value().
  [[nodiscard]] InputError& error() noexcept { return *std::get_if<1>(&held_); }
  [[nodiscard]] const InputError& error() const noexcept { return *std::get_if<1>(&held_); }

 private:
  std::variant<T, InputError> held_;
};

// `text` for an error line: control characters become '?', and what is longer than size_max is cut at a character's
// border and ends in "...". Precondition: size_max > 3.
[[nodiscard]] std::string printable(std::string_view text, std::size_t size_max = 80);

}  // namespace symphony::tools
