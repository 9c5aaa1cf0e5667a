// symphony-pit-host FILE.so: the pit in that file as a process of its own, behind the pit runtime.
#include <cstdio>
#include <memory>

#include "pits/hosting/dynamic/library.hpp"
#include "pits/hosting/process/runtime.hpp"

int main(int argc, char** argv) {
  using namespace symphony::pit;
  if (argc != 2) {
    std::fprintf(stderr,
                 "symphony-pit-host: want one argument, the .so of a pit; a broker starts this program, for a manifest "
                 "with the key `file`\n");
    return exit_permanent;
  }
  std::shared_ptr<const PitLibrary> library;
  const Outcome loaded = [&] {
    PitFile file;
    Outcome read = read_pit_file(argv[1], file);
    return read.ok() ? PitLibrary::load(file, library) : read;
  }();
  if (!loaded.ok()) {
    std::fprintf(stderr, "symphony-pit-host: %s\n", loaded.text.c_str());
    return loaded.status == SYMPHONY_OVERLOADED ? exit_try_again : exit_permanent;
  }
  return run_pit_from_environment(library->entry());
}
