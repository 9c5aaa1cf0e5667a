// Real cells: each in namespaces of its own, with a host, the culprit and an honest pit. What is asserted is what the
// documents promise; everything else is only to be run.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "bench/faults/matrix.hpp"

namespace symphony::faults {
namespace {

constexpr CellOptions patient{20'000}, short_of_time{3'000};  // nothing is promised that would have to come back
const Hosting linked_in{Mode::static_, SandboxProfile::none}, loaded{Mode::dynamic, SandboxProfile::none},
    wasm{Mode::wasm, SandboxProfile::none}, process{Mode::process, SandboxProfile::none},
    walled{Mode::process, SandboxProfile::ring};

std::string program_of_cells() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bench_faults").string();
}

// What this machine cannot have is not run, and says so: the test then shows nothing.
bool is_to_be_had(const Observation& seen) {
  const bool lacks_cells = seen.not_run.find("this machine gives") != std::string::npos;
  const bool lacks_wasm = seen.not_run.find("WebAssembly") != std::string::npos;
  return !lacks_cells && !lacks_wasm;
}

Observation run(const Hosting& hosting, Fault fault) {
  const Observation seen =
      run_cell(program_of_cells(), hosting, fault, is_promised(hosting, fault) ? patient : short_of_time);
  std::printf("%-40s %-12s %s\n", test_of(hosting, fault).c_str(), std::string(name_of(classify(seen))).c_str(),
              seen.not_run.empty() ? seen.ending.c_str() : seen.not_run.c_str());
  return seen;
}

void contained(const Hosting& hosting, std::initializer_list<Fault> faults) {
  for (const Fault fault : faults) {
    SCOPED_TRACE(test_of(hosting, fault));
    const Observation seen = run(hosting, fault);
    if (!is_to_be_had(seen)) GTEST_SKIP() << seen.not_run;
    ASSERT_TRUE(is_promised(hosting, fault));
    EXPECT_EQ(broken_promise(hosting, fault, seen), "") << seen.ending << "\n" << seen.ill << "\n" << seen.output;
  }
}

TEST(FaultMatrix, AProcessThatCrashesHarmsNobodyAndServesAgain) {
  contained(process, {Fault::null_write, Fault::abort, Fault::exit_in_handler});
}

TEST(FaultMatrix, AProcessThatUsesUpWhatThereIsHarmsNobodyAndServesAgain) {
  contained(process, {Fault::memory_leak, Fault::fd_exhaustion});
}

TEST(FaultMatrix, AProcessThatLiesInItsRingHarmsNobodyAndServesAgain) {
  contained(process, {Fault::corrupt_header, Fault::lying_length, Fault::ring_index});
}

TEST(FaultMatrix, BehindWallsAPitReachesNoOthers) {
  contained(walled, {Fault::fork_bomb, Fault::read_secret, Fault::open_socket, Fault::ptrace_host});
}

TEST(FaultMatrix, AWasmPitThatCrashesOrLoopsHarmsNobodyAndServesAgain) {
  contained(wasm, {Fault::null_write, Fault::stack_overflow, Fault::infinite_loop});
}

TEST(FaultMatrix, InEveryModeABuildForAnotherContractIsRefusedAndTheOldOneServes) {
  for (const Hosting& hosting : {linked_in, loaded, wasm, process}) contained(hosting, {Fault::version_skew});
}

TEST(FaultMatrix, InThisProcessAReplyThatPointsOutsideIsNotRead) {
  for (const Hosting& hosting : {linked_in, loaded}) contained(hosting, {Fault::corrupt_flatbuffer});
}

// The control: the same fault that a process contains is seen where nothing contains it.
TEST(FaultMatrix, TheSameFaultIsSeenToEndAHostThatItIsLinkedInto) {
  const Observation seen = run(linked_in, Fault::null_write);
  if (!is_to_be_had(seen)) GTEST_SKIP() << seen.not_run;
  EXPECT_EQ(classify(seen), Class::host_lost);
  EXPECT_EQ(seen.host_signal, SIGSEGV);
  EXPECT_EQ(seen.pid, seen.host_pid);
}

TEST(FaultMatrix, CellsAreTheCasesOfCtestUnderTheNamesThatResultsTell) {
  std::set<std::string> here, there;
  for (const Hosting& hosting : all_hostings()) {
    EXPECT_EQ(hosting_of(name_of(hosting)), hosting);
    for (std::uint32_t f = 0; f < fault_count; ++f) {
      here.insert(test_of(hosting, static_cast<Fault>(f)));
      EXPECT_EQ(fault_of(facts_of(static_cast<Fault>(f)).name), static_cast<Fault>(f));
    }
  }
  std::ifstream cases(SYMPHONY_CTEST_CASES);
  for (std::string name; std::getline(cases, name);) there.insert(name);
  EXPECT_EQ(here, there);
  EXPECT_EQ(here.size(), all_hostings().size() * fault_count);
}

TEST(FaultMatrix, IsRunWholeAndKeepsEveryPromise) {
  if (std::getenv("SYMPHONY_LONG") == nullptr) GTEST_SKIP() << "two minutes: SYMPHONY_LONG=1, or symphony bench faults";
  for (const Hosting& hosting : all_hostings()) {
    for (std::uint32_t f = 0; f < fault_count; ++f) {
      const auto fault = static_cast<Fault>(f);
      SCOPED_TRACE(test_of(hosting, fault));
      const Observation seen = run(hosting, fault);
      if (!is_to_be_had(seen)) continue;
      EXPECT_EQ(broken_promise(hosting, fault, seen), "") << seen.ending << "\n" << seen.ill << "\n" << seen.output;
    }
  }
}

}  // namespace
}  // namespace symphony::faults
