#include <symphony/operator.hpp>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "bus/control/codec.hpp"
#include "bus/control/rendezvous.hpp"
#include "bus/control/socket.hpp"
#include "bus/endpoint/broker_connection.hpp"

namespace symphony {

using namespace detail::control;

namespace {

constexpr TimeNs slack_ns = second_ns;  // for an answer that is sent at the deadline
constexpr int hang_ups_max = 8;         // a daemon gives up after five deaths

OperatorAnswer failed(errc code, std::string text) {
  OperatorAnswer out;
  out.code = code;
  out.text = std::move(text);
  return out;
}

OperatorAnswer answer_of(Answer&& m) {
  return {m.code,    std::move(m.text), std::move(m.pit), m.daemon_pid,         m.added,
          m.removed, m.changed,         m.pause_ns,       std::move(m.letters), m.rehearsed_ns};
}

// What a broker of that protocol version does not know of a request: it would hang up on it or, worse, do the rest.
const char* unknown_of(Verb verb, TimeNs probation_ns, bool rehearse, std::uint16_t protocol) noexcept {
  if (verb == Verb::swap && protocol < protocol_of_swap) {
    return "the broker is of an older release, which swaps no pits: restart the pit, or update the broker";
  }
  if (probation_ns != 0 && protocol < protocol_of_probation) {
    return "the broker is of an older release, which knows no probation: swap without it, or update the broker";
  }
  if (rehearse && protocol < protocol_of_rehearsal) {
    return "the broker is of an older release, which rehearses no swap: swap without it, or update the broker";
  }
  const bool is_of_letters = verb == Verb::letters || verb == Verb::letter || verb == Verb::drop_letter;
  if (is_of_letters && protocol < protocol_of_letters) {
    return "the broker is of an older release, which keeps no dead letters: update it";
  }
  return nullptr;
}

}  // namespace

struct Operator::Request {
  Verb verb = Verb::show;
  std::string_view pit{};
  std::uint32_t instance = 0;
  TimeNs grace_ns = 0;
  std::string_view file{};
  std::uint64_t letter = 0;
  TimeNs probation_ns = 0;
  bool rehearse = false;
};

result<Operator> Operator::connect(const ConnectOptions& options) {
  Operator out(options);
  if (out.options_.path.empty()) {
    auto found = default_socket_path(options.realm);
    if (!found) return unexpected(found.error());
    out.options_.path = *std::move(found);
  }
  if (auto opened = out.open(deadline_after(options.timeout_ns)); !opened) return unexpected(opened.error());
  return out;
}

result<Operator> Operator::adopt(UniqueFd control_socket) {
  Operator out{ConnectOptions{}};
  ControlSocket socket(std::move(control_socket));
  const auto welcome = detail::greet(socket, {}, deadline_after(out.options_.timeout_ns));
  if (!welcome) return unexpected(welcome.error());
  out.socket_ = socket.release();
  out.protocol_ = welcome->protocol;
  return out;
}

std::uint16_t Operator::newest_protocol() noexcept { return protocol_max; }

// An adopted one has no path: there is no next broker to find.
result<void> Operator::open(TimeNs deadline_ns) {
  if (!socket_ && options_.path.empty()) {
    return unexpected(errc::unreachable, "the broker of this program has ended: start a new one");
  }
  while (!socket_) {
    auto fd = connect_to(options_.path, deadline_ns);
    if (!fd) return unexpected(fd.error());
    ControlSocket socket(*std::move(fd));
    const auto welcome = detail::greet(socket, {}, deadline_ns);
    if (welcome) {
      socket_ = socket.release();
      protocol_ = welcome->protocol;
    } else if (welcome.error().code != errc::closed || now_ns() >= deadline_ns) {
      return unexpected(welcome.error());
    } else {
      (void)::poll(nullptr, 0, 10);  // one that is dying; the next comes
    }
  }
  return {};
}

OperatorAnswer Operator::ask(const Request& request, TimeNs deadline_ns) {
  const std::uint64_t correlation = ++correlation_;
  const Command command{correlation,          request.verb,     std::string(request.pit),  request.instance,
                        deadline_ns,          request.grace_ns, std::string(request.file), request.letter,
                        request.probation_ns, request.rehearse};
  if (command.pit.size() > pit_name_size_max) {
    return failed(errc::not_found, "there is no pit of this name: a name has at most 63 letters");
  }
  if (command.file.size() > path_size_max) return failed(errc::invalid_argument, "a path has at most 4095 bytes");
  const TimeNs give_up_ns = deadline_ns > no_deadline_ns - slack_ns ? no_deadline_ns : deadline_ns + slack_ns;
  for (int hang_ups = 0; hang_ups < hang_ups_max; ++hang_ups) {
    if (const auto opened = open(deadline_ns); !opened) return failed(opened.error().code, opened.error().text);
    // Of the broker that is there now: the next one may be another release.
    if (const char* unknown = unknown_of(request.verb, request.probation_ns, request.rehearse, protocol_);
        unknown != nullptr) {
      return failed(errc::version_mismatch, unknown);
    }
    ControlSocket socket(std::move(socket_));
    auto got = [&]() -> result<Received> {
      if (auto sent = socket.wait_send(command, {}, give_up_ns); !sent) return unexpected(sent.error());
      for (;;) {
        auto received = socket.wait_receive(FdPolicy::refuse, give_up_ns);
        const auto* answer = received ? std::get_if<Answer>(&received->message) : nullptr;
        if (!received || (answer != nullptr && answer->correlation == correlation)) return received;
      }
    }();
    if (got) {
      socket_ = socket.release();
      return answer_of(std::move(std::get<Answer>(got->message)));
    }
    // Late answers have their own numbers.
    if (got.error().code == errc::timeout && options_.path.empty()) socket_ = socket.release();
    if (got.error().code == errc::timeout) return failed(errc::timeout, "the broker did not answer in time");
    if (got.error().code != errc::closed) return failed(got.error().code, got.error().text);
    // The broker died with the question, or with its answer: the next one is asked the same, which is harmless.
    (void)::poll(nullptr, 0, 10);
  }
  return failed(errc::version_mismatch,
                "the broker hangs up on this command: it is of another release, update the older");
}

OperatorAnswer Operator::show(std::string_view pit, TimeNs timeout_ns) {
  return ask({Verb::show, pit}, deadline_after(timeout_ns));
}

OperatorAnswer Operator::start(std::string_view pit, TimeNs timeout_ns) {
  return ask({Verb::start, pit}, deadline_after(timeout_ns));
}

OperatorAnswer Operator::stop(std::string_view pit, TimeNs timeout_ns, TimeNs grace_ns) {
  return ask({Verb::stop, pit, 0, grace_ns}, deadline_after(timeout_ns));
}

OperatorAnswer Operator::restart(std::string_view pit, TimeNs timeout_ns, TimeNs grace_ns) {
  const TimeNs deadline = deadline_after(timeout_ns);
  OperatorAnswer before = ask({Verb::show, pit}, deadline);  // which instance it is that has to go
  if (!before.ok()) return before;
  return ask({Verb::restart, pit, before.pit.info.instance, grace_ns}, deadline);
}

OperatorAnswer Operator::swap(std::string_view pit, std::string_view file, TimeNs timeout_ns, TimeNs pause_ns,
                              TimeNs probation_ns, bool rehearse) {
  const TimeNs deadline = deadline_after(timeout_ns);
  OperatorAnswer before = ask({Verb::show, pit}, deadline);  // which instance it is that has to go
  if (!before.ok()) return before;
  return ask({Verb::swap, pit, before.pit.info.instance, pause_ns, file, 0, probation_ns, rehearse}, deadline);
}

OperatorAnswer Operator::reload(TimeNs timeout_ns) { return ask({Verb::reload}, deadline_after(timeout_ns)); }

OperatorAnswer Operator::letters(std::string_view pit, std::uint64_t after, TimeNs timeout_ns) {
  return ask({Verb::letters, pit, 0, 0, {}, after}, deadline_after(timeout_ns));
}

OperatorAnswer Operator::letter(std::string_view pit, std::uint64_t id, TimeNs timeout_ns) {
  return ask({Verb::letter, pit, 0, 0, {}, id}, deadline_after(timeout_ns));
}

OperatorAnswer Operator::drop_letters(std::string_view pit, std::uint64_t id, TimeNs timeout_ns) {
  return ask({Verb::drop_letter, pit, 0, 0, {}, id}, deadline_after(timeout_ns));
}

OperatorAnswer Operator::end_broker(TimeNs timeout_ns) {
  const TimeNs deadline = deadline_after(timeout_ns);
  OperatorAnswer answer = ask({Verb::end_broker}, deadline);
  if (!answer.ok()) return answer;
  socket_.reset();
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, answer.daemon, 0)));
  if (!process && errno == ESRCH) return answer;
  if (!process) return failed(errc::system, "the broker ends, but its process cannot be watched");
  if (wait_readable(process.get(), deadline)) return answer;
  return failed(errc::timeout, "the broker was told to end and still has processes: wait longer (--timeout)");
}

}  // namespace symphony
