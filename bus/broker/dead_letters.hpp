// The messages that a broker was told are deadly: those that may still be tried, and those that are parked.
// Layer: broker.
//
// A suspect is a message that was being executed at a death, as its caller says; only such a one may be tried alone or
// parked. A parked one is a dead letter, for the operator. Both are bounded: of a link's suspects and of a pit's
// letters the oldest goes, and lost letters are counted. Kept as bytes for the next broker, written and read by brokers
// of the same program only, so they are no public format; they are checked all the same. Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/dead_letter.hpp>

#include "bus/broker/core_types.hpp"

namespace symphony::detail::broker {

inline constexpr std::size_t suspects_per_link_max = 8;
inline constexpr std::size_t suspects_max = 1024;
inline constexpr std::size_t letters_per_pit_max = 32;
inline constexpr std::size_t letters_size_max = 128UL * 1024;  // bodies of one pit's letters
inline constexpr std::size_t letter_boxes_max = 2 * pits_max;  // pits that letters were ever of
inline constexpr std::size_t letters_file_size_max =           // more than all of it takes
    letter_boxes_max * (letters_size_max + letters_per_pit_max * 2048) + suspects_max * 2048;

struct Suspect {
  LinkId link = 0;
  std::uint64_t id = 0;
  ConnId conn = 0;  // who said so; 0: an earlier broker was told
  std::uint32_t deaths = 0;
  std::string pit;
  std::string version;
  PitDeath death;  // the last
};

class DeadLetters {
 public:
  // Null: it is not known as one.
  [[nodiscard]] Suspect* suspect(LinkId link, std::uint64_t id) noexcept;
  Suspect& accuse(LinkId link, std::uint64_t id);
  void acquit(LinkId link, std::uint64_t id);
  [[nodiscard]] const std::vector<Suspect>& suspects() const noexcept { return suspects_; }
  template <class Predicate>
  void forget_suspects_if(Predicate&& is_over) {
    std::erase_if(suspects_, is_over);
  }

  // Gives it its id, which is returned.
  std::uint64_t park(DeadLetter letter);
  [[nodiscard]] const DeadLetter* find(std::string_view pit, std::uint64_t id) const;
  // Of all pits where `pit` is empty; with ids above `after`, in their order, without bodies and last lines.
  [[nodiscard]] std::vector<DeadLetter> list(std::string_view pit, std::uint64_t after, std::size_t max) const;
  // That one of the pit, or with 0 all of them; how many.
  std::size_t drop(std::string_view pit, std::uint64_t id);
  struct Counts {
    std::uint32_t kept = 0;
    std::uint64_t lost = 0;
  };
  [[nodiscard]] Counts counts(std::string_view pit) const;
  [[nodiscard]] bool knows(std::string_view pit) const { return lost_.contains(std::string(pit)); }

  // Those of one pit, without suspects: what of it outlives a daemon.
  [[nodiscard]] DeadLetters of(const std::string& pit) const;
  // Of pits that are not known here yet. A letter whose number is taken has another one.
  void adopt(const DeadLetters& kept);
  // Whether there is nothing in it of any other.
  [[nodiscard]] bool are_of(std::string_view pit) const;
  // Of another run of the machine: their times mean nothing in this one.
  void forget_times();

  [[nodiscard]] std::vector<std::byte> encode() const;
  [[nodiscard]] static std::optional<DeadLetters> decode(std::span<const std::byte> bytes);

 private:
  void make_room(const std::string& pit);

  std::vector<Suspect> suspects_;  // oldest first
  std::map<std::uint64_t, DeadLetter> letters_;
  std::map<std::string, std::uint64_t> lost_;  // of each pit that ever had a letter
  std::uint64_t next_id_ = 1;
};

}  // namespace symphony::detail::broker
