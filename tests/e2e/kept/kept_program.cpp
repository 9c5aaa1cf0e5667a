// What the test kills: mounts the pit `tally` so that its state outlives the program, and adds to it for ever.
//   kept_program MODE FILE FOLDER SYNCED FD    MODE static|dynamic|wasm; SYNCED 0|1; FD: of a LoadBook that is mapped
#include <sched.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include <symphony/conductor.hpp>

#include "tests/e2e/kept/load_book.hpp"

SYMPHONY_DECLARE_PIT(tally);

namespace symphony {
namespace {

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "kept_program: %s\n", what.c_str());
  std::_Exit(1);
}

tally::Report ask(Caller& caller, std::uint32_t type, const tally::Entry& entry) {
  const Reply reply = caller.call(type, std::as_bytes(std::span(&entry, 1)), {.timeout_ns = 60 * second_ns});
  if (!reply.ok()) fail("call: " + std::string(reply.text));
  tally::Report report;
  if (reply.body.size() != sizeof report) fail("a reply that is no report");
  std::memcpy(&report, reply.body.data(), sizeof report);
  return report;
}

// Each number is told before it is asked for, and told again when it was answered.
void add_for_ever(Conductor& conductor, std::uint64_t who, kept::LoadBook& book) {
  Caller caller = conductor.open("tally");
  if (!caller.ok()) fail("open: " + caller.why().text);
  kept::LoadBook::Line& line = book.lines.at(who);
  for (std::uint64_t number = ask(caller, tally::look, {who, 0}).last.at(who) + 1;; ++number) {
    line.asked.store(number);
    if (ask(caller, tally::add, {who, number}).last.at(who) != number) fail("a reply of another call");
    line.answered.store(number);
  }
}

int run(std::string_view mode, const char* file, const char* folder, bool is_synced, kept::LoadBook& book) {
  Conductor conductor;
  MountOptions options;
  options.mode = mode == "static" ? Mode::static_ : mode == "dynamic" ? Mode::dynamic : Mode::wasm;
  options.entry = symphony_pit_tally();
  options.file = file;
  options.state = {.durability = Durability::journal,
                   .snapshot_size_max = 16 * 1024,
                   .journal_size = 16 * 1024,
                   .folder = folder,
                   .is_synced = is_synced};
  if (const auto mounted = conductor.mount("tally", options); !mounted.ok()) fail("mount: " + mounted.text);
  {
    Caller caller = conductor.open("tally");
    const tally::Report report = ask(caller, tally::look, {});
    for (std::size_t i = 0; i < book.lines.size(); ++i) book.lines[i].found.store(report.last.at(i));
    book.wrong.store(report.wrong);
    book.stage.store(1);
  }
  while (book.stage.load() != 2) ::sched_yield();
  std::vector<std::thread> callers;
  for (std::uint64_t who = 0; who < book.lines.size(); ++who) {
    callers.emplace_back([&, who] { add_for_ever(conductor, who, book); });
  }
  for (std::thread& one : callers) one.join();
  return 1;
}

}  // namespace
}  // namespace symphony

int main(int argc, char** argv) {
  if (argc != 6) return 64;
  void* const at =
      ::mmap(nullptr, sizeof(symphony::kept::LoadBook), PROT_READ | PROT_WRITE, MAP_SHARED, std::atoi(argv[5]), 0);
  if (at == MAP_FAILED) return 64;
  return symphony::run(argv[1], argv[2], argv[3], argv[4] == std::string_view("1"),
                       *static_cast<symphony::kept::LoadBook*>(at));
}
