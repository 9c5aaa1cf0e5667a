// What a file says before anything of it runs, and that it is true.
#include <array>
#include <string>

#include <symphony/clock.hpp>

#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace file {
namespace {

// Pointers to what runs when the file is loaded: one for each source file at most is what compilers need for
// themselves.
constexpr std::uint64_t initialisers_max = 16;

void note_is_readable(Trial& trial) {
  pit::PitFile again;
  Trial::require_ok(pit::read_pit_file(trial.stage.file().path, again), "read once more");
  Trial::require(again.notes.size() == 1,
                 "the file has " + std::to_string(again.notes.size()) + " notes, and a pit's shared object has one");
  const auto difference = pit::first_difference(again.notes[0].info, trial.note());
  Trial::require(difference.empty(), "read twice, the note differs: the file is being changed");
  trial.remark = trial.note().name + " " + trial.note().version;
}

void note_survives_being_passed_on(Trial& trial) {
  pit::PitNote copy;
  Trial::require_ok(pit::read_note(pit::write_note(trial.note()), copy), "the note, written and read again");
  const auto difference = pit::first_difference(copy.info, trial.note());
  Trial::require(difference.empty(), "the note, written and read again, differs in the " + std::string(difference));
}

void no_unique_symbols(Trial& trial) {
  for (const pit::ElfSymbol& symbol : trial.stage.file().elf.exported) {
    if (symbol.unique) Trial::fail("two versions would share '" + std::string(symbol.name) + "': -fno-gnu-unique");
  }
}

void one_exported_symbol(Trial& trial) {
  std::string others;
  bool has_entry = false;
  for (const pit::ElfSymbol& symbol : trial.stage.file().elf.exported) {
    if (symbol.name == trial.stage.symbol()) {
      has_entry = true;
    } else if (others.size() < 200) {
      others += " " + std::string(symbol.name);
    }
  }
  Trial::require(has_entry, std::string(trial.stage.symbol()) + " is not exported");
  Trial::require(others.empty(), "it exports more than its entry:" + others + "; link it with cmake/pit_exports.map");
}

void few_initialisers(Trial& trial) {
  const std::uint64_t count = trial.stage.file().elf.init_array_size / sizeof(void*);
  trial.remark = std::to_string(count) + " initialisers";
  Trial::require(count <= initialisers_max,
                 std::to_string(count) + " initialisers run when it is loaded, and more than " +
                     std::to_string(initialisers_max) + " are heavy: make globals constinit, or members of the pit");
}

void loads_and_starts(Trial& trial) {
  const TimeNs before = now_ns();
  const auto mounted = mount(trial);
  const TimeNs took = now_ns() - before;
  trial.remark = "in " + std::to_string(took / 1'000) + " us";
  require_usable(trial, mounted->host(), "being mounted");
}

void note_and_table_agree(Trial& trial) {
  const auto mounted = mount(trial);
  const auto difference = pit::first_difference(mounted->host().info(), trial.note());
  Trial::require(difference.empty(), "the loaded table and the note differ in the " + std::string(difference));
  const auto form = pit::first_difference(trial.note(), trial.stage.given().notes[0].info);
  Trial::require(form.empty(), trial.stage.file().path + " and " + trial.stage.given().path + " differ in the " +
                                   std::string(form) + " of their notes: build both again");
  Trial::require(mounted->host().mode() == trial.stage.mode(), "the host runs another mode");
}

void listed_types_are_handled(Trial& trial) {
  const auto mounted = mount(trial);
  Caller caller(trial, mounted->host());
  for (const symphony_message_note& message : trial.note().messages) {
    const Ending ending = caller.call(message.type, {});
    if (ending.status == SYMPHONY_UNKNOWN_TYPE) {
      Trial::fail("the note lists message type " + std::to_string(message.type) +
                  ", and the pit has no handler for it");
    }
  }
}

constexpr std::array cases{
    Case{"note.is_readable", "the file has one note, and reading it twice gives the same", Ground::file,
         &note_is_readable},
    Case{"note.can_be_passed_on", "the note is within all limits: written anew it says the same", Ground::any,
         &note_survives_being_passed_on},
    Case{case_that_loads, "it is mounted and answers; the time is reported", Ground::any, &loads_and_starts},
    Case{"note.equals_the_table", "the running pit says of itself what its note says", Ground::any,
         &note_and_table_agree},
    Case{"note.lists_what_is_handled", "each message type of the note has a handler", Ground::any,
         &listed_types_are_handled},
    Case{"file.has_no_unique_symbols", "two versions in one process share nothing", Ground::file, &no_unique_symbols},
    Case{"file.exports_one_symbol", "only the entry is anybody's", Ground::file, &one_exported_symbol},
    Case{"file.has_few_initialisers", "loading it runs next to nothing", Ground::file, &few_initialisers},
};

}  // namespace
}  // namespace file

std::span<const Case> file_cases() noexcept { return file::cases; }

}  // namespace symphony::pit_check
