// The Mem policy that shows memory after each store.   Layer: tests.
//
// A process that is killed leaves a prefix of its stores: the states of shared memory after each of them are all that a
// survivor can ever find. Copies go word by word, so that the set of states does not depend on the memcpy of the
// machine. Mutants change the order in which stores arrive: what a wrong ring would have written. Threads: one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "bus/base/check.hpp"
#include "bus/ring/mem.hpp"

namespace symphony::proof {

using namespace symphony::detail;

// How the stores of a wrong ring would arrive.
enum class Mutant : std::uint8_t {
  none,
  header_before_payload,        // the commit first, what it commits after it
  no_next_zero,                 // the header behind the record is not zeroed
  batch_shown_early,            // header 1 of a batch before headers 2..k
  header_in_halves,             // the header as two 4-byte stores
  payload_cut,                  // the last word of a copy is forgotten
  handled_before_reply,         // a request is handled before its reply is committed
  begun_after_handler,          // the handler runs before the request is marked as begun
  freed_before_handled,         // its space is given back before it is marked as handled
  freed_before_copy_taken,      // freed runs one line ahead of what was read
  written_back_before_handled,  // a line is written back before its request is marked as handled
  value_shown_early,            // of a board: the number of a value before the value
};

struct MutantName {
  Mutant mutant;
  std::string_view name;
};
inline constexpr std::array mutants{
    MutantName{Mutant::header_before_payload, "header_before_payload"},
    MutantName{Mutant::no_next_zero, "no_next_zero"},
    MutantName{Mutant::batch_shown_early, "batch_shown_early"},
    MutantName{Mutant::header_in_halves, "header_in_halves"},
    MutantName{Mutant::payload_cut, "payload_cut"},
    MutantName{Mutant::handled_before_reply, "handled_before_reply"},
    MutantName{Mutant::begun_after_handler, "begun_after_handler"},
    MutantName{Mutant::freed_before_handled, "freed_before_handled"},
    MutantName{Mutant::freed_before_copy_taken, "freed_before_copy_taken"},
    MutantName{Mutant::written_back_before_handled, "written_back_before_handled"},
};

class Tracer {
 public:
  enum class Kind : std::uint8_t { word, copy };
  struct Store {
    Kind kind = Kind::word;
    std::byte* at = nullptr;
    std::array<std::byte, 8> bytes{};
    std::size_t size = 0;
    Site site{};  // of a word
  };
  // Called after each store has arrived. A plain pointer: the hook may replace the tracer that calls it.
  using Hook = void (*)(void* context, const Store&);

  Hook after_store = nullptr;
  void* context = nullptr;
  bool drops_write_back = false;  // as a side that has the other's data mapped read-only

  // Room for what it holds back is made now: an allocation later would differ from process to process.
  void become(Mutant mutant) {
    mutant_ = mutant;
    held_.reserve(held_max);
  }

  void store(Site site, std::byte* word, const void* value, std::size_t size) {
    if (drops_write_back && site == Site::write_back) return;
    Store store{Kind::word, word, {}, size, site};
    std::memcpy(store.bytes.data(), value, size);
    if (mutant_ == Mutant::none) return arrive(store);
    if (is_held(site)) return hold(store);
    if (mutant_ == Mutant::written_back_before_handled && (site == Site::freed || site == Site::begun)) flush();
    if (mutant_ == Mutant::no_next_zero && site == Site::next_header) return;
    if (mutant_ == Mutant::header_in_halves && site == Site::header) {
      Store half{Kind::word, word, {}, 4, site};
      std::copy_n(store.bytes.begin(), 4, half.bytes.begin());
      arrive(half);
      half.at = word + 4;
      std::copy_n(store.bytes.begin() + 4, 4, half.bytes.begin());
      return arrive(half);
    }
    if (mutant_ == Mutant::freed_before_copy_taken && site == Site::freed) {
      std::uint64_t ahead = 0;
      std::memcpy(&ahead, store.bytes.data(), sizeof ahead);
      ahead += 64;
      std::memcpy(store.bytes.data(), &ahead, sizeof ahead);
    }
    arrive(store);
    if (frees_held(site)) flush();
  }

  void copy(std::byte* shared, const void* from, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(from);
    if (mutant_ == Mutant::payload_cut && size >= 8) size -= 8;
    for (std::size_t at = 0; at < size; at += 8) {
      Store store{Kind::copy, shared + at, {}, std::min<std::size_t>(8, size - at), {}};
      std::memcpy(store.bytes.data(), bytes + at, store.size);
      if (mutant_ == Mutant::header_before_payload) {
        hold(store);
      } else {
        arrive(store);
      }
    }
  }

  // The operation's steps are over: what a mutant held back arrives now, but for what goes with the next one's.
  void settle() {
    if (mutant_ != Mutant::written_back_before_handled) flush();
  }
  // Lets what a mutant held back arrive: at the latest when the operation ends.
  void flush() {
    for (std::size_t i = 0; i < held_.size(); ++i) {
      const Store late = held_[i];  // the hook may replace the tracer for a while
      arrive(late);
    }
    held_.clear();
  }

 private:
  void arrive(const Store& store) {
    std::memcpy(store.at, store.bytes.data(), store.size);
    if (after_store != nullptr) after_store(context, store);
  }
  [[nodiscard]] bool is_held(Site site) const noexcept {
    switch (mutant_) {
      case Mutant::batch_shown_early:
        return site == Site::batch_header;
      case Mutant::handled_before_reply:
        return site == Site::header || site == Site::tail;
      case Mutant::begun_after_handler:
        return site == Site::begun;
      case Mutant::freed_before_handled:
      case Mutant::written_back_before_handled:
        return site == Site::handled;
      case Mutant::value_shown_early:
        return site == Site::slot_begun || site == Site::slot_word;
      default:
        return false;
    }
  }
  [[nodiscard]] bool frees_held(Site site) const noexcept {
    switch (mutant_) {
      case Mutant::header_before_payload:
      case Mutant::batch_shown_early:
      case Mutant::begun_after_handler:
        return site == Site::header;
      case Mutant::handled_before_reply:
        return site == Site::handled;
      case Mutant::freed_before_handled:
        return site == Site::freed;
      case Mutant::value_shown_early:
        return site == Site::latest;
      default:
        return false;
    }
  }
  void hold(const Store& store) {
    SYMPHONY_CHECK(held_.size() < held_max);
    held_.push_back(store);
  }
  static constexpr std::size_t held_max = 512;
  Mutant mutant_ = Mutant::none;
  std::vector<Store> held_;
};

struct TraceMem {
  Tracer* tracer = nullptr;

  template <Order order, Site site, class T>
  [[nodiscard]] T load(const T* word) const noexcept {
    return RealMem::load<order, site>(word);
  }
  template <Order, Site site, class T>
  void store(T* word, T value) const {
    tracer->store(site, reinterpret_cast<std::byte*>(word), &value, sizeof value);
  }
  void copy_in(std::byte* shared, const void* from, std::size_t size) const { tracer->copy(shared, from, size); }
  void copy_out(void* to, const std::byte* shared, std::size_t size) const noexcept {
    RealMem::copy_out(to, shared, size);
  }
};

}  // namespace symphony::proof
