#include "tests/hostile/escape/attempts.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

namespace symphony::hostile {
namespace {

std::vector<char> shell;  // the bytes of /bin/sh

std::string in_folder(const Neighbour& n, const char* name) { return std::string(n.folder) + "/" + name; }
bool opens(const std::string& path, int flags) { return ::open(path.c_str(), flags | O_CLOEXEC, 0600) >= 0; }
std::string proc_of(const Neighbour& n, const std::string& what) {
  return "/proc/" + std::to_string(n.pid) + "/" + what;
}
char* const shell_words[] = {const_cast<char*>("sh"), const_cast<char*>("-c"), const_cast<char*>("echo S >&3"),
                             nullptr};

bool become_shell(const Neighbour&) {
  ::execve("/bin/sh", shell_words, environ);
  return false;
}
bool become_file_in_memory(const Neighbour&) {
  const int fd = static_cast<int>(::syscall(SYS_memfd_create, "sh", 0));
  if (fd < 0 || ::write(fd, shell.data(), shell.size()) != static_cast<ssize_t>(shell.size())) return false;
  ::syscall(SYS_execveat, fd, "", shell_words, environ, AT_EMPTY_PATH);
  return false;
}
bool begin_process(const Neighbour&) {
  const long child = ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) ::_exit(0);
  return child > 0;
}
bool begin_a_hundred(const Neighbour&) {
  int begun = 0;
  for (; begun < 100; ++begun) {
    const long child = ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    if (child < 0) break;
  }
  return begun == 100;
}
template <class Address>
bool connects(int family, int type, const Address& to, socklen_t size) {
  const int fd = ::socket(family, type | SOCK_CLOEXEC, 0);
  return fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&to), size) == 0;
}
sockaddr_in loopback(unsigned short port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return to;
}
bool connect_tcp(const Neighbour& n) {
  return connects(AF_INET, SOCK_STREAM, loopback(n.tcp_port), sizeof(sockaddr_in));
}
bool bind_tcp(const Neighbour&) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in any = loopback(0);
  return fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
}
bool send_udp(const Neighbour& n) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const sockaddr_in to = loopback(n.udp_port);
  return fd >= 0 && ::sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 1;
}
bool raw_socket(const Neighbour&) { return ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) >= 0; }
bool netlink_socket(const Neighbour&) { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >= 0; }
bool connect_abstract(const Neighbour& n) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::size_t size = std::strlen(n.abstract);
  std::memcpy(to.sun_path + 1, n.abstract, size);
  return connects(AF_UNIX, SOCK_STREAM, to, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size));
}
bool connect_path(const Neighbour& n) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, n.socket_path, sizeof to.sun_path - 1);
  return connects(AF_UNIX, SOCK_STREAM, to, sizeof to);
}
bool trace(const Neighbour& n) {
  if (::ptrace(PTRACE_ATTACH, n.pid, nullptr, nullptr) != 0) return false;
  ::waitpid(n.pid, nullptr, __WALL);
  ::ptrace(PTRACE_DETACH, n.pid, nullptr, nullptr);
  return true;
}
bool read_memory(const Neighbour& n) {
  char out[8] = {};
  const iovec here{out, 6}, there{const_cast<char*>(n.secret_at), 6};
  return ::process_vm_readv(n.pid, &here, 1, &there, 1, 0) == 6 && std::strcmp(out, "secret") == 0;
}
bool write_memory(const Neighbour& n) {
  const int fd = ::open(proc_of(n, "mem").c_str(), O_RDWR | O_CLOEXEC);
  return fd >= 0 && ::pwrite(fd, "stolen", 6, static_cast<off_t>(reinterpret_cast<std::uintptr_t>(n.secret_at))) == 6;
}
bool take_descriptor(const Neighbour& n) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, n.pid, 0));
  return pidfd >= 0 && ::syscall(SYS_pidfd_getfd, pidfd, n.secret_fd, 0) >= 0;
}
bool reopen_descriptor(const Neighbour& n) { return opens(proc_of(n, "fd/" + std::to_string(n.secret_fd)), O_RDWR); }
bool reopen_own(const Neighbour&) { return opens("/proc/self/fd/" + std::to_string(read_only_fd), O_RDWR); }
bool see_process(const Neighbour& n) { return opens(proc_of(n, "status"), O_RDONLY); }
bool signal_it(const Neighbour& n) { return ::kill(n.pid, SIGUSR1) == 0; }
bool stop_it(const Neighbour& n) { return ::kill(n.pid, SIGSTOP) == 0 && ::kill(n.pid, SIGCONT) == 0; }
bool signal_thread(const Neighbour& n) { return ::syscall(SYS_tgkill, n.pid, n.pid, SIGUSR1) == 0; }
bool signal_by_pidfd(const Neighbour& n) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, n.pid, 0));
  return pidfd >= 0 && ::syscall(SYS_pidfd_send_signal, pidfd, SIGUSR1, nullptr, 0) == 0;
}
bool queue_signal(const Neighbour& n) {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  return ::syscall(SYS_rt_sigqueueinfo, n.pid, SIGUSR1, &info) == 0;
}
bool own_signals_of(const Neighbour& n) { return ::fcntl(report_fd, F_SETOWN, n.pid) == 0; }
bool limit_it(const Neighbour& n) {
  const rlimit tight{0, 0};
  return ::prlimit(n.pid, RLIMIT_CORE, &tight, nullptr) == 0;
}
bool attach_shm(const Neighbour& n) {
  const int id = ::shmget(n.shm_key, 0, 0);  // allowed: it is what is tried
  return id >= 0 && ::shmat(id, nullptr, 0) != reinterpret_cast<void*>(-1);
}
bool open_queue(const Neighbour& n) { return ::msgget(n.queue_key, 0) >= 0; }
bool shared_memory_name(const Neighbour&) { return opens("/dev/shm/symphony-escape", O_RDWR | O_CREAT); }
bool read_secret(const Neighbour& n) { return opens(in_folder(n, "secret"), O_RDONLY); }
bool read_by_detour(const Neighbour& n) { return opens("/usr/lib/../.." + in_folder(n, "secret"), O_RDONLY); }
bool list_folder(const Neighbour& n) { return opens(n.folder, O_RDONLY | O_DIRECTORY); }
bool create_file(const Neighbour& n) { return opens(in_folder(n, "new"), O_WRONLY | O_CREAT | O_EXCL); }
bool remove_file(const Neighbour& n) { return ::unlink(in_folder(n, "secret").c_str()) == 0; }
bool rename_file(const Neighbour& n) {
  return ::rename(in_folder(n, "secret").c_str(), in_folder(n, "mine").c_str()) == 0;
}
bool make_link(const Neighbour& n) { return ::symlink("/", in_folder(n, "link").c_str()) == 0; }
bool change_mode(const Neighbour& n) { return ::chmod(in_folder(n, "secret").c_str(), 0777) == 0; }
bool watch_folder(const Neighbour& n) {
  const int fd = ::inotify_init1(0);
  return fd >= 0 && ::inotify_add_watch(fd, n.folder, IN_ALL_EVENTS) >= 0;
}
bool mount_something(const Neighbour&) { return ::mount("tmpfs", "/usr", "tmpfs", 0, nullptr) == 0; }
bool new_root(const Neighbour&) { return ::chroot("/usr") == 0; }
bool open_tree(const Neighbour&) { return ::syscall(SYS_open_tree, AT_FDCWD, "/usr", 1) >= 0; }
bool new_users(const Neighbour&) { return ::unshare(CLONE_NEWUSER) == 0; }
bool join_namespace(const Neighbour& n) {
  const int fd = ::open(proc_of(n, "ns/net").c_str(), O_RDONLY | O_CLOEXEC);
  return fd >= 0 && ::setns(fd, 0) == 0;
}
bool add_key(const Neighbour&) {
  constexpr int process_keyring = -2;
  return ::syscall(SYS_add_key, "user", "symphony", "x", 1, process_keyring) >= 0;
}
bool perf_event(const Neighbour&) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof attributes;
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  attributes.exclude_kernel = attributes.exclude_hv = 1;
  return ::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0) >= 0;
}
bool load_bpf(const Neighbour&) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = attributes.value_size = 4;
  attributes.max_entries = 1;
  return ::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes) >= 0;
}
bool user_faults(const Neighbour&) {
  constexpr int user_mode_only = 1;
  return ::syscall(SYS_userfaultfd, user_mode_only) >= 0;
}
bool io_ring(const Neighbour&) {
  io_uring_params parameters{};
  return ::syscall(SYS_io_uring_setup, 1, &parameters) >= 0;
}
bool other_personality(const Neighbour&) { return ::personality(ADDR_NO_RANDOMIZE) >= 0; }
bool local_descriptors(const Neighbour&) {
  char table[64];
  return ::syscall(SYS_modify_ldt, 0, table, sizeof table) >= 0;
}
bool executable_page(const Neighbour&) {
  return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
bool make_executable(const Neighbour&) {
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page != MAP_FAILED && ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}
bool take_memory(const Neighbour&) {
  constexpr std::size_t two_limits = 2UL << 30;
  return ::mmap(nullptr, two_limits, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) !=
         MAP_FAILED;
}
bool lock_memory(const Neighbour&) {
  void* page = ::mmap(nullptr, 1UL << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page != MAP_FAILED && ::mlock(page, 1UL << 20) == 0;
}
bool many_descriptors(const Neighbour&) {
  for (int i = 0; i < 512; ++i) {
    if (::fcntl(read_only_fd, F_DUPFD_CLOEXEC, 0) < 0) return false;
  }
  return true;
}
bool write_flags_of_socket(const Neighbour&) { return ::fcntl(report_fd, F_SETFL, 0) == 0; }

constexpr Attempt all[] = {
    {1, "read a file", read_secret},
    {1, "read a file by a detour", read_by_detour},
    {1, "list a folder", list_folder},
    {2, "create a file", create_file},
    {2, "remove a file", remove_file},
    {2, "rename a file", rename_file},
    {2, "make a link", make_link},
    {2, "change a file's mode", change_mode},
    {2, "watch a folder", watch_folder},
    {3, "execute a file in memory", become_file_in_memory},
    {4, "execute a shell", become_shell},
    {5, "begin a process", begin_process},
    {6, "begin a hundred", begin_a_hundred},
    {7, "connect by TCP", connect_tcp},
    {7, "bind by TCP", bind_tcp},
    {8, "send by UDP", send_udp},
    {8, "make a raw socket", raw_socket},
    {8, "make a netlink socket", netlink_socket},
    {9, "connect to an abstract socket", connect_abstract},
    {9, "connect to a socket by path", connect_path},
    {10, "trace the neighbour", trace},
    {11, "read its memory", read_memory},
    {12, "take its descriptor", take_descriptor},
    {13, "open its descriptor anew", reopen_descriptor},
    {14, "open an own descriptor to write", reopen_own},
    {15, "write its memory by /proc", write_memory},
    {15, "see that it is there", see_process},
    {20, "signal it", signal_it},
    {20, "signal its thread", signal_thread},
    {20, "signal it by a pidfd", signal_by_pidfd},
    {21, "stop it", stop_it},
    {22, "queue a signal to it", queue_signal},
    {22, "have it signalled by a socket", own_signals_of},
    {23, "make a name in /dev/shm", shared_memory_name},
    {24, "attach its System V memory", attach_shm},
    {24, "open its System V queue", open_queue},
    {27, "mount", mount_something},
    {27, "open a tree of mounts", open_tree},
    {28, "make a namespace of users", new_users},
    {28, "join its network namespace", join_namespace},
    {29, "add a key", add_key},
    {30, "count by perf", perf_event},
    {31, "make a BPF map", load_bpf},
    {32, "handle page faults", user_faults},
    {33, "make an io_uring", io_ring},
    {36, "change the root", new_root},
    {37, "change its personality", other_personality},
    {37, "read its descriptor table", local_descriptors},
    {38, "map a page to write and execute", executable_page},
    {38, "make a page executable", make_executable},
    {39, "limit the neighbour", limit_it},
    {40, "take 2 GiB of memory", take_memory},
    {40, "lock memory", lock_memory},
    {42, "hold 512 descriptors", many_descriptors},
    {43, "change the flags of a shared socket", write_flags_of_socket},
};

}  // namespace

std::span<const Attempt> attempts() { return all; }

void prepare_attempts() {
  std::ifstream file("/bin/sh", std::ios::binary);
  shell.assign(std::istreambuf_iterator<char>(file), {});
}

}  // namespace symphony::hostile
