#include "bus/control/codec_report.hpp"

#include <cstring>
#include <string>
#include <vector>

#include "bus/control/codec.hpp"

namespace symphony::detail::control {
namespace {

struct ReportEncoder {
  flatbuffers::FlatBufferBuilder& b;
  bool& too_large;

  flatbuffers::Offset<flatbuffers::String> text(const std::string& s, std::size_t size_max) {
    too_large |= s.size() > size_max;
    return b.CreateString(too_large ? "" : s);
  }
  flatbuffers::Offset<wire::PitDeath> death(const PitDeath& d) {
    const auto lines = text(d.last_lines, last_lines_size_max);
    const auto core = text(d.core, core_size_max);
    return wire::CreatePitDeath(b, d.at_ns, d.instance, static_cast<std::uint8_t>(d.cause), d.signalled, d.value,
                                d.ready_ns, lines, d.executing.link, d.executing.id, d.executing.type, d.executing.size,
                                d.executing.attempt, d.executing_count, core);
  }
  flatbuffers::Offset<wire::Letter> letter(const DeadLetter& l) {
    too_large |= l.body.size() > letter_body_size_max;
    const auto pit = text(l.pit, pit_name_size_max);
    const auto version = text(l.version, version_size_max);
    const auto of_death = death(l.death);
    const auto body = encode_body(b, too_large ? std::vector<std::byte>() : l.body);
    return wire::CreateLetter(b, l.id, pit, version, l.at_ns, l.link, l.message, l.type,
                              static_cast<std::uint8_t>(l.effect), l.attempts, static_cast<std::uint8_t>(l.outcome),
                              l.size, l.kept_size, of_death, body);
  }
};

struct ReportDecoder {
  bool& ok;

