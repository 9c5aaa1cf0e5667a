// What a fallible library function returns: a value, or an error that says which call failed and what to do.   Layer:
// base.
//
// The members carry the names of std::expected so that a reader knows them; it is never an alias of it, because two
// builds with different language standards must link (docs/decisions/0002-own-result.md).
// Threads: a plain value. Lifetime: error texts are static.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace symphony {

// Whose fault and what kind, for programs. Persons read `error::text`. Stable: numbers are never reused.
enum class errc : std::uint16_t {
  invalid_argument = 1,  // the caller of the function passed something it documents as wrong
  out_of_memory = 2,     // memory or shared memory that the system would not give
  out_of_descriptors = 3,
  refused = 4,      // a policy said no
  not_found = 5,    // no pit, file or name of this kind
  unreachable = 6,  // the broker is not there
  timeout = 7,
  closed = 8,  // the object was closed, by us or by the other side
  version_mismatch = 9,
  peer_fault = 10,  // the other side broke the protocol
  forked = 11,      // a handle made before fork() was used in the child
  busy = 12,
  too_large = 13,
  quarantined = 14,  // the pit failed too often and is not started again
  system = 15,       // another system call failed: see sys_errno
  internal = 16,     // a bug of ours
};

// An error of the environment (style: errors). `text` is static, names the call that failed and the remedy.
struct error {
  errc code = errc::internal;
  int sys_errno = 0;  // errno of the failing call, 0 when there was none
  const char* text = "";
};

// Thrown by result::value() on an error: the caller promised that there was none.
class bad_result : public std::logic_error {
 public:
  explicit bad_result(const error& e) : std::logic_error(e.text), error_(e) {}
  [[nodiscard]] const symphony::error& error() const noexcept { return error_; }

 private:
  symphony::error error_;
};

// Marks an error on its way into a result<T>.
struct unexpected {
  symphony::error held;
  explicit unexpected(const symphony::error& e) noexcept : held(e) {}
  unexpected(errc code, const char* text, int sys_errno = 0) noexcept : held{code, sys_errno, text} {}
};

// A T or an error. Move-only when T is.
template <class T>
class [[nodiscard]] result {
 public:
  using value_type = T;
  using error_type = symphony::error;

  result(T value) : held_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  result(const unexpected& u) noexcept
      : held_(std::in_place_index<1>, u.held) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return held_.index() == 0; }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

  // Precondition of operator* and operator->: has_value().
  [[nodiscard]] T& operator*() & noexcept { return *std::get_if<0>(&held_); }
  [[nodiscard]] const T& operator*() const& noexcept { return *std::get_if<0>(&held_); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*std::get_if<0>(&held_)); }
  [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&held_); }
  [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&held_); }

  // The value; throws bad_result when there is none. For set-up code that has nothing better to do.
  [[nodiscard]] T& value() & { return require(), **this; }
  [[nodiscard]] const T& value() const& { return require(), **this; }
  [[nodiscard]] T&& value() && { return require(), std::move(**this); }
  template <class U>
  [[nodiscard]] T value_or(U&& other) && {
    return has_value() ? std::move(**this) : static_cast<T>(std::forward<U>(other));
  }

  // Precondition: !has_value().
  [[nodiscard]] const symphony::error& error() const noexcept { return *std::get_if<1>(&held_); }

 private:
  void require() const {
    if (!has_value()) throw bad_result(error());
  }
  std::variant<T, symphony::error> held_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;
  using error_type = symphony::error;

  result() noexcept = default;
  result(const unexpected& u) noexcept : error_(u.held), failed_(true) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return !failed_; }
  [[nodiscard]] explicit operator bool() const noexcept { return !failed_; }
  void value() const {
    if (failed_) throw bad_result(error_);
  }
  [[nodiscard]] const symphony::error& error() const noexcept { return error_; }

 private:
  symphony::error error_{};
  bool failed_ = false;
};

}  // namespace symphony
