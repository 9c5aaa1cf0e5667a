// W2 of the link protocol on the pit's side: it ends what it handles, keeps its state, and stands still until the
// broker says that it goes on, or kills it.
#include <algorithm>
#include <new>
#include <utility>

#include "bus/control/codec.hpp"
#include "bus/endpoint/service_core.hpp"

namespace symphony::detail {
namespace {

constexpr TimeNs settle_tick_ns = 200 * us_ns;  // between two looks at what has to settle
constexpr TimeNs frozen_sleep_ns = second_ns;   // mail ends it

}  // namespace

// One turn. Requests stay in their rings; what the pit owes and could not write is written as callers read.
void ServiceCore::run_frozen(RequestHandler& handler) noexcept {
  if (stopping_) {
    frost_.reset();  // it is stopped as it stands: nobody waits for an answer
    return;
  }
  if (!frost_->is_frozen) try_freeze(handler);
  if (!frost_) return;
  const TimeNs until = now_ns() + (frost_->is_frozen ? frozen_sleep_ns : settle_tick_ns);
  const WaitWord words[] = {mailbox_.wait_word()};
  const auto look = [this] { return mailbox_.has_mail(); };
  (void)sleep_unless<RealMem, Order, Site>(look, words, until, false, sleep_);
}

void ServiceCore::try_freeze(RequestHandler& handler) noexcept {
  std::string why;
  Freezing outcome = Freezing::failed;
  try {
    outcome = handler.freeze(frost_->asked.memory, why);
  } catch (const std::bad_alloc&) {
    outcome = Freezing::failed;
  }
  const bool is_late = now_ns() >= frost_->asked.deadline_ns;
  if (outcome == Freezing::settles && !is_late) return;
  const std::uint32_t number = frost_->asked.number;
  if (outcome == Freezing::frozen && !is_late) {
    frost_->is_frozen = true;
    return send(control::Frozen{number, control::code_done, {}});
  }
  if (outcome == Freezing::frozen) why = "keeping its state took too long";
  const errc code = outcome == Freezing::failed ? errc::refused : errc::busy;
  // Before the answer: whoever reads it may rely on this pit going on.
  thaw(handler);
  send(control::Frozen{number, code, std::move(why)});
}

// While it stands still: what is about links waits, in order.
void ServiceCore::hear_frozen(ServiceEvent& event, RequestHandler& handler) noexcept {
  if (std::holds_alternative<service_event::Thaw>(event)) {
    thaw(handler);
  } else if (std::holds_alternative<service_event::Stop>(event)) {
    stopping_ = true;
  } else if (auto* again = std::get_if<service_event::Freeze>(&event)) {  // of the next broker
    frost_->asked = std::move(*again);
    frost_->is_frozen = false;
  } else if (std::holds_alternative<service_event::Nudge>(event) && !frost_->is_frozen) {
    handler.on_nudge();  // answers that it waits for
  } else {
    try {
      frost_->held.push_back(std::move(event));
    } catch (const std::bad_alloc&) {
      // An attach runs into its timeout; a link is looked at anyway.
    }
  }
}

void ServiceCore::thaw(RequestHandler& handler) noexcept {
  std::vector<ServiceEvent> held = std::move(frost_->held);
  frost_.reset();
  handler.thaw();
  for (ServiceEvent& event : held) hear(event, handler);
}

// Not between Freeze and Thaw: there it waits, and comes too late.
void ServiceCore::rehearse(service_event::Rehearse& asked, RequestHandler& handler) noexcept {
  std::string why = "there was no memory for a copy of its state";
  const TimeNs begun = now_ns();
  bool is_written = false;
  try {
    is_written = asked.memory && handler.write_copy(std::move(asked.memory), why);
  } catch (const std::bad_alloc&) {
    is_written = false;
  }
  why.resize(is_written ? 0 : std::min(why.size(), control::text_size_max));
  send(control::Rehearsed{asked.number, is_written ? control::code_done : errc::refused, std::move(why),
                          now_ns() - begun});
}

}  // namespace symphony::detail

namespace symphony {

result<void> Service::await_state(const UniqueFd& control_socket, const Rehearsal& rehearse) {
  using namespace detail::control;
  ControlSocket socket(control_socket.duplicate());
  if (auto sent = socket.wait_send(Prepared{}, {}, no_deadline_ns); !sent) return sent;
  for (;;) {
    auto received = socket.wait_receive(FdPolicy::accept, no_deadline_ns);
    if (!received) return unexpected(received.error());
    if (std::holds_alternative<TakeState>(received->message)) return {};
    if (const auto* asked = std::get_if<Rehearse>(&received->message)) {
      std::string why = "no memory with the copy of the state came";
      TimeNs took_ns = 0;
      const bool is_same = !received->fds.empty() && rehearse(std::move(received->fds[0]), why, took_ns);
      why.resize(is_same ? 0 : std::min(why.size(), text_size_max));
      const Rehearsed answer{asked->number, is_same ? code_done : errc::refused, std::move(why), took_ns};
      if (auto sent = socket.wait_send(answer, {}, no_deadline_ns); !sent) return sent;
    }
    if (std::holds_alternative<Stop>(received->message)) {
      return unexpected(errc::closed, "this process was to take over a pit, and is not wanted any more");
    }
  }
}

}  // namespace symphony
