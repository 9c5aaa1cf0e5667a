#include "tests/unit/broker/simulator.hpp"

#include <algorithm>
#include <functional>

namespace symphony::detail::broker {
namespace {

using namespace control;

std::vector<PitConfig> pits_of(std::size_t count) {
  std::vector<PitConfig> pits(count);
  for (std::size_t i = 0; i < count; ++i) {
    pits[i].name = "pit" + std::to_string(i);
    pits[i].executable = "/pit";
    pits[i].start_at_once = i % 2 == 0;
  }
  return pits;
}

}  // namespace

Simulator::Simulator(const Options& options) : options_(options), random_(options.seed) {
  start_broker();
  callers_.resize(options_.callers);
  for (std::size_t c = 0; c < callers_.size(); ++c) {
    for (std::size_t l = 0; l < options_.links_each; ++l) {
      Wish wish;
      wish.pit = static_cast<PitIndex>((c + l) % options_.pits);
      callers_[c].wishes.push_back(wish);
    }
    connect(callers_[c]);
  }
}

void Simulator::violation(std::string text) {
  violations_.push_back("delivery " + std::to_string(delivered_) + ": " + std::move(text));
}

// ---- the broker ----

void Simulator::start_broker() {
  ++generation_;
  core_ = std::make_unique<BrokerCore>(
      CoreConfig{pits_of(options_.pits), generation_, options_.seed, 1000, options_.by_path});
  segments_.clear();
  sealed_.clear();
  local_.clear();
  from_keeper_.clear();
  armed_ns_ = no_deadline_ns;
  Begin begin;
  for (const Process& p : processes_) {
    if (p.alive) begin.processes.push_back({p.pit, p.instance, static_cast<pid_t>(p.instance + 1)});
  }
  for (const auto& [key, blob] : records_) begin.records.push_back({key, blob});
  feed(begin);
}

void Simulator::feed(const Event& event) {
  core_->step(event, now_ns_);
  hash_ = hash_ * 0x100000001b3 ^ core_->state_hash();
  for (Action action; core_->pop(action);) execute(action);
}

void Simulator::execute(const Action& action) {
  const auto needs = [&](const std::vector<FdName>& fds, LinkId link, Epoch epoch) {
    for (const FdName fd : fds) {
      const bool ro = fd == FdName::caller_segment_ro || fd == FdName::pit_segment_ro;
      if (fd != FdName::pit_pidfd && segments_.count({link, epoch}) == 0)
        violation("an action names forgotten segments");
      if (ro && sealed_.count({link, epoch}) == 0) violation("a side gets the other's segment before the seal");
    }
  };
  if (const auto* a = std::get_if<SendToCaller>(&action)) {
    needs(a->fds, a->link, a->epoch);
    Caller* const caller = caller_of(a->conn);
    if (caller == nullptr) return;
    ToCaller message{a->message, 0, false};
    if (std::holds_alternative<control::Peer>(a->message)) message.instance = core_->status().at(a->pit).instance;
    if (const auto* own = std::get_if<Own>(&a->message); own != nullptr) message.instance = a->pit;
    caller->from_broker.push_back(std::move(message));
  } else if (const auto* to_pit = std::get_if<SendToPit>(&action)) {
    needs(to_pit->fds, to_pit->link, to_pit->epoch);
    if (Process* p = process_of(to_pit->pit, to_pit->instance)) p->from_broker.push_back(to_pit->message);
  } else if (const auto* make = std::get_if<MakeSegments>(&action)) {
    if (!segments_.insert({make->link, make->epoch}).second) violation("segments of an epoch are made twice");
    local_.push_back(SegmentsMade{make->link, make->epoch});
  } else if (const auto* seal = std::get_if<SealSegments>(&action)) {
    if (segments_.count({seal->link, seal->epoch}) == 0) violation("forgotten segments are sealed");
    sealed_.insert({seal->link, seal->epoch});
    local_.push_back(SegmentsSealed{seal->link, seal->epoch});
  } else if (const auto* forget = std::get_if<ForgetSegments>(&action)) {
    if (segments_.erase({forget->link, forget->epoch}) == 0) violation("segments are forgotten twice");
  } else if (const auto* spawn = std::get_if<SpawnPit>(&action)) {
    for (const Process& p : processes_) {
      if (p.alive && p.pit == spawn->pit) violation("two instances of one pit run");
    }
    Process p;
    p.pit = spawn->pit;
    p.instance = spawn->instance;
    p.to_broker.push_back(PitReady{1, 1, now_ns_, "pit", "1", 1000});
    processes_.push_back(std::move(p));
    from_keeper_.push_back(PitSpawned{spawn->pit, spawn->instance, static_cast<pid_t>(spawn->instance + 1)});
  } else if (const auto* kill_pit = std::get_if<KillPit>(&action)) {
    if (Process* p = process_of(kill_pit->pit, kill_pit->instance)) pit_dies(*p, true, 9);
  } else if (const auto* put = std::get_if<PutRecord>(&action)) {
    needs(put->fds, put->link, put->epoch);
    records_[put->key] = put->blob;
  } else if (const auto* gone = std::get_if<DeleteRecord>(&action)) {
    if (records_.erase(gone->key) == 0) violation("a record is deleted that is not there");
  } else if (const auto* end = std::get_if<DisconnectCaller>(&action)) {
    if (Caller* caller = caller_of(end->conn)) {
      caller->conn = 0;
      caller->to_broker.clear();
      caller->from_broker.push_back({Welcome{}, 0, true});
    }
  } else if (const auto* arm = std::get_if<ArmTimer>(&action)) {
    armed_ns_ = arm->at_ns;
  }
}

// ---- callers ----

Simulator::Caller* Simulator::caller_of(ConnId conn) {
  for (Caller& c : callers_) {
    if (c.conn == conn && c.alive) return &c;
  }
  return nullptr;
}

void Simulator::connect(Caller& caller) {
  caller.conn = next_conn_++;
  caller.greeted = false;
  caller.answers.clear();
  caller.from_broker.clear();
  caller.to_broker.clear();
  Hello hello{1, 1, now_ns_, {}};
  for (Wish& w : caller.wishes) {
    w.forming = {};
    if (w.live) hello.links.push_back({w.link, w.epoch});
  }
  caller.to_broker.push_back(CallerConnected{caller.conn, 1000});
  caller.to_broker.push_back(CallerMessage{caller.conn, hello});
}

void Simulator::open_missing(Caller& caller) {
  for (Wish& w : caller.wishes) {
    if (w.live || w.ended) continue;
    w.correlation = caller.next_correlation++;
    caller.to_broker.push_back(CallerMessage{
        caller.conn, Open{w.correlation, "pit" + std::to_string(w.pit), w.link, 0, 0, now_ns_ + 30 * second_ns}});
  }
}

void Simulator::deliver_to_caller(Caller& caller) {
  const ToCaller got = std::move(caller.from_broker.front());
  caller.from_broker.pop_front();
  if (got.hang_up) {
    caller.answers.clear();
    if (options_.by_path) return connect(caller);
    for (Wish& w : caller.wishes) {  // nobody to ask again, and the broker took it for dead
      w.ended = true;
      w.live = false;
    }
    return;
  }
  const auto say = [&](Message m) {
    if (caller.conn != 0) caller.to_broker.push_back(CallerMessage{caller.conn, std::move(m)});
  };
  const auto wish_of = [&](LinkId link) -> Wish* {
    for (Wish& w : caller.wishes) {
      if (w.link == link && link != 0) return &w;
    }
    return nullptr;
  };
  if (std::holds_alternative<Welcome>(got.message)) {
    caller.greeted = true;
    open_missing(caller);
  } else if (const auto* own = std::get_if<Own>(&got.message)) {
    Wish* wish = wish_of(own->at.link);
    for (Wish& w : caller.wishes) {
      if (wish == nullptr && w.link == 0 && w.correlation == own->correlation && own->correlation != 0) wish = &w;
    }
    if (wish == nullptr) return violation("an Own for a link nobody asked for");
    if (own->at.epoch <= wish->epoch) return violation("an epoch that is not newer");
    wish->link = own->at.link;
    wish->forming = own->at;
    say(Mapped{own->at});
  } else if (const auto* peer = std::get_if<control::Peer>(&got.message)) {
    Wish* wish = wish_of(peer->at.link);
    if (wish == nullptr || wish->forming != peer->at) return;
    wish->instance = got.instance;
    say(Ready{peer->at, 0});
  } else if (const auto* go = std::get_if<Go>(&got.message)) {
    Wish* wish = wish_of(go->at.link);
    if (wish == nullptr || wish->forming != go->at) return;
    wish->forming = {};
    wish->epoch = go->at.epoch;
    const Process* p = process_of(wish->pit, wish->instance);
    wish->live = p != nullptr && p->alive;
    ++wish->answers;
  } else if (const auto* keep = std::get_if<Keep>(&got.message)) {
    const Wish* wish = wish_of(keep->link);
    if (wish == nullptr || wish->epoch != keep->epoch) violation("a link is kept that was not listed");
  } else if (const auto* drop = std::get_if<Drop>(&got.message)) {  // what Hello listed is not on record
    Wish* wish = wish_of(drop->at.link);
    if (wish == nullptr || wish->epoch != drop->at.epoch) return;
    wish->live = false;
    wish->correlation = caller.next_correlation++;
    say(Open{wish->correlation, "pit" + std::to_string(wish->pit), wish->link, 0, 0, now_ns_ + 30 * second_ns});
  } else if (const auto* answer = std::get_if<Answer>(&got.message)) {
    if (caller.answers.count(answer->correlation) == 0) violation("an answer to nothing");
    if (++caller.answers[answer->correlation] > 1) violation("two answers to one command");
  } else if (const auto* refused = std::get_if<Refused>(&got.message)) {
    for (Wish& w : caller.wishes) {
      const bool its = (refused->link != 0 && w.link == refused->link) ||
                       (refused->correlation != 0 && w.correlation == refused->correlation);
      if (!its) continue;
      w.ended = true;
      w.live = false;
      ++w.answers;
    }
  }
}

// ---- pits ----

Simulator::Process* Simulator::process_of(PitIndex pit, std::uint32_t instance) {
  for (Process& p : processes_) {
    if (p.alive && p.pit == pit && p.instance == instance) return &p;
  }
  return nullptr;
}

void Simulator::deliver_to_pit(Process& p) {
  const Message m = std::move(p.from_broker.front());
  p.from_broker.pop_front();
  if (const auto* own = std::get_if<Own>(&m)) {
    p.attached[own->at.link] = own->at;
    p.to_broker.push_back(Mapped{own->at});
  } else if (const auto* peer = std::get_if<control::Peer>(&m)) {
    if (p.attached.count(peer->at.link) == 0 || p.attached[peer->at.link] != peer->at) return;
    p.to_broker.push_back(Ready{peer->at, 1});
  } else if (const auto* drop = std::get_if<Drop>(&m)) {
    if (p.attached.count(drop->at.link) != 0 && p.attached[drop->at.link].epoch == drop->at.epoch)
      p.attached.erase(drop->at.link);
    p.to_broker.push_back(Drained{drop->at});
  } else if (std::holds_alternative<Stop>(m)) {
    pit_dies(p, false, 0);
  }
}

void Simulator::command() {
  constexpr Verb verbs[] = {Verb::start, Verb::stop, Verb::restart, Verb::restart};
  Caller& c = callers_.back();
  if (!c.alive || c.conn == 0 || !c.greeted) return;
  const std::uint64_t correlation = c.next_correlation++;
  c.answers[correlation] = 0;
  c.to_broker.push_back(
      CallerMessage{c.conn, Command{correlation, verbs[pick(4)], "pit" + std::to_string(pick(options_.pits)), 0,
                                    now_ns_ + second_ns * static_cast<TimeNs>(1 + pick(30)), 0}});
}

void Simulator::pit_dies(Process& p, bool signalled, int value) {
  p.alive = false;
  p.from_broker.clear();
  from_keeper_.push_back(PitExited{p.pit, p.instance, signalled, value});
  for (Caller& c : callers_) c.deaths.emplace_back(p.pit, p.instance);
}

// ---- deaths and deliveries ----

void Simulator::kill(Victim victim) {
  if (victim == Victim::pit) {
    std::vector<Process*> alive;
    for (Process& p : processes_) {
      if (p.alive) alive.push_back(&p);
    }
    if (!alive.empty()) pit_dies(*alive[pick(alive.size())], true, 9);
  } else if (victim == Victim::caller) {
    Caller& c = callers_[pick(callers_.size())];
    if (!c.alive) return;
    c.alive = false;
    c.from_broker.clear();
    if (c.conn != 0) {  // what it said before counts
      c.to_broker.push_back(CallerLeft{c.conn, !options_.by_path});
      if (options_.by_path) c.to_broker.push_back(CallerLeft{c.conn, true});
    }
  } else if (victim == Victim::connection) {
    Caller& c = callers_[pick(callers_.size())];
    if (!c.alive || c.conn == 0) return;
    std::deque<Event> left = std::move(c.to_broker);
    left.push_back(CallerLeft{c.conn, !options_.by_path});
    if (!options_.by_path) {
      c.to_broker = std::move(left);
      c.from_broker.push_back({Welcome{}, 0, true});
      c.conn = 0;
      return;
    }
    connect(c);
    c.to_broker.insert(c.to_broker.begin(), left.begin(), left.end());
  } else if (victim == Victim::broker) {
    for (Caller& c : callers_) {
      c.to_broker.clear();
      if (c.conn != 0 && c.alive) c.from_broker.push_back({Welcome{}, 0, true});
      c.conn = 0;
    }
    start_broker();
  }
}

bool Simulator::deliver_one() {
  if (!local_.empty()) {  // an event of the shell's own: before anything else
    const Event e = std::move(local_.front());
    local_.pop_front();
    feed(e);
    return true;
  }
  std::vector<std::function<void()>> ways;
  for (Caller& c : callers_) {
    if (!c.to_broker.empty()) {
      ways.emplace_back([&] {
        const Event e = std::move(c.to_broker.front());
        c.to_broker.pop_front();
        feed(e);
      });
    }
    if (c.alive && !c.from_broker.empty()) ways.emplace_back([&] { deliver_to_caller(c); });
    if (c.alive && !c.deaths.empty()) {
      ways.emplace_back([&] {
        const auto [pit, instance] = c.deaths.front();
        c.deaths.pop_front();
        for (Wish& w : c.wishes) {
          if (w.pit == pit && w.instance == instance) w.live = false;
        }
      });
    }
  }
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    Process& p = processes_[i];
    if (!p.to_broker.empty()) {
      ways.emplace_back([this, i] {
        const Event e = PitMessage{processes_[i].pit, processes_[i].instance, processes_[i].to_broker.front()};
        processes_[i].to_broker.pop_front();
        feed(e);
      });
    }
    if (p.alive && !p.from_broker.empty()) ways.emplace_back([this, i] { deliver_to_pit(processes_[i]); });
  }
  if (!from_keeper_.empty()) {
    ways.emplace_back([&] {
      const Event e = std::move(from_keeper_.front());
      from_keeper_.pop_front();
      if (const auto* exit = std::get_if<PitExited>(&e)) {  // the shell reads what the dead one said first
        for (std::size_t i = 0; i < processes_.size(); ++i) {
          if (processes_[i].pit != exit->pit || processes_[i].instance != exit->instance) continue;
          while (!processes_[i].to_broker.empty()) {
            const Event said = PitMessage{exit->pit, exit->instance, processes_[i].to_broker.front()};
            processes_[i].to_broker.pop_front();
            feed(said);
          }
        }
      }
      feed(e);
    });
  }
  if (!ways.empty()) {
    ways[pick(ways.size())]();
    return true;
  }
  if (armed_ns_ == no_deadline_ns) return false;
  now_ns_ = std::max(now_ns_, armed_ns_);
  armed_ns_ = no_deadline_ns;
  feed(TimerFired{});
  return true;
}

