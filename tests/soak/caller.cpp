#include "tests/soak/caller.hpp"

#include <cstdio>
#include <deque>
#include <optional>
#include <random>

#include <poll.h>

#include <symphony/endpoint.hpp>
#include <symphony/typed.hpp>

#include "annals_generated.h"

namespace symphony::soak {
namespace {

constexpr TimeNs patience_ns = 60 * second_ns;  // far beyond what anything takes: who waits longer hangs

struct UnderWay {
  CallId id;
  CallSlot* slot;
};

class Caller {
 public:
  Caller(CallerPage& page, Link link) : page_(page), habits_(page.seed), link_(std::move(link)), random_(page.seed) {}

  bool run() {
    while (page_.stop == 0 && page_.count < calls_per_page_max) {
      if (under_way_.size() < habits_.window && (start() || under_way_.empty())) continue;
      end_oldest();
      if (page_.rest_ms != 0) (void)::poll(nullptr, 0, static_cast<int>(page_.rest_ms));
    }
    while (!under_way_.empty()) end_oldest();
    page_.place = Place::closing;
    link_.close();
    (void)link_.wait_closed(deadline_after(patience_ns));  // or the pit is dead: nothing of ours is under way
    return page_.trouble[0] == '\0';
  }

 private:
  // One more call. False: there is no room for it now; it stays the next one.
  bool start() {
    if (!next_) prepare();
    const CallOptions options{.timeout_ns = patience_ns, .effect = effect_};
    const std::span body(reinterpret_cast<const std::byte*>(builder_.GetBufferPointer()), builder_.GetSize());
    page_.place = Place::calling;
    const auto id = link_.try_start(type_, body, options);
    page_.place = Place::between;
    if (!id) {
      if (under_way_.empty()) give_up("there is no room for one call");
      return false;
    }
    under_way_.push_back({*id, next_});
    next_ = nullptr;
    return true;
  }

  void prepare() {
    next_ = &page_.calls[page_.count];
    const std::uint64_t dice = random_();
    builder_.Clear();
    if (dice % 8 == 0 && number_ != 0) {
      next_->number = number_;
      next_->kind = Kind::read;
      effect_ = Effect::read;
      builder_.Finish(annals::CreateCount(builder_, page_.incarnation));
      type_ = type_id_of<annals::Count>;
    } else {
      next_->number = ++number_;
      const bool is_once = dice / 8 % 4 == 0;
      const bool is_later = dice / 32 % 8 == 0;
      const std::uint32_t busy_us = dice / 256 % 64 == 0 ? 20 + static_cast<std::uint32_t>(dice >> 20) % 80 : 0;
      const std::vector<std::uint8_t> filler(dice / 16384 % 4 == 0 ? (dice >> 40) % 400 : 0, 0x5a);
      const auto bytes = builder_.CreateVector(filler);
      next_->kind = is_once ? Kind::once : Kind::idempotent;
      effect_ = is_once ? Effect::once : Effect::idempotent;
      type_ = is_once ? type_id_of<annals::WriteOnce> : type_id_of<annals::Write>;
      const auto check = check_of(page_.incarnation, number_);
      if (is_once) {
        builder_.Finish(annals::CreateWriteOnce(builder_, page_.incarnation, number_, check, busy_us, is_later, bytes));
      } else {
        builder_.Finish(annals::CreateWrite(builder_, page_.incarnation, number_, check, busy_us, is_later, bytes));
      }
    }
    page_.count = page_.count + 1;  // from here it was made
  }

  void end_oldest() {
    const UnderWay oldest = under_way_.front();
    under_way_.pop_front();
    page_.place = Place::calling;
    const Reply reply = link_.wait(oldest.id);
    page_.place = Place::between;
    CallSlot& slot = *oldest.slot;
    slot.status = reply.status;
    if (reply.ok()) {
      const auto* const bytes = reinterpret_cast<const std::uint8_t*>(reply.body.data());
      flatbuffers::Verifier verifier(bytes, reply.body.size());
      if (reply.type == type_id_of<annals::Place> && verifier.VerifyBuffer<annals::Place>(nullptr)) {
        slot.answer = flatbuffers::GetRoot<annals::Place>(bytes)->value();
      } else {
        slot.status = status::bad_message;
      }
    }
    slot.has_ended = 1;
    if (++ended_ % 64 == 0) {
      page_.sent_again = static_cast<std::uint32_t>(link_.counters().sent_again);
      page_.attaches = static_cast<std::uint32_t>(link_.counters().attaches);
    }
  }

  void give_up(const char* why) {
    std::snprintf(page_.trouble.data(), page_.trouble.size(), "%s", why);
    page_.stop = 1;
  }

  CallerPage& page_;
  Habits habits_;
  Link link_;
  std::mt19937_64 random_;
  flatbuffers::FlatBufferBuilder builder_;
  std::deque<UnderWay> under_way_;
  CallSlot* next_ = nullptr;  // made and not sent yet
  std::uint32_t type_ = 0;
  Effect effect_ = Effect::once;
  std::uint32_t number_ = 0;
  std::uint64_t ended_ = 0;
};

}  // namespace

Habits::Habits(std::uint32_t seed) noexcept {
  constexpr std::uint32_t windows[] = {1, 1, 2, 4, 8, 16};
  constexpr std::uint32_t capacities[] = {16 * 1024, 64 * 1024, 64 * 1024, 256 * 1024};
  const std::uint64_t dice = check_of(seed, 1);
  window = windows[dice % 6];
  ring_capacity = capacities[dice / 8 % 4];
  sleeps_at_once = dice / 64 % 2 == 0;
}

int run_caller(const std::string& socket, CallerPage& page) {
  const auto fail = [&page](const char* what, const error& why) {
    std::snprintf(page.trouble.data(), page.trouble.size(), "%s: %s", what, why.text);
    return 1;
  };
  page.place = Place::connecting;
  auto endpoint = Endpoint::connect({.realm = {}, .path = socket, .timeout_ns = patience_ns});
  if (!endpoint) return fail("connect", endpoint.error());
  page.place = Place::opening;
  const Habits habits(page.seed);
  LinkOptions options;
  options.request_capacity = options.reply_capacity = habits.ring_capacity;
  options.in_flight_max = 16;
  options.attempts_max = 255;  // it is never the message that kills the pit here
  options.waiting = habits.sleeps_at_once ? Waiting::sleep : Waiting::adaptive;
  auto link = endpoint->open("annals", options, patience_ns);
  if (!link) return fail("open", link.error());
  page.place = Place::between;
  const bool is_well = Caller(page, *std::move(link)).run();
  page.place = Place::done;
  return is_well ? 0 : 1;
}

}  // namespace symphony::soak
