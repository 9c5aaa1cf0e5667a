// Says whether a WebAssembly module can be run as a pit, and if not, why: a step of each module's build.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "pits/hosting/note.hpp"
#include "pits/hosting/wasm/sections.hpp"

int main(int argc, char** argv) {
  using namespace symphony::pit;
  if (argc != 2) {
    std::fputs("want one argument: a .wasm file\n", stderr);
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  wasm::Sections sections;
  PitNote note;
  Outcome outcome = wasm::read_sections(std::as_bytes(std::span(bytes)), sections);
  if (outcome.ok()) outcome = wasm::check_sections(sections);
  if (outcome.ok() && !sections.note) outcome = {SYMPHONY_BAD_MESSAGE, "it has no section symphony.pit"};
  if (outcome.ok()) outcome = read_note(*sections.note, note);
  if (!outcome.ok()) std::fprintf(stderr, "%s: %s\n", argv[1], outcome.text.c_str());
  return outcome.ok() ? 0 : 1;
}
