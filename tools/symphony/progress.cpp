#include "tools/symphony/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "tools/symphony/table.hpp"
#include "tools/symphony/write_all.hpp"

namespace symphony::tools {
namespace {

constexpr std::size_t bar_width_max = 40;
constexpr std::size_t bar_width_min = 8;
constexpr std::size_t columns_default = 80;
constexpr std::string_view wipe = "\r\x1B[K";

bool can_draw_on(int fd) {
  const char* terminal = std::getenv("TERM");
  return isatty(fd) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb" && *terminal != '\0';
}

std::size_t columns_of(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return columns_default;
  return size.ws_col;
}

// The first characters of `text` that fit into `columns`.
std::string_view fitting(std::string_view text, std::size_t columns) {
  std::size_t end = text.size();
  while (end > 0 && width_of(text.substr(0, end)) > columns) {
    do {
      --end;
    } while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U);
  }
  return text.substr(0, end);
}

std::string elapsed_text(TimeNs elapsed_ns) {
  const TimeNs seconds = std::max<TimeNs>(elapsed_ns, 0) / second_ns;
  return seconds < 60 ? fmt::format("{} s", seconds) : fmt::format("{}:{:02} min", seconds / 60, seconds % 60);
}

}  // namespace

std::string progress_line(std::string_view title, std::uint64_t done, std::uint64_t total, TimeNs elapsed_ns,
                          std::size_t columns, bool colour, bool left) {
  const std::string label = without_controls(title);
  std::string time = elapsed_text(elapsed_ns);
  if (total == 0) {
    const std::string line = fmt::format("{}  {}  {}", label, count_text(done), time);
    return std::string(fitting(line, columns));
  }
  done = std::min(done, total);
  const double share = static_cast<double>(done) / static_cast<double>(total);
  if (left && done > 0 && done < total) {
    time += ", about " + elapsed_text(static_cast<TimeNs>(static_cast<double>(elapsed_ns) * (1 / share - 1))) + " left";
  }
  // Rounded down: 100 % is said when it is done.
  const auto percent = done == total ? 100U : std::min(99U, static_cast<unsigned>(share * 100.0));
  const std::string numbers = fmt::format("{:3} %  {} / {}  {}", percent, count_text(done), count_text(total), time);
  const std::size_t taken = width_of(label) + numbers.size() + 5;  // a space, two brackets, two spaces
  if (taken + bar_width_min > columns) {
    const std::string line = fmt::format("{} {}", label, numbers);
    return std::string(fitting(line, columns));
  }
  const std::size_t width = std::min(bar_width_max, columns - taken);
  const auto filled = std::min(width, static_cast<std::size_t>(share * static_cast<double>(width)));
  std::string bar(filled, '=');
  if (filled < width) bar += '>' + std::string(width - filled - 1, ' ');
  return colour ? fmt::format("{} [\x1B[32m{}\x1B[0m]  {}", label, bar, numbers)
                : fmt::format("{} [{}]  {}", label, bar, numbers);
}

Progress::Progress(std::string label, std::uint64_t total, int fd, bool left)
    : fd_(fd), shown_(can_draw_on(fd)), left_(left), label_(std::move(label)), total_(total), start_ns_(now_ns()) {
  if (!shown_) return;
  const char* no_colour = std::getenv("NO_COLOR");
  colour_ = no_colour == nullptr || *no_colour == '\0';
  draw();
  try {
    thread_ = std::thread([this] { draw_often(); });
  } catch (const std::system_error&) {
    // No thread to be had: the first line stays until finish(). The work goes on, which is what matters.
    return;
  }
}

void Progress::describe(std::string label, std::uint64_t total) {
  const std::lock_guard lock(mutex_);
  label_ = std::move(label);
  total_ = total;
  start_ns_ = now_ns();
  set(0);
}

void Progress::finish() noexcept {
  if (!shown_) return;
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    finished_ = true;
  }
  finished_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  (void)write_all(fd_, wipe);  // a bar that cannot be drawn is no reason to fail
}

void Progress::draw() {
  // relaxed: as in set().
  const std::uint64_t done = done_.load(std::memory_order_relaxed);
  // One column stays free: many terminals begin a new line when the last one is written.
  const std::size_t columns = columns_of(fd_) - 1;
  std::string text(wipe);
  text += progress_line(label_, done, total_, now_ns() - start_ns_, columns, colour_, left_);
  (void)write_all(fd_, text);
}

void Progress::draw_often() {
  std::unique_lock lock(mutex_);
  // The condition variable counts on the monotonic clock.
  while (!finished_changed_.wait_for(lock, std::chrono::nanoseconds(redraw_ns), [this] { return finished_; })) draw();
}

}  // namespace symphony::tools
