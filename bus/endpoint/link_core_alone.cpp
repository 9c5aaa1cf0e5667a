// Calls that were being executed at a death: told to the broker, tried alone, parked.
#include <new>
#include <system_error>

#include "bus/endpoint/alone_runs.hpp"
#include "bus/endpoint/link_core.hpp"

namespace symphony::detail {
namespace {

constexpr std::string_view text_killed_alone =
    "this message killed the pit, and once more where it ran alone: it is parked as a dead letter (symphony dlq)";
constexpr std::string_view text_harmless_alone =
    "this message killed the pit, and then ran alone without harm: it is parked as a dead letter (symphony dlq)";
constexpr std::string_view text_not_alone =
    "this message killed the pit, and could not be tried alone: it is parked as a dead letter (symphony dlq)";

constexpr std::string_view text_no_letter =
    "this message killed the pit, and is not tried again: the broker is of an older release and keeps no dead letters; "
    "update it";

std::string_view text_of(AloneOutcome outcome, bool keeps_letters) noexcept {
  if (!keeps_letters) return text_no_letter;
  switch (outcome) {
    case AloneOutcome::killed:
      return text_killed_alone;
    case AloneOutcome::answered:
      return text_harmless_alone;
    case AloneOutcome::late:
    case AloneOutcome::not_run:
      break;
  }
  return text_not_alone;
}

AloneCall copy_of(const Call& call, control::LinkId link, std::span<const std::byte> body) {
  AloneCall out{link,        call.id,          call.type, static_cast<std::uint8_t>(call.attempt + 1),
                call.effect, call.deadline_ns, {}};
  out.body.assign(body.begin(), body.end());
  return out;
}

}  // namespace

result<std::unique_ptr<LinkCore>> LinkControl::open_alone(control::LinkId, const LinkOptions&, TimeNs,
                                                          const OpenCancel&) {
  return unexpected(errc::unreachable, "there is no broker that could start an instance");
}

void LinkCore::note_executing(const Call& call, const control::Attachment& at, const DeadEpoch& dead) noexcept {
  if (call.was_in_state) return;  // it was handled, and its position is not of this epoch
  if (is_alone_) return;          // the broker knows what it started that instance for
  const std::uint64_t handled = dead.trust == Trust::hostile ? dead.freed : dead.handled;
  if (call.position < handled || call.position >= dead.begun) return;
  control_->report_executing({at, call.id, call.type, call.body_size, call.attempt, call.effect});
}

void LinkCore::end_poisoned(Call& call, std::span<const std::byte> body) noexcept {
  try {
    control_->park(letter_of(copy_of(call, id(), body), AloneOutcome::not_run, 0));
  } catch (const std::bad_alloc&) {
    // It has no letter.
  }
  end(call, status::poisoned, text_of(AloneOutcome::not_run, control_->keeps_letters()));
}

void LinkCore::try_alone(Call& call, std::span<const std::byte> body) noexcept {
  try {
    if (!alone_) alone_ = std::make_unique<AloneRuns>(control_, mailbox_, options_);
    AloneCall copy = copy_of(call, id(), body);
    const std::uint64_t number = call.id;
    calls_.set_aside(call);
    try {
      alone_->start(std::move(copy));
    } catch (const std::system_error&) {  // no thread
      end_poisoned(*calls_.find(number, Call::State::alone), body);
    } catch (const std::bad_alloc&) {
      end_poisoned(*calls_.find(number, Call::State::alone), body);
    }
  } catch (const std::bad_alloc&) {
    end_poisoned(call, body);
  }
}

void LinkCore::on_tried_alone(link_event::TriedAlone& tried) noexcept {
  Call* const call = calls_.find(tried.id, Call::State::alone);
  if (call == nullptr) return;                      // its deadline came first, or the link was closed
  if (tried.outcome == AloneOutcome::late) return;  // its deadline is about to come
  if (tried.outcome != AloneOutcome::answered || call->effect != Effect::read) {
    return end(*call, status::poisoned, text_of(tried.outcome, control_->keeps_letters()));
  }
  try {
    const auto text = std::as_bytes(std::span(tried.text));
    const std::span<const std::byte> from = tried.status == status::ok ? std::span<const std::byte>(tried.body) : text;
    const auto to = calls_.room(*call, from.size());
    if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
    end(*call, tried.status, {});
    call->reply.type = tried.type;
    if (tried.status == status::ok) {
      call->reply.body = to;
    } else {
      call->reply.text = {reinterpret_cast<const char*>(to.data()), to.size()};
    }
  } catch (const std::bad_alloc&) {
    end(*call, status::overloaded, "no memory to hold the message");
  }
}

}  // namespace symphony::detail
