// symphony-pit-host FILE: the pit in that file as a process of its own, behind the pit runtime, and behind the walls
// that its broker asks for. A .so is loaded; a .py is given to the interpreter, in this process's place.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "pits/hosting/dynamic/library.hpp"
#include "pits/hosting/process/crash_report.hpp"
#include "pits/hosting/process/python.hpp"
#include "pits/hosting/process/runtime.hpp"
#include "pits/hosting/sandbox/confine.hpp"

int main(int argc, char** argv) {
  using namespace symphony::pit;
  if (argc != 2) {
    std::fprintf(
        stderr,
        "symphony-pit-host: want one argument, the .so or .py of a pit; a broker starts this program, for a manifest "
        "with the key `file`\n");
    return exit_permanent;
  }
  const auto failed = [](const Outcome& outcome) {
    std::fprintf(stderr, "symphony-pit-host: %s\n", outcome.text.c_str());
    return outcome.status == SYMPHONY_OVERLOADED ? exit_try_again : exit_permanent;
  };
  const char* const asked = std::getenv("SYMPHONY_PIT_SANDBOX");
  if (is_python_pit(argv[1])) {
    if (asked == nullptr) return failed(become_python_pit(argv[1]));
    return failed(
        {SYMPHONY_DENIED, std::string(argv[1]) + ": a pit in Python cannot be confined: leave out 'sandbox'"});
  }
  install_crash_report(argv[1]);
  PitFile file;
  if (const Outcome read = read_pit_file(argv[1], file); !read.ok()) return failed(read);
  std::optional<sandbox::Confinement> walls;
  if (asked != nullptr) {
    sandbox::Plan plan;
    if (!sandbox::read_plan(asked, std::getenv("SYMPHONY_PIT_NAMESPACES"), plan)) {
      return failed(
          {SYMPHONY_INTERNAL,
           "SYMPHONY_PIT_SANDBOX is not what this version reads: install broker and pit host from one release"});
    }
    if (!sandbox::leave_out(std::getenv("SYMPHONY_PIT_LEAVES_OUT"), plan)) {
      return failed(
          {SYMPHONY_INTERNAL, "SYMPHONY_PIT_LEAVES_OUT is no number of walls: whoever starts this program sets it"});
    }
    // From here on nothing of the pit's file has run yet.
    if (walls.emplace(plan); !walls->begin(file.bytes)) {
      return failed(
          {SYMPHONY_DENIED,
           file.path + ": its sandbox: " + walls->refusal() +
               "; run it where the kernel gives that, or let it do without in its manifest (sandbox_may_lack)"});
    }
    if (walls->placed_at() != nullptr) file.placed_at = walls->placed_at();
  }
  std::shared_ptr<const PitLibrary> library;
  if (const Outcome loaded = PitLibrary::load(file, library); !loaded.ok()) return failed(loaded);
  return run_pit_from_environment(library->entry(), walls ? &*walls : nullptr);
}
