#include "tools/pit_check/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>

#include <symphony/unique_fd.hpp>

#include "tools/pit_check/between.hpp"

namespace symphony::pit_check {
namespace {

constexpr std::size_t text_size_max = 16'384;
constexpr off_t output_size_kept = 4'096;

// A word that the child writes and its parent reads when the child is gone.
class SharedMark {
 public:
  SharedMark() {
    void* page = ::mmap(nullptr, sizeof(Between::Mark), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) mark_ = new (page) Between::Mark(0);
  }
  SharedMark(const SharedMark&) = delete;
  SharedMark& operator=(const SharedMark&) = delete;
  ~SharedMark() {
    if (mark_ != nullptr) ::munmap(mark_, sizeof(Between::Mark));
  }
  void use() noexcept {
    if (mark_ != nullptr) Between::of_this_process().mark_in(*mark_);
  }
  [[nodiscard]] Hook hook() const noexcept {
    // relaxed: nobody writes it any more.
    return mark_ != nullptr ? static_cast<Hook>(mark_->load(std::memory_order_relaxed)) : Hook::none;
  }

 private:
  Between::Mark* mark_ = nullptr;
};

[[noreturn]] void be_the_child(const std::function<Finding()>& work, SharedMark& mark, int result_fd, int output_fd) {
  mark.use();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  // Without the flag: these are the standard streams of whatever the case starts.
  ::dup2(output_fd, STDOUT_FILENO);
  ::dup2(output_fd, STDERR_FILENO);
  const Finding finding = work();
  std::string message(1, static_cast<char>('0' + static_cast<int>(finding.verdict)));
  message += finding.text.substr(0, text_size_max);
  std::string_view left = message;
  while (!left.empty()) {
    const ssize_t n = ::write(result_fd, left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    left.remove_prefix(static_cast<std::size_t>(n));
  }
  std::fflush(nullptr);
  ::_exit(0);  // not exit(): what the parent registered is not the child's
}

// True: the child closed its end in time.
bool read_until_closed(int fd, TimeNs deadline_ns, std::string& out) {
  std::array<char, 4096> part{};
  for (;;) {
    const TimeNs left = deadline_ns - now_ns();
    if (left <= 0) return false;
    pollfd on{fd, POLLIN, 0};
    if (::poll(&on, 1, static_cast<int>(std::min<TimeNs>(left / ms_ns + 1, 1'000))) <= 0) continue;
    const ssize_t n = ::read(fd, part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    out.append(part.data(), static_cast<std::size_t>(n));
  }
}

std::string last_output(int fd) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size <= 0) return {};
  std::string text(static_cast<std::size_t>(std::min(size, output_size_kept)), '\0');
  const ssize_t n = ::pread(fd, text.data(), text.size(), size - static_cast<off_t>(text.size()));
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    return std::string("its process died of signal ") + std::to_string(WTERMSIG(status)) + " (" +
           ::strsignal(WTERMSIG(status)) + ")";
  }
  return "its process ended with exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Finding run_in_child(const std::function<Finding()>& work, TimeNs limit_ns) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {Verdict::failed, "no pipe for the case's result: close something"};
  UniqueFd from_child(ends[0]);
  UniqueFd to_parent(ends[1]);
  const UniqueFd output(::memfd_create("symphony-pit-check", MFD_CLOEXEC));
  SharedMark mark;
  std::fflush(nullptr);  // or the child would write it too
  const pid_t child = ::fork();
  if (child < 0) return {Verdict::failed, "no process for the case: " + std::string(std::strerror(errno))};
  if (child == 0) be_the_child(work, mark, to_parent.get(), output.get());
  to_parent = {};

  std::string message;
  const bool in_time = read_until_closed(from_child.get(), now_ns() + limit_ns, message);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Finding finding;
  if (!in_time) {
    finding.text =
        "it did not end within " + std::to_string(limit_ns / second_ns) + " s: " +
        (mark.hook() == Hook::none ? "a call of the pit hangs" : std::string(to_string(mark.hook())) + "() hangs");
  } else if (!message.empty() && message[0] >= '0' && message[0] <= '2' && WIFEXITED(status)) {
    finding.verdict = static_cast<Verdict>(message[0] - '0');
    finding.text = message.substr(1);
  } else {
    finding.text = how_it_ended(status);
    if (mark.hook() != Hook::none) finding.text += " in " + std::string(to_string(mark.hook())) + "()";
  }
  if (finding.verdict == Verdict::failed) finding.output = last_output(output.get());
  return finding;
}

}  // namespace symphony::pit_check
