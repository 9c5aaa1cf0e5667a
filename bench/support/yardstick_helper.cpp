// symphony-yardstick: the other end of each yardstick.   Layer: bench.
// Started by Yardsticks and by nobody else. Sleeps in recv() between orders, so it costs nothing then. Ends when its
// parent does: by the signal that the kernel sends, and by the end of the socket.
// Exit status: 0 the parent is gone, 2 started wrongly.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "bench/support/yardstick_protocol.hpp"
#include "bus/memory/mapping.hpp"

namespace symphony::bench::yardstick {
namespace {

int started_wrongly() {
  std::fputs("symphony-yardstick: is started by programs that measure, not by hand; try bench_yardsticks\n", stderr);
  return 2;
}

bool carry_out(const Order& order, std::byte* memory) {
  const auto gone = [] { return is_gone(socket_fd); };
  Line line(helper_lines(memory), caller_lines(memory), lines_bytes);
  FutexWords& words = futex_words(memory);
  for (std::uint64_t i = 0; i < order.count; ++i) {
    const std::uint64_t number = order.first + i;
    Packet packet;
    switch (order.task) {
      case Task::line:
        if (!line.answer(number, gone)) return false;
        break;
      case Task::uds:
        if (receive(socket_fd, std::as_writable_bytes(std::span(packet))) != sizeof packet) return false;
        if (!send_packet(socket_fd, packet)) return false;
        break;
      case Task::futex:
        if (!wait_word(words.request, static_cast<std::uint32_t>(number), gone)) return false;
        set_word(words.reply, static_cast<std::uint32_t>(number));
        break;
    }
  }
  return true;
}

}  // namespace
}  // namespace symphony::bench::yardstick

int main(int argc, char** argv) {
  using namespace symphony::bench::yardstick;
  if (argc != 2) return started_wrongly();
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return started_wrongly();
  // The parent may have died before the kernel was asked to tell.
  if (::getppid() != static_cast<pid_t>(std::atol(argv[1]))) return 0;
  const auto memory = symphony::detail::Mapping::map(memory_fd, memory_size, symphony::detail::Access::read_write);
  if (!memory) return started_wrongly();
  for (Order order{}; receive(socket_fd, std::as_writable_bytes(std::span(&order, 1))) == sizeof order;) {
    if (!carry_out(order, memory->data())) break;
  }
  return 0;
}
