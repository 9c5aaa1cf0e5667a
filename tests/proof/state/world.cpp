#include "tests/proof/state/world.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace symphony::proof {
namespace {

constexpr std::uint64_t snapshot_size = 8 * 1024;

std::vector<std::byte> contents_of(int fd, std::uint64_t size) {
  std::vector<std::byte> out(size);
  std::uint64_t at = 0;
  while (at < size) {
    const ssize_t n = ::pread(fd, out.data() + at, size - at, static_cast<off_t>(at));
    if (n <= 0) break;
    at += static_cast<std::uint64_t>(n);
  }
  return out;
}

}  // namespace

// Where the reply to the request being handled goes: onto its link, in two steps that a kill may fall between.
class World::Reply final : public pit::DirectSink {
 public:
  Reply(World& world, Caller& caller, std::uint64_t id) : world_(world), caller_(caller), id_(id) {}
  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    if (world_.chance(0.05)) return false;  // the ring has no room for it
    bytes_.resize(size_min);
    out = bytes_;
    return true;
  }
  void commit(std::uint32_t used, std::uint32_t) noexcept override {
    Ending ending;
    if (used == sizeof(Receipt)) std::memcpy(&ending.receipt, bytes_.data(), sizeof(Receipt));
    put(ending);
  }
  void fail(std::int32_t status, std::string_view) noexcept override { put({status, {}}); }
  void leave() noexcept override { world_.may_be_killed_here(); }
  [[nodiscard]] bool abandoned() const noexcept override {
    return is_abandoned_ = is_abandoned_ || world_.chance(0.3);  // who gave up does not come back
  }

 private:
  void put(const Ending& ending) {
    world_.may_be_killed_here();
    caller_.replies.emplace_back(id_, ending);
    world_.may_be_killed_here();
  }
  World& world_;
  Caller& caller_;
  std::uint64_t id_;
  mutable bool is_abandoned_ = false;
  std::vector<std::byte> bytes_;
};

World::World(const Options& options) : options_(options), random_(options.seed) {
  for (std::size_t i = 0; i < options.callers; ++i) {
    Caller caller;
    caller.link = i + 1;
    caller.todo = options.calls;
    callers_.push_back(caller);
  }
  start_pit(nullptr);
}

World::~World() = default;

Caller* World::caller_of(std::uint64_t link) {
  const auto found = std::find_if(callers_.begin(), callers_.end(), [&](const Caller& c) { return c.link == link; });
  return found == callers_.end() ? nullptr : &*found;
}

void World::broken(const std::string& what) {
  if (broken_.empty()) broken_ = what;
}

// ---- the pit's process

void World::start_pit(const std::vector<std::byte>* left) {
  const detail::StateGeometry geometry{snapshot_size, options_.journal_size};
  std::optional<detail::StateMemory> old;
  if (left != nullptr) {
    UniqueFd fd(::memfd_create("left", MFD_CLOEXEC));
    if (::write(fd.get(), left->data(), left->size()) != static_cast<ssize_t>(left->size())) return broken("no memory");
    old.emplace(detail::StateMemory::map_old(std::move(fd), false).value());
  }
  UniqueFd own = detail::create_state_memory(geometry).value();
  UniqueFd kept = own.duplicate();
  own_fd_ = own.get();
  queued_.clear();
  posted_.clear();
  unconfirmed_.clear();
  is_confirmed_.clear();
  pit_.reset();
  const auto make_instance = [](pit::InstanceServices* services, std::unique_ptr<pit::Instance>& out) -> pit::Outcome {
    if (auto made = pit::Instance::make(Ledger::entry(), {.services = services, .seed = 42}, out); !made.ok())
      return made;
    return out->init();
  };
  StatePolicy policy;
  policy.durability = options_.durability;
  policy.snapshot_size_max = snapshot_size;
  policy.journal_size = options_.journal_size;
  policy.snapshot_after = 3;
  const auto started = pit::DurablePit::make(make_instance, *this, policy,
                                             detail::StateMemory::map_own(std::move(own), geometry, false).value(),
                                             old ? &*old : nullptr, nullptr, pit_);
  if (!started.ok()) return broken("the next instance did not start: " + started.text);
  replayed_ += pit_->replayed();
  may_kill_ = true;
  pit_->resume();
}

// Copies what would be left if the process were killed now.
void World::may_be_killed_here() noexcept {
  if (!may_kill_ || image_ || killed_ >= options_.kills || !chance(0.12)) return;
  image_ = {callers_, ran_, contents_of(own_fd_, detail::state_size({snapshot_size, options_.journal_size}))};
}

void World::after_step() {
  if (!image_) return;
  Shared left = std::move(*image_);
  image_.reset();
  ++killed_;
  may_kill_ = false;
  callers_ = std::move(left.callers);
  ran_ = std::move(left.ran);
  for (Caller& c : callers_) {
    c.is_attached = c.is_forming = false;
    c.next_replies.clear();
  }
  if (options_.durability == Durability::none) return broken("not a durability of histories");
  start_pit(&left.memory);
}

