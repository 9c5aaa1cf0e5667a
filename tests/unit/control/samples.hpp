// One filled message of every kind, and one at every maximum.   Used by the codec's tests.
#pragma once

#include <string>
#include <vector>

#include "bus/control/codec.hpp"

namespace symphony::detail::control {

inline PitReport sample_report() {
  PitReport r;
  r.info = {"pool", "backoff", 0, 7, 3};
  r.reason = "killed by signal 11";
  r.version = "1.2.3";
  r.ready_since_ns = 5;
  r.executable = "/pits/pool";
  r.arguments = "-v pit.so";
  r.trust = Trust::hostile;
  r.waiting = Waiting::spin;
  r.placement = Placement::same_core;
  r.start_at_once = false;
  r.calls = {"greeter", "other"};
  r.restart = {3, 4, 5, 6, 7, RestartStrategy::rest_for_one, 8, "stub"};
  r.budgets = {30, {{31, 32}, {33, 34}}};
  r.rings = {37, 38};
  r.overruns = 35;
  r.hangs = 36;
  r.failures = 2;
  r.log = "/logs/pool.log";
  r.log_lines_lost = 9;
  r.deaths = {{10, 6, DeathCause::exit, false, 3, -1, "no file\n", {21, 22, 23, 24, 25}, 26, ""},
              {20, 7, DeathCause::crash, true, 11, 8, "", {}, 0, "/core.7"}};
  r.letters = 27;
  r.letters_lost = 28;
  r.runs_alone = 29;
  r.sandbox = {SandboxProfile::ring, 30};
  r.sandbox_reached = 31;
  return r;
}

inline std::vector<DeadLetter> sample_letters() {
  DeadLetter l{1, "pool", "1.2.3", 2, 3, 4, 5, Effect::read, 6, AloneOutcome::late, 9, 3, {}, {}};
  l.body = {std::byte{7}, std::byte{0}, std::byte{8}};
  l.death = sample_report().deaths[0];
  DeadLetter other;
  other.id = 2;
  return {l, other};
}

inline std::vector<Message> samples() {
  const Attachment at{3, 0x1122334455667788, 9};
  return {
      Hello{1, 2, 123456789, {{7, 1}, {8, 2}}},
      PitReady{1, 1, 55, "dag_tracker", "1.2.3", 4096, true, 32},
      Open{77, "greeter", 5, 262144, 4096, 1'000'000, true, true},
      Mapped{at},
      Ready{at, 42},
      MapFailed{at, 12},
      Drained{at},
      PeerFault{at, 4},
      Close{5},
      StatusQuery{6},
      Welcome{3, 1},
      Own{at, 77, 262144, 65536, 0xdeadbeef, 0xfeedface, 256, 1000, 2, true, 25},
      Peer{at},
      Go{at, 41},
      Drop{at, true},
      Keep{3, 5, 9},
      Refused{77, 5, errc::quarantined, "pit greeter failed 5 times in 60 s: see its stderr"},
      Stop{99},
      Status{6, 3, {{"greeter", "ready", 4711, 2, 1}, {"dag_tracker", "backoff", 0, 3, 0}}},
      CallerWanted{12},
      CallerSocket{12, true},
      Command{13, Verb::restart, "greeter", 4, 1'000'000, 2'000'000, "/pits/greeter.so", 3'000'000, 4'000'000, true},
      Answer{13, errc::quarantined, "it failed", sample_report(), 4711, 1, 2, 3, 4'000, sample_letters(), 5'000},
      Prepared{1, 2},
      TakeState{14},
      Freeze{15, 77},
      Frozen{16, errc::busy, "a call of its own has no answer"},
      Thaw{17},
      Executing{at, 1, 2, 3, 4, Effect::idempotent},
      Park{1, 2, 3, 4, 5, Effect::read, AloneOutcome::answered, 6, {std::byte{0}, std::byte{9}}},
      Rehearse{18},
      Rehearsed{19, errc::refused, "its snapshot differs", 20},
      StandsStill{at},
      CancelRequest{at, 21},
      BoardWrite{22, "prices", BoardKind::topic, 23, 64, 4096},
      BoardOwn{24, 25},
      BoardMapped{26},
      BoardRead{27, "prices", BoardKind::topic},
      BoardView{28, 29, 30, 4, 65536, true},
      BoardEnd{31, 32},
      BoardClose{33},
      BoardQuery{34, "prices"},
      BoardList{35,
                {{"prices", BoardKind::topic, "feed", 0, 2, 64, 4096, 36}, {"x", BoardKind::cell, "", 37, 0, 4, 8, 0}}},
  };
}

inline std::vector<Message> largest_samples() {
  BoardList boards;
  boards.boards.assign(boards_in_list_max, {std::string(board_name_size_max, 'b'), BoardKind::topic,
                                            std::string(pit_name_size_max, 'w'), -1, ~0U, ~0U, ~0U, ~0ULL});
  Hello hello;
  hello.links.assign(links_per_caller_max, HeldLink{~0ULL, ~0ULL});
  PitReady ready;
  ready.name = std::string(pit_name_size_max, 'n');
  ready.version = std::string(version_size_max, 'v');
  Open open;
  open.pit = std::string(pit_name_size_max, 'p');
  Refused refused;
  refused.text = std::string(text_size_max, 't');
  Status status;
  status.pits.assign(pits_in_status_max,
                     {std::string(pit_name_size_max, 'n'), std::string(state_size_max, 's'), -1, ~0U, ~0U});
  Command command;
  command.pit = std::string(pit_name_size_max, 'p');
  command.file = std::string(path_size_max, 'f');
  Frozen frozen;
  frozen.text = std::string(text_size_max, 't');
  Answer answer;
  answer.text = refused.text;
  answer.pit.info = {std::string(pit_name_size_max, 'n'), std::string(state_size_max, 's'), -1, ~0U, ~0U};
  answer.pit.reason = std::string(text_size_max, 'r');
  answer.pit.version = std::string(version_size_max, 'v');
  answer.pit.executable = answer.pit.log = answer.pit.arguments = std::string(path_size_max, 'e');
  answer.pit.restart.fallback = std::string(pit_name_size_max, 'f');
  answer.pit.budgets.of_types.assign(time_budgets_max, {~0U, -1});
  answer.pit.calls.assign(calls_in_report_max, std::string(pit_name_size_max, 'c'));
  answer.pit.deaths.assign(deaths_max, {-1,
                                        ~0U,
                                        DeathCause::exception_storm,
                                        true,
                                        -1,
                                        -1,
                                        std::string(last_lines_size_max, 'l'),
                                        {~0ULL, ~0ULL, ~0U, ~0U, 255},
                                        ~0U,
                                        std::string(core_size_max, 'd')});
  DeadLetter letter;
  letter.pit = std::string(pit_name_size_max, 'n');
  letter.version = std::string(version_size_max, 'v');
  letter.death = {-1, ~0U, DeathCause::hang, true, -1, -1, "", {~0ULL, ~0ULL, ~0U, ~0U, 255}, ~0U, "/core"};
  Answer list;  // with no pit beside them
  list.text = refused.text;
  list.letters.assign(letters_in_answer_max, letter);
  Answer one = list;
  letter.death.last_lines = std::string(last_lines_size_max, 'l');
  letter.body.assign(letter_body_size_max, std::byte{0xff});
  one.letters = {letter};
  Park park;
  park.size = ~0U;
  park.body = letter.body;
  return {hello, ready, open, refused, status, command, answer, frozen, list, one, park, boards};
}

}  // namespace symphony::detail::control
