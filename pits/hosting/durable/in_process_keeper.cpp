#include "pits/hosting/durable/in_process_keeper.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bus/state/layout.hpp"
#include "pits/hosting/durable/durable_pit.hpp"
#include "pits/hosting/durable/state_place.hpp"

namespace symphony::pit {
namespace {

constexpr int tries_max = 3;  // of a replay that traps: a budget may have been used up by the machine
constexpr int timers_per_turn_max = 64;
constexpr int answers_per_turn_max = 64;
constexpr TimeNs patience_min_ns = 100 * ms_ns;
constexpr TimeNs patience_max_ns = 10 * second_ns;

class InProcessKeeper final : public StateKeeper, private DurableOwner {
 public:
  InProcessKeeper(std::string name, const StatePolicy& policy) : policy_(policy), place_(std::move(name), policy) {}

  [[nodiscard]] bool outlives_the_process() const noexcept override { return place_.is_folder(); }

  Outcome begin(KeptHost& host) override {
    host_ = &host;
    later_.reserve(SYMPHONY_PENDING_MAX);  // as many requests may wait
    unmade_.reserve(SYMPHONY_CALLS_MAX);   // and so many calls be without an answer
    std::optional<detail::StateMemory> old;
    if (Outcome opened = place_.open(old); !opened.ok()) return opened;
    if (Outcome made = make(old ? &*old : nullptr); !made.ok()) return made;
    pit_->all_gone();  // with the process that had them
    if (pit_->instance().state() == State::drained) {
      if (Outcome started = pit_->start(); !started.ok()) return started;
    }
    pit_->resume();
    after();
    return {};
  }

  Outcome begin_again() override {
    if (Outcome made = make(&pit_->memory()); !made.ok()) return made;
    pit_->all_attached();
    std::vector<std::uint64_t> still_out = out_;
    for (const Answer& a : answers_) still_out.push_back(a.cookie);
    for (const auto& [cookie, status] : unmade_) still_out.push_back(cookie);
    std::sort(still_out.begin(), still_out.end());
    pit_->resume(still_out);
    sweep(SYMPHONY_TRAPPED, "the pit had accepted this call; its instance trapped before it answered");
    after();
    return {};
  }

  void end() noexcept override {
    if (pit_ == nullptr) return;
    const State state = pit_->instance().state();
    if (state == State::running || state == State::drained) (void)pit_->keep();
    pit_.reset();
    host_ = nullptr;
  }

  [[nodiscard]] Instance& instance() noexcept override { return pit_->instance(); }

  void handle(std::uint64_t link, const symphony_envelope& envelope, std::span<const std::byte> body,
              ReplySink& sink) noexcept override {
    Direct direct(*this, link, envelope.id, sink);
    pit_->handle(link, envelope, body, direct);
    after();
  }

  bool forget(std::uint64_t link, std::uint64_t id) noexcept override { return take(link, id) != nullptr; }
  void gone(std::uint64_t link) noexcept override { pit_->gone(link); }

  void answer(std::uint64_t cookie, std::int32_t status, std::uint32_t type,
              std::span<const std::byte> body) noexcept override {
    if (const auto found = std::find(out_.begin(), out_.end(), cookie); found != out_.end()) out_.erase(found);
    if (!keep_answer(cookie, status, type, body)) {
      (void)pit_->answer(cookie, SYMPHONY_OVERLOADED, 0, {});  // there is no memory to wait with it
    }
    give_answers();
    after();
  }

  Outcome restore(const Snapshot& from) override {
    Outcome restored = pit_->restore(from);
    if (!restored.ok()) return restored;
    sweep(SYMPHONY_CRASHED_ACCEPTED, "the pit had accepted this call; its state was replaced before it answered");
    after();
    return restored;
  }
  Outcome drain(std::uint64_t deadline_ns) override { return and_after(pit_->drain(deadline_ns)); }
  Outcome start() override { return and_after(pit_->start()); }
  // It is no part of a state that outlives this instance: the next one goes on from before it.
  Outcome stop() override {
    if (pit_->instance().state() == State::drained) {
      if (Outcome kept = pit_->keep(); !kept.ok()) return kept;
    }
    return pit_->instance().stop();
  }
  Outcome feed(std::uint64_t seed, TimeNs now_ns) override { return and_after(pit_->feed(seed, now_ns)); }

