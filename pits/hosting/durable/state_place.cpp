#include "pits/hosting/durable/state_place.hpp"

#include <cstring>
#include <utility>

namespace symphony::pit {

Outcome StatePlace::failed(const error& e) const {
  const std::int32_t status = e.code == errc::out_of_memory || e.code == errc::out_of_descriptors ? SYMPHONY_OVERLOADED
                              : e.code == errc::busy                                              ? SYMPHONY_BAD_STATE
                                                     : SYMPHONY_UNREACHABLE;
  std::string text = "the state of '" + name_ + "'";
  if (is_folder()) text += " in " + policy_.folder;
  text.append(": ").append(e.text);
  if (e.sys_errno != 0) text.append(" (").append(std::strerror(e.sys_errno)).append(")");
  return {status, std::move(text)};
}

Outcome StatePlace::open(std::optional<detail::StateMemory>& out) {
  if (!is_folder()) return {};
  auto lock = detail::lock_state_files(policy_.folder, name_);
  if (!lock) return failed(lock.error());
  lock_ = *std::move(lock);
  auto file = detail::open_state_file(policy_.folder, name_);
  if (!file) return file.error().code == errc::not_found ? Outcome{} : failed(file.error());
  auto mapped = detail::StateMemory::map_old(*std::move(file), true);
  if (!mapped) return failed(mapped.error());
  out = *std::move(mapped);
  return {};
}

Outcome StatePlace::make_next(detail::StateMemory& out) const {
  const detail::StateGeometry geometry{policy_.snapshot_size_max, policy_.journal_size};
  auto fd =
      is_folder() ? detail::create_state_file(policy_.folder, name_, geometry) : detail::create_state_memory(geometry);
  if (!fd) return failed(fd.error());
  auto mapped = detail::StateMemory::map_own(*std::move(fd), geometry, is_folder() && policy_.is_synced,
                                             policy_.durability == Durability::journal);
  if (!mapped) {
    drop_next();
    return failed(mapped.error());
  }
  out = *std::move(mapped);
  return {};
}

Outcome StatePlace::keep_next() const {
  if (!is_folder()) return {};
  const auto kept = detail::keep_state_file(policy_.folder, name_);
  return kept ? Outcome{} : failed(kept.error());
}

void StatePlace::drop_next() const noexcept {
  if (is_folder()) detail::drop_state_file(policy_.folder, name_);
}

}  // namespace symphony::pit
