#include "tests/soak/life.hpp"

#include <signal.h>

namespace symphony::soak {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t callers_per_realm = 2;

}  // namespace

Outcome live(const fs::path& folder, std::uint64_t seed, std::uint64_t kills, const Programs& programs) {
  Outcome out;
  const auto fail = [&](const std::string& what) {
    out.trouble += folder.filename().string() + " (seed " + std::to_string(seed) + "): " + what + "\n";
  };
  try {
    constexpr std::uint32_t journal_sizes[] = {16 * 1024, 64 * 1024, 1024 * 1024};
    Realm realm(folder, static_cast<std::uint32_t>(seed), journal_sizes[seed % 3], programs);
    for (std::size_t i = 0; i < callers_per_realm; ++i) realm.start_caller();
    Killer killer(realm, seed);
    bool goes_on = killer.await_calls(1);
    while (goes_on && killer.kills().all() < kills) goes_on = killer.strike(calls_per_kill);
    goes_on = goes_on && killer.await_calls(kills * calls_per_kill);
    if (!goes_on) fail("nothing goes on any more: " + realm.trouble());
    if (!realm.stop_callers()) fail(realm.trouble());
    out.kills = killer.kills();
    if (!out.trouble.empty()) {
      fail(realm.errors());
      return out;
    }
    const State left = realm.state();
    const Held pit = realm.pit();
    if (!pit) throw std::runtime_error("the pit is not there");
    pit.signal(SIGKILL);
    ++out.kills.pit;
    if (realm.state() != left) fail("the state is another after one more death, without any call");
    const std::vector<History> histories = realm.histories();
    out.incarnations = histories.size();
    out.verdict = check(histories, left);
    if (out.verdict.wrong() != 0) fail("see the examples");
    const auto status = realm.end();
    if (!status) fail("the daemon does not end");
    if (status && *status != 0) fail("the daemon ended with wait status " + std::to_string(*status));
    if (!fs::is_empty(folder / "realm")) fail("something is left in the realm's directory");
  } catch (const std::exception& e) {
    fail(e.what());
  }
  return out;
}

}  // namespace symphony::soak
