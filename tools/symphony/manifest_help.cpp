#include "tools/symphony/manifest.hpp"

namespace symphony::tools {

std::string_view manifest_help() noexcept {
  return "A manifest describes one pit in TOML:\n"
         "  name = \"dag_tracker\"          what callers open\n"
         "  file = \"/path/to/pit.so\"      or pit.py; relative paths are seen from the manifest\n"
         "  executable = \"/path/to/pit\"   instead of file: a program that is a pit by itself\n"
         "  args = [\"...\"]                optional; of that program\n"
         "  config = '{...}'              optional; JSON for the pit\n"
         "  trust = \"cooperative\"         or trusted, hostile\n"
         "  sandbox = \"heap\"              how it is confined: none, ring, heap, threads; heap where it is hostile\n"
         "  sandbox_may_lack = [\"net\"]   walls it may run without, sandbox_needs: further ones; see "
         "docs/security.md\n"
         "  calls = [\"pool\"]             other pits that it may call; none without\n"
         "  callers = [\"pit:dag\"]        who may call it: pits that call it, \"programs\"; everybody without\n"
         "  waiting = \"adaptive\"          how it waits for requests: or spin, sleep\n"
         "  placement = \"auto\"            its thread's processor: or same_core, other_core as its caller\n"
         "  request_capacity = 262144     bytes of each caller's ring, which may ask for another; reply_capacity\n"
         "  failures_max = 5              in 60 s, then it is quarantined; 1 to 16\n"
         "  backoff_first_ms = 10         before the next try, then twice that, up to backoff_max_ms = 10000\n"
         "  start_timeout_ms = 30000      until it is ready; one that takes longer is killed, and that is a failure\n"
         "  exceptions_max = 100          so many of its handlers' exceptions in 60 s are a failure\n"
         "  fallback = \"stub\"             the pit that serves its callers meanwhile; without: they are told\n"
         "  restart = \"one_for_one\"       or rest_for_one: begin anew whenever one of its calls does\n"
         "  budget_ms = 2000              for a request: a pit that stands still in one for longer is replaced\n"
         "  durability = \"none\"           what of its state outlives it: none, snapshot, journal\n"
         "  snapshot_size = 67108864      bytes at most; journal_size = 1048576: of the journal, twice\n"
         "  snapshot_after = 1000         messages, or snapshot_after_ms = 1000: of durability snapshot\n"
         "  state_folder = \"/path\"        kept there as a file, over the broker's end too; without: in memory\n"
         "  state_synced = true           with a folder: on the disk before an answer goes out\n"
         "  instances = 1                 processes, up to 32: name, name.1 ...; equal keys reach the same one\n"
         "  [budgets_ms]                  budgets of single message types; a table comes last\n"
         "  \"greeter.Hello\" = 100         by name, with its namespace\n";
}

}  // namespace symphony::tools
