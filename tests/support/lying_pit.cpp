// A pit that lies to everybody, with all that it was given: as a pit to its callers, and as a caller to the pit that it
// may call. It writes random and chosen nonsense over each byte that it can write, says what is not so over both of its
// control sockets, stops answering, and begins again.
//   lying_pit HOW SEED PROGRESS [CALLED]    HOW: scribbles, speaks, refuses or all; PROGRESS: a file that gets one byte
//   for each attachment that it has lied on; CALLED: the pit that it opens links to
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
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

constexpr int lies_per_attachment = 40;
constexpr std::size_t attachments_max = 16;

struct Victim {
  std::unique_ptr<Attached> attached;
  Side side = Side::pit;
  bool is_open = false;  // both segments are mapped
  int lies = 0;
};

class Liar {
 public:
  Liar(std::string how, std::uint64_t seed, int progress, std::string called)
      : how_(std::move(how)), random_(seed), progress_(progress), called_(std::move(called)) {}

  int run(ControlSocket broker) {
    broker_ = std::move(broker);
    (void)broker_.wait_send(PitReady{protocol_min, protocol_max, now_ns(), std::getenv("SYMPHONY_PIT_NAME"), "1", 1000},
                            {}, no_deadline_ns);
    for (;;) {
      pollfd fds[2] = {{broker_.fd(), POLLIN, 0}, {caller_.fd(), POLLIN, 0}};
      ::poll(fds, 2, is_busy() ? 0 : 5);
      if (!read(broker_, Side::pit)) return 0;
      if (caller_ && !read(caller_, Side::caller)) {
        caller_.close();
        is_asked_for_ = false;
        forget(Side::caller);
      }
      if (!called_.empty() && !is_asked_for_) {
        is_asked_for_ = true;
        say(broker_, CallerWanted{++correlation_});
      }
      if (is_greeted_ && caller_ && !is_opening_) open();
      for (Victim& victim : victims_) lie_to(victim);
      if (victims_.size() > attachments_max) victims_.erase(victims_.begin());
    }
  }

 private:
  bool is_busy() const {
    return std::any_of(victims_.begin(), victims_.end(),
                       [](const Victim& v) { return v.is_open && v.lies < lies_per_attachment; });
  }
  bool is(const char* how) const { return how_ == how || how_ == "all"; }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  static void say(ControlSocket& socket, const Message& message) { (void)socket.send(message); }

  // False: the other side has hung up.
  bool read(ControlSocket& socket, Side side) {
    for (int n = 0; n < 16; ++n) {
      auto got = socket.receive(FdPolicy::accept);
      if (!got) return false;
      if (!*got) return true;
      if (!hear(socket, side, **got)) return false;
    }
    return true;
  }

  bool hear(ControlSocket& socket, Side side, Received& got) {
    const bool refuses = is("refuses") && below(4) == 0;
    if (std::holds_alternative<Stop>(got.message)) return false;
    if (const auto* own = std::get_if<Own>(&got.message)) {
      seen_ = own->at;
      if (got.fds.empty() || refuses) return true;
      got.fds.resize(2);
      auto mapped = map_own(*own, std::move(got.fds[0]), side, std::move(got.fds[1]));
      if (!mapped) return true;
      victims_.push_back({*std::move(mapped), side});
      say(socket, Mapped{own->at});
    } else if (const auto* peer = std::get_if<Peer>(&got.message)) {
      for (Victim& v : victims_) {
        if (v.attached->at != peer->at || got.fds.empty()) continue;
        v.is_open = map_peer(*v.attached, std::move(got.fds[0]), side).has_value();
        if (!refuses) say(socket, Ready{peer->at, below(3)});
      }
    } else if (const auto* drop = std::get_if<Drop>(&got.message)) {
      if (!refuses) say(socket, Drained{drop->at});
    } else if (auto* answer = std::get_if<CallerSocket>(&got.message)) {
      if (!answer->granted || got.fds.empty()) return true;
      caller_ = ControlSocket(std::move(got.fds[0]));
      is_greeted_ = is_opening_ = false;
      say(caller_, Hello{protocol_min, protocol_max, now_ns(), {}});
    } else if (std::holds_alternative<Welcome>(got.message)) {
      is_greeted_ = true;
    } else if (std::holds_alternative<Go>(got.message) || std::holds_alternative<Refused>(got.message)) {
      is_opening_ = false;
    }
    return true;
  }

  void open() {
    if (opened_ == 8) {  // and begins again, with a connection of its own
      opened_ = 0;
      caller_.close();
      is_asked_for_ = false;
      return forget(Side::caller);
    }
    ++opened_;
    is_opening_ = true;
    const TimeNs until = deadline_after(is("refuses") ? 50 * ms_ns : second_ns);
    say(caller_, Open{++correlation_, called_, 0, 4096, 4096, until});
  }

  void forget(Side side) {
    std::erase_if(victims_, [&](const Victim& v) { return v.side == side; });
  }

  void lie_to(Victim& victim) {
    if (!victim.is_open || victim.lies == lies_per_attachment) return;
    if (victim.lies == 0 && ::write(progress_, "x", 1) != 1) ::_exit(3);
    if (++victim.lies == lies_per_attachment && victim.side == Side::caller) {
      say(caller_, Close{victim.attached->at.link});
      is_opening_ = false;  // its Go may never come
    }
    if (victim.lies < 4) return speak_the_truth(victim);  // so that there is something to lie about
    if (is("speaks")) speak(victim);
    if (is("scribbles")) scribble(*victim.attached);
  }

