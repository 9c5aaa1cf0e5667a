// Lets one side die in the state that memory is in now, and the other recover there.   Layer: tests.
//
// Runs in place, on copies of the survivor, and puts memory back: the victim's operation then goes on as if nothing had
// been. Threads: one.
#pragma once

#include <string>
#include <utility>

#include "tests/proof/crash/operations.hpp"
#include "tests/proof/crash/recovery.hpp"

namespace symphony::proof {

class ImageCheck {
 public:
  explicit ImageCheck(const Geometry& geometry) : segments(geometry), fresh_(geometry), second_(geometry) {}

  Segments segments;
  Ledger ledger;
  Tracer tracer;
  std::uint64_t images = 0;          // states that a survivor was put into
  std::uint64_t double_crashes = 0;  // states of a recovery that another recovery began from
  std::uint64_t written_back = 0;    // of the images: after a line was written back
  std::string first_wrong;

  [[nodiscard]] World<TraceMem> make_world() {
    segments.clear();
    ledger = {};
    tracer = {};
    return World<TraceMem>(segments, ledger, TraceMem{&tracer});
  }

  // After every store of `act()` its actor dies. `twice`: the recoverer too, after each of its stores.
  template <class Act>
  void run(World<TraceMem>& world, Party actor, bool twice, Act&& act) {
    world_ = &world;
    actor_ = actor;
    twice_ = twice;
    tracer.after_store = [](void* self, const Tracer::Store& store) {
      auto& check = *static_cast<ImageCheck*>(self);
      ++check.images;
      check.written_back += store.kind == Tracer::Kind::word && store.site == Site::write_back;
      check.die(check.actor_);
    };
    tracer.context = this;
    act();
    tracer.flush();
    tracer.after_store = nullptr;
    die(actor);
  }

  // One side dies now.
  void die(Party dead) {
    if (!first_wrong.empty()) return;
    segments.save(image_);
    const Tracer victim = std::exchange(tracer, Tracer{});
    first_wrong = dead == Party::pit ? pit_dies() : caller_dies();
    tracer = victim;
    segments.restore(image_);
  }

 private:
  [[nodiscard]] Recovered recover_onto(World<TraceMem>& survivor, const Segments& fresh) {
    fresh.clear();
    CallerChannel<TraceMem> next(fresh.caller(), fresh.pit(), fresh.geometry(), TraceMem{&tracer});
    return recover(survivor, next);
  }

  [[nodiscard]] std::string pit_dies() {
    World<TraceMem> survivor = *world_;
    reference_ = recover_onto(survivor, fresh_);
    std::string wrong = check_recovered(survivor, reference_);
    if (!wrong.empty()) return wrong;
    scribble_on_the_dead_epoch();
    wrong = check_sent_again(fresh_, ledger, reference_.made(), true, TraceMem{&tracer});
    segments.restore(image_);
    if (!wrong.empty()) return wrong;

    // Once more, and after each store of the recovery another one from the beginning.
    World<TraceMem> again = *world_;
    tracer = restartable();
    if (twice_) {
      tracer.after_store = [](void* self, const Tracer::Store&) { static_cast<ImageCheck*>(self)->recoverer_dies(); };
      tracer.context = this;
    }
    const Recovered same = recover_onto(again, fresh_);
    tracer = {};
    if (!same.same_as(reference_)) return "I7: recovering again decides otherwise";
    recoverer_dies();
    --double_crashes;
    return std::exchange(nested_wrong_, {});
  }

  // Of a recovery that another one repeats from the beginning. It reads only: what it has taken and written back into,
  // the other would not find. (A caller that dies takes its link with it; nobody repeats its recovery.)
  [[nodiscard]] static Tracer restartable() {
    Tracer tracer;
    tracer.drops_write_back = true;
    return tracer;
  }

  void recoverer_dies() {
    ++double_crashes;
    const Tracer dead = std::exchange(tracer, restartable());
    const Image left = segments.image();
    World<TraceMem> third = *world_;
    std::string wrong = check_sent_again(fresh_, ledger, reference_.made(), false, TraceMem{&tracer});
    if (!recover_onto(third, second_).same_as(reference_)) wrong = "I7: recovery after a recovery's death differs";
    if (wrong.empty()) wrong = check_sent_again(second_, ledger, reference_.made(), true, TraceMem{&tracer});
    if (nested_wrong_.empty()) nested_wrong_ = wrong;
    segments.restore(left);
    tracer = dead;
  }

  [[nodiscard]] std::string caller_dies() {
    World<TraceMem> survivor = *world_;
    std::string wrong = drain_requests(survivor);
    if (wrong.empty()) wrong = check_drained(survivor);
    if (!wrong.empty()) return wrong;
    const std::uint64_t taken = survivor.requests_taken;
    wrong = drain_requests(survivor);
    if (wrong.empty() && survivor.requests_taken != taken) wrong = "I7: draining again finds more";
    return wrong;
  }

  // A zombie writes where nobody reads.
  void scribble_on_the_dead_epoch() const {
    Image noise(segments.image_size(), std::byte{0xa5});
    segments.restore(noise);
  }

  World<TraceMem>* world_ = nullptr;
  Party actor_ = Party::caller;
  bool twice_ = false;
  Segments fresh_;
  Segments second_;
  Image image_;
  Recovered reference_;
  std::string nested_wrong_;
};

}  // namespace symphony::proof
