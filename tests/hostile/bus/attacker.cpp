// A pit that serves as any other does and attacks meanwhile, with all that it was given: the segments, the control
// socket, the clock. One attack a process, named by its first argument; each kept up as long as the process lives.
//   attacker ATTACK PROGRESS    PROGRESS: a file that gets a byte for each time it attacked, `W` where that worked;
//                               before the attack where one is enough to be killed for, which may come at once
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bus/channel/channel.hpp"
#include "bus/control/socket.hpp"
#include "bus/endpoint/attachment.hpp"

using namespace symphony;
using namespace symphony::detail;
using namespace symphony::detail::control;

namespace {

constexpr std::size_t record_head_size = header_size + sizeof(Envelope);
constexpr int serves_before = 3;  // honest replies on a link, so that there is something to break
constexpr TimeNs haunt_ns = 3 * second_ns;

struct Served {
  std::unique_ptr<Attached> attached;
  UniqueFd own_segment, peer_segment;  // kept open, which no honest pit does
  std::unique_ptr<PitChannel<>> channel;
  int replies = 0;
};

class Attacker {
 public:
  Attacker(std::string attack, int progress) : attack_(std::move(attack)), progress_(progress) {}

  int run(ControlSocket broker) {
    broker_ = std::move(broker);
    (void)broker_.wait_send(PitReady{protocol_min, protocol_max, now_ns(), std::getenv("SYMPHONY_PIT_NAME"), "1", 1000},
                            {}, no_deadline_ns);
    for (;;) {
      pollfd fd{broker_.fd(), POLLIN, 0};
      ::poll(&fd, 1, links_.empty() ? 5 : 0);
      for (int n = 0; n < 16; ++n) {
        auto got = broker_.receive(FdPolicy::accept);
        if (!got) return 0;
        if (!*got) break;
        if (!hear(**got)) return 0;
      }
      for (Served& link : links_) {
        if (!is("silent")) serve(link);
        if (link.replies >= serves_before || is("silent")) attack_link(link);
      }
      attack_broker();
    }
  }

 private:
  bool is(const char* attack) const { return attack_ == attack; }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  void note(bool worked = false) { (void)!::write(progress_, worked ? "W" : "x", 1); }

  bool hear(Received& got) {
    if (std::holds_alternative<Stop>(got.message)) return false;
    if (const auto* own = std::get_if<Own>(&got.message)) {
      if (got.fds.empty()) return true;
      Served link;
      link.own_segment = UniqueFd(::fcntl(got.fds[0].get(), F_DUPFD_CLOEXEC, 10));
      got.fds.resize(2);
      auto mapped = map_own(*own, std::move(got.fds[0]), Side::pit, std::move(got.fds[1]));
      if (!mapped) return true;
      link.attached = *std::move(mapped);
      links_.push_back(std::move(link));
      (void)broker_.send(Mapped{own->at});
    } else if (const auto* peer = std::get_if<Peer>(&got.message)) {
      for (Served& link : links_) {
        if (link.attached->at != peer->at || got.fds.empty()) continue;
        link.peer_segment = UniqueFd(::fcntl(got.fds[0].get(), F_DUPFD_CLOEXEC, 10));
        if (!map_peer(*link.attached, std::move(got.fds[0]), Side::pit)) continue;
        Attached& a = *link.attached;
        link.channel = std::make_unique<PitChannel<>>(a.own.data(), a.peer.data(), a.geometry);
        (void)broker_.send(Ready{peer->at, 0});
      }
    } else if (const auto* drop = std::get_if<Drop>(&got.message)) {
      (void)broker_.send(Drained{drop->at});
      // What it has mapped stays so: the other side must not mind.
      if (links_.size() > 8) links_.erase(links_.begin());
    }
    return true;
  }

  // As an honest pit: an echo.
  void serve(Served& link) {
    if (!link.channel) return;
    PitChannel<>::Record record;
    for (int n = 0; n < 8 && link.channel->try_peek(record) == Poll::record; ++n) {
      const Envelope request = link.channel->copy_envelope(record);
      std::byte body[64] = {};
      std::memcpy(body, &request.id, sizeof request.id);
      std::uint64_t at = 0;
      link.channel->begin(record);
      (void)link.channel->try_send({.id = request.id, .type = request.type, .flags = flag::reply}, body, 0, at);
      link.channel->finish(record);
      ++link.replies;
      replied_at_ = at;
    }
    link.channel->free_space(true);
  }

  std::byte* words(Served& link) { return link.attached->own.data() + words_offset; }
  void put(Served& link, std::size_t offset, std::uint64_t word) {
    std::memcpy(link.attached->own.data() + offset, &word, sizeof word);
  }

