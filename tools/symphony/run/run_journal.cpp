#include "tools/symphony/run/run_journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>
#include <thread>

#include "bus/state/checksum.hpp"
#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {
namespace {

constexpr std::uint64_t journal_place = 0x6A72'6E6C'7379'6D31;
constexpr std::size_t hex_digits = 16;
constexpr std::string_view journal_head = "symphony run journal 1\n";

std::uint64_t sum_of(std::string_view text) {
  return detail::Checksum(journal_place, text.size()).add(std::as_bytes(std::span(text))).value();
}

std::optional<std::uint64_t> hex_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void read_line(std::string_view line, FinishedTasks& out) {
  constexpr std::size_t head = 2 * (hex_digits + 1);
  if (line.size() < head + 3) return;
  const auto sum = hex_of(line.substr(0, hex_digits));
  if (!sum || *sum != sum_of(line.substr(hex_digits))) return;
  const auto fingerprint = hex_of(line.substr(hex_digits + 1, hex_digits));
  const std::size_t space = line.find(' ', head);
  if (!fingerprint || space == std::string_view::npos) return;
  std::int64_t microseconds = 0;
  if (std::from_chars(line.data() + head, line.data() + space, microseconds).ec != std::errc()) return;
  out[std::string(line.substr(space + 1))] = {*fingerprint, microseconds * us_ns};
}

std::string of_journal(const std::string& path, const char* what, int error, const char* remedy) {
  return "journal " + printable(path) + ": " + what + ": " + std::strerror(error) + "; " + remedy;
}

}  // namespace

std::string journal_line(std::uint64_t fingerprint, TimeNs duration_ns, std::string_view id) {
  char head[64];
  const int size = std::snprintf(head, sizeof head, " %016" PRIx64 " %" PRId64 " ", fingerprint,
                                 static_cast<std::int64_t>(duration_ns / us_ns));
  std::string rest(head, static_cast<std::size_t>(size));
  rest += id;
  std::snprintf(head, sizeof head, "%016" PRIx64, sum_of(rest));
  return head + rest + "\n";
}

FinishedTasks parse_journal(std::string_view text) {
  FinishedTasks out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;  // the last one was not written to its end
    read_line(text.substr(0, end), out);
    text.remove_prefix(end + 1);
  }
  return out;
}

FinishedTasks read_journal(const std::string& path) {
  std::string text;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
  char buffer[65536];
  for (;;) {
    const ssize_t got = read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text.starts_with(journal_head) ? parse_journal(text.substr(journal_head.size())) : FinishedTasks();
}

std::string RunJournal::open(const std::string& path, bool resume, TimeNs wait_ns) {
  fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644));
  if (!fd_) return of_journal(path, "cannot be opened", errno, "name another one with --journal");
  struct stat facts {};
  if (fstat(fd_.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return "journal " + printable(path) + ": is no regular file; name another one with --journal";
  }
  const TimeNs end = now_ns() + wait_ns;
  while (flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return of_journal(path, "cannot be locked", errno, "use another folder");
    if (now_ns() >= end)
      return "journal " + printable(path) + ": another run uses it; wait for its end, or name another journal";
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t got = pread(fd_.get(), buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return of_journal(path, "cannot be read", errno, "name another one with --journal");
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  finished_ = parse_journal(text);
  if (!text.empty() && !text.starts_with(journal_head)) {
    return "journal " + printable(path) + ": is another file, which is left alone; name another one with --journal";
  }
  if (!resume && ftruncate(fd_.get(), 0) != 0) return of_journal(path, "cannot be emptied", errno, "remove it");
  // A line that a crash cut off is ended here, so that the next one begins on a line of its own. It also says now,
  // before anything runs, whether the disk takes a line.
  const std::string_view first = resume && !text.empty() ? "\n" : journal_head;
  if (write(fd_.get(), first.data(), first.size()) != static_cast<ssize_t>(first.size()) || !sync()) {
    return of_journal(path, "cannot be written", errno, "make room, or name another one with --journal");
  }
  return {};
}

bool RunJournal::sync() const noexcept {
  while (fdatasync(fd_.get()) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

}  // namespace symphony::tools
