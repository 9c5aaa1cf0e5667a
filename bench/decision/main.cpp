// bench_decision: one pit in one way of hosting, measured in this process; or its work recorded. `symphony bench
// hosting` starts it.   Layer: bench. Exit status: 0 measured (also what could not be hosted: the document says why), 2
// wrong arguments or trace, 1 internal.
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>

#include <symphony/pit.hpp>

#include "bench/decision/recorded.hpp"
#include "bench/decision/session.hpp"
#include "pits/hosting/pit_file.hpp"

SYMPHONY_DECLARE_PIT(dag_tracker);
SYMPHONY_DECLARE_PIT(mirror);
SYMPHONY_DECLARE_PIT(pool_manager);

namespace symphony::bench {
namespace {

const symphony_pit_entry* linked(const std::string& pit) {
  if (pit == "dag_tracker") return symphony_pit_dag_tracker();
  if (pit == "pool_manager") return symphony_pit_pool_manager();
  return pit == "mirror" ? symphony_pit_mirror() : nullptr;
}

int fail(const std::string& why, int status = 2) {
  std::fprintf(stderr, "bench_decision: %s\n", why.c_str());
  return status;
}

struct Words {
  SessionPlan plan;
  std::string trace, record, graph;
  std::size_t size = 64;
};

bool read_words(int argc, char** argv, Words& out) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string value = argv[i + 1];
    const auto ms = [&] { return static_cast<TimeNs>(std::strtod(value.c_str(), nullptr) * 1e6); };
    if (name == "--mode")
      out.plan.door.name = value;
    else if (name == "--pit")
      out.plan.door.file = value;
    else if (name == "--schema")
      out.plan.door.schema = value;
    else if (name == "--trace")
      out.trace = value;
    else if (name == "--record")
      out.record = value;
    else if (name == "--graph")
      out.graph = value;
    else if (name == "--size")
      out.size = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "--baseline")
      out.plan.replies = value, out.plan.baseline = true;
    else if (name == "--expect")
      out.plan.replies = value;
    else if (name == "--closed-ms")
      out.plan.closed_ns = ms();
    else if (name == "--open-ms")
      out.plan.open_ns = ms();
    else if (name == "--rate")
      out.plan.rate = std::strtod(value.c_str(), nullptr);
    else if (name == "--cold")
      out.plan.cold_hz.push_back(std::strtod(value.c_str(), nullptr));
    else if (name == "--repeats")
      out.plan.repeats = static_cast<std::uint32_t>(std::strtoul(value.c_str(), nullptr, 10));
    else
      return false;
  }
  const bool records = !out.record.empty();
  return argc % 2 == 1 && !out.plan.door.file.empty() &&
         (records || (!out.plan.door.name.empty() && !out.trace.empty() && !out.plan.replies.empty()));
}

int run(Words& words) {
  DoorPlan& door = words.plan.door;
  pit::PitFile file;
  if (const auto read = pit::read_pit_file(door.file, file); !read.ok()) return fail(read.text);
  const pit::PitInfo& info = file.notes[0].info;
  door.pit = info.name;
  // Only the pit of this build is what is linked in.
  const symphony_pit_entry* const entry = linked(info.name);
  door.entry = entry;
  Trace trace;
  if (!words.record.empty()) {
    trace.pit = info.name;
    trace.schema_hash = info.schema_hash;
    door.name = entry != nullptr ? "static" : "dynamic";
    std::string why;
    const auto to = open_door(door, why);
    if (to == nullptr) return fail(why);
    if (std::string trouble = record_work(*to, words.graph, words.size, trace); !trouble.empty()) return fail(trouble);
    if (std::string trouble = write_trace(words.record, trace); !trouble.empty()) return fail(trouble);
    std::printf("%s\n", nlohmann::json{{"what", trace.what}, {"calls", trace.calls.size()}}.dump().c_str());
    return 0;
  }
  if (std::string trouble = read_trace(words.trace, trace); !trouble.empty()) return fail(trouble);
  if (std::string misfit = trace_misfit(trace, info); !misfit.empty()) return fail(misfit);
  nlohmann::ordered_json document = run_session(words.plan, trace);
  document["what"] = trace.what;
  std::printf("%s\n", document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  symphony::bench::Words words;
  if (!symphony::bench::read_words(argc, argv, words)) {
    std::fputs(
        "usage: bench_decision --pit FILE (--record TRACE [--graph FILE] [--size BYTES] |\n"
        "         --mode MODE --trace TRACE (--baseline FILE | --expect FILE) [--schema FBS] [--closed-ms MS]\n"
        "         [--open-ms MS --rate PER_S] [--cold HZ]... [--repeats N])\n"
        "Started by `symphony bench hosting`.\n",
        argc == 2 && std::string_view(argv[1]) == "--help" ? stdout : stderr);
    return argc == 2 && std::string_view(argv[1]) == "--help" ? 0 : 2;
  }
  return symphony::bench::run(words);
}
