// What people build without a bus: the pit in a process behind a Unix stream socket, messages as they are (FlatBuffers)
// or as JSON made and read by the schema, at both ends. Blocking reads, one caller, no restart: nobody watches over it.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include <symphony/unique_fd.hpp>

#include "bench/decision/door.hpp"
#include "tools/symphony/schema_messages.hpp"

namespace symphony::bench {
namespace {

enum Kind : std::uint32_t { kind_call, kind_snapshot, kind_restore };

struct Head {
  std::uint32_t kind = kind_call;
  std::uint32_t type = 0;
  std::uint32_t effect = 0;
  std::int32_t status = 0;
  std::uint32_t revision = 0;
  std::uint32_t timers = 0;
  std::uint64_t body = 0;  // bytes
  std::uint64_t text = 0;
};

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

// One write a message: a head in a write of its own would wake the reader twice.
bool send_message(int fd, Head head, std::span<const std::byte> body, std::string_view text) {
  head.body = body.size();
  head.text = text.size();
  iovec parts[3] = {{&head, sizeof head},
                    {const_cast<std::byte*>(body.data()), body.size()},
                    {const_cast<char*>(text.data()), text.size()}};
  std::size_t left = sizeof head + body.size() + text.size();
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 3;
  for (;;) {
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
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
bool read_message(int fd, Head& head, std::vector<std::byte>& body, std::string& text) {
  if (!read_all(fd, &head, sizeof head) || head.body > message_max || head.text > message_max) return false;
  body.resize(head.body);
  text.resize(head.text);
  return read_all(fd, body.data(), body.size()) && read_all(fd, text.data(), text.size());
}

// JSON by the schema, with the table of a type looked up once.
class Translator {
 public:
  explicit Translator(tools::SchemaMessages schema) : schema_(std::move(schema)) {}
  [[nodiscard]] bool to_json(std::uint32_t type, std::span<const std::byte> bytes, std::string& out) {
    if (bytes.empty()) return out.clear(), true;
    auto text = schema_.to_json(table(type), bytes);
    if (text) out = std::move(*text);
    return static_cast<bool>(text);
  }
  [[nodiscard]] bool to_bytes(std::uint32_t type, const std::string& json, std::vector<std::byte>& out) {
    if (json.empty()) return out.clear(), true;
    auto bytes = schema_.to_bytes(table(type), json);
    if (bytes) out = std::move(*bytes);
    return static_cast<bool>(bytes);
  }

 private:
  const std::string& table(std::uint32_t type) {
    const auto [at, is_new] = tables_.try_emplace(type);
    if (is_new) at->second = schema_.table_of(type);
    return at->second;
  }
  tools::SchemaMessages schema_;
  std::map<std::uint32_t, std::string> tables_;
};

std::string_view text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

// The server's process: 0 when the caller is gone.
int serve(int fd, Door& pit, Translator* json) {
  Head head;
  std::vector<std::byte> body;
  std::string text;
  while (read_message(fd, head, body, text)) {
    Head answer;
    if (head.kind == kind_call) {
      TracedCall call{head.type, head.effect, {}};
      if (json == nullptr) {
        call.body.swap(body);
      } else if (!json->to_bytes(head.type, std::string(text_of(body)), call.body)) {
        return 1;
      }
      const Reply reply = pit.call(call);
      answer.status = reply.status;
      answer.type = reply.type;
      std::string as_json;
      if (json != nullptr && !json->to_json(reply.type, reply.body, as_json)) return 1;
      if (!send_message(fd, answer, json == nullptr ? reply.body : bytes_of(as_json), reply.text)) return 0;
    } else if (head.kind == kind_snapshot) {
      PitState state;
      const StepResult taken = pit.snapshot(state);
      answer.status = taken.status;
      answer.revision = state.revision;
      answer.timers = static_cast<std::uint32_t>(state.timers.size());
      if (!send_message(fd, answer, state.bytes, taken.text)) return 0;
    } else {
      PitState state{head.revision, std::move(body)};
      const StepResult done = pit.restore(state);
      answer.status = done.status;
      if (!send_message(fd, answer, {}, done.text)) return 0;
    }
  }
  return 0;
}

class SocketDoor final : public Door {
 public:
  ~SocketDoor() override {
    end_.reset();  // the server reads the end and goes
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] bool open(const DoorPlan& plan, std::string& why) {
    if (plan.name == "uds+json") {
      if (plan.schema.empty()) return why = "no schema to make JSON by: name the .fbs with --schema", false;
      auto schema = tools::SchemaMessages::read({plan.schema}, {});
      if (!schema) return why = schema.error().text, false;
      json_.emplace(std::move(*schema));
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return why = "no socket pair to be had", false;
    end_.reset(ends[0]);
    UniqueFd theirs(ends[1]);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) return why = "no process to be had", false;
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      end_.reset();
      if (::getppid() != parent) ::_exit(1);
      DoorPlan there = plan;
      there.name = "dynamic";
      std::string trouble;
      const auto pit = open_conductor_door(there, trouble);
      const Head ready{.status = pit == nullptr ? 1 : 0};
      const bool told = send_message(theirs.get(), ready, {}, trouble);
      ::_exit(pit == nullptr || !told ? 1 : serve(theirs.get(), *pit, json_ ? &*json_ : nullptr));
    }
    theirs.reset();
    Head ready;
    if (!read_message(end_.get(), ready, body_, text_)) return why = "its server died while it started", false;
    if (ready.status != 0) return why = text_, false;
    return true;
  }

  Reply call(const TracedCall& call) noexcept override {
    const Head head{.type = call.type, .effect = call.effect};
    const std::vector<std::byte>* body = &call.body;
    if (json_) {
      if (!json_->to_json(call.type, call.body, request_)) return lost("a request that the schema does not know");
      const auto bytes = bytes_of(request_);
      request_bytes_.assign(bytes.begin(), bytes.end());
      body = &request_bytes_;
    }
    Head answer;
    if (!send_message(end_.get(), head, *body, {}) || !read_message(end_.get(), answer, body_, text_)) {
      return lost("the process behind the socket is gone");
    }
    if (json_) {
      reply_json_.assign(text_of(body_));
      if (!json_->to_bytes(answer.type, reply_json_, body_)) return lost("a reply that the schema does not know");
    }
    return {.status = answer.status, .type = answer.type, .body = body_, .text = text_};
  }
  StepResult snapshot(PitState& out) override {
    Head answer;
    if (!send_message(end_.get(), {.kind = kind_snapshot}, {}, {}) || !read_message(end_.get(), answer, body_, text_)) {
      return {status::unreachable, "the process behind the socket is gone"};
    }
    out = {answer.revision, body_};
    // Timers do not cross this socket; a snapshot that has some cannot be compared.
    if (answer.timers != 0) return {status::bad_state, "the pit's timers do not cross this socket"};
    return {answer.status, text_};
  }
  StepResult restore(const PitState& from) override {
    Head answer;
    if (!from.timers.empty()) return {status::bad_state, "the pit's timers do not cross this socket"};
    if (!send_message(end_.get(), {.kind = kind_restore, .revision = from.revision}, from.bytes, {}) ||
        !read_message(end_.get(), answer, body_, text_)) {
      return {status::unreachable, "the process behind the socket is gone"};
    }
    return {answer.status, text_};
  }
  [[nodiscard]] pid_t process() const override { return pid_; }
  [[nodiscard]] bool compares_json() const noexcept override { return json_.has_value(); }
  [[nodiscard]] std::string json_of(std::uint32_t type, std::span<const std::byte> bytes) override {
    std::string out;
    return json_ && json_->to_json(type, bytes, out) ? out : "not in the schema";
  }

 private:
  static Reply lost(std::string_view why) noexcept { return {.status = status::crashed, .text = why}; }

  std::optional<Translator> json_;
  UniqueFd end_;
  pid_t pid_ = -1;
  std::vector<std::byte> body_, request_bytes_;
  std::string text_, request_, reply_json_;
};

}  // namespace

std::unique_ptr<Door> open_socket_door(const DoorPlan& plan, std::string& why) {
  auto door = std::make_unique<SocketDoor>();
  return door->open(plan, why) ? std::move(door) : nullptr;
}

}  // namespace symphony::bench
