#include "bus/broker/dead_letters.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "bus/broker/kept_bytes.hpp"
#include "bus/control/codec.hpp"

namespace symphony::detail::broker {
namespace {

constexpr std::uint32_t letters_revision = 1;

struct LetterWriter : KeptWriter {
  void text(const std::string& s) { bytes(std::as_bytes(std::span(s))); }
  void death(const PitDeath& d) {
    number(d.at_ns);
    number(d.instance);
    number(d.cause);
    number(static_cast<std::uint8_t>(d.signalled));
    number(d.value);
    number(d.ready_ns);
    text(d.last_lines);
    number(d.executing.link);
    number(d.executing.id);
    number(d.executing.type);
    number(d.executing.size);
    number(d.executing.attempt);
    number(d.executing_count);
  }
};

struct LetterReader : KeptReader {
  void text(std::string& s, std::size_t size_max) {
    const auto b = bytes(size_max);
    s.assign(reinterpret_cast<const char*>(b.data()), b.size());
    ok = ok && s.find('\0') == std::string::npos;
  }
  void death(PitDeath& d) {
    number(d.at_ns);
    number(d.instance);
    one_of(d.cause, DeathCause::exception_storm);
    std::uint8_t signalled = 0;
    number(signalled);
    d.signalled = signalled != 0;
    number(d.value);
    number(d.ready_ns);
    text(d.last_lines, control::last_lines_size_max);
    number(d.executing.link);
    number(d.executing.id);
    number(d.executing.type);
    number(d.executing.size);
    number(d.executing.attempt);
    number(d.executing_count);
  }
};

}  // namespace

// ---- suspects

Suspect* DeadLetters::suspect(LinkId link, std::uint64_t id) noexcept {
  const auto found =
      std::find_if(suspects_.begin(), suspects_.end(), [&](const Suspect& s) { return s.link == link && s.id == id; });
  return found == suspects_.end() ? nullptr : &*found;
}

Suspect& DeadLetters::accuse(LinkId link, std::uint64_t id) {
  if (Suspect* known = suspect(link, id)) return *known;
  const auto of_link = [&](const Suspect& s) { return s.link == link; };
  if (std::count_if(suspects_.begin(), suspects_.end(), of_link) >=
      static_cast<std::ptrdiff_t>(suspects_per_link_max)) {
    suspects_.erase(std::find_if(suspects_.begin(), suspects_.end(), of_link));
  } else if (suspects_.size() >= suspects_max) {
    suspects_.erase(suspects_.begin());
  }
  Suspect& added = suspects_.emplace_back();
  added.link = link;
  added.id = id;
  return added;
}

void DeadLetters::acquit(LinkId link, std::uint64_t id) {
  std::erase_if(suspects_, [&](const Suspect& s) { return s.link == link && s.id == id; });
}

// ---- letters

std::uint64_t DeadLetters::park(DeadLetter letter) {
  letter.id = next_id_++;
  letter.kept_size = static_cast<std::uint32_t>(letter.body.size());
  const std::string pit = letter.pit;
  if (lost_.size() >= letter_boxes_max && !lost_.contains(pit)) {
    // Of a pit that is configured no more, most likely: there are twice as many as can be.
    const std::string oldest = letters_.empty() ? lost_.begin()->first : letters_.begin()->second.pit;
    drop(oldest, 0);
    lost_.erase(oldest);
  }
  lost_.try_emplace(pit, 0);
  const std::uint64_t id = letter.id;
  letters_.emplace(id, std::move(letter));
  make_room(pit);
  return id;
}

void DeadLetters::make_room(const std::string& pit) {
  std::size_t count = 0, size = 0;
  for (const auto& [id, letter] : letters_) {
    if (letter.pit != pit) continue;
    ++count;
    size += letter.body.size();
  }
  for (auto it = letters_.begin(); it != letters_.end() && (count > letters_per_pit_max || size > letters_size_max);) {
    if (it->second.pit != pit) {
      ++it;
      continue;
    }
    --count;
    size -= it->second.body.size();
    ++lost_.at(pit);
    it = letters_.erase(it);
  }
}

const DeadLetter* DeadLetters::find(std::string_view pit, std::uint64_t id) const {
  const auto found = letters_.find(id);
  return found == letters_.end() || found->second.pit != pit ? nullptr : &found->second;
}

std::vector<DeadLetter> DeadLetters::list(std::string_view pit, std::uint64_t after, std::size_t max) const {
  std::vector<DeadLetter> out;
  for (auto it = letters_.upper_bound(after); it != letters_.end() && out.size() < max; ++it) {
    if (!pit.empty() && it->second.pit != pit) continue;
    DeadLetter& letter = out.emplace_back(it->second);
    letter.body.clear();
    letter.death.last_lines.clear();
  }
  return out;
}

std::size_t DeadLetters::drop(std::string_view pit, std::uint64_t id) {
  return std::erase_if(letters_,
                       [&](const auto& entry) { return entry.second.pit == pit && (id == 0 || entry.first == id); });
}

DeadLetters::Counts DeadLetters::counts(std::string_view pit) const {
  Counts out;
  for (const auto& [id, letter] : letters_) out.kept += letter.pit == pit ? 1 : 0;
  if (const auto found = lost_.find(std::string(pit)); found != lost_.end()) out.lost = found->second;
  return out;
}

// ---- for the next daemon

DeadLetters DeadLetters::of(const std::string& pit) const {
  DeadLetters out;
  out.next_id_ = next_id_;
  if (const auto known = lost_.find(pit); known != lost_.end()) out.lost_.insert(*known);
  for (const auto& [id, letter] : letters_) {
    if (letter.pit == pit) out.letters_.emplace(id, letter);
  }
  return out;
}

void DeadLetters::adopt(const DeadLetters& kept) {
  next_id_ = std::max(next_id_, kept.next_id_);
  for (const auto& [pit, lost] : kept.lost_) {
    if (lost_.size() >= letter_boxes_max || !lost_.emplace(pit, lost).second) continue;
    for (const auto& [id, letter] : kept.letters_) {
      if (letter.pit != pit) continue;
      DeadLetter own = letter;
      if (letters_.contains(id)) own.id = next_id_++;
      letters_.emplace(own.id, std::move(own));
    }
    make_room(pit);
  }
}

bool DeadLetters::are_of(std::string_view pit) const {
  return suspects_.empty() &&
         std::all_of(lost_.begin(), lost_.end(), [&](const auto& one) { return one.first == pit; });
}

void DeadLetters::forget_times() {
  for (auto& [id, letter] : letters_) letter.at_ns = letter.death.at_ns = 0;
}

// ---- for the next broker

std::vector<std::byte> DeadLetters::encode() const {
  LetterWriter w;
  w.number(letters_revision);
  w.number(next_id_);
  w.number(static_cast<std::uint32_t>(lost_.size()));
  for (const auto& [pit, lost] : lost_) {
    w.text(pit);
    w.number(lost);
  }
  w.number(static_cast<std::uint32_t>(suspects_.size()));
  for (const Suspect& s : suspects_) {
    w.number(s.link);
    w.number(s.id);
    w.number(s.deaths);
    w.text(s.pit);
    w.text(s.version);
    w.death(s.death);
  }
  w.number(static_cast<std::uint32_t>(letters_.size()));
  for (const auto& [id, l] : letters_) {
    w.number(l.id);
    w.text(l.pit);
    w.text(l.version);
    w.number(l.at_ns);
    w.number(l.link);
    w.number(l.message);
    w.number(l.type);
    w.number(l.effect);
    w.number(l.attempts);
    w.number(l.outcome);
    w.number(l.size);
    w.bytes(l.body);
    w.death(l.death);
  }
  return std::move(w.out);
}

std::optional<DeadLetters> DeadLetters::decode(std::span<const std::byte> bytes) {
  LetterReader r{{bytes}};
  DeadLetters out;
  std::uint32_t written_by = 0, count = 0;
  r.number(written_by);
  r.ok = r.ok && written_by == letters_revision;
  r.number(out.next_id_);
  r.number(count);
  r.ok = r.ok && count <= letter_boxes_max;
  for (std::uint32_t i = 0; r.ok && i < count; ++i) {
    std::string pit;
    std::uint64_t lost = 0;
    r.text(pit, control::pit_name_size_max);
    r.number(lost);
    out.lost_[pit] = lost;
  }
  r.number(count);
  r.ok = r.ok && count <= suspects_max;
  for (std::uint32_t i = 0; r.ok && i < count; ++i) {
    Suspect& s = out.suspects_.emplace_back();
    r.number(s.link);
    r.number(s.id);
    r.number(s.deaths);
    r.text(s.pit, control::pit_name_size_max);
    r.text(s.version, control::version_size_max);
    r.death(s.death);
  }
  r.number(count);
  r.ok = r.ok && count <= letter_boxes_max * letters_per_pit_max;
  for (std::uint32_t i = 0; r.ok && i < count; ++i) {
    DeadLetter l;
    r.number(l.id);
    r.text(l.pit, control::pit_name_size_max);
    r.text(l.version, control::version_size_max);
    r.number(l.at_ns);
    r.number(l.link);
    r.number(l.message);
    r.number(l.type);
    r.one_of(l.effect, Effect::idempotent);
    r.number(l.attempts);
    r.one_of(l.outcome, AloneOutcome::late);
    r.number(l.size);
    const auto body = r.bytes(control::letter_body_size_max);
    l.body.assign(body.begin(), body.end());
    l.kept_size = static_cast<std::uint32_t>(body.size());
    r.death(l.death);
    r.ok = r.ok && l.id < out.next_id_ && out.lost_.contains(l.pit);
    if (r.ok) out.letters_.emplace(l.id, std::move(l));
  }
  if (!r.ok || !r.in.empty()) return std::nullopt;
  return out;
}

}  // namespace symphony::detail::broker