std::size_t Simulator::run(Victim victim, std::size_t at) {
  std::size_t n = 0;
  for (bool more = true; more && n < deliveries_max; ++n, ++delivered_) {
    if (n == at) kill(victim);
    more = deliver_one();
  }
  if (n >= deliveries_max) violation("it does not come to rest");
  return n;
}

std::size_t Simulator::run_random(std::size_t faults) {
  constexpr Victim victims[] = {Victim::pit, Victim::caller, Victim::broker, Victim::connection};
  std::size_t n = 0;
  for (; n < deliveries_max; ++n, ++delivered_) {
    if (faults > 0 && pick(25) == 0) {
      kill(victims[pick(4)]);
      --faults;
    }
    if (options_.commands > 0 && pick(15) == 0) {
      command();
      --options_.commands;
    }
    if (!deliver_one()) break;
  }
  if (n >= deliveries_max) violation("it does not come to rest");
  return n;
}

void Simulator::close_all() {
  for (Caller& c : callers_) {
    if (!c.alive || c.conn == 0) continue;
    for (Wish& w : c.wishes) {
      if (w.link != 0 && !w.ended) c.to_broker.push_back(CallerMessage{c.conn, Close{w.link}});
      w.ended = true;
      w.live = false;
    }
  }
  run(Victim::none, deliveries_max);
}