pit::DurableOwner::Delivered World::deliver(const pit::Owed& owed) noexcept {
  may_be_killed_here();
  Caller* const caller = caller_of(owed.link);
  if (caller == nullptr || (!caller->is_attached && !caller->is_forming)) return Delivered::absent;
  if (chance(0.2)) {
    queued_.push_back(owed);
    return Delivered::queued;
  }
  const Delivered how = put(*caller, owed);
  may_be_killed_here();
  return how;
}

// On a link whose caller has not been heard of in this epoch an ending may be for nobody.
pit::DurableOwner::Delivered World::put(Caller& caller, const pit::Owed& owed) {
  Ending ending{owed.status, {}};
  if (owed.body.size() == sizeof(Receipt)) std::memcpy(&ending.receipt, owed.body.data(), sizeof(Receipt));
  (caller.is_forming ? caller.next_replies : caller.replies).emplace_back(owed.id, ending);
  if (is_confirmed_[caller.link]) return Delivered::written;
  unconfirmed_[caller.link].push_back(owed.id);
  return Delivered::queued;
}

void World::confirm(std::uint64_t link) {
  is_confirmed_[link] = true;
  for (const std::uint64_t id : std::exchange(unconfirmed_[link], {})) {
    pit_->on_delivered(link, id);
    may_be_killed_here();
  }
}

void World::post(const pit::OwnCall& call) noexcept {
  may_be_killed_here();
  posted_.push_back(call);
}

void World::pit_acts() {
  // Endings that wait for room go first, as the service does it.
  if (!queued_.empty()) {
    const pit::Owed owed = queued_.front();
    queued_.erase(queued_.begin());
    Caller* const caller = caller_of(owed.link);
    if (caller == nullptr || !caller->is_attached) return;  // it will be delivered anew
    const Delivered how = put(*caller, owed);
    may_be_killed_here();
    if (how == Delivered::written) pit_->on_delivered(owed.link, owed.id);
    return may_be_killed_here();
  }
  if (chance(0.2) && pit_->run_timer(now_ns() + second_ns)) return may_be_killed_here();
  if (!posted_.empty() && chance(0.4)) {
    const pit::OwnCall call = posted_.front();
    posted_.pop_front();
    const bool fails = chance(0.2);
    if (!pit_->answer(call.cookie, fails ? SYMPHONY_DEADLINE : SYMPHONY_OK, 1, {})) broken("an answer found no room");
    return may_be_killed_here();
  }
  std::vector<Caller*> ready;
  for (Caller& c : callers_) {
    if (c.is_attached && !c.is_dead && c.begun < c.requests.size()) ready.push_back(&c);
  }
  if (ready.empty()) return;
  Caller& c = *ready[random_() % ready.size()];
  confirm(c.link);
  const Sent sent = c.requests[c.begun++];
  ++ran_[c.link * 1000 + sent.id];
  may_be_killed_here();
  if (sent.id <= pit_->last_id(c.link)) broken("a request was sent again that the state contains");
  const Order order{c.link, sent.id};
  const symphony_envelope envelope{sent.id,      0, static_cast<std::uint32_t>(sent.way), SYMPHONY_FLAG_REQUEST,
                                   sent.attempt, 0};
  Reply reply(*this, c, sent.id);
  pit_->handle(c.link, envelope, std::as_bytes(std::span(&order, 1)), reply);
  may_be_killed_here();
  c.handled = c.begun;
  may_be_killed_here();
}

// ---- callers

void World::end(Caller& caller, std::uint64_t id, const Ending& ending) {
  const auto found = caller.waiting.find(id);
  if (found != caller.waiting.end()) {
    caller.waiting.erase(found);
    caller.ended[id] = ending;
    return;
  }
  // It has this ending already; then it must be the same one.
  const auto before = caller.ended.find(id);
  if (before == caller.ended.end()) return broken("an ending of a call that was never made");
  if (options_.durability == Durability::journal &&
      (before->second.status != ending.status || before->second.receipt.state != ending.receipt.state)) {
    broken("link " + std::to_string(caller.link) + " call " + std::to_string(id) + " has two different endings: " +
           std::to_string(before->second.status) + "/" + std::to_string(before->second.receipt.state) + " and " +
           std::to_string(ending.status) + "/" + std::to_string(ending.receipt.state));
  }
}

void World::drain(Caller& caller) {
  for (const auto& [id, ending] : caller.replies) end(caller, id, ending);
  caller.replies.clear();
}

