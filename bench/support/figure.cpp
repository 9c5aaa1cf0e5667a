#include "bench/support/figure.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include <symphony/unique_fd.hpp>

#include "symphony_commit.hpp"

namespace symphony::bench {
namespace {

bool is_name(std::string_view name) {
  const auto in_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  char before = '.';
  for (const char c : name) {
    if (!in_word(c) && (c != '.' || before == '.')) return false;
    before = c;
  }
  return before != '.';
}

bool is_finite(const Figure& f) {
  return std::isfinite(f.value) && std::isfinite(f.of.value_or(0)) && std::isfinite(f.seconds) && f.seconds >= 0;
}

// Writes a whole file under `name`, or nothing. The file has no name until it is whole, so that a writer killed
// half-way leaves none behind.   Returns 0 or the errno.
int put_file(const std::filesystem::path& folder, const std::string& name, std::string_view text) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
  if (fd < 0) return errno;
  const UniqueFd file(fd);
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  const std::string source = "/proc/self/fd/" + std::to_string(file.get());
  const auto target = folder / name;
  while (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, target.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno != EEXIST || ::unlink(target.c_str()) != 0) return errno;
  }
  return 0;
}

}  // namespace

HostFacts this_host() {
  HostFacts facts;
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const auto colon = line.find(": ");
    if (colon != std::string::npos && line.starts_with("model name")) {
      facts.cpu = line.substr(colon + 2);
      break;
    }
  }
  utsname name{};
  if (::uname(&name) == 0) {
    facts.kernel = name.release;
    if (facts.cpu.empty()) facts.cpu = name.machine;  // not every architecture names its model
  }
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (::sched_getaffinity(0, sizeof usable, &usable) == 0) facts.cores = static_cast<unsigned>(CPU_COUNT(&usable));
  return facts;
}

std::string_view built_commit() noexcept { return SYMPHONY_COMMIT; }

std::optional<std::filesystem::path> figures_folder() {
  if (const char* named = std::getenv("SYMPHONY_FIGURES"); named != nullptr && *named != '\0') return named;
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  const auto tree = program.parent_path().parent_path();
  if (failed || !std::filesystem::exists(tree / "CMakeCache.txt", failed)) return std::nullopt;
  return tree / "figures";
}

result<void> write_figure(const Figure& figure, const std::filesystem::path& folder) {
  if (!is_name(figure.name)) {
    return unexpected(errc::invalid_argument, "write_figure: join words of a-z, 0-9 and _ by dots to a name");
  }
  if (!is_finite(figure)) {
    return unexpected(errc::invalid_argument, "write_figure: value, of and seconds must be finite numbers");
  }
  if (figure.n == 0) return unexpected(errc::invalid_argument, "write_figure: say in n how many samples there were");

  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (!failed) {
    const int why = put_file(folder, figure.name + ".json", to_json(figure, this_host(), built_commit()));
    failed = std::error_code(why, std::generic_category());
  }
  if (!failed) return {};
  return unexpected(errc::system, "write_figure: the figures folder cannot be written; free or mend it",
                    failed.value());
}

result<void> write_figure(const Figure& figure) {
  const auto folder = figures_folder();
  return folder ? write_figure(figure, *folder) : result<void>();
}

}  // namespace symphony::bench
