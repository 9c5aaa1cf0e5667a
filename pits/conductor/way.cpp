#include "pits/conductor/way.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

namespace symphony::conductor {
namespace {

constexpr std::string_view text_waited =
    "the deadline passed while the pit was swapped for another instance: neither has seen the call";
constexpr std::string_view text_memory = "no memory for the way to the pit's next instance: try later";
constexpr std::string_view text_lost =
    "the pit's new instance was on probation and died or trapped: the call ran, and its effect went with it";

constexpr std::uint64_t no_incarnation = ~std::uint64_t{0};  // equal to none

// A thread's caller among those of a SharedCaller.
class OneOfMany final : public pit::Caller {
 public:
  explicit OneOfMany(std::shared_ptr<pit::SharedLink> links) : links_(std::move(links)) {}
  pit::Reply call(const pit::Request& request) noexcept override { return links_->call(request); }

 private:
  const std::shared_ptr<pit::SharedLink> links_;
};

}  // namespace

pit::Outcome Sharing::prepare(pit::Host& host, Route::Word generation) {
  const std::lock_guard lock(mutex_);
  if (generation_ == generation || host.mode() != "process") return {};
  std::unique_ptr<pit::SharedLink> made;
  if (pit::Outcome o = host.share(made); !o.ok()) return o;
  links_ = std::move(made);
  generation_ = generation;
  return {};
}

pit::Outcome Sharing::open(pit::Host& host, Route::Word generation, std::unique_ptr<pit::Caller>& out) {
  // In this process a thread's link costs nothing but its memory.
  if (host.mode() != "process") {
    std::unique_ptr<pit::Link> link;
    pit::Outcome o = host.open(link);
    out = std::move(link);
    return o;
  }
  if (pit::Outcome o = prepare(host, generation); !o.ok()) return o;
  const std::lock_guard lock(mutex_);
  out = std::make_unique<OneOfMany>(links_);
  return {};
}

pit::Outcome Way::open(std::shared_ptr<Route> route, std::shared_ptr<Sharing> sharing, TimeNs deadline_ns,
                       std::unique_ptr<Way>& out) {
  std::unique_ptr<Way> made(new Way(std::move(route), std::move(sharing)));
  made->route_->add(made->party_);
  if (!made->enter(deadline_ns)) return std::move(made->why_);
  Route::leave(made->party_, 0);
  out = std::move(made);
  return {};
}

Way::~Way() { route_->remove(party_); }

std::optional<Route::Word> Way::enter(TimeNs deadline_ns) noexcept {
  try {
    for (;;) {
      const auto word = route_->wait_open(deadline_ns);
      if (!word) {
        (void)out_of_time();
        return std::nullopt;
      }
      if (known_ != Route::generation_of(*word) && !follow(*word, deadline_ns)) return std::nullopt;
      if (known_ == Route::generation_of(*word) && route_->try_enter(party_, *word)) return word;
      Route::leave(party_, 0);
    }
  } catch (const std::bad_alloc&) {
    why_ = {SYMPHONY_OVERLOADED, {}};
    return std::nullopt;
  }
}

bool Way::out_of_time() {
  why_ = {SYMPHONY_DEADLINE, std::string(text_waited)};
  return false;
}

bool Way::follow(Route::Word word, TimeNs deadline_ns) {
  const Route::Word generation = Route::generation_of(word);
  const auto host = route_->host_of(word);
  if (host == nullptr) return true;  // it is another one by now: enter() looks again
  std::unique_ptr<pit::Caller> made;
  pit::Link* link = nullptr;
  if (sharing_ != nullptr) {
    why_ = sharing_->open(*host, generation, made);
  } else {
    std::unique_ptr<pit::Link> own;
    why_ = host->open(own);
    link = own.get();
    made = std::move(own);
  }
  // One that goes while a link to it is opened is no reason: the next is there or comes.
  if (!why_.ok()) return !route_->is(word);
  // A link that was opened to what follows a dead instance on probation would not notice. Asked after it was opened: an
  // instance that is there now was there then.
  bool is_mistaken = false;
  if ((word & Route::probation_bit) != 0) {
    const std::uint64_t now = host->incarnation();
    if (now == 0) return now_ns() < deadline_ns || out_of_time();
    is_mistaken = now != route_->expected_incarnation();
  }
  if (link_ != nullptr) {
    const pit::Tally last = link_->tally();
    before_ = {before_.calls + last.calls, before_.ended + last.ended, before_.dropped + last.dropped};
  }
  if (link != nullptr && wake_ != nullptr) link->wake_with(wake_);
  caller_ = std::move(made);
  link_ = link;
  incarnation_ = is_mistaken ? no_incarnation : caller_->incarnation();
  known_ = generation;
  return true;
}

pit::Reply Way::call_slowly(const pit::Request& request, std::uint32_t was) noexcept {
  Route::leave(party_, was);
  // From inside a call of this very way, which the gate waits for: the instance refuses it.
  if (was != 0) return caller_->call(request);
  for (;;) {
    const auto word = enter(request.deadline_ns);
    if (!word) {
      ++before_.calls;
      ++before_.ended;
      return {why_.status, 0, {}, why_.text.empty() && !why_.ok() ? text_memory : why_.text};
    }
    Verdict verdict = Verdict::good;
    pit::Reply reply;
    {
      const Inside inside{party_, 0};
      reply = caller_->call(request);
      if ((*word & Route::probation_bit) != 0) verdict = judge(request.type, request.effect, reply);
    }
    if (verdict == Verdict::good) return reply;
    if (verdict == Verdict::lost) return {SYMPHONY_CRASHED, 0, {}, text_lost};
    route_->wait_other(*word, request.deadline_ns);
  }
}

bool Way::is_the_expected_one() noexcept {
  if (incarnation_ != 0) return caller_->incarnation() == incarnation_;
  const auto host = route_->host_of(known_);
  const std::uint64_t now = host != nullptr ? host->incarnation() : 0;
  return now == 0 || now == route_->expected_incarnation();
}

// Inside: whoever goes back waits until it was counted.
Way::Verdict Way::judge(std::uint32_t type, std::uint32_t effect, const pit::Reply& reply) noexcept {
  if (is_the_expected_one()) {
    route_->count(type, effect, reply.ok());
    return Verdict::good;
  }
  route_->report_failure();
  if (effect != SYMPHONY_EFFECT_ONCE) return Verdict::again;
  return reply.ok() ? Verdict::lost : Verdict::good;
}

// ---- calls without waiting, as the pits' service thread makes them

bool Way::try_start(const pit::Request& request, std::uint64_t tag) noexcept {
  if (failed_) return false;  // one at a time
  was_refused_ = false;
  try {
    started_.reserve(started_.size() + 1);
  } catch (const std::bad_alloc&) {
    return false;
  }
  const auto word = enter(0);
  if (!word) {
    was_refused_ = why_.status == SYMPHONY_DEADLINE;  // the gate is closed, and this one does not wait
    if (was_refused_) return false;
    failed_ = tag;
    ++before_.calls;
    return true;
  }
  const Inside inside{party_, 0};
  if (link_ == nullptr) return false;
  // relaxed: this party is inside, which whoever looks at the one sees before the other.
  party_.started.store(static_cast<std::uint32_t>(started_.size() + 1), std::memory_order_relaxed);
  if (link_->try_start(request, tag)) {
    started_.push_back({tag, request.type, request.effect, (*word & Route::probation_bit) != 0});
    return true;
  }
  // relaxed: as above.
  party_.started.store(static_cast<std::uint32_t>(started_.size()), std::memory_order_relaxed);
  return false;
}

bool Way::try_take(std::uint64_t& tag, pit::Reply& reply) noexcept {
  if (failed_) {
    tag = *std::exchange(failed_, std::nullopt);
    ++before_.ended;
    reply = {why_.status, 0, {}, why_.text.empty() ? text_memory : why_.text};
    return true;
  }
  // While a call is out nobody changes the instance.
  if (link_ == nullptr || started_.empty() || !link_->try_take(tag, reply)) return false;
  const auto found = std::find_if(started_.begin(), started_.end(), [&](const Started& s) { return s.tag == tag; });
  if (found != started_.end()) {
    // Its body is gone: it cannot be made again here.
    if (found->on_probation && judge(found->type, found->effect, reply) != Verdict::good) {
      reply = {SYMPHONY_CRASHED, 0, {}, text_lost};
    }
    started_.erase(found);
  }
  // sync route.inside release: what the call did, for whoever finds that none is out.
  party_.started.store(static_cast<std::uint32_t>(started_.size()), std::memory_order_release);
  return true;
}

pit::Link::Wait Way::prepare_wait() noexcept {
  if (failed_) return {-1, 0};
  Wait wait = link_ != nullptr ? link_->prepare_wait() : Wait{};
  if (was_refused_) wait.until_ns = std::min(wait.until_ns, now_ns() + ms_ns);
  return wait;
}

void Way::wake_with(std::shared_ptr<const UniqueFd> wake) noexcept {
  wake_ = std::move(wake);
  if (link_ != nullptr) link_->wake_with(wake_);
}

pit::Tally Way::tally() const noexcept {
  const pit::Tally now = link_ != nullptr ? link_->tally() : pit::Tally{};
  return {before_.calls + now.calls, before_.ended + now.ended, before_.dropped + now.dropped};
}

}  // namespace symphony::conductor
