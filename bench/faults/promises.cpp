// What of the matrix the documents promise (docs/guarantees.md), and so tests/faults asserts. All else is only
// observed.
#include <algorithm>
#include <initializer_list>

#include "bench/faults/matrix.hpp"

namespace symphony::faults {
namespace {

bool is_one_of(Fault fault, std::initializer_list<Fault> faults) {
  return std::find(faults.begin(), faults.end(), fault) != faults.end();
}

// A ring is overwritten where there is one.
bool has_it(const Hosting& hosting, Fault fault) { return fault != Fault::ring_index || hosting.mode == Mode::process; }

}  // namespace

bool is_promised(const Hosting& hosting, Fault fault) {
  switch (hosting.mode) {
    case Mode::static_:
    case Mode::dynamic:
      return is_one_of(fault, {Fault::corrupt_flatbuffer, Fault::slow_consumer, Fault::version_skew});
    case Mode::wasm:
      return fault != Fault::ring_index;
    case Mode::process:
      // Without walls a pit may do what its user may.
      return hosting.profile != SandboxProfile::none ||
             !is_one_of(fault, {Fault::fork_bomb, Fault::read_secret, Fault::open_socket, Fault::ptrace_host});
  }
  return false;
}

std::string test_of(const Hosting& hosting, Fault fault) {
  std::string mode = name_of(hosting);
  std::replace(mode.begin(), mode.end(), '+', '_');
  return "faults." + mode + "." + std::string(facts_of(fault).test) +
         (is_promised(hosting, fault) ? "IsContained" : "IsRun");
}

std::string broken_promise(const Hosting& hosting, Fault fault, const Observation& seen) {
  const Class what = classify(seen);
  if (what == Class::not_run && has_it(hosting, fault)) return "it was not run: " + seen.not_run;
  if (what == Class::contained || !is_promised(hosting, fault)) return {};
  return "it is promised to be contained, and is " + std::string(name_of(what));
}

}  // namespace symphony::faults