  void run_due(TimeNs now_ns) noexcept override {
    if (now_ns < patience_until_ns_) return;
    for (int i = 0; i < timers_per_turn_max && pit_->run_timer(now_ns); ++i) {
      if (has_trapped()) return lose_patience();
    }
    give_answers();
    if (!has_trapped()) {
      patience_ns_ = 0;
      pit_->run_snapshot_if_due(now_ns);
    }
    after();
  }
  [[nodiscard]] TimeNs next_due_ns() const noexcept override {
    TimeNs next = pit_->next_due_ns();
    if (has_answers()) next = std::min(next, pit_->retry_ns());
    return std::max(next, patience_until_ns_);
  }

 private:
  // Where the reply to the request being handled goes; what is left for later is found again by link and id.
  class Direct final : public DirectSink {
   public:
    Direct(InProcessKeeper& keeper, std::uint64_t link, std::uint64_t id, ReplySink& to)
        : keeper_(keeper), link_(link), id_(id), to_(to) {}
    bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override { return to_.claim(size_min, out); }
    void commit(std::uint32_t used, std::uint32_t type) noexcept override { to_.commit(used, type); }
    void fail(std::int32_t status, std::string_view text) noexcept override { to_.fail(status, text); }
    void leave() noexcept override { keeper_.later_.push_back({link_, id_, to_.defer(id_)}); }
    [[nodiscard]] bool abandoned() const noexcept override { return to_.abandoned(); }

   private:
    InProcessKeeper& keeper_;
    std::uint64_t link_;
    std::uint64_t id_;
    ReplySink& to_;
  };
  struct Later {
    std::uint64_t link = 0;
    std::uint64_t id = 0;
    ReplySink* to = nullptr;
  };
  struct Answer {
    std::uint64_t cookie = 0;
    std::int32_t status = SYMPHONY_OK;
    std::uint32_t type = 0;
    std::vector<std::byte> body;
  };

  // A DurablePit that goes on from `old`, in the place of the one that is there; on failure that one stays.
  Outcome make(const detail::StateMemory* old) {
    const auto make_instance = [this](InstanceServices* services, std::unique_ptr<Instance>& out) {
      return host_->make_inited(services, out);
    };
    Outcome outcome;
    for (int i = 0; i < tries_max; ++i) {
      detail::StateMemory own;
      if (outcome = place_.make_next(own); !outcome.ok()) return outcome;
      std::unique_ptr<DurablePit> made;
      outcome = DurablePit::make(make_instance, *this, policy_, std::move(own), old, host_->log(), made);
      if (outcome.ok()) outcome = place_.keep_next();
      if (outcome.ok()) {
        pit_ = std::move(made);
        return outcome;
      }
      place_.drop_next();
      if (outcome.status != SYMPHONY_TRAPPED) return outcome;
    }
    return outcome;
  }

  [[nodiscard]] bool has_trapped() noexcept { return pit_->instance().state() == State::trapped; }
  Outcome and_after(Outcome outcome) {
    after();
    return outcome;
  }

  // ---- what a durable pit asks of its process
  Delivered deliver(const Owed& ending) noexcept override {
    ReplySink* const to = take(ending.link, ending.id);
    if (to == nullptr) return Delivered::written;  // its caller has it, or does not wait any more
    if (ending.status != SYMPHONY_OK) {
      to->fail(ending.status, {reinterpret_cast<const char*>(ending.body.data()), ending.body.size()});
      return Delivered::written;
    }
    std::span<std::byte> room;
    const auto size = static_cast<std::uint32_t>(ending.body.size());
    if (size != 0 && !to->claim(size, room)) {
      to->fail(SYMPHONY_OVERLOADED, "no memory for the reply");
      return Delivered::written;
    }
    if (size != 0) std::memcpy(room.data(), ending.body.data(), size);
    to->commit(size, ending.type);
    return Delivered::written;
  }
  void post(const OwnCall& call) noexcept override {
    std::int32_t posted = SYMPHONY_OVERLOADED;
    try {
      out_.reserve(out_.size() + 1);
      posted = host_->post({call.service, call.type, call.effect, call.body, call.deadline_ns, call.cookie});
    } catch (const std::bad_alloc&) {
    }
    if (posted == SYMPHONY_OK) return out_.push_back(call.cookie);
    unmade_.emplace_back(call.cookie, posted);
  }
  [[nodiscard]] bool undoes_traps() const noexcept override { return true; }
  [[nodiscard]] bool is_heard() const noexcept override { return host_->is_heard(); }
  void tell(std::uint32_t type, std::span<const std::byte> body) noexcept override { host_->tell(type, body); }

