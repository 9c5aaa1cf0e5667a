#include "pits/hosting/sandbox/new_root.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <symphony/unique_fd.hpp>

namespace symphony::pit::sandbox {
namespace {

// Any folder that every system has and that holds nothing a pit needs: in this mount namespace alone it becomes the new
// root. What the system tells of itself there is read before.
constexpr const char* place = "/proc";
constexpr std::array<const char*, 4> libraries = {"/usr/lib", "/usr/lib64", "/lib", "/lib64"};
constexpr const char* loader_cache = "/etc/ld.so.cache";
constexpr const char* boot_id = "/proc/sys/kernel/random/boot_id";  // of the machine's run: kept states name it
using Path = std::array<char, 256>;

Path in_place(const char* path) noexcept {
  Path out{};
  std::snprintf(out.data(), out.size(), "%s%s", place, path);
  return out;
}

bool make_folders(const char* path) noexcept {
  Path at = in_place(path);
  for (std::size_t i = 1; at.at(i) != 0; ++i) {
    if (at.at(i) != '/') continue;
    at.at(i) = 0;
    if (::mkdir(at.data(), 0755) != 0 && errno != EEXIST) return false;
    at.at(i) = '/';
  }
  return true;
}

bool make_folder(const char* path) noexcept {
  return make_folders(path) && (::mkdir(in_place(path).data(), 0755) == 0 || errno == EEXIST);
}

bool make_file(const char* path, std::span<const std::byte> bytes, mode_t mode) noexcept {
  if (!make_folders(path)) return false;
  const UniqueFd file(::open(in_place(path).data(), O_WRONLY | O_CREAT | O_CLOEXEC, mode));
  while (file && !bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return static_cast<bool>(file);
}

bool make_read_only(const char* path, bool with_all_below) noexcept {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  return ::syscall(SYS_mount_setattr, AT_FDCWD, path, with_all_below ? AT_RECURSIVE : 0, &attributes,
                   sizeof attributes) == 0;
}

bool bind(const char* path) noexcept {
  const Path at = in_place(path);
  return ::mount(path, at.data(), nullptr, MS_BIND | MS_REC, nullptr) == 0 && make_read_only(at.data(), true);
}

// A system where /lib is a link to usr/lib looks the same inside.
bool show(const char* path) noexcept {
  struct stat about {};
  if (::lstat(path, &about) != 0) return errno == ENOENT;
  if (!S_ISLNK(about.st_mode)) return make_folder(path) && bind(path);
  Path target{};
  const ssize_t size = ::readlink(path, target.data(), target.size() - 1);
  return size > 0 && make_folders(path) && ::symlink(target.data(), in_place(path).data()) == 0;
}

struct Small {
  std::array<std::byte, 64> bytes{};
  std::size_t size = 0;
};
Small read_small(const char* path) noexcept {
  Small out;
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  const ssize_t got = file ? ::read(file.get(), out.bytes.data(), out.bytes.size()) : 0;
  out.size = got > 0 ? static_cast<std::size_t>(got) : 0;
  return out;
}

}  // namespace

result<void> enter_new_root(std::span<const std::byte> pit_file) noexcept {
  const auto failed = [](const char* what) { return unexpected(errc::refused, what, errno); };
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return failed("mount: / stays shared");
  const Small id = read_small(boot_id);
  if (::mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0)
    return failed("mount: no file system in memory");
  for (const char* path : libraries) {
    if (!show(path)) return failed("mount: the system's libraries cannot be shown");
  }
  struct stat about {};
  if (::stat(loader_cache, &about) == 0 && (!make_file(loader_cache, {}, 0444) || !bind(loader_cache)))
    return failed("mount: the cache of the system's loader cannot be shown");
  if (!make_file(placed_pit, pit_file, 0555)) return failed("write: no memory for the pit's file");
  if (!make_file(boot_id, std::span(id.bytes).first(id.size), 0444)) return failed("write: no memory");
  if (::chdir(place) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0) return failed("pivot_root: refused");
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) return failed("umount2: the old root stays");
  if (!make_read_only("/", false)) return failed("mount_setattr: the root stays writable");
  return {};
}

}  // namespace symphony::pit::sandbox
