// symphony-peer-NAME: one comparison of our link with a peer, in one pair of fresh processes.   Layer: bench.
//
// usage: symphony-peer-NAME PEER rtt|stream SIZE SEED BUDGET_MS
// Prints one JSON object on one line. Started by `symphony bench peers`, with which it ends; also useful by hand.
// Exit status: 0 measured, 1 could not (one line says why), 2 wrong arguments, 3 the peer cannot run on this machine
// (the line is the reason alone).
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>

#include "bench/peers/pair.hpp"
#include "bench/peers/payload.hpp"

namespace symphony::bench::peers {
namespace {

std::optional<std::uint64_t> number_of(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min || number > max) return std::nullopt;
  return number;
}

const AdapterEntry* find_adapter(std::string_view name) {
  const auto all = adapters();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const AdapterEntry& entry) { return entry.name == name; });
  return found == all.end() ? nullptr : &*found;
}

int usage(const char* self) {
  std::fprintf(stderr,
               "usage: %s PEER rtt|stream SIZE SEED BUDGET_MS; SIZE %zu to %zu, a multiple of 8; PEER one of:", self,
               size_min, size_max);
  for (const AdapterEntry& entry : adapters()) {
    std::fprintf(stderr, " %.*s", static_cast<int>(entry.name.size()), entry.name.data());
  }
  std::fputs("\n", stderr);
  return 2;
}

int run(int argc, char** argv) {
  if (argc != 6) return usage(argv[0]);
  const std::string_view pattern = argv[2];
  const auto size = number_of(argv[3], size_min, size_max);
  const auto seed = number_of(argv[4], 0, UINT64_MAX);
  const auto budget_ms = number_of(argv[5], 1, 60'000);
  const AdapterEntry* const entry = find_adapter(argv[1]);
  PairPlan plan;
  plan.peer = find_peer(argv[1]);
  if (entry == nullptr || plan.peer == nullptr || !size || *size % 8 != 0 || !seed || !budget_ms) return usage(argv[0]);
  if (pattern != "rtt" && !(pattern == "stream" && plan.peer->streams)) return usage(argv[0]);
  plan.pattern = pattern == "rtt" ? Pattern::rtt : Pattern::stream;
  plan.size = *size;
  plan.seed = *seed;
  plan.budget_ns = static_cast<TimeNs>(*budget_ms) * ms_ns;
  const auto outcome = run_pair(plan, *entry);
  if (const auto* text = std::get_if<std::string>(&outcome)) {
    std::fprintf(stderr, "%s: %s\n", argv[0], text->c_str());
    return 1;
  }
  if (const auto* cannot = std::get_if<CannotRun>(&outcome)) {
    std::fprintf(stderr, "%s\n", cannot->why.c_str());
    return status_cannot_run;
  }
  const PairResult& r = std::get<PairResult>(outcome);
  std::printf(
      "{\"peer\": \"%s\", \"pattern\": \"%s\", \"size\": %zu, \"ours_ns\": %.3f, \"peer_ns\": %.3f, "
      "\"self_ratio\": %.4f, \"raw_before_ns\": %.2f, \"raw_after_ns\": %.2f, \"turns\": %llu, \"ours_count\": %llu, "
      "\"peer_count\": %llu, \"pinned\": %s}\n",
      argv[1], argv[2], plan.size, r.ours_ns, r.peer_ns, r.self_ratio, r.raw_before_ns, r.raw_after_ns,
      static_cast<unsigned long long>(r.turns), static_cast<unsigned long long>(r.ours_count),
      static_cast<unsigned long long>(r.peer_count), r.pinned != 0 ? "true" : "false");
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace
}  // namespace symphony::bench::peers

int main(int argc, char** argv) {
  // Who started this shall not leave it behind. Asked before and behind, in case it ended in between.
  const pid_t parent = ::getppid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return 1;
  return symphony::bench::peers::run(argc, argv);
}
