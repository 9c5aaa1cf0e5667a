// Whether a pit's handlers throw so often that something of it is broken rather than a message.
// Layer: hosting/process (bus/base). Threads: the data thread.
// One exception ends its own request as INTERNAL and says nothing of the pit; how many are a storm its operator says
// (`exceptions_max` of the manifest: the N-th within a minute), because no number is right for every pit.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>

namespace symphony::pit {

class ExceptionStorm {
 public:
  // `max` exceptions within `window_ns` are one; 0: never.
  ExceptionStorm(std::uint32_t max, TimeNs window_ns) : window_ns_(window_ns), times_(std::min(max, limit)) {}

  // SYMPHONY_PIT_EXCEPTIONS: the two numbers with a comma between. Nothing: they are not that.
  [[nodiscard]] static std::optional<ExceptionStorm> from(std::string_view text) {
    const auto comma = text.find(',');
    std::uint32_t max = 0;
    TimeNs window_ns = 0;
    if (comma == std::string_view::npos || !number(text.substr(0, comma), max) ||
        !number(text.substr(comma + 1), window_ns) || window_ns <= 0)
      return std::nullopt;
    return ExceptionStorm(max, window_ns);
  }
  [[nodiscard]] static std::string text_of(std::uint32_t max, TimeNs window_ns) {
    return std::to_string(max) + "," + std::to_string(window_ns);
  }

  // One more. True, from now on: it is one.
  bool add(TimeNs now_ns) noexcept {
    if (times_.empty() || is_one_) return is_one_;
    times_[next_] = now_ns;
    next_ = (next_ + 1) % times_.size();
    is_one_ = ++count_ >= times_.size() && now_ns - times_[next_] < window_ns_;
    return is_one_;
  }
  [[nodiscard]] bool is_one() const noexcept { return is_one_; }
  [[nodiscard]] std::size_t max() const noexcept { return times_.size(); }

  static constexpr std::uint32_t limit = 1'000'000;

 private:
  template <class T>
  static bool number(std::string_view text, T& out) {
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && at == text.data() + text.size();
  }

  TimeNs window_ns_;
  std::vector<TimeNs> times_;  // the last ones; next_ is the oldest
  std::size_t next_ = 0;
  std::uint64_t count_ = 0;
  bool is_one_ = false;
};

}  // namespace symphony::pit
