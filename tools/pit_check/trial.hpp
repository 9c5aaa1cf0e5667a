// What a case of the suite is given, and how it says what it found.   Layer: tools/pit_check.
// A case returns: it passed. It throws Failed or Skipped, by way of the functions here. Threads: one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "pits/hosting/pit_info.hpp"
#include "tools/pit_check/stage.hpp"

namespace symphony::pit_check {

struct Failed {
  std::string why;
};
struct Skipped {
  std::string why;
};

class Trial {
 public:
  Trial(Stage& the_stage, std::uint64_t seed, std::string_view name, std::uint32_t percent = 100)
      : stage(the_stage), random(mix(seed, name)), percent_(percent) {}

  Stage& stage;
  std::mt19937_64 random;  // the same for the same seed and case
  std::string remark;      // beside the verdict: a figure

  // How many of `all` rounds of random play are to be played; never none.
  template <class Count>
  [[nodiscard]] Count rounds(Count all) const noexcept {
    return std::max<Count>(1, all * static_cast<Count>(percent_) / 100);
  }

  [[nodiscard]] const pit::PitInfo& note() const noexcept { return stage.file().notes[0].info; }

  [[noreturn]] static void fail(std::string why) { throw Failed{std::move(why)}; }
  [[noreturn]] static void skip(std::string why) { throw Skipped{std::move(why)}; }
  static void require(bool holds, std::string_view why) {
    if (!holds) fail(std::string(why));
  }
  // The outcome is a success; `what` says of what.
  static void require_ok(const pit::Outcome& outcome, std::string_view what) {
    if (!outcome.ok()) fail(std::string(what) + ": " + described(outcome));
  }
  // The outcome is this refusal and no other.
  static void require_refused(const pit::Outcome& outcome, std::int32_t status, std::string_view what) {
    if (outcome.status != status) {
      fail(std::string(what) + ": want status " + std::to_string(status) + ", got " + described(outcome));
    }
  }
  void need_snapshots() const {
    if (note().state_revision == 0) skip("the pit keeps no snapshots");
  }
  [[nodiscard]] static std::string described(const pit::Outcome& outcome) {
    return outcome.ok() ? "success" : "status " + std::to_string(outcome.status) + ", " + outcome.text;
  }

 private:
  const std::uint32_t percent_;

  static std::uint64_t mix(std::uint64_t seed, std::string_view name) noexcept {
    std::uint64_t hash = 14'695'981'039'346'656'037U;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
    return hash ^ seed;
  }
};

}  // namespace symphony::pit_check
