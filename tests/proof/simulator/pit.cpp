// A pit's process: ServiceCore and ServedLink as bus/endpoint has them, one step of R4 at a time, so that it can die
// between any two. One with a journal restores its state as the link protocol's J1 says.
#include <algorithm>

#include "tests/proof/simulator/world.hpp"

namespace symphony::proof {
namespace {

using Pairs = std::vector<std::pair<LinkId, std::uint64_t>>;

std::uint64_t last_of(const Pairs& last, LinkId link) {
  for (const auto& [l, id] : last) {
    if (l == link) return id;
  }
  return 0;
}

void set_last(Pairs& last, LinkId link, std::uint64_t id) {
  for (auto& [l, known] : last) {
    if (l == link) {
      known = std::max(known, id);
      return;
    }
  }
  last.emplace_back(link, id);
}

bool has(const Pairs& all, LinkId link, std::uint64_t id) {
  return std::find(all.begin(), all.end(), std::pair{link, id}) != all.end();
}

}  // namespace

void World::pit_starts(Process& p) {
  p.started = true;
  if (meets(Fault::pit_never_ready, 20)) return;
  for (const auto& [fault, status] :
       {std::pair{Fault::pit_exits_0, 0}, {Fault::pit_exits_75, 75}, {Fault::pit_exits_125, 125}}) {
    if (meets(fault, 40)) return pit_dies(p, false, status);
  }
  if (!p.waits) return pit_is_ready(p);
  control::Prepared prepared;
  if (meets(Fault::pit_speaks_another_protocol, 80)) prepared.protocol_min = prepared.protocol_max = 99;
  p.to_broker.push(prepared);
  p.serves = true;
  p.lies = meets(Fault::pit_breaks_protocol, 20);
  if (p.lies) pit_is_ready(p);
}

void World::pit_takes_state(Process& p) {
  p.has_taken = true;
  if (meets(Fault::pit_exits_75, 20)) return pit_dies(p, false, 75);
  if (meets(Fault::pit_never_ready, 20)) return;
  p.took_whole_state = std::none_of(active_.begin(), active_.end(), [&](const Process* q) {
    return q->alive && q->pit == p.state_pit && q->name == p.name && !q->frozen;
  });
  const bool is_kept = journals_[p.pit].is_kept;
  if (is_kept) journals_[p.pit] = journals_[p.state_pit];
  journals_[p.pit].is_kept = is_kept;
  pit_is_ready(p);
}

void World::pit_is_ready(Process& p) {
  control::PitReady ready;
  ready.clock_ns = now_ns_;
  ready.name = "pit";
  ready.version = "1";
  ready.reply_size_max = 1000;
  ready.protocol_max = p.protocol;
  if (meets(Fault::pit_speaks_another_protocol, 80)) ready.protocol_min = ready.protocol_max = 99;
  if (meets(Fault::pit_has_another_clock, 80)) ready.clock_ns += 3600 * second_ns;
  p.to_broker.push(std::move(ready));
  p.serves = true;
  p.ignores_stop = meets(Fault::pit_ignores_stop, 20);
  if (!p.is_alone && p.calls) p.to_broker.push(control::CallerWanted{1});
}

// ---- control thread ----

void World::pit_control(Process& p) {
  const Message m = p.from_broker.pop();
  if (const auto* own = std::get_if<control::Own>(&m)) {
    for (const Process::Served& link : p.links) {
      if (link.at.link == own->at.link && own->at.epoch <= link.at.epoch) violation("a pit is offered an old epoch");
    }
    if (meets(Fault::pit_cannot_map, 20)) return p.to_broker.push(control::MapFailed{own->at, 12});
    std::erase_if(p.forming, [&](const control::Attachment& f) { return f.link == own->at.link; });
    p.forming.push_back(own->at);
    p.to_broker.push(control::Mapped{own->at});
  } else if (const auto* peer = std::get_if<control::Peer>(&m)) {
    if (std::erase(p.forming, peer->at) == 0) return;
    if (meets(Fault::pit_cannot_map, 30)) return p.to_broker.push(control::MapFailed{peer->at, 12});
    p.mailbox.push({Process::Mail::Kind::attach, peer->at});
  } else if (const auto* drop = std::get_if<control::Drop>(&m)) {
    std::erase_if(p.forming, [&](const control::Attachment& f) {  // of whatever generation
      return f.link == drop->at.link && f.epoch == drop->at.epoch;
    });
    p.mailbox.push({drop->drain ? Process::Mail::Kind::drain : Process::Mail::Kind::drop, drop->at});
  } else if (const auto* freeze = std::get_if<control::Freeze>(&m)) {
    p.mailbox.push({Process::Mail::Kind::freeze, {}, freeze->number});
  } else if (std::holds_alternative<control::Thaw>(m)) {
    p.mailbox.push({Process::Mail::Kind::thaw, {}});
  } else if (std::holds_alternative<control::TakeState>(m)) {
    pit_takes_state(p);
  } else if (const auto* rehearse = std::get_if<control::Rehearse>(&m)) {
    if (!p.waits || p.has_taken) return p.mailbox.push({Process::Mail::Kind::rehearse, {}, rehearse->number});
    if (meets(Fault::pit_exits_75, 20)) return pit_dies(p, false, 75);
    p.was_rehearsed = pit_rehearses(p, rehearse->number);
  } else if (const auto* cancel = std::get_if<control::CancelRequest>(&m)) {
    const bool is_it = p.working_at.link == cancel->at.link && p.working_on.id == cancel->id;
    if (p.hung && p.heeds_cancel && is_it) {
      p.hung = p.is_told = false;
      ++seen.heeded;
    }
  } else if (std::holds_alternative<control::Stop>(m)) {
    p.mailbox.push({Process::Mail::Kind::stop, {}});
  }
}

// ---- data thread ----

// W2. Nothing is entered any more, and what is said of links waits.
void World::pit_freezes(Process& p, std::uint32_t number) {
  if (meets(Fault::pit_killed, 20)) return pit_dies(p, true, 9);
  for (const auto& [fault, status] : {std::pair{Fault::pit_exits_0, 0}, {Fault::pit_exits_125, 125}}) {
    if (meets(fault, 50)) return pit_dies(p, false, status);
  }
  if (meets(Fault::pit_freezes_late, 6)) return;
  const bool has_later = !journals_[p.pit].is_kept && !p.later.empty();
  if (has_later || meets(Fault::pit_cannot_freeze, 6)) {
    return p.to_broker.push(control::Frozen{number, errc::busy, "not now"});
  }
  p.frozen = true;
  p.to_broker.push(control::Frozen{number, control::code_done, {}});
}

// Either of the two. Whether it says that all is well.
bool World::pit_rehearses(Process& p, std::uint32_t number) {
  const TimeNs took = dice_.one_in(8) ? 30 * ms_ns : us_ns;
  const bool fails = meets(Fault::pit_cannot_rehearse, 5);
  if (fails && dice_.one_in(2)) return false;
  p.to_broker.push(control::Rehearsed{number, fails ? errc::refused : control::code_done, "", took});
  return !fails;
}

void World::pit_thaws(Process& p) {
  if (!p.frozen) return;
  for (const Process* q : active_) {
    if (q->alive && q != &p && q->name == p.name && !q->links.empty()) violation("two processes of one pit serve");
  }
  p.frozen = false;
  Queue<Process::Mail> rest;
  for (const Process::Mail& mail : std::exchange(p.held, {})) rest.push(mail);
  while (!p.mailbox.empty()) rest.push(p.mailbox.pop());
  p.mailbox = std::move(rest);
}

bool World::pit_has_work(const Process& p) const {
  if (p.hung) return false;
  if (p.frozen) return !p.mailbox.empty();
  if (p.stage != Process::Stage::idle || !p.mailbox.empty() || !p.later.empty()) return true;
  if (journals_[p.pit].is_kept && !journals_[p.pit].later.empty()) return true;
  return std::any_of(p.links.begin(), p.links.end(),
                     [](const Process::Served& link) { return link.next < link.memory->requests.size(); });
}

void World::pit_data(Process& p) {
  Journal& journal = journals_[p.pit];
  switch (p.stage) {
    case Process::Stage::begun: {
      p.stage = Process::Stage::ran;
      LinkHistory& history = *history_of(p.working_at.link);
      if (history.ran.size() <= p.working_on.id) history.ran.resize(p.working_on.id + 1);
      history.ran[p.working_on.id] = 1;
      if (p.working_on.deadly) return pit_dies(p, true, 11);
      p.hung = p.working_on.hangs && p.budgets.each_ns != 0;
      if (p.hung) saw(Fault::pit_hangs);
      if (journal.is_kept) {  // J1
        set_last(journal.last, p.working_at.link, p.working_on.id);
        (p.working_on.later ? journal.later : journal.owed).emplace_back(p.working_at.link, p.working_on.id);
      } else if (p.working_on.later) {
        p.later.push_back({p.working_at, p.working_on.id});
      }
      return;
    }
    case Process::Stage::ran:
      p.stage = Process::Stage::replied;
      if (!p.working_on.later) commit_reply(p, p.working_at.link, p.working_on.id);
      return;
    case Process::Stage::replied:
      p.stage = Process::Stage::idle;
      return finish_request(p);
    case Process::Stage::idle:
      break;
  }
  if (!p.mailbox.empty()) return pit_mail(p);
  if (p.frozen) return;
  if (p.budgets.each_ns != 0 && !p.is_alone && meets(Fault::pit_hangs_in_a_timer, 60)) {
    p.hung = true;
    p.working_on = {};
    p.working_at = {};
    return;
  }
  if (journal.is_kept && !journal.later.empty() && dice_.one_in(2)) {  // one event: the answers become owed
    const auto [link, id] = journal.later.front();
    journal.later.erase(journal.later.begin());
    journal.owed.emplace_back(link, id);
    return commit_reply(p, link, id);
  }
  if (!p.later.empty() && dice_.one_in(2)) {
    const Process::Later answer = p.later.front();
    p.later.erase(p.later.begin());
    for (const Process::Served& link : p.links) {
      if (link.at == answer.at) link.memory->replies.push_back(answer.id);
    }
    return;
  }
  if (p.links.empty()) return;
  const std::size_t first = dice_.below(p.links.size());
  for (std::size_t n = 0; n < p.links.size(); ++n) {
    Process::Served& link = p.links[(first + n) % p.links.size()];
    if (link.next < link.memory->requests.size()) return serve(p, link, false);
  }
}

void World::pit_mail(Process& p) {
  const Process::Mail mail = p.mailbox.pop();
  if (mail.kind == Process::Mail::Kind::freeze) {
    p.frozen = false;
    return pit_freezes(p, mail.number);
  }
  if (mail.kind == Process::Mail::Kind::thaw) return pit_thaws(p);
  if (p.frozen && mail.kind != Process::Mail::Kind::stop) return p.held.push_back(mail);
  if (mail.kind == Process::Mail::Kind::rehearse) {
    if (pit_rehearses(p, mail.number)) p.copied = mail.number;
    return;
  }
  const auto found = std::find_if(p.links.begin(), p.links.end(),
                                  [&](const Process::Served& link) { return link.at.link == mail.at.link; });
  Journal& journal = journals_[p.pit];
  switch (mail.kind) {
    case Process::Mail::Kind::attach: {
      if (found != p.links.end()) p.links.erase(found);
      const std::uint64_t last = journal.is_kept ? last_of(journal.last, mail.at.link) : 0;
      p.links.push_back({mail.at, memory_of(mail.at.link, mail.at.epoch), last, 0});
      // It is paid what it is owed before anything is taken from it.
      for (const auto& [link, id] : Pairs(journal.owed)) {
        if (link == mail.at.link) commit_reply(p, link, id);
      }
      return p.to_broker.push(control::Ready{mail.at, last});
    }
    case Process::Mail::Kind::drop:
    case Process::Mail::Kind::drain:
      if (found != p.links.end() && found->at.epoch == mail.at.epoch) {
        while (mail.kind == Process::Mail::Kind::drain && found->next < found->memory->requests.size()) {
          serve(p, *found, true);
        }
        p.links.erase(found);
      }
      if (mail.kind == Process::Mail::Kind::drain) {  // on_gone: its state knows nothing of that link any more
        const auto is_its = [&](const auto& entry) { return entry.first == mail.at.link; };
        std::erase_if(journal.last, is_its);
        std::erase_if(journal.owed, is_its);
        std::erase_if(journal.later, is_its);
      }
      return p.to_broker.push(control::Drained{mail.at});
    case Process::Mail::Kind::stop:
      if (!p.ignores_stop) pit_dies(p, false, 0);
      return;
    case Process::Mail::Kind::freeze:
    case Process::Mail::Kind::thaw:
    case Process::Mail::Kind::rehearse:
      return;  // above
  }
}

// Takes the next request. Who discards does all of it at once, and answers nobody.
void World::serve(Process& p, Process::Served& link, bool discards) {
  const Request& request = link.memory->requests[link.next++];
  link.memory->begun = link.next * record_size;
  p.working_at = link.at;
  p.working_on = request;
  if (request.id <= link.last_id || request.deadline_ns <= now_ns_) {  // D6, T1
    link.last_id = std::max(link.last_id, request.id);
    return finish_request(p);
  }
  link.last_id = request.id;
  LinkHistory& history = *history_of(link.at.link);
  if (history.begun.size() <= request.id) history.begun.resize(request.id + 1);
  if (++history.begun[request.id] > 1 && request.effect == Effect::once) violation("a once call is begun twice");
  if (!discards) {
    p.stage = Process::Stage::begun;
    p.begun_at_ns = now_ns_;
    p.froze_ns = p.stopped_ns = 0;
    p.jumps = p.stops = 0;
    return;
  }
  if (history.ran.size() <= request.id) history.ran.resize(request.id + 1);
  history.ran[request.id] = 1;
  if (journals_[p.pit].is_kept) set_last(journals_[p.pit].last, link.at.link, request.id);
  finish_request(p);
}

void World::finish_request(Process& p) {
  for (Process::Served& link : p.links) {
    if (link.at != p.working_at) continue;
    link.memory->handled = link.next * record_size;
    if (dice_.one_in(2)) link.memory->freed = link.memory->handled;
  }
}

// To the link as it is attached now; with a journal, what is owed stays so until then.
void World::commit_reply(Process& p, LinkId link, std::uint64_t id) {
  Journal& journal = journals_[p.pit];
  if (journal.is_kept && !has(journal.owed, link, id)) return;
  for (Process::Served& served : p.links) {
    if (served.at.link != link) continue;
    served.memory->replies.push_back(id);
    std::erase(journal.owed, std::pair{link, id});
    return;
  }
}

void World::pit_dies(Process& p, bool signalled, int value) {
  for (const Process::Served& link : p.links) ++history_of(link.at.link)->deaths;
  for (const LinkId link : std::exchange(p.reported, {})) ++history_of(link)->deaths;
  p.alive = p.serves = p.stopped = p.frozen = p.hung = false;
  p.from_broker.clear();
  p.forming.clear();
  p.links.clear();
  p.mailbox.clear();
  p.later.clear();
  p.stage = Process::Stage::idle;
  Kernel::get().end_process(p.id);
  const int status = signalled ? 256 + value : value;
  for (auto k = kept_.begin(); k != kept_.end(); ++k) {
    if (k->process != p.id) continue;
    k->exited = true;
    k->status = status;
    if (!core_) break;  // the next broker is told
    words_.push({KeeperWord::Kind::exited, p.pit, p.instance, p.id, status});
    kept_.erase(k);
    break;
  }
  for (const auto& c : callers_) {
    if (c->process == p.id && c->alive) caller_dies(*c);
  }
  if (!core_) return;
}

}  // namespace symphony::proof
