#include "tools/pit_check/caller.hpp"

#include <algorithm>
#include <utility>

#include <symphony/clock.hpp>

namespace symphony::pit_check {
namespace {

constexpr int tries_a_type = 400;
constexpr std::size_t taken_a_type = 6;

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t size = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if ((first >= 0x80 && first < 0xC2) || first > 0xF4 || i + size > text.size()) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0U) != 0x80U) return false;
    }
    i += size;
  }
  return true;
}

std::optional<std::string> status_fault(std::int32_t status, std::string_view text) {
  const auto say = [&](const char* what) {
    return std::string(what) + " (status " + std::to_string(status) + "): " + std::string(text);
  };
  switch (status) {
    case SYMPHONY_INTERNAL:
      return say("the handler threw, or has a bug");
    case SYMPHONY_CRASHED:
    case SYMPHONY_CRASHED_ACCEPTED:
    case SYMPHONY_POISONED:
    case SYMPHONY_QUARANTINED:
      return say("the pit died");
    case SYMPHONY_TRAPPED:
      return say("the pit trapped");
    case SYMPHONY_PENDING:
    case SYMPHONY_FORKED:
    case SYMPHONY_PEER_FAULT:
    case SYMPHONY_CLOSED:
    case SYMPHONY_MOVED:
      return say("no pit may end a request so");
    default:
      break;
  }
  if (status < SYMPHONY_DENIED) return say("a status of the host's range that the contract does not have");
  return std::nullopt;
}

Ending kept(const pit::Reply& reply) {
  return {reply.status, reply.type, Body(reply.body.begin(), reply.body.end()), std::string(reply.text)};
}

}  // namespace

std::string Ending::described() const {
  return "status " + std::to_string(status) + ", " +
         (status == SYMPHONY_OK ? std::to_string(body.size()) + " bytes of type " + std::to_string(type) : text);
}

std::optional<std::string> fault_of(const pit::PitInfo& note, const pit::Reply& reply) {
  if (auto fault = status_fault(reply.status, reply.text)) return fault;
  if (reply.ok()) {
    if (reply.body.size() > note.reply_size_max) {
      return "a reply of " + std::to_string(reply.body.size()) + " bytes, above the note's reply_size_max of " +
             std::to_string(note.reply_size_max);
    }
    if (!reply.text.empty()) return "a success with an error text";
    return std::nullopt;
  }
  if (!reply.body.empty()) return "an error with a reply";
  if (reply.text.size() > SYMPHONY_ERROR_TEXT_MAX) return "an error text above the limit";
  if (!is_utf8(reply.text)) return "an error text that is not UTF-8";
  return std::nullopt;
}

Caller::Caller(Trial& trial, pit::Host& host) : trial_(trial) { Trial::require_ok(host.open(link_), "no link"); }

Ending Caller::call(std::uint32_t type, std::span<const std::byte> body, TimeNs timeout_ns) {
  const pit::Reply reply = link_->call({.type = type,
                                        .effect = trial_.note().effect_of(type).value_or(SYMPHONY_EFFECT_ONCE),
                                        .body = body,
                                        .deadline_ns = now_ns() + timeout_ns});
  if (const auto fault = fault_of(trial_.note(), reply)) {
    Trial::fail("message type " + std::to_string(type) + " with " + std::to_string(body.size()) + " bytes: " + *fault);
  }
  return kept(reply);
}

Corpus::Corpus(Trial& trial) {
  Random random(trial.random());
  const auto mounted = mount_fed(trial);
  Caller caller(trial, mounted->host());
  for (const symphony_message_note& message : trial.note().messages) {
    std::vector<Body> taken;
    std::vector<Body> others;
    for (int i = 0; i < tries_a_type && taken.size() < taken_a_type; ++i) {
      Body body = random_table(random);
      const Ending ending = caller.call(message.type, body);
      std::vector<Body>& into = ending.status >= SYMPHONY_OK ? taken : others;
      if (into.size() < taken_a_type) into.push_back(std::move(body));
    }
    if (!taken.empty()) ++types_taken_;
    for (Body& body : taken.empty() ? others : taken) all_.push_back({message.type, std::move(body)});
  }
  // A pit that lists nothing may still take raw messages.
  if (all_.empty()) all_.push_back({unlisted_type(trial), random_table(random)});
}

std::uint32_t unlisted_type(Trial& trial) {
  for (;;) {
    const auto type = static_cast<std::uint32_t>(trial.random());
    if (type != 0 && !trial.note().effect_of(type)) return type;
  }
}

std::unique_ptr<Mounted> mount(Trial& trial, pit::LogSink* log) {
  std::unique_ptr<Mounted> mounted;
  Trial::require_ok(trial.stage.mount(log, mounted), "the pit cannot be mounted");
  return mounted;
}

std::unique_ptr<Mounted> mount_fed(Trial& trial) {
  auto mounted = mount(trial);
  Trial::require_ok(mounted->host().feed(7, fed_start_ns), "feed");
  return mounted;
}

void require_usable(Trial& trial, pit::Host& host, std::string_view after) {
  try {
    Caller caller(trial, host);
    (void)caller.call(unlisted_type(trial), {});
    for (const symphony_message_note& message : trial.note().messages) {
      const Ending ending = caller.call(message.type, {});
      if (ending.status == SYMPHONY_BAD_STATE || ending.status == SYMPHONY_UNREACHABLE) {
        Trial::fail("not answered: " + ending.described());
      }
    }
  } catch (const Failed& failed) {
    Trial::fail("after " + std::string(after) + ", the pit is not usable: " + failed.why);
  }
}

std::vector<Ending> work(Trial& trial, Random& random, const Corpus& corpus, pit::Host& host, int count) {
  Caller caller(trial, host);
  std::vector<Ending> endings;
  endings.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const Message& message = corpus.any(random);
    endings.push_back(caller.call(message.type, message.body));
  }
  return endings;
}

pit::Snapshot snapshot_of(pit::Host& host, std::string_view when) {
  pit::Snapshot taken;
  Trial::require_ok(host.snapshot(taken), "snapshot " + std::string(when));
  return taken;
}

bool same_state(const pit::Snapshot& a, const pit::Snapshot& b) {
  return a.revision == b.revision && a.bytes == b.bytes &&
         std::equal(a.timers.begin(), a.timers.end(), b.timers.begin(), b.timers.end(),
                    [](const pit::ArmedTimer& x, const pit::ArmedTimer& y) { return x.id == y.id; });
}

}  // namespace symphony::pit_check
