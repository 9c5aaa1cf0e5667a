// A progress bar for people who watch: on a terminal, at most three times a second, gone when the work is done.
// Layer: tools. Threads: set(), advance() and describe() from any thread; the rest from the one that made it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <symphony/clock.hpp>
#include <thread>

namespace symphony::tools {

// One line of at most `columns` terminal columns: "title [=====>    ]  42 %  1,234 / 2,900  3 s". A total of 0 means
// that nobody knows it: then the count and the time alone. With `colour` the bar is coloured; with `left` the time that
// the rest will take, as the part that is done took, stands behind.
[[nodiscard]] std::string progress_line(std::string_view title, std::uint64_t done, std::uint64_t total,
                                        TimeNs elapsed_ns, std::size_t columns, bool colour, bool left = false);

class Progress {
 public:
  static constexpr TimeNs redraw_ns = 333 * ms_ns;

  // Draws at once and then from a thread of its own, if `fd` is a terminal that can move its cursor; otherwise no byte
  // is ever written and no thread started. `fd` is borrowed for the object's life. NO_COLOR is respected.
  // Make it after any fork(): the drawing thread lives in one process only.
  explicit Progress(std::string label, std::uint64_t total, int fd = 2, bool left = false);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // One relaxed store or addition; cheap enough for a loop that is being measured.
  void set(std::uint64_t done) noexcept {
    // relaxed: a figure to look at; nothing is published with it.
    done_.store(done, std::memory_order_relaxed);
  }
  void advance(std::uint64_t count = 1) noexcept {
    // relaxed: as in set().
    done_.fetch_add(count, std::memory_order_relaxed);
  }

  // What is being done now, and out of how much; starts counting and timing anew.
  void describe(std::string label, std::uint64_t total);

  // Stops drawing and wipes the line, so that what is printed next begins on a clean one. Further calls do nothing.
  void finish() noexcept;

  [[nodiscard]] bool is_shown() const noexcept { return shown_; }

 private:
  void draw();        // precondition: mutex_ is held
  void draw_often();  // the thread

  const int fd_;
  bool shown_ = false;
  bool left_ = false;
  bool colour_ = false;
  std::atomic<std::uint64_t> done_{0};
  std::mutex mutex_;  // guards what follows, and the line on the terminal
  std::condition_variable finished_changed_;
  bool finished_ = false;
  std::string label_;
  std::uint64_t total_ = 0;
  TimeNs start_ns_ = 0;
  std::thread thread_;
};

}  // namespace symphony::tools
