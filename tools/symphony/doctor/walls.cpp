#include "tools/symphony/doctor/walls.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include <symphony/broker.hpp>
#include <symphony/operator.hpp>
#include <symphony/sandbox.hpp>

namespace symphony::tools::doctor {
namespace {

constexpr const char* tried_name = "tried";
constexpr TimeNs start_max_ns = 10 * second_ns;
constexpr std::size_t said_max = 4096;

// What is written to stderr meanwhile, by this process and those that it starts, is kept.
class TakenStderr {
 public:
  TakenStderr() : kept_(::memfd_create("stderr", MFD_CLOEXEC)), before_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) {
    if (kept_ && before_) ::dup2(kept_.get(), STDERR_FILENO);
  }
  TakenStderr(const TakenStderr&) = delete;
  TakenStderr& operator=(const TakenStderr&) = delete;
  ~TakenStderr() {
    if (kept_ && before_) ::dup2(before_.get(), STDERR_FILENO);
  }
  [[nodiscard]] std::string text() const {
    std::string out(said_max, '\0');
    const ssize_t size = kept_ ? ::pread(kept_.get(), out.data(), out.size(), 0) : 0;
    out.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return out;
  }

 private:
  UniqueFd kept_, before_;
};

struct Tried {
  bool was_ready = false;
  SandboxBlocks reached = 0;
  std::string said;     // by the pit, where it did not become ready
  std::string trouble;  // nothing could be tried
};

Tried run_confined(const WallPrograms& programs, SandboxBlocks required) {
  Tried out;
  PitConfig pit;
  pit.name = tried_name;
  pit.executable = programs.pit_host;
  pit.args = {programs.pit};
  pit.start_at_once = false;
  pit.sandbox = {SandboxProfile::heap, required};
  pit.restart.failures_max = 1;
  pit.restart.start_timeout_ns = start_max_ns;
  BrokerOptions options;
  options.pits.push_back(std::move(pit));
  TakenStderr taken;
  auto broker = EmbeddedBroker::start(std::move(options));
  if (!broker) return out.trouble = broker.error().text, out;
  auto socket = broker->connect();
  if (!socket) return out.trouble = socket.error().text, out;
  auto asked = Operator::adopt(*std::move(socket));
  if (!asked) return out.trouble = asked.error().text, out;
  const OperatorAnswer started = asked->start(tried_name, start_max_ns);
  out.was_ready = started.ok();
  out.reached = asked->show(tried_name).pit.sandbox_reached;
  if (!out.was_ready) out.said = taken.text();
  if (out.said.empty() && !out.was_ready) out.said = started.text;
  return out;
}

// Of "symphony-pit-host: no 'net' here: unshare: refused: Operation not permitted; run it where ...", the reason.
std::string reason_in(const std::string& said) {
  constexpr std::string_view mark = "' here: ";
  const auto found = said.find(mark);
  const std::string rest = found == std::string::npos ? said : said.substr(found + mark.size());
  return rest.substr(0, rest.find_first_of(";\n"));
}

}  // namespace

Findings look_at_walls(const WallPrograms& programs) {
  if (programs.pit_host.empty() || programs.pit.empty()) {
    return {{"sandbox", "all walls", Health::bad, "not tried",
             "symphony-pit-host or the pits are not beside this program: install it whole"}};
  }
  const Tried all = run_confined(programs, 0);
  if (!all.trouble.empty() || !all.was_ready) {
    return {{"sandbox", "all walls", Health::bad, "no confined pit could be run",
             all.trouble.empty() ? reason_in(all.said) : all.trouble}};
  }
  Findings out;
  for (std::size_t i = 0; i < sandbox_block_count; ++i) {
    const auto block = static_cast<SandboxBlock>(i);
    const std::string name(name_of(block));
    if ((all.reached & bit_of(block)) != 0) {
      out.push_back({"sandbox", name, Health::ok, "stands", ""});
      continue;
    }
    const bool is_needed = (sandbox_default_blocks & bit_of(block)) != 0;
    const Tried alone = run_confined(programs, bit_of(block));
    const std::string why = alone.was_ready ? "it stood at a second try" : reason_in(alone.said + alone.trouble);
    out.push_back({"sandbox", name, is_needed ? Health::bad : Health::note, "missing: " + why,
                   is_needed
                       ? "hostile pits are refused here: run them where the kernel gives it, or let each do without "
                         "in its manifest (sandbox_may_lack)"
                       : "other walls keep the same away; a pit that is to have it says so (sandbox_needs)"});
  }
  return out;
}

}  // namespace symphony::tools::doctor
