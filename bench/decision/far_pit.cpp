#include "bench/decision/far_pit.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace symphony::bench {
namespace {

bool read_all(int fd, void* at, std::size_t size) noexcept {
  char* to = static_cast<char*>(at);
  while (size > 0) {
    const ssize_t got = ::recv(fd, to, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

constexpr std::uint64_t message_max = std::uint64_t{256} << 20;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
Reply lost(std::string_view why) noexcept { return {.status = status::crashed, .text = why}; }

}  // namespace

// One write a message: a head in a write of its own would wake the reader twice.
bool send_message(int fd, const FarView& message) noexcept {
  FarHead head = message.head;
  head.body = message.body.size();
  head.text = message.text.size();
  iovec parts[3] = {{&head, sizeof head},
                    {const_cast<std::byte*>(message.body.data()), message.body.size()},
                    {const_cast<char*>(message.text.data()), message.text.size()}};
  std::size_t left = sizeof head + message.body.size() + message.text.size();
  msghdr io{};
  io.msg_iov = parts;
  io.msg_iovlen = 3;
  for (;;) {
    const ssize_t sent = ::sendmsg(fd, &io, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    left -= static_cast<std::size_t>(sent);
    if (left == 0) return true;
    auto gone = static_cast<std::size_t>(sent);
    for (iovec& part : parts) {
      const std::size_t of_this = std::min(gone, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + of_this;
      part.iov_len -= of_this;
      gone -= of_this;
    }
  }
}

bool read_message(int fd, FarMessage& message) {
  FarHead& head = message.head;
  if (!read_all(fd, &head, sizeof head) || head.body > message_max || head.text > message_max) return false;
  message.body.resize(head.body);
  message.text.resize(head.text);
  return read_all(fd, message.body.data(), message.body.size()) &&
         read_all(fd, message.text.data(), message.text.size());
}

bool FarPit::answer(FarMessage& message, FarView& out) {
  out = {};
  if (message.head.kind == FarKind::call) {
    call_.type = message.head.type;
    call_.effect = message.head.effect;
    if (json_ == nullptr) {
      call_.body.swap(message.body);
    } else if (!json_->to_bytes(message.head.type, std::string(text_of(message.body)), call_.body)) {
      return false;
    }
    const Reply reply = pit_.call(call_);
    out.head.status = reply.status;
    out.head.type = reply.type;
    out.text = reply.text;
    out.body = reply.body;
    if (json_ == nullptr) return true;
    out.body = {};
    if (!json_->to_json(reply.type, reply.body, as_json_)) return false;
    out.body = bytes_of(as_json_);
    return true;
  }
  if (message.head.kind == FarKind::snapshot) {
    state_ = {};
    done_ = pit_.snapshot(state_);
    out.head.revision = state_.revision;
    out.head.timers = static_cast<std::uint32_t>(state_.timers.size());
    out.body = state_.bytes;
  } else {
    done_ = pit_.restore({message.head.revision, std::move(message.body)});
  }
  out.head.status = done_.status;
  out.text = done_.text;
  return true;
}

FarDoor::~FarDoor() {
  line_.reset();  // a server that reads there sees the end and goes; the others are killed
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

bool FarDoor::start(const DoorPlan& plan, bool as_json, std::string& why,
                    const std::function<int(int line, FarPit&)>& serve) {
  if (as_json) {
    if (plan.schema.empty()) return why = "no schema to make JSON by: name the .fbs with --schema", false;
    auto schema = tools::SchemaMessages::read({plan.schema}, {});
    if (!schema) return why = schema.error().text, false;
    json_.emplace(std::move(*schema));
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return why = "no socket pair to be had", false;
  line_.reset(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) return why = "no process to be had", false;
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    line_.reset();
    if (::getppid() != parent) ::_exit(1);
    DoorPlan there = plan;
    there.name = "dynamic";
    std::string trouble;
    const auto pit = open_conductor_door(there, trouble);
    const bool told = send_message(theirs.get(), {.head = {.status = pit == nullptr ? 1 : 0}, .text = trouble});
    if (pit == nullptr || !told) ::_exit(1);
    FarPit far(*pit, json_ ? &*json_ : nullptr);
    ::_exit(serve(theirs.get(), far));
  }
  theirs.reset();
  if (!read_message(line_.get(), answer_)) return why = "its server died while it started", false;
  if (answer_.head.status != 0) return why = answer_.text, false;
  return true;
}

Reply FarDoor::call(const TracedCall& call) noexcept {
  FarView message{.head = {.type = call.type, .effect = call.effect}, .body = call.body};
  if (json_) {
    if (!json_->to_json(call.type, call.body, request_)) return lost("a request that the schema does not know");
    message.body = bytes_of(request_);
  }
  if (!exchange(message)) return lost("the process behind it is gone");
  if (json_) {
    reply_json_.assign(text_of(answer_.body));
    if (!json_->to_bytes(answer_.head.type, reply_json_, answer_.body))
      return lost("a reply that the schema does not know");
  }
  return {.status = answer_.head.status, .type = answer_.head.type, .body = answer_.body, .text = answer_.text};
}

StepResult FarDoor::snapshot(PitState& out) {
  if (!exchange({.head = {.kind = FarKind::snapshot}})) return {status::unreachable, "the process behind it is gone"};
  out = {answer_.head.revision, answer_.body};
  // Timers do not cross; a snapshot that has some cannot be compared.
  if (answer_.head.timers != 0) return {status::bad_state, "the pit's timers do not cross to this caller"};
  return {answer_.head.status, answer_.text};
}

StepResult FarDoor::restore(const PitState& from) {
  if (!from.timers.empty()) return {status::bad_state, "the pit's timers do not cross to its process"};
  if (!exchange({.head = {.kind = FarKind::restore, .revision = from.revision}, .body = from.bytes})) {
    return {status::unreachable, "the process behind it is gone"};
  }
  return {answer_.head.status, answer_.text};
}

std::string FarDoor::json_of(std::uint32_t type, std::span<const std::byte> bytes) {
  std::string out;
  return json_ && json_->to_json(type, bytes, out) ? out : "not in the schema";
}

}  // namespace symphony::bench
