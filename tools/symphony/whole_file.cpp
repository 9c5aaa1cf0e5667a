#include "tools/symphony/whole_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <symphony/unique_fd.hpp>

#include "tools/symphony/write_all.hpp"

namespace symphony::tools {
namespace {

constexpr std::size_t piece_size = 1 << 20;

std::string failed(const std::string& path, int why) {
  const char* remedy = why == ENOSPC || why == EDQUOT || why == EFBIG ? "; free some of the disk, or name another place"
                       : why == ENOENT || why == ENOTDIR              ? "; make its folder first"
                                                                      : "; name a place that you may write to";
  return path + ": " + std::strerror(why) + remedy;
}

// Who ends the command by hand gets his wish when the file is whole or gone.
class WithoutInterruption {
 public:
  WithoutInterruption() noexcept {
    sigset_t these;
    ::sigemptyset(&these);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&these, signal);
    ::sigprocmask(SIG_BLOCK, &these, &before_);
  }
  WithoutInterruption(const WithoutInterruption&) = delete;
  WithoutInterruption& operator=(const WithoutInterruption&) = delete;
  ~WithoutInterruption() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

// 0, or why not: then nothing is left of it.
int write_beside(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const UniqueFd at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at) return errno;
  const std::string name = path.filename(), temporary = ".symphony-" + std::to_string(::getpid()) + ".tmp";
  const WithoutInterruption whole_or_gone;
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of the size is an error like a full disk
  const UniqueFd file(
      ::openat(at.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return errno;
  int why = write_all(file.get(), bytes);
  if (why == 0 && (::fchmod(file.get(), 0600) != 0 || ::fsync(file.get()) != 0)) why = errno;
  if (why == 0 && ::renameat(at.get(), temporary.c_str(), at.get(), name.c_str()) != 0) why = errno;
  if (why != 0) ::unlinkat(at.get(), temporary.c_str(), 0);
  // The file is whole, but its name may not outlive the machine: that is said, and the file stays.
  if (why == 0 && ::fsync(at.get()) != 0) why = errno;
  return why;
}

}  // namespace

std::string write_whole_file(const std::string& path, std::span<const std::byte> bytes) {
  if (path == "-") {
    if (::isatty(STDOUT_FILENO) == 1) return "standard output is a terminal: name a file, or send it to one";
    std::signal(SIGPIPE, SIG_IGN);
    const int why = write_all(STDOUT_FILENO, bytes);
    return why == 0 ? std::string() : failed("standard output", why);
  }
  std::filesystem::path target = path;
  std::error_code error;
  const auto kind = std::filesystem::symlink_status(target, error).type();
  if (kind == std::filesystem::file_type::symlink) {
    target = std::filesystem::canonical(target, error);  // what it points to is replaced, not the link
    if (error) return failed(path, error.value());
  }
  const auto found = std::filesystem::status(target, error).type();
  if (found == std::filesystem::file_type::directory) return path + ": it is a folder; name a file in it";
  if (found != std::filesystem::file_type::not_found && found != std::filesystem::file_type::regular) {
    return error ? failed(path, error.value()) : path + ": it is no regular file; name one, or - for standard output";
  }
  const int why = write_beside(target, bytes);
  return why == 0 ? std::string() : failed(path, why);
}

InputResult<std::vector<std::byte>> read_whole_file(const std::string& path, std::uint64_t size_max) {
  const bool is_input = path == "-";
  const std::string name = is_input ? "standard input" : path;
  const auto wrong = [&](InputFault fault, const std::string& text) { return InputError{fault, name + ": " + text}; };
  UniqueFd opened;
  if (!is_input) opened = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!is_input && !opened) {
    const int why = errno;
    const InputFault fault = why == ENOENT   ? InputFault::no_such_file
                             : why == EACCES ? InputFault::no_permission
                                             : InputFault::read_failed;
    return wrong(fault, std::string(std::strerror(why)) + "; name a file that you may read");
  }
  const int fd = is_input ? STDIN_FILENO : opened.get();
  std::vector<std::byte> bytes;
  for (std::size_t size = 0;;) {
    bytes.resize(size + piece_size);
    const ssize_t n = ::read(fd, bytes.data() + size, piece_size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int why = errno;
      return wrong(why == EISDIR ? InputFault::is_directory : InputFault::read_failed,
                   std::string(std::strerror(why)) + "; name a file that can be read");
    }
    size += static_cast<std::size_t>(n);
    bytes.resize(size);
    if (n == 0) return bytes;
    if (size > size_max) return wrong(InputFault::too_large, "it is larger than a snapshot can be; name another file");
  }
}

}  // namespace symphony::tools
