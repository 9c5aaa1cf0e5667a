// From what was seen to one word. What could go wrong: something that happened counts for nothing, and a mode's score
// is higher than it deserves.
#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

#include "bench/faults/matrix.hpp"
#include "bench/faults/said.hpp"

namespace symphony::faults {
namespace {

Observation all_well() {
  Observation seen;
  seen.host_pid = 2, seen.pid = 7;
  seen.said_all = true;
  seen.honest_calls = 40;
  seen.service_back_ms = 12.5;
  return seen;
}

TEST(FaultClass, IsContainedWhereNobodyButTheCulpritNoticesAndItIsBack) {
  Observation seen = all_well();
  EXPECT_EQ(classify(seen), Class::contained);
  seen.pit_signal = 11;  // its process may end
  seen.processes = crowd;
  EXPECT_EQ(classify(seen), Class::contained);
}

TEST(FaultClass, IsTheWorstThatWasSeen) {
  using Change = std::function<void(Observation&)>;
  // From bad to worst: whatever comes later wins over what came before.
  const std::vector<std::pair<Class, Change>> changes{
      {Class::pit_lost, [](Observation& s) { s.service_back_ms.reset(); }},
      {Class::host_lost, [](Observation& s) { s.host_signal = 11; }},
      {Class::host_lost, [](Observation& s) { s.host_signal = 0, s.host_exit = 3; }},
      {Class::host_lost, [](Observation& s) { s.host_exit = 0, s.said_all = false; }},
      {Class::host_lost, [](Observation& s) { s.said_all = true, s.canary_changed = true; }},
      {Class::host_lost, [](Observation& s) { s.canary_changed = false, s.ill = "cannot open a file"; }},
      {Class::host_lost, [](Observation& s) { s.ill.clear(), s.honest_failed = 1; }},
      {Class::machine_hurt, [](Observation& s) { s.secret_read = true; }},
      {Class::machine_hurt, [](Observation& s) { s.secret_read = false, s.socket_reached = true; }},
      {Class::machine_hurt, [](Observation& s) { s.socket_reached = false, s.processes = crowd + 1; }},
      {Class::not_run, [](Observation& s) { s.not_run = "no namespaces"; }},
  };
  Observation seen = all_well();
  for (std::size_t i = 0; i < changes.size(); ++i) {
    changes[i].second(seen);
    EXPECT_EQ(classify(seen), changes[i].first) << i;
  }
}

TEST(FaultClass, ThatIsPromisedAndNotKeptIsTold) {
  const Hosting process{Mode::process, SandboxProfile::none}, linked{};
  Observation seen = all_well();
  EXPECT_EQ(broken_promise(process, Fault::null_write, seen), "");
  seen.host_signal = 11;
  EXPECT_NE(broken_promise(process, Fault::null_write, seen), "");
  EXPECT_EQ(broken_promise(linked, Fault::null_write, seen), "");  // nothing is promised
  seen.not_run = "no namespaces";
  EXPECT_NE(broken_promise(linked, Fault::null_write, seen), "") << "but it has to be run";
  EXPECT_EQ(broken_promise(linked, Fault::ring_index, seen), "") << "there is none";
}

TEST(FaultLines, ComeWholeHoweverTheyWereCut) {
  const std::string bytes = "pid 7\nending crashed: it died\n\nback_ms 1.5\nhalf a li";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    std::vector<std::pair<std::string, std::string>> got;
    Lines lines;
    const auto take = [&](std::string_view key, std::string_view value) { got.emplace_back(key, value); };
    lines.add(std::string_view(bytes).substr(0, cut), take);
    lines.add(std::string_view(bytes).substr(cut), take);
    EXPECT_EQ(got, (std::vector<std::pair<std::string, std::string>>{
                       {"pid", "7"}, {"ending", "crashed: it died"}, {"back_ms", "1.5"}}))
        << cut;
  }
}

}  // namespace
}  // namespace symphony::faults