  // A few messages as they should be, of types that nobody knows.
  void speak_the_truth(Victim& victim) {
    Attached& a = *victim.attached;
    const std::byte body[64] = {};
    std::uint64_t at = 0;
    if (victim.side == Side::caller) {
      CallerChannel<> channel(a.own.data(), a.peer.data(), a.geometry);
      if (victim.lies == 1) (void)channel.try_send({.id = 1, .type = 9, .flags = flag::request}, body, 0, at);
    } else {
      PitChannel<> channel(a.own.data(), a.peer.data(), a.geometry);
      PitChannel<>::Record record;
      if (channel.try_peek(record) != Poll::record) return;
      channel.begin(record);
      (void)channel.try_send({.id = channel.copy_envelope(record).id, .type = 9, .flags = flag::reply}, body, 0, at);
      channel.finish(record);
    }
  }

  std::uint64_t nonsense() {
    static constexpr std::uint64_t chosen[] = {
        0, 1, 7, 63, 64, 4096, 1ULL << 31, 1ULL << 32, 1ULL << 63, UINT64_MAX, UINT64_MAX - 63};
    return below(2) == 0 ? random_() : chosen[below(std::size(chosen))] + below(2) * 64;
  }

  void scribble(Attached& a) {
    const auto over = [&](std::byte* begin, std::size_t size, int words) {
      for (int i = 0; i < words; ++i) {
        const std::uint64_t word = nonsense();
        std::memcpy(begin + 8 * below(size / 8), &word, sizeof word);
      }
    };
    switch (below(5)) {
      case 0:  // the control words
        return over(a.own.data() + words_offset, 256, 8);
      case 1:  // its own ring
        return over(a.own.data() + data_offset, a.own.size() - data_offset, 64);
      case 2:  // headers
        for (std::size_t at = data_offset; at < a.own.size(); at += 64) {
          const std::uint64_t word = nonsense();
          std::memcpy(a.own.data() + at, &word, sizeof word);
        }
        return;
      case 3:  // all that it has
        std::memset(a.own.data(), static_cast<int>(below(3) == 0 ? 0xff : below(256)), a.own.size());
        return;
      default:  // what the other side has written to it, where it was given that
        if (a.peer_data.size() >= 8) over(a.peer_data.data(), a.peer_data.size(), 64);
    }
  }

  Attachment some_attachment(const Attachment& mine) {
    Attachment at = below(2) == 0 ? mine : seen_;
    if (below(2) == 0) at.link = at.link + below(5) - 2;
    if (below(3) == 0) at.epoch = at.epoch + below(5) - 2;
    if (below(8) == 0) at.generation += below(3) - 1;
    return at;
  }

  // Each is a message that its side may say; what is not so is what is in it.
  void speak(const Victim& victim) {
    const Attachment at = some_attachment(victim.attached->at);
    const bool is_caller = victim.side == Side::caller;
    ControlSocket& socket = is_caller ? caller_ : broker_;
    switch (below(is_caller ? 13 : 6)) {
      case 0:
        return say(socket, Mapped{at});
      case 1:
        return say(socket, Ready{at, random_()});
      case 2:
        return say(socket, MapFailed{at, static_cast<std::int32_t>(below(40))});
      case 3:
        return say(socket, PeerFault{at, static_cast<std::uint32_t>(below(9))});
      case 4:
        return is_caller ? say(socket, Close{at.link}) : say(socket, Drained{at});
      case 5:
        return is_caller ? say(socket, StatusQuery{random_()}) : say(socket, CallerWanted{random_()});
      case 6:
        return say(socket, Executing{at, below(4), 1, 64, 1, Effect::idempotent});
      case 7:
        return say(socket, Park{at.link, below(4), 1, 64, 2, Effect::read, AloneOutcome::killed, at.link,
                                std::vector<std::byte>(below(4096))});
      case 8:
        return say(socket, Open{++correlation_, called_, at.link, 4096, 4096, deadline_after(second_ns), false, true});
      case 9:
        return say(socket, Open{++correlation_, below(2) == 0 ? "probe" : "greeter", at.link,
                                static_cast<std::uint32_t>(nonsense()), 0, static_cast<TimeNs>(random_() >> 1)});
      case 10: {
        Command command{++correlation_, static_cast<Verb>(1 + below(10)), below(2) == 0 ? "probe" : "greeter"};
        command.deadline_ns = deadline_after(second_ns);
        return say(socket, command);
      }
      case 11:  // a descriptor that nobody asked for
        (void)socket.send(Close{at.link}, std::span(&progress_, 1));
        return;
      default:
        return say(socket, Hello{protocol_min, protocol_max, now_ns(), {{at.link, at.epoch}}});
    }
  }

  std::string how_;
  std::mt19937_64 random_;
  int progress_;
  std::string called_;
  ControlSocket broker_, caller_;
  bool is_asked_for_ = false, is_greeted_ = false, is_opening_ = false;
  int opened_ = 0;
  std::uint64_t correlation_ = 0;
  Attachment seen_;
  std::vector<Victim> victims_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* fd = std::getenv("SYMPHONY_CONTROL_FD");
  if (argc < 4 || fd == nullptr) return 64;
  const int progress = ::open(argv[3], O_WRONLY | O_APPEND | O_CLOEXEC);
  if (progress < 0) return 64;
  return Liar(argv[1], std::strtoull(argv[2], nullptr, 10), progress, argc > 4 ? argv[4] : "")
      .run(ControlSocket{UniqueFd(std::atoi(fd))});
}