  bool keep_answer(std::uint64_t cookie, std::int32_t status, std::uint32_t type,
                   std::span<const std::byte> body) noexcept {
    try {
      answers_.push_back({cookie, status, type, {body.begin(), body.end()}});
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  // In order; one that finds no room, or in which the pit traps, is given again later.
  void give_answers() noexcept {
    if (has_trapped() || now_ns() < patience_until_ns_) return;
    for (int i = 0; i < answers_per_turn_max && has_answers(); ++i) {
      const bool is_unmade = !unmade_.empty();
      if (is_unmade) {
        constexpr std::string_view text = "the call could not be made: free memory or descriptors";
        const auto [cookie, status] = unmade_.front();
        if (!pit_->answer(cookie, status, 0, std::as_bytes(std::span(text)))) return;
      } else {
        const Answer& a = answers_.front();
        if (!pit_->answer(a.cookie, a.status, a.type, a.body)) return;
      }
      if (has_trapped()) return lose_patience();
      if (is_unmade) {
        unmade_.erase(unmade_.begin());
      } else {
        answers_.pop_front();
      }
    }
  }
  [[nodiscard]] bool has_answers() const noexcept { return !answers_.empty() || !unmade_.empty(); }
  // What the pit may not be told of inside the event that led to it.
  void after() noexcept {
    if (has_answers()) give_answers();
  }
  // An event of the host's own that the pit trapped in comes again, but not at once: the others are served meanwhile.
  void lose_patience() noexcept {
    patience_ns_ = std::clamp(2 * patience_ns_, patience_min_ns, patience_max_ns);
    patience_until_ns_ = now_ns() + patience_ns_;
  }

  ReplySink* take(std::uint64_t link, std::uint64_t id) noexcept {
    const auto found =
        std::find_if(later_.begin(), later_.end(), [&](const Later& l) { return l.link == link && l.id == id; });
    if (found == later_.end()) return nullptr;
    ReplySink* const to = found->to;
    *found = later_.back();
    later_.pop_back();
    return to;
  }
  // Ends the requests of which the state that is there now does not know.
  void sweep(std::int32_t status, std::string_view text) noexcept {
    for (std::size_t i = 0; i < later_.size();) {
      if (pit_->waits(later_[i].link, later_[i].id)) {
        ++i;
        continue;
      }
      take(later_[i].link, later_[i].id)->fail(status, text);
    }
  }

  const StatePolicy policy_;
  StatePlace place_;
  KeptHost* host_ = nullptr;
  std::vector<Later> later_;
  std::vector<std::uint64_t> out_;                              // cookies of calls that are being made
  std::deque<Answer> answers_;                                  // that came and were not given to the pit yet
  std::vector<std::pair<std::uint64_t, std::int32_t>> unmade_;  // cookies of calls that could not be made, and why
  TimeNs patience_ns_ = 0;
  TimeNs patience_until_ns_ = 0;
  std::unique_ptr<DurablePit> pit_;
};

// As the file system and the log have it.
bool is_file_name(std::string_view name) noexcept {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.size() <= pit_name_size_max && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), is_plain);
}

}  // namespace

Outcome make_state_keeper(std::string_view name, const StatePolicy& policy, std::shared_ptr<StateKeeper>& out) {
  const auto wrong = [](const char* text) { return Outcome{SYMPHONY_BAD_STATE, text}; };
  if (policy.durability == Durability::none) return wrong("mount: durability none keeps nothing");
  if (!detail::is_state_geometry({policy.snapshot_size_max, policy.journal_size})) {
    return wrong("mount: snapshot_size_max and journal_size are multiples of 4096 up to 2 GiB");
  }
  if (policy.snapshot_after == 0 || policy.snapshot_after_ns <= 0) {
    return wrong("mount: snapshot_after and snapshot_after_ns are above 0");
  }
  if (!policy.folder.empty() && policy.folder.front() != '/')
    return wrong("mount: the state's folder is an absolute path");
  if (!policy.folder.empty() && !is_file_name(name)) {
    return wrong("mount: a pit whose state is a file has a name of letters, digits, '_', '-' and '.', not in front");
  }
  out = std::make_shared<InProcessKeeper>(std::string(name), policy);
  return {};
}

}  // namespace symphony::pit