  std::string text(const flatbuffers::String* s, std::size_t size_max) {
    if (s == nullptr) return {};
    ok &= s->size() <= size_max && std::memchr(s->c_str(), 0, s->size()) == nullptr;
    return ok ? s->str() : std::string();
  }
  // An enumeration that begins with 0.
  template <class E>
  E one_of(std::uint8_t value, E last) {
    ok &= value <= static_cast<std::uint8_t>(last);
    return ok ? static_cast<E>(value) : E{};
  }
  PitDeath death(const wire::PitDeath& w) {
    return {w.at_ns(),
            w.instance(),
            one_of(w.cause(), DeathCause::exception_storm),
            w.signalled(),
            w.value(),
            w.ready_ns(),
            text(w.last_lines(), last_lines_size_max),
            {w.executing_link(), w.executing_id(), w.executing_type(), w.executing_size(), w.executing_attempt()},
            w.executing_count(),
            text(w.core(), core_size_max)};
  }
  DeadLetter letter(const wire::Letter& w) {
    DeadLetter l;
    l.id = w.id();
    l.pit = text(w.pit(), pit_name_size_max);
    l.version = text(w.version(), version_size_max);
    l.at_ns = w.at_ns();
    l.link = w.link();
    l.message = w.message();
    l.type = w.type();
    l.effect = one_of(w.effect(), Effect::idempotent);
    l.attempts = w.attempts();
    l.outcome = one_of(w.outcome(), AloneOutcome::late);
    l.size = w.size();
    l.kept_size = w.kept_size();
    if (w.death() != nullptr) l.death = death(*w.death());
    ok = decode_body(w.body(), l.body) && ok;
    return l;
  }
};

}  // namespace

flatbuffers::Offset<wire::PitDetail> encode_report(flatbuffers::FlatBufferBuilder& b, const PitReport& report,
                                                   bool& too_large) {
  ReportEncoder e{b, too_large};
  too_large |= report.calls.size() > calls_in_report_max || report.deaths.size() > deaths_max;
  const auto name = e.text(report.info.name, pit_name_size_max);
  const auto state = e.text(report.info.state, state_size_max);
  const auto status = wire::CreatePitStatus(b, name, state, report.info.pid, report.info.instance, report.info.links);
  std::vector<flatbuffers::Offset<flatbuffers::String>> calls;
  for (const std::string& call : report.calls) calls.push_back(e.text(call, pit_name_size_max));
  std::vector<flatbuffers::Offset<wire::PitDeath>> deaths;
  for (const PitDeath& d : report.deaths) deaths.push_back(e.death(d));
  const auto reason = e.text(report.reason, text_size_max);
  const auto version = e.text(report.version, version_size_max);
  const auto executable = e.text(report.executable, path_size_max);
  const auto log = e.text(report.log, path_size_max);
  const auto arguments = e.text(report.arguments, path_size_max);
  const auto all_calls = b.CreateVector(calls);
  const auto all_deaths = b.CreateVector(deaths);
  const RestartPolicy& r = report.restart;
  const auto fallback = e.text(r.fallback, pit_name_size_max);
  too_large |= report.budgets.of_types.size() > time_budgets_max;
  std::vector<wire::TypeBudget> budgets;
  for (const TimeBudgets::OfType& one : report.budgets.of_types) budgets.emplace_back(one.type, one.ns);
  const auto all_budgets = b.CreateVectorOfStructs(budgets);
  // Of a pit that is not confined none are, as in what an older release wrote.
  const SandboxBlocks walls_required = report.sandbox.profile == SandboxProfile::none ? 0 : report.sandbox.required;
  return wire::CreatePitDetail(
      b, status, reason, version, report.ready_since_ns, executable, static_cast<std::uint8_t>(report.trust),
      static_cast<std::uint8_t>(report.waiting), static_cast<std::uint8_t>(report.placement), report.start_at_once,
      all_calls, r.failures_max, r.window_ns, r.backoff_first_ns, r.backoff_max_ns, r.start_timeout_ns, report.failures,
      log, report.log_lines_lost, all_deaths, arguments, report.letters, report.letters_lost, report.runs_alone,
      static_cast<std::uint8_t>(report.sandbox.profile), walls_required, report.sandbox_reached,
      static_cast<std::uint8_t>(r.strategy), fallback, report.budgets.each_ns, all_budgets, report.overruns,
      report.hangs, r.exceptions_max, report.rings.request_capacity, report.rings.reply_capacity);
}

flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::Letter>>> encode_letters(
    flatbuffers::FlatBufferBuilder& b, const std::vector<DeadLetter>& letters, bool& too_large) {
  if (letters.empty()) return 0;
  ReportEncoder e{b, too_large};
  too_large |= letters.size() > letters_in_answer_max;
  std::vector<flatbuffers::Offset<wire::Letter>> all;
  for (const DeadLetter& l : letters) all.push_back(e.letter(l));
  return b.CreateVector(all);
}

flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> encode_body(flatbuffers::FlatBufferBuilder& b,
                                                                   const std::vector<std::byte>& body) {
  return b.CreateVector(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
}

bool decode_body(const flatbuffers::Vector<std::uint8_t>* w, std::vector<std::byte>& body) {
  if (w == nullptr) return true;
  if (w->size() > letter_body_size_max) return false;
  const auto* first = reinterpret_cast<const std::byte*>(w->data());
  body.assign(first, first + w->size());
  return true;
}

std::vector<DeadLetter> decode_letters(const flatbuffers::Vector<flatbuffers::Offset<wire::Letter>>& w, bool& ok) {
  ReportDecoder d{ok};
  std::vector<DeadLetter> out;
  ok &= w.size() <= letters_in_answer_max;
  for (flatbuffers::uoffset_t i = 0; ok && i < w.size(); ++i) out.push_back(d.letter(*w.Get(i)));
  return out;
}

PitReport decode_report(const wire::PitDetail& w, bool& ok) {
  ReportDecoder d{ok};
  PitReport out;
  if (const wire::PitStatus* s = w.status()) {
    out.info = {d.text(s->name(), pit_name_size_max), d.text(s->state(), state_size_max), s->pid(), s->instance(),
                s->links()};
  }
  out.reason = d.text(w.reason(), text_size_max);
  out.version = d.text(w.version(), version_size_max);
  out.ready_since_ns = w.ready_since_ns();
  out.executable = d.text(w.executable(), path_size_max);
  out.trust = d.one_of(w.trust(), Trust::hostile);
  out.waiting = d.one_of(w.waiting(), Waiting::sleep);
  out.placement = d.one_of(w.placement(), Placement::other_core);
  out.start_at_once = w.start_at_once();
  out.restart = {w.failures_max(),     w.window_ns(),
                 w.backoff_first_ns(), w.backoff_max_ns(),
                 w.start_timeout_ns(), d.one_of(w.strategy(), RestartStrategy::rest_for_one),
                 w.exceptions_max(),   d.text(w.fallback(), pit_name_size_max)};
  out.budgets.each_ns = w.budget_each_ns();
  if (w.budgets() != nullptr) {
    // The elements' own place is not the verifier's: a crafted one may be misaligned.
    const bool is_aligned = reinterpret_cast<std::uintptr_t>(w.budgets()->Data()) % alignof(wire::TypeBudget) == 0;
    ok &= w.budgets()->size() <= time_budgets_max && (is_aligned || w.budgets()->size() == 0);
    for (flatbuffers::uoffset_t i = 0; ok && i < w.budgets()->size(); ++i) {
      out.budgets.of_types.push_back({w.budgets()->Get(i)->type(), w.budgets()->Get(i)->ns()});
    }
  }
  out.rings = {w.request_capacity(), w.reply_capacity()};
  out.overruns = w.overruns();
  out.hangs = w.hangs();
  out.failures = w.failures();
  out.log = d.text(w.log(), path_size_max);
  out.arguments = d.text(w.arguments(), path_size_max);
  out.log_lines_lost = w.log_lines_lost();
  out.letters = w.letters();
  out.letters_lost = w.letters_lost();
  out.runs_alone = w.runs_alone();
  out.sandbox.profile = d.one_of(w.sandbox_profile(), SandboxProfile::threads);
  out.sandbox.required = w.sandbox_required();
  out.sandbox_reached = w.sandbox_reached();
  if (w.calls() != nullptr) {
    ok &= w.calls()->size() <= calls_in_report_max;
    for (flatbuffers::uoffset_t i = 0; ok && i < w.calls()->size(); ++i) {
      out.calls.push_back(d.text(w.calls()->Get(i), pit_name_size_max));
    }
  }
  if (w.deaths() != nullptr) {
    ok &= w.deaths()->size() <= deaths_max;
    for (flatbuffers::uoffset_t i = 0; ok && i < w.deaths()->size(); ++i) {
      out.deaths.push_back(d.death(*w.deaths()->Get(i)));
    }
  }
  return out;
}

}  // namespace symphony::detail::control
