#include "tools/symphony/doctor/machine.hpp"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

#include "tools/symphony/table.hpp"

namespace symphony::tools::doctor {
namespace {

constexpr std::uint64_t mib = 1024 * 1024;

// The first line of a small file; empty where it cannot be read.
std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "MemAvailable:   123 kB" of /proc/meminfo, in bytes or, where it has no unit, as it is.
std::uint64_t memory_value(const std::string& files, std::string_view name) {
  std::ifstream file(files + "/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    const char* digits = line.data() + line.find_first_not_of(' ', name.size() + 1);
    std::uint64_t value = 0;
    std::from_chars(digits, line.data() + line.size(), value);
    return line.ends_with("kB") ? value * 1024 : value;
  }
  return 0;
}

std::string size_text(std::uint64_t bytes) { return count_text(bytes / mib) + " MiB"; }

// `error` 0: the kernel has it.
Finding feature(const char* name, int error, const char* what_for) {
  if (error == 0) return {"kernel", name, Health::ok, "there", ""};
  return {"kernel", name, Health::bad, std::strerror(error),
          std::string("needed ") + what_for +
              ": use Linux 6.1 or newer, and where a filter of a container refuses it, "
              "allow it there"};
}

int error_of(long result) { return result < 0 ? errno : 0; }

int try_sealed_memory() {
  const UniqueFd memory(::memfd_create("symphony-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return errno;
  if (::ftruncate(memory.get(), 4096) != 0) return errno;
  return error_of(::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE));
}

int try_process_descriptor() {
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  return self ? 0 : errno;
}

// What one look at the clock costs: the median of many, so that a scheduler's doing does not count.
TimeNs clock_cost_ns() {
  constexpr int looks = 64;
  std::array<TimeNs, 101> costs{};
  for (TimeNs& cost : costs) {
    const TimeNs begin = now_ns();
    for (int i = 0; i < looks; ++i) (void)now_ns();
    cost = (now_ns() - begin) / looks;
  }
  std::nth_element(costs.begin(), costs.begin() + costs.size() / 2, costs.end());
  return costs[costs.size() / 2];
}

Finding look_at_clock(const std::string& files) {
  constexpr TimeNs system_call_ns = 150;  // no clock that is read without one costs as much
  const std::string source = first_line(files + "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  const TimeNs cost = clock_cost_ns();
  const std::string value = (source.empty() ? "unknown" : source) + ", " + duration_text(cost) + " a look";
  if (cost < system_call_ns) return {"machine", "clock", Health::ok, value, ""};
  return {
      "machine", "clock", Health::note, value,
      "a look at the clock seems to be a system call, and each call with a deadline takes two: choose another clock "
      "source (tsc, kvm-clock) where the machine has one"};
}

Finding look_at_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  if (count > 1) return {"machine", "processors", Health::ok, std::to_string(count), ""};
  return {"machine", "processors", Health::note, "1",
          "both sides of a link share it: each call costs two switches of a thread, and nobody spins. Give it two"};
}

Finding look_at_governor(const std::string& files) {
  const std::string governor = first_line(files + "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  if (governor.empty()) return {"machine", "governor", Health::ok, "not shown here, as in most virtual machines", ""};
  if (governor != "powersave" && governor != "conservative") return {"machine", "governor", Health::ok, governor, ""};
  return {"machine", "governor", Health::note, governor,
          "after a pause the first calls are slow: `cpupower frequency-set -g performance` before you measure"};
}

Finding look_at_huge_pages(const std::string& files) {
  std::string shared = first_line(files + "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
  const auto begin = shared.find('['), end = shared.find(']');
  shared = begin < end && end != std::string::npos ? shared.substr(begin + 1, end - begin - 1) : "unknown";
  const std::uint64_t reserved = memory_value(files, "HugePages_Total");
  return {"machine", "huge pages", Health::ok,
          "shared memory: " + shared + ", reserved: " + std::to_string(reserved) + " (not used by links)", ""};
}

Finding look_at_memory(const std::string& files) {
  constexpr std::uint64_t enough = 256 * mib;
  const std::uint64_t available = memory_value(files, "MemAvailable");
  if (available >= enough) return {"machine", "memory", Health::ok, size_text(available) + " available", ""};
  return {"machine", "memory", Health::note, size_text(available) + " available",
          "each link takes half a MiB as long as it is not opened smaller: end what you do not need"};
}

Finding look_at_core_dumps(const std::string& files) {
  const std::string pattern = first_line(files + "/proc/sys/kernel/core_pattern");
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  if (limit.rlim_cur == 0 && !pattern.starts_with('|')) {
    return {"machine", "core dumps", Health::ok, "off (ulimit -c); a pit's log has its backtrace", ""};
  }
  return {"machine", "core dumps", Health::ok, pattern.empty() ? "unknown" : pattern, ""};
}

}  // namespace

Findings look_at_kernel() {
  utsname system{};
  ::uname(&system);
  Findings out;
  out.push_back({"kernel", "release", Health::ok, std::string(system.release) + " on " + system.machine, ""});
  out.push_back(feature("sealed memory", try_sealed_memory(), "for segments whose size nobody changes"));
  out.push_back(feature("pidfd", try_process_descriptor(), "to be told of a peer's death"));
  out.push_back(feature("close_range", error_of(::syscall(SYS_close_range, ~0U, ~0U, 0)),
                        "so that a pit inherits no descriptor"));
  const long barriers = ::syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (barriers > 0 && (barriers & MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0) {
    out.push_back({"kernel", "membarrier", Health::ok, "there", ""});
  } else {
    out.push_back({"kernel", "membarrier", Health::note, "not for other processes",
                   "who sends pays for a barrier of its own each time"});
  }
  return out;
}

Findings look_at_machine(const std::string& files) {
  return {look_at_processors(),      look_at_clock(files),  look_at_governor(files),
          look_at_huge_pages(files), look_at_memory(files), look_at_core_dumps(files)};
}

Findings look_at_limits() {
  constexpr rlim_t enough = 1024;
  rlimit files{}, processes{}, locked{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  ::getrlimit(RLIMIT_NPROC, &processes);
  ::getrlimit(RLIMIT_MEMLOCK, &locked);
  const auto text = [](rlim_t limit) { return limit == RLIM_INFINITY ? "no limit" : count_text(limit); };
  Findings out;
  const std::string of_files = text(files.rlim_cur) + ", at most " + text(files.rlim_max);
  if (files.rlim_max >= enough) {
    out.push_back({"limits", "descriptors", Health::ok, of_files, ""});
  } else {
    out.push_back({"limits", "descriptors", Health::bad, of_files,
                   "a broker holds several for each pit and each link: raise the hard limit to " + text(enough) +
                       " (ulimit -Hn, or nofile in /etc/security/limits.conf)"});
  }
  out.push_back({"limits", "processes", Health::ok, text(processes.rlim_cur), ""});
  out.push_back({"limits", "locked memory", Health::ok, text(locked.rlim_cur) + " bytes (links lock none)", ""});
  return out;
}

}  // namespace symphony::tools::doctor
