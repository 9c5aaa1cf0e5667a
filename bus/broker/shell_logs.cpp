// The shell's side of the pits' stderr: read through a pipe, kept in a file for each, its end told with each death.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <unistd.h>

#include "bus/broker/shell.hpp"

namespace symphony::detail::broker {
namespace {

constexpr std::size_t tail_size_max = control::last_lines_size_max;
constexpr int reads_at_the_end = 64;  // all that a pipe can hold

std::string time_text() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);  // allowed: for a person who reads the log
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  std::array<char, 64> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + size, text.size() - size, ".%03ldZ", now.tv_nsec / 1'000'000);
  return text.data();
}

std::string begin_mark(std::uint32_t instance) { return "symphony: instance " + std::to_string(instance) + " starts"; }

// The last bytes, from the beginning of a line where one begins in them.
std::string last_lines_of(std::string text) {
  std::replace(text.begin(), text.end(), '\0', '?');
  if (text.size() < tail_size_max) return text;
  text.erase(0, text.size() - tail_size_max);
  if (const auto end = text.find('\n'); end != std::string::npos && end + 1 < text.size()) text.erase(0, end + 1);
  return text;
}

}  // namespace

LogFile& Shell::log_of(PitIndex index) {
  const std::string& name = core_->config_of(index).name;
  std::string& named = logs_named_[index];
  // A place that another pit has now writes another file; one that is removed ends in its own. Two places of one pit,
  // while it is swapped, write the same.
  if (named.empty() || (!name.empty() && named != name)) {
    named = name.empty() ? "removed" : name;
    lost_.erase(index);
  }
  return logs_.try_emplace(named, config_.log_folder + "/" + named + ".log").first->second;
}

void Shell::begin_output(PitIndex index, pid_t started) {
  const auto found = pits_.find(index);
  if (found == pits_.end() || !found->second.output) return;
  Pit& pit = found->second;
  if (started != 0) {
    log_of(index).close();
    log_of(index).append_line(begin_mark(pit.instance) + ", process " + std::to_string(started) + ", " + time_text());
    report_loss(index);
  } else {
    pit.tail = log_of(index).tail(2 * tail_size_max);  // what the last broker kept of it
    if (const auto mark = pit.tail.rfind(begin_mark(pit.instance)); mark != std::string::npos) {
      pit.tail.erase(0, std::min(pit.tail.find('\n', mark), pit.tail.size() - 1) + 1);
    }
  }
  if (const auto watched = watch(pit.output.get(), Tag::output, index); !watched) {
    execute(Note{std::string("a pit's stderr is not kept: ") + watched.error().text});
  }
}

void Shell::read_output(PitIndex index, int reads_max) {
  const auto found = pits_.find(index);
  if (found == pits_.end() || !found->second.output) return;
  Pit& pit = found->second;
  std::array<char, 16UL * 1024> buffer;
  for (int n = 0; n < reads_max; ++n) {
    const ssize_t got = ::read(pit.output.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;  // nothing now
    if (got == 0) {      // nobody can write any more; its end would be reported for ever
      unwatch(pit.output.get());
      pit.output.reset();
      break;
    }
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    log_of(index).append(bytes);
    pit.tail.append(bytes);
    if (pit.tail.size() > tail_size_max) pit.tail.erase(0, pit.tail.size() - tail_size_max);
  }
  report_loss(index);
}

std::string Shell::end_output(PitIndex index, const keeper::Exit& exit) {
  const auto found = pits_.find(index);
  if (found == pits_.end() || config_.log_folder.empty()) return {};
  read_output(index, reads_at_the_end);
  const std::string how = (exit.signalled ? "killed by signal " : "ended with status ") + std::to_string(exit.value);
  log_of(index).append_line("symphony: instance " + std::to_string(found->second.instance) + " " + how + ", " +
                            time_text());
  report_loss(index);
  return last_lines_of(std::move(found->second.tail));
}

// Counted for `pit show`, said once when it begins.
void Shell::report_loss(PitIndex index) {
  const LogFile& log = log_of(index);
  std::uint64_t& reported = lost_[index];
  if (log.lines_lost() == reported) return;
  if (reported == 0) {
    execute(Note{"pit " + core_->config_of(index).name +
                 ": lines of its stderr are lost: " + std::strerror(log.trouble()) + "; the pit goes on"});
  }
  reported = log.lines_lost();
  feed(LogLost{index, reported});
}

}  // namespace symphony::detail::broker
