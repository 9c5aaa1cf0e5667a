#include "tools/symphony/graph/input_bytes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <symphony/unique_fd.hpp>
#include <utility>

namespace symphony::tools {
namespace {

constexpr std::size_t first_room = std::size_t{1} << 20;

bool is_stdin(const std::string& path) { return path == "-" || path == "/dev/stdin"; }

InputError too_large(const std::string& label, std::size_t size_max) {
  return {InputFault::too_large, fmt::format("{}: larger than {} bytes; give a part of it", label, size_max)};
}

InputError system_error(const std::string& label, int err) {
  switch (err) {
    case ENOENT:
    case ENOTDIR:
      return {InputFault::no_such_file, fmt::format("{}: no such file; check the path", label)};
    case EISDIR:
      return {InputFault::is_directory, fmt::format("{}: is a directory; name a file in it", label)};
    case EACCES:
    case EPERM:
      return {InputFault::no_permission,
              fmt::format("{}: no permission to read it; change its mode, or run as a user who may", label)};
    case ENAMETOOLONG:
    case ELOOP:
      return {InputFault::no_such_file, fmt::format("{}: {}; check the path", label, std::strerror(err))};
    default:
      return {InputFault::read_failed,
              fmt::format("{}: reading failed: {}; try a copy of it", label, std::strerror(err))};
  }
}

// Everything up to the end of `fd`, which is borrowed.
InputResult<Bytes> read_all(int fd, const std::string& label, std::size_t expected, std::size_t size_max) {
  Bytes bytes;
  // One byte more than expected, so that the read which meets the end needs no new room.
  std::size_t want = std::max(first_room, expected + 1);
  for (;;) {
    if (!bytes.reserve(want)) return system_error(label, ENOMEM);
    const ssize_t got = read(fd, bytes.room(), bytes.room_size());
    if (got < 0) {
      if (errno == EINTR) continue;
      return system_error(label, errno);
    }
    if (got == 0) return bytes;
    bytes.add(static_cast<std::size_t>(got));
    if (bytes.size() > size_max) return too_large(label, size_max);
    if (bytes.room_size() == 0) want = bytes.size() * 2;
  }
}

// A gzip file ends in the size of what it holds, modulo 2^32. The helper prints the part it has of a cut file and calls
// that success, for gzip alone; this finds it out. `fd` is the packed file, of `size` bytes.
bool gzip_size_matches(int fd, off_t size, std::size_t unpacked) {
  std::array<unsigned char, 4> tail{};
  if (size < 18 || pread(fd, tail.data(), tail.size(), size - 4) != 4) return false;
  std::uint32_t stored = 0;
  for (std::size_t i = tail.size(); i-- > 0;) stored = stored << 8U | tail[i];
  return stored == static_cast<std::uint32_t>(unpacked);
}

// Runs HELPER cat-file FILE and reads what it prints. `packed` is the same file, open.
InputResult<Bytes> unpack(const std::string& path, int packed, off_t packed_size, std::string_view kind,
                          const InputLimits& limits) {
  const std::string label = label_of(path);
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return system_error(label, errno);
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  (void)fcntl(from.get(), F_SETPIPE_SZ, 1 << 20);  // fewer switches; the default works too

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  // Its own complaints would be a second error message: our one line says what they say.
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  std::string helper = limits.unpack_helper;
  std::string verb = "cat-file";
  std::string file = path.front() == '/' ? path : "./" + path;  // so that no path looks like an option
  std::array<char*, 4> arguments{helper.data(), verb.data(), file.data(), nullptr};
  pid_t child = -1;
  const int err = posix_spawn(&child, helper.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  to.reset();
  if (err != 0) {
    return InputError{InputFault::compressed,
                      fmt::format("{}: is {}-compressed and {} cannot be run ({}); unpack it first", label, kind,
                                  printable(helper), std::strerror(err))};
  }

  InputResult<Bytes> bytes = read_all(from.get(), label, 0, limits.size_max);
  if (!bytes) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      status = -1;  // whoever took the status away knows it, we do not: treat it as failed
      break;
    }
  }
  if (!bytes) return bytes;
  if (!compression_of(bytes->view()).empty()) {
    // The helper goes by the file name and passes on what it does not know.
    return InputError{InputFault::compressed,
                      fmt::format("{}: is {}-compressed but not named so; unpack it first or give it "
                                  "the usual ending (.gz .xz .lz4 .zst .bz2)",
                                  label, kind)};
  }
  if (status != 0 || (kind == "gzip" && !gzip_size_matches(packed, packed_size, bytes->size()))) {
    return InputError{InputFault::unpack_failed,
                      fmt::format("{}: the {}-compressed data is cut, damaged or in several parts; fetch it again or "
                                  "unpack it first",
                                  label, kind)};
  }
  return bytes;
}

}  // namespace

std::string label_of(const std::string& path) { return is_stdin(path) ? "standard input" : printable(path, 200); }

bool Bytes::reserve(std::size_t capacity) noexcept {
  if (capacity <= capacity_) return true;
  void* moved = std::realloc(data_.get(), capacity);
  if (moved == nullptr) return false;
  (void)data_.release();
  data_.reset(static_cast<char*>(moved));
  capacity_ = capacity;
  return true;
}

std::string_view compression_of(std::string_view head) noexcept {
  using namespace std::string_view_literals;
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> magics{{{"\x1F\x8B"sv, "gzip"sv},
                                                                                 {"\xFD"
                                                                                  "7zXZ\0"sv,
                                                                                  "xz"sv},
                                                                                 {"\x04\x22\x4D\x18"sv, "lz4"sv},
                                                                                 {"\x28\xB5\x2F\xFD"sv, "zstd"sv},
                                                                                 {"BZh"sv, "bzip2"sv}}};
  for (const auto& [magic, name] : magics) {
    if (head.starts_with(magic)) return name;
  }
  return {};
}

InputResult<Bytes> read_input(const std::string& path, const InputLimits& limits) {
  const std::string label = label_of(path);
  if (path.empty())
    return InputError{InputFault::no_such_file, "the file name: is empty; give a path, or - for standard input"};
  if (path.find('\0') != std::string::npos) return system_error(label, ENOENT);
  const bool from_stdin = is_stdin(path);
  // Standard input is taken as it is: opening /dev/stdin anew would fail for a socket and rewind a file.
  const UniqueFd fd(from_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                               : open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return system_error(label, errno);
  struct stat about {};
  if (fstat(fd.get(), &about) != 0) return system_error(label, errno);
  if (S_ISDIR(about.st_mode)) return system_error(label, EISDIR);
  std::size_t expected = 0;
  if (S_ISREG(about.st_mode)) {
    expected = static_cast<std::size_t>(about.st_size);
    if (expected > limits.size_max) return too_large(label, limits.size_max);
    std::array<char, 8> head{};
    const ssize_t got = from_stdin ? 0 : pread(fd.get(), head.data(), head.size(), 0);
    const std::string_view kind = compression_of({head.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
    if (!kind.empty()) return unpack(path, fd.get(), about.st_size, kind, limits);
  }
  InputResult<Bytes> bytes = read_all(fd.get(), label, expected, limits.size_max);
  if (!bytes) return bytes;
  if (const std::string_view kind = compression_of(bytes->view()); !kind.empty()) {
    // Gone once read, and the unpacking helper wants a name: only a file on disk can be unpacked here.
    return InputError{InputFault::compressed,
                      fmt::format("{}: is {}-compressed; name the file itself, or unpack it on the way", label, kind)};
  }
  return bytes;
}

}  // namespace symphony::tools