void World::attach(Caller& caller) {
  // The pit first: it pays what it owes, and says that it is ready. Its caller may never hear of that.
  caller.is_forming = true;
  caller.next_replies.clear();
  is_confirmed_[caller.link] = false;
  unconfirmed_[caller.link].clear();
  std::erase_if(queued_, [&](const pit::Owed& o) { return o.link == caller.link; });
  pit_->attached(caller.link);
  caller.is_forming = false;
  may_be_killed_here();
  if (image_) return;
  drain(caller);  // D2
  const std::uint64_t last_id = pit_->last_id(caller.link);
  const detail::DeadEpoch dead{caller.begun, caller.handled, 0, Trust::cooperative};
  std::vector<Sent> again;
  std::vector<std::pair<std::uint64_t, std::int32_t>> over;
  for (auto& [id, sent] : caller.waiting) {
    switch (detail::judge({id, caller.position.at(id), sent.effect, sent.attempt}, dead, last_id, 200)) {
      case detail::Verdict::in_state:
        break;
      case detail::Verdict::attempt_again:
        ++sent.attempt;
        [[fallthrough]];
      case detail::Verdict::send_again:
        again.push_back(sent);
        break;
      case detail::Verdict::crashed:
        over.emplace_back(id, SYMPHONY_CRASHED);
        break;
      case detail::Verdict::crashed_accepted:
        over.emplace_back(id, SYMPHONY_CRASHED_ACCEPTED);
        break;
      case detail::Verdict::poisoned:
      case detail::Verdict::attempt_alone:
        over.emplace_back(id, SYMPHONY_POISONED);
        break;
    }
  }
  for (const auto& [id, status] : over) end(caller, id, {status, {}});
  caller.requests.clear();
  caller.position.clear();
  caller.begun = caller.handled = 0;
  caller.is_attached = true;
  caller.replies = std::exchange(caller.next_replies, {});
  for (const Sent& sent : again) {
    caller.position[sent.id] = caller.requests.size();
    caller.requests.push_back(sent);
  }
  // What is not sent again waits where nobody looks.
  for (const auto& [id, sent] : caller.waiting) caller.position.try_emplace(id, 0);
}

void World::caller_acts(Caller& caller) {
  if (caller.is_dead) return;
  if (!caller.is_attached) {
    if (chance(0.5)) attach(caller);
    return;
  }
  if (caller.todo > 0 && chance(0.4)) {
    --caller.todo;
    Sent sent{++caller.last_id, static_cast<Way>(random_() % way_count)};
    sent.effect = sent.id % 2 == 0 ? Effect::once : Effect::idempotent;
    caller.waiting[sent.id] = sent;
    caller.position[sent.id] = caller.requests.size();
    caller.requests.push_back(sent);
  } else if (chance(0.5)) {
    drain(caller);
  }
}

// ---- the whole

bool World::is_over() const {
  return posted_.empty() && queued_.empty() && std::all_of(callers_.begin(), callers_.end(), [](const Caller& c) {
           return c.is_dead || (c.is_attached && c.todo == 0 && c.waiting.empty());
         });
}

std::string World::run() {
  for (int turn = 0; turn < 20'000 && broken_.empty() && !is_over(); ++turn) {
    caller_acts(callers_[random_() % callers_.size()]);
    after_step();
    if (!broken_.empty()) break;
    pit_acts();
    after_step();
  }
  if (broken_.empty()) judge_the_end();
  return broken_;
}

void World::judge_the_end() {
  pit::Snapshot last;
  if (const auto taken = pit_->instance().snapshot(last); !taken.ok()) return broken(taken.text);
  std::vector<std::uint64_t> words(last.bytes.size() / 8);
  std::memcpy(words.data(), last.bytes.data(), words.size() * 8);
  std::map<std::uint64_t, int> in_state;
  for (std::uint64_t i = 0; i < words[1]; ++i) ++in_state[words[2 + 2 * i] * 1000 + words[3 + 2 * i]];
  for (const auto& [key, times] : in_state) {
    if (times != 1) broken("call " + std::to_string(key) + " is in the state " + std::to_string(times) + " times");
  }
  const bool keeps_all = options_.durability == Durability::journal;
  for (Caller& c : callers_) {
    drain(c);
    if (c.is_dead) continue;
    if (!c.waiting.empty() || c.todo != 0) broken("link " + std::to_string(c.link) + ": a call has no ending");
    for (const auto& [id, ending] : c.ended) {
      const std::uint64_t key = c.link * 1000 + id;
      const std::string name = "call " + std::to_string(key);
      const bool is_once = id % 2 == 0;
      const bool was_told = ending.status == SYMPHONY_CRASHED || ending.status == SYMPHONY_CRASHED_ACCEPTED;
      if (is_once && ran_[key] > 1) broken(name + " may run once and was begun again after a death");
      if (!was_told && keeps_all && in_state[key] != 1) broken(name + " was acknowledged and is not in the state");
      if (!was_told && ran_[key] == 0) broken(name + " was acknowledged and never ran");
      if (ending.status == SYMPHONY_POISONED) broken(name + " is poisoned without a reason");
      if (keeps_all && was_told && (!is_once || ending.status != SYMPHONY_CRASHED)) {
        broken(name + " was lost with the pit: status " + std::to_string(ending.status));
      }
      if (keeps_all && ending.status == SYMPHONY_OK && ending.receipt.id != id) broken(name + " has another's ending");
    }
  }
}

}  // namespace symphony::proof
