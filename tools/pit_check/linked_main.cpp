// check_NAME FILE.so MODE PIT-HOST KEEPER: the conformance suite on a pit that is linked into this program, and on its
// file. Made by symphony_pit_tests(), which names the pit: SYMPHONY_CHECKED_PIT.
// Exit status: 0 every case passed, 1 one did not, or there is no such pit, 2 wrong arguments, 77 the mode cannot be
// run here. Compiled where Symphony is installed: public headers only.
#include <cstdio>

#include <symphony/pit_check.hpp>

SYMPHONY_DECLARE_PIT(SYMPHONY_CHECKED_PIT);
#define SYMPHONY_CHECKED_ENTRY(name) SYMPHONY_PIT_ACCESSOR(name)  // of what SYMPHONY_CHECKED_PIT stands for

int main(int argc, char** argv) {
  using namespace symphony::pit_check;
  if (argc != 5 || !is_mode(argv[2])) {
    std::fprintf(stderr, "usage: %s FILE.so static|dynamic|wasm|process PIT-HOST KEEPER\n", argv[0]);
    return 2;
  }
  CheckOptions options;
  options.mode = argv[2];
  options.programs = {argv[3], argv[4]};
  options.linked = SYMPHONY_CHECKED_ENTRY(SYMPHONY_CHECKED_PIT)();
  options.on_case = [](const CaseResult& result) {
    if (result.verdict == Verdict::passed) return;
    std::printf("%s: %s: %s\n%s", result.name.c_str(), to_string(result.verdict).data(), result.text.c_str(),
                result.output.c_str());
  };
  const Report report = check(argv[1], options);
  if (!report.refused.empty()) {
    std::fprintf(stderr, "%s\n", report.refused.c_str());
    return 1;
  }
  for (const ModeResult& mode : report.modes) {
    if (!mode.missing.empty()) {
      std::printf("mode %s is not run: %s\n", mode.mode.c_str(), mode.missing.c_str());
      return 77;
    }
    std::printf("%s: %u passed, %u failed, %u skipped\n", mode.mode.c_str(), mode.passed, mode.failed, mode.skipped);
  }
  return report.ok() ? 0 : 1;
}
