// What the core asks to be read or kept: manifests, dead letters, which pits stand in which slots.
#include <exception>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bus/broker/letter_file.hpp"
#include "bus/broker/shell.hpp"

namespace symphony::detail::broker {

void Shell::execute(const ReadConfig& a) {
  PitSet set;
  try {
    if (read_pits_) set = read_pits_();
  } catch (const std::exception& e) {  // of whoever configures this broker: no reason to die
    set = {{}, std::string("what pits there should be could not be read: ") + e.what()};
  }
  if (!read_pits_) set.trouble = "this broker was given no manifests to read again: start it anew";
  ConfigRead read{a.conn, a.correlation, std::move(set.trouble), each_instance(set.pits)};
  read.letters = read_letters(read.pits);
  feed(std::move(read));
}

// What an earlier daemon left of dead letters.
std::vector<std::vector<std::byte>> Shell::read_letters(const std::vector<PitConfig>& pits) {
  std::vector<std::vector<std::byte>> found;
  std::map<LetterPlace, UniqueFd> before = std::exchange(letter_locks_, {});
  for (const PitConfig& pit : pits) {
    if (pit.state.folder.empty()) continue;
    const LetterPlace place{pit.state.folder, pit.name};
    auto held = before.find(place);
    auto lock = held != before.end() ? std::move(held->second) : lock_letter_file(place.first, place.second);
    if (!lock) {
      execute(Note{"pit " + pit.name + ": " + lock.error().text});
      continue;
    }
    letter_locks_[place] = *std::move(lock);
    const auto letters = read_letter_file(pit.state.folder, pit.name);
    if (!letters) execute(Note{"pit " + pit.name + ": " + letters.error().text});
    if (letters && *letters) found.push_back((*letters)->encode());
  }
  return found;
}

void Shell::execute(const KeepConfig& a) {
  if (slots_ == nullptr) return;
  if (const auto kept = slots_->write(a.slots, a.probations); !kept) execute(Note{kept.error().text});
}

void Shell::execute(const KeepLetters& a) {
  const auto kept_here = letters_ == nullptr ? result<void>() : letters_->write(a.bytes);
  if (!kept_here) execute(Note{std::string("dead letters: ") + kept_here.error().text});
  if (!a.pit) return;
  const PitConfig& pit = core_->config_of(*a.pit);
  // Where another broker had the lock when this one looked, what that one keeps is not written over.
  if (letter_locks_.count({pit.state.folder, pit.name}) == 0) return;
  if (const auto kept = write_letter_file(pit.state.folder, pit.name, a.of_pit); !kept) {
    execute(Note{"pit " + pit.name + ": " + kept.error().text});
  }
}

}  // namespace symphony::detail::broker
