// One operation set up in memory that several processes share, and set up again for each death.   Layer: tests.
// Threads: one.
#pragma once

#include <new>
#include <optional>
#include <string>
#include <vector>

#include "tests/proof/crash/operations.hpp"
#include "tests/proof/crash/recovery.hpp"

namespace symphony::proof {

inline constexpr Geometry scene_geometry{4096, 4096, 0x1111, 0x2222, true};  // a default link's

// Memory and ledger at one moment.
struct Moment {
  Image image;
  Ledger ledger;
};

template <class Mem>
class Scene {
 public:
  explicit Scene(Mem mem = {})
      : segments(scene_geometry),
        fresh(scene_geometry),
        second(scene_geometry),
        mem_(mem),
        book_(sizeof(Ledger)),
        ledger(*::new (book_.data()) Ledger) {}

  Segments segments;
  Segments fresh;   // of the next epoch
  Segments second;  // of the epoch after a recovery's death

 private:
  Mem mem_;
  SharedBytes book_;

 public:
  Ledger& ledger;
  std::optional<World<Mem>> world;      // as it is before the operation
  std::optional<World<Mem>> read_only;  // the same, of sides that cannot write back

  void set(const Operation<Mem>& operation) {
    for (auto* const which : {&read_only, &world}) {
      segments.clear();
      ledger = {};
      which->emplace(segments, ledger, mem_, which == &world);
      operation.prepare(**which);
    }
    before_ = now();
  }
  [[nodiscard]] Moment now() const { return {segments.image(), ledger}; }
  void go_to(const Moment& moment) const {
    segments.restore(moment.image);
    ledger = moment.ledger;
    fresh.clear();
    second.clear();
  }
  void go_back() const { go_to(before_); }
  [[nodiscard]] const Moment& before() const noexcept { return before_; }

  // Whether the survivor of `dead` finds what it should in memory as it is now, which stays as it is.
  [[nodiscard]] std::string survived(Party dead) const {
    const Image saved = segments.image();
    World<Mem> survivor = *world;
    fresh.clear();
    std::string found = dead == Party::pit ? outlive_pit(survivor, fresh) : outlive_caller(survivor);
    segments.restore(saved);
    return found;
  }

 private:
  Moment before_;
};

// What an operation stores, by the policy that sees each store.
struct Trace {
  struct Phase {
    bool copy = false;  // payload, in whatever order the machine's memcpy writes it
    Image after;
    Ledger ledger;  // when its last store arrived
  };
  Image before;
  std::vector<Phase> phases;  // those that changed something

  static Trace of(const Operation<TraceMem>& operation) {
    Tracer tracer;
    Scene<TraceMem> scene(TraceMem{&tracer});
    scene.set(operation);
    Trace trace;
    trace.before = scene.before().image;
    struct Context {
      Scene<TraceMem>& scene;
      Trace& trace;
    } context{scene, trace};
    tracer.context = &context;
    tracer.after_store = [](void* at, const Tracer::Store& store) {
      auto& [in, into] = *static_cast<Context*>(at);
      Phase phase{store.kind == Tracer::Kind::copy, in.segments.image(), in.ledger};
      if (phase.after == (into.phases.empty() ? into.before : into.phases.back().after)) return;
      if (phase.copy && !into.phases.empty() && into.phases.back().copy) into.phases.pop_back();
      into.phases.push_back(std::move(phase));
    };
    operation.run(*scene.world);
    return trace;
  }
};

}  // namespace symphony::proof
