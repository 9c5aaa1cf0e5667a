// One caller's way along a route: its link to the instance that stands there, and the next one's after a swap.
// Layer: conductor.
// A call costs what it costs on the link, two stores and a load; only where the route's word is another than the one it
// knows does it look closer. Threads: one at a time, as pit::Link.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "pits/conductor/route.hpp"
#include "pits/hosting/host.hpp"

namespace symphony::conductor {

// What the threads of one SharedCaller have in common: in process mode the links among which they are given theirs.
// Threads: any.
class Sharing {
 public:
  // A thread's caller to that host, which serves that generation.
  pit::Outcome open(pit::Host& host, Route::Word generation, std::unique_ptr<pit::Caller>& out);
  // What open() needs, ahead of the first thread.
  pit::Outcome prepare(pit::Host& host, Route::Word generation);

 private:
  std::mutex mutex_;
  Route::Word generation_ = Route::never;
  std::shared_ptr<pit::SharedLink> links_;
};

class alignas(detail::cache_line_size) Way final : public pit::Link {
 public:
  // `sharing`: for one of the threads of a SharedCaller; null: it is the only one. Fails as Host::open does.
  static pit::Outcome open(std::shared_ptr<Route> route, std::shared_ptr<Sharing> sharing, TimeNs deadline_ns,
                           std::unique_ptr<Way>& out);
  ~Way() override;

  pit::Reply call(const pit::Request& request) noexcept override {
    // relaxed: only this party writes it.
    const std::uint32_t was = party_.inside.load(std::memory_order_relaxed);
    if (!route_->try_enter(party_, known_)) [[unlikely]]
      return call_slowly(request, was);
    const Inside inside{party_, was};
    return caller_->call(request);  // written where it is returned, as InProcessLink does
  }
  [[nodiscard]] bool try_start(const pit::Request& request, std::uint64_t tag) noexcept override;
  [[nodiscard]] bool try_take(std::uint64_t& tag, pit::Reply& reply) noexcept override;
  [[nodiscard]] Wait prepare_wait() noexcept override;
  void wake_with(std::shared_ptr<const UniqueFd> wake) noexcept override;
  [[nodiscard]] pit::Tally tally() const noexcept override;

 private:
  struct Inside {
    Party& party;
    std::uint32_t was;
    ~Inside() { Route::leave(party, was); }
  };
  // Of what an instance on probation answered.
  enum class Verdict : std::uint8_t {
    good,   // that instance is there
    lost,   // it is not, and the call may not run again
    again,  // it is not, and the call may
  };
  struct Started {
    std::uint64_t tag;
    std::uint32_t type;
    std::uint32_t effect;
    bool on_probation;
  };

  Way(std::shared_ptr<Route> route, std::shared_ptr<Sharing> sharing)
      : route_(std::move(route)), sharing_(std::move(sharing)) {}
  pit::Reply call_slowly(const pit::Request& request, std::uint32_t was) noexcept;
  // Inside, and the word there; nothing: why_ says why not.
  [[nodiscard]] std::optional<Route::Word> enter(TimeNs deadline_ns) noexcept;
  // False: no link, and why_ says why. True: there is one, or the word is to be looked at again.
  [[nodiscard]] bool follow(Route::Word word, TimeNs deadline_ns);
  [[nodiscard]] bool out_of_time();  // false, and why_ says so
  [[nodiscard]] Verdict judge(std::uint32_t type, std::uint32_t effect, const pit::Reply& reply) noexcept;
  [[nodiscard]] bool is_the_expected_one() noexcept;

  // What each call touches, on one line.
  const std::shared_ptr<Route> route_;
  std::unique_ptr<pit::Caller> caller_;
  Route::Word known_ = Route::never;  // of the generation that caller_ leads to
  Party party_;
  pit::Link* link_ = nullptr;  // caller_, where it is one
  const std::shared_ptr<Sharing> sharing_;
  std::uint64_t incarnation_ = 0;  // that caller_ began with
  pit::Tally before_;              // of the callers before this one, and of what ended at the gate
  pit::Outcome why_;
  std::shared_ptr<const UniqueFd> wake_;
  std::vector<Started> started_;
  std::optional<std::uint64_t> failed_;  // the tag of a started call that found no link
  bool was_refused_ = false;             // by the closed gate: nobody will tell when it opens
};

}  // namespace symphony::conductor