  void attack_link(Served& link) {
    if (!link.channel) return;
    static constexpr std::uint64_t edges[] = {0,          1,          8,          63,         64,
                                              1ULL << 31, 1ULL << 32, 1ULL << 63, UINT64_MAX, UINT64_MAX - 63};
    const std::uint64_t edge = edges[below(std::size(edges))];
    const std::uint32_t capacity = link.attached->geometry.reply_capacity;
    if (is("positions")) {  // T-01
      put(link, words_offset + 8 * below(32), below(2) == 0 ? random_() : edge);
    } else if (is("misaligned")) {  // T-02
      put(link, words_offset + (below(2) == 0 ? 0 : 128), random_() | 1);
    } else if (is("lengths")) {  // T-03
      const std::size_t line = data_offset + cache_line_size * below(capacity / cache_line_size);
      put(link, line, (random_() & 0xffffffff00000000ULL) | (0x80000000U | (edge & 0x7fffffff)));
    } else if (is("flips")) {  // T-05: of the last body, as long as somebody may be reading it
      for (int n = 0; n < 64; ++n) {
        const std::uint64_t at = (replied_at_ + record_head_size + below(64)) & (capacity - 1);
        link.attached->own.data()[data_offset + at] = static_cast<std::byte>(random_());
      }
    } else if (is("resizes")) {  // T-07
      const int fd = link.own_segment.get();
      const bool worked = ::ftruncate(fd, 0) == 0 || ::ftruncate(fd, 1 << 30) == 0 ||
                          ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0 ||
                          ::madvise(link.attached->own.data(), link.attached->own.size(), MADV_REMOVE) == 0;
      return note(worked);
    } else if (is("remaps")) {  // T-30, and by a mapping of its own
      const Mapping& peer = link.attached->peer;
      auto* const begin = const_cast<std::byte*>(peer.data());
      void* const own = ::mmap(nullptr, peer.size(), PROT_READ | PROT_WRITE, MAP_SHARED, link.peer_segment.get(), 0);
      const bool worked = ::mprotect(begin, peer.size(), PROT_READ | PROT_WRITE) == 0 || own != MAP_FAILED;
      return note(worked);
    } else if (is("storms")) {  // T-11: of every word that somebody may wait on
      for (std::size_t word = 0; word < 256; word += 4) {
        ::syscall(SYS_futex, words(link) + word, FUTEX_WAKE, 1 << 30, nullptr, nullptr, 0);
      }
    } else if (is("steals")) {  // T-12: the wake-ups of its caller, to a word of its own
      auto* const theirs = const_cast<std::byte*>(link.attached->peer.data()) + words_offset;
      for (std::size_t word = 0; word < 256; word += 4) {
        ::syscall(SYS_futex, theirs + word, FUTEX_REQUEUE, 0, 1 << 30, words(link), 0);
      }
    } else if (is("searches")) {  // T-25: bytes of another link in what it can see
      const Mapping& peer = link.attached->peer;
      const std::string_view seen(reinterpret_cast<const char*>(peer.data()), peer.size());
      const std::string_view mine(reinterpret_cast<const char*>(link.attached->own.data()), link.attached->own.size());
      const std::string canary =
          "canary of another"
          " link";
      return note(seen.find(canary) != seen.npos || mine.find(canary) != mine.npos);
    } else if (is("haunts")) {  // T-19: a child keeps what was mapped, and writes on when the next instance has come
      if (is_first_instance()) haunt(link);
      return;
    } else if (!is("silent") && !is("stands in")) {
      return;
    }
    note();
  }

  bool is_first_instance() const { return ::lseek(progress_, 0, SEEK_END) == 0; }
  [[noreturn]] void haunt(Served& link) {
    note();
    Attached& a = *link.attached;
    (void)::madvise(a.own.data(), a.own.size(), MADV_DOFORK);  // which the honest mapping is kept from
    if (::fork() != 0) {
      while (::lseek(progress_, 0, SEEK_END) < 2) ::poll(nullptr, 0, 1);
      std::abort();
    }
    ::setsid();  // not to be killed with its group
    const pid_t parent = ::getppid();
    note();
    while (::getppid() == parent) ::poll(nullptr, 0, 1);
    ::close(broker_.fd());
    for (const TimeNs until = deadline_after(haunt_ns); now_ns() < until;) {
      for (int n = 0; n < 1000; ++n) put(link, data_offset + 8 * below(512), random_());
      put(link, words_offset + 8 * below(32), random_());
      note();
      ::poll(nullptr, 0, 1);
    }
    ::_exit(0);
  }

  void attack_broker() {
    const Attachment any{random_(), below(1000), below(1000)};
    if (is("floods")) {  // T-09, T-27
      for (int n = 0; n < 64; ++n) (void)broker_.send(CallerWanted{random_()});
    } else if (is("sends descriptors")) {  // T-10
      const int fds[] = {progress_, progress_, progress_};
      return note(), (void)broker_.send(Drained{any}, fds);
    } else if (is("lies at attach")) {  // T-15
      (void)broker_.send(
          PitReady{9, 999, now_ns() - 3600 * second_ns, "somebody_else", std::string(300, 'v'), 0xffffffff});
    } else if (is("babbles")) {  // T-24
      switch (below(6)) {
        case 0:
          return note(), (void)broker_.send(Mapped{any});
        case 1:
          return note(), (void)broker_.send(Ready{any, random_()});
        case 2:
          return note(), (void)broker_.send(MapFailed{any, 12});
        case 3:
          return note(), (void)broker_.send(Prepared{});
        case 4:
          return note(), (void)broker_.send(Frozen{1, {}, "x"});
        default:
          return note(), (void)broker_.send(PeerFault{any, 9});
      }
    } else if (is("unblocks")) {  // T-28: the flags of the socket that it shares
      const bool was = (::fcntl(broker_.fd(), F_GETFL) & O_NONBLOCK) != 0;
      (void)::fcntl(broker_.fd(), F_SETFL, was ? 0 : O_NONBLOCK);
      (void)::fcntl(broker_.fd(), F_SETFL, O_NONBLOCK);
    } else {
      return;
    }
    note();
  }

  std::string attack_;
  int progress_;
  std::mt19937_64 random_{7};
  ControlSocket broker_;
  std::vector<Served> links_;
  std::uint64_t replied_at_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const char* fd = std::getenv("SYMPHONY_CONTROL_FD");
  if (argc < 3 || fd == nullptr) return 64;
  const int progress = ::open(argv[2], O_WRONLY | O_APPEND | O_CLOEXEC);
  if (progress < 0) return 64;
  return Attacker(argv[1], progress).run(ControlSocket{UniqueFd(std::atoi(fd))});
}