// ---- what must hold ----

std::vector<std::string> Simulator::check_settled() const {
  std::vector<std::string> wrong = violations_;
  for (const Caller& c : callers_) {
    if (!c.alive) continue;
    for (const auto& [correlation, count] : c.answers) {
      if (count != 1) wrong.push_back("a command has no answer: " + std::to_string(correlation));
    }
    for (const Wish& w : c.wishes) {
      if (!w.live && !w.ended) wrong.push_back("an open has no end: link " + std::to_string(w.link));
      if (!w.ended && w.answers == 0) wrong.push_back("a link is live without a Go");
      if (!w.live) continue;
      const auto p = std::find_if(processes_.begin(), processes_.end(), [&](const Process& q) {
        return q.alive && q.pit == w.pit && q.instance == w.instance;
      });
      if (p == processes_.end()) {
        wrong.push_back("a live link to a dead pit");
      } else if (const auto at = p->attached.find(w.link); at == p->attached.end() || at->second.epoch != w.epoch) {
        wrong.push_back("the two ends of a link are in different epochs");
      }
    }
  }
  if (!segments_.empty()) wrong.push_back("the broker holds segments of no attach");
  return wrong;
}

std::vector<std::string> Simulator::check_closed() const {
  std::vector<std::string> wrong = violations_;
  if (core_->link_count() != 0)
    wrong.push_back("the broker has " + std::to_string(core_->link_count()) + " links left");
  if (!segments_.empty()) wrong.push_back("segments are left");
  for (const auto& [key, blob] : records_) {
    if (!is_pit_key(key)) wrong.push_back("the keeper has a record left of link " + std::to_string(key));
  }
  for (const Process& p : processes_) {
    if (p.alive && !p.attached.empty()) wrong.push_back("a pit has mappings left");
  }
  return wrong;
}

}  // namespace symphony::detail::broker
