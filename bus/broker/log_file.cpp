#include "bus/broker/log_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace symphony::detail::broker {

void LogFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (skipping_) {
      const auto end = bytes.find('\n');
      if (end == std::string_view::npos) return;
      bytes.remove_prefix(end + 1);
      skipping_ = false;
      continue;
    }
    if (!open() || !say_loss()) return lose(bytes);
    const std::size_t part = fitting(bytes);
    if (part == 0) {
      if (!at_line_start_ && write_out("\n") == 0) return lose(bytes);
      if (!rotate()) return lose(bytes);
      continue;
    }
    const std::size_t written = write_out(bytes.substr(0, part));
    bytes.remove_prefix(written);
    if (written < part) return lose(bytes);
  }
}

void LogFile::append_line(std::string line) {
  if (skipping_) {  // the lost one ends here
    skipping_ = false;
  } else if (!at_line_start_) {
    line.insert(0, 1, '\n');
  }
  append(line + '\n');
}

// How much of `bytes` goes into this file: as many whole lines as it has room for. 0: none, the next file is for them.
std::size_t LogFile::fitting(std::string_view bytes) const {
  const std::size_t room = size_ < log_size_max ? log_size_max - size_ : 0;
  if (bytes.size() <= room) return bytes.size();
  if (const auto end = bytes.substr(0, room).rfind('\n'); end != std::string_view::npos) return end + 1;
  if (at_line_start_ && size_ > 0) return 0;
  // In the middle of a line, which may run over the size by its own.
  const std::size_t over = log_size_max + log_line_size_max;
  const std::size_t left = size_ < over ? over - size_ : 0;
  const auto end = bytes.find('\n');
  return std::min(end == std::string_view::npos ? bytes.size() : end + 1, left);
}

std::size_t LogFile::write_out(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(file_.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      trouble_ = n < 0 ? errno : ENOSPC;
      break;
    }
    done += static_cast<std::size_t>(n);
  }
  size_ += done;
  if (done > 0) at_line_start_ = bytes[done - 1] == '\n';
  if (done == bytes.size()) trouble_ = 0;
  return done;
}

void LogFile::lose(std::string_view bytes) {
  const auto ends = static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  skipping_ = bytes.empty() || bytes.back() != '\n';
  lines_lost_ += ends + (skipping_ ? 1 : 0);
  unsaid_ += ends + (skipping_ ? 1 : 0);
}

bool LogFile::say_loss() {
  if (unsaid_ == 0) return true;
  const std::string line = std::string(at_line_start_ ? "" : "\n") + "symphony: " + std::to_string(unsaid_) +
                           " lines are lost here: " + std::strerror(trouble_) + "\n";
  if (write_out(line) < line.size()) return false;
  unsaid_ = 0;
  return true;
}

bool LogFile::open() {
  if (file_) return true;
  file_ = UniqueFd(::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  struct stat s {};
  if (!file_ || ::fstat(file_.get(), &s) != 0 || !S_ISREG(s.st_mode)) {
    trouble_ = file_ ? EINVAL : errno;
    file_.reset();
    return false;
  }
  size_ = static_cast<std::size_t>(s.st_size);
  char last = '\n';
  if (size_ > 0) (void)!::pread(file_.get(), &last, 1, s.st_size - 1);
  at_line_start_ = last == '\n';
  return true;
}

bool LogFile::rotate() {
  close();
  for (int n = old_logs; n > 0; --n) {
    const std::string from = n == 1 ? path_ : path_ + '.' + std::to_string(n - 1);
    if (::rename(from.c_str(), (path_ + '.' + std::to_string(n)).c_str()) == 0 || errno == ENOENT) continue;
    trouble_ = errno;
    if (n == 1 && ::unlink(path_.c_str()) != 0) return false;  // nowhere to go: what is new matters more
  }
  return true;
}

std::string LogFile::tail(std::size_t size) const {
  const UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat s {};
  if (!file || ::fstat(file.get(), &s) != 0 || !S_ISREG(s.st_mode)) return {};
  std::string out(std::min(size, static_cast<std::size_t>(s.st_size)), '\0');
  const ssize_t got = ::pread(file.get(), out.data(), out.size(), s.st_size - static_cast<off_t>(out.size()));
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

bool make_log_folder(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) == 0) {
    if (!S_ISDIR(s.st_mode)) errno = ENOTDIR;
    return S_ISDIR(s.st_mode);
  }
  const auto slash = path.find_last_of('/');
  if (slash != std::string::npos && slash > 0 && !make_log_folder(path.substr(0, slash))) return false;
  return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

}  // namespace symphony::detail::broker
