// The PoolManager's requests as functions, whatever carries them.   Layer: tests.
#pragma once

#include <flatbuffers/flatbuffers.h>
#include <symphony/pit.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <symphony/message_type.hpp>

#include "pool_manager_generated.h"

namespace symphony::pit::pools::testing {

// How a request ended, with bytes of its own.
struct Said {
  std::int32_t status = SYMPHONY_INTERNAL;
  std::uint32_t type = 0;
  std::vector<std::uint64_t> words;  // for alignment
  std::size_t size = 0;
  std::string text;

  [[nodiscard]] bool ok() const { return status == SYMPHONY_OK; }
  [[nodiscard]] bool is(pool::Refusal refusal) const { return status == static_cast<std::int32_t>(refusal); }
  // Null when it is another reply, or not a valid one.
  template <class T>
  [[nodiscard]] const T* as() const {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(words.data());
    if (type != message_type(T::GetFullyQualifiedName())) return nullptr;
    flatbuffers::Verifier verifier(bytes, size);
    return verifier.VerifyBuffer<T>(nullptr) ? flatbuffers::GetRoot<T>(bytes) : nullptr;
  }
  [[nodiscard]] std::uint64_t token() const { return as<pool::Granted>() ? as<pool::Granted>()->body()->token() : 0; }
  [[nodiscard]] std::uint32_t lease() const { return as<pool::Granted>() ? as<pool::Granted>()->body()->lease() : 0; }
  [[nodiscard]] std::uint64_t expires_ns() const {
    return as<pool::Granted>() ? as<pool::Granted>()->body()->expires_ns() : 0;
  }
  [[nodiscard]] std::uint64_t wait() const { return as<pool::Queued>() ? as<pool::Queued>()->wait() : 0; }
  [[nodiscard]] pool::Why denied() const { return as<pool::Denied>() ? as<pool::Denied>()->why() : pool::Why::NONE; }
};

inline Said said(std::int32_t status, std::uint32_t type, std::span<const std::byte> body, std::string_view text) {
  Said out;
  out.status = status;
  out.type = type;
  out.words.resize(body.size() / 8 + 1);
  out.size = body.size();
  std::copy(body.begin(), body.end(), reinterpret_cast<std::byte*>(out.words.data()));
  out.text = text;
  return out;
}

struct Ask {
  std::vector<std::pair<std::uint32_t, std::uint64_t>> wants;
  std::uint64_t holder = 1;
  std::uint32_t epoch = 1;
  pool::Mode mode = pool::Mode::TRY;
  std::uint32_t queue = 0;
  int priority = 0;
  std::uint64_t ttl_ns = 0;
  std::uint64_t max_wait_ns = 0;
  std::string tag{};
};

class PoolClient {
 public:
  using Carry = std::function<Said(std::uint32_t type, std::span<const std::byte> body)>;
  explicit PoolClient(Carry carry) : carry_(std::move(carry)) {}

  Said create(const char* name, std::uint64_t capacity, std::uint32_t overtake_max = 64, std::uint64_t ttl_ns = 0,
              std::uint64_t leak_after_ns = 0, std::uint64_t fence = 0) {
    return send(pool::CreateCreatePoolDirect(b(), name, pool::Kind::AMOUNT, capacity, nullptr, ttl_ns, leak_after_ns,
                                             overtake_max, fence));
  }
  Said create_units(const char* name, const std::vector<std::string>& units, std::uint32_t overtake_max = 64) {
    auto& to = b();
    const auto at = to.CreateString(name);
    const auto all = to.CreateVectorOfStrings(units);
    return send(pool::CreateCreatePool(to, at, pool::Kind::UNITS, 0, all, 0, 0, overtake_max));
  }
  Said find(const char* name) { return send(pool::CreateFindPoolDirect(b(), name)); }
  Said describe(std::uint32_t pool) { return send(pool::CreateDescribePool(b(), pool)); }
  Said resize(std::uint32_t pool, std::uint64_t capacity, bool revoke = false) {
    return send(pool::CreateResizePool(b(), pool, capacity, revoke));
  }
  Said erase(std::uint32_t pool, bool revoke = false) { return send(pool::CreateDeletePool(b(), pool, revoke)); }
  Said add_unit(std::uint32_t pool, const char* name) { return send(pool::CreateAddUnitDirect(b(), pool, name)); }
  Said remove_unit(std::uint32_t pool, std::uint32_t unit, bool revoke = false) {
    return send(pool::CreateRemoveUnit(b(), pool, unit, revoke));
  }
  Said cordon(std::uint32_t pool, std::uint32_t unit, bool cordoned = true, const char* reason = nullptr) {
    return send(pool::CreateCordonUnitDirect(b(), pool, unit, cordoned, reason));
  }
  Said units(std::uint32_t pool, std::uint32_t first = 0) { return send(pool::CreateListUnits(b(), pool, first)); }
  Said queue(std::uint32_t queue, pool::Strategy strategy = pool::Strategy::BEST_EFFORT, std::uint32_t weight = 1,
             std::uint64_t ageing_ns = 1'000'000'000) {
    return send(pool::CreateSetQueue(b(), queue, strategy, weight, ageing_ns));
  }
  Said quota(std::uint32_t queue, std::uint32_t pool, std::uint64_t nominal,
             std::uint64_t borrow = std::uint64_t{1} << 60, std::uint64_t lend = std::uint64_t{1} << 60) {
    return send(pool::CreateSetQuota(b(), queue, pool, nominal, borrow, lend));
  }

  Said acquire(const Ask& ask) { return send(made(b(), ask)); }
  static flatbuffers::Offset<pool::Acquire> made(flatbuffers::FlatBufferBuilder& to, const Ask& ask) {
    const auto [first, amount] = ask.wants.empty() ? std::pair<std::uint32_t, std::uint64_t>{} : ask.wants.front();
    std::vector<pool::Want> more;
    for (std::size_t i = 1; i < ask.wants.size(); ++i) more.emplace_back(ask.wants[i].second, ask.wants[i].first);
    const auto further = more.empty() ? 0 : to.CreateVectorOfStructs(more);
    const auto tag = ask.tag.empty() ? 0 : to.CreateString(ask.tag);
    const pool::AcquireBody body(amount, ask.holder, ask.ttl_ns, ask.max_wait_ns, first, ask.epoch, ask.queue,
                                 static_cast<std::int16_t>(ask.priority), ask.mode);
    return pool::CreateAcquire(to, &body, further, tag);
  }
  Said release(std::uint32_t lease, std::uint64_t token, std::uint64_t holder = 1) {
    const pool::LeaseRef ref(token, holder, lease);
    return send(pool::CreateRelease(b(), &ref));
  }
  Said release(const Said& granted, std::uint64_t holder = 1) {
    return release(granted.lease(), granted.token(), holder);
  }
  Said renew(std::uint32_t lease, std::uint64_t token, std::uint64_t ttl_ns, std::uint64_t holder = 1) {
    const pool::LeaseRef ref(token, holder, lease);
    return send(pool::CreateRenew(b(), &ref, ttl_ns));
  }
  Said preempt(std::uint32_t lease, std::uint64_t token, std::uint64_t grace_ns = 0) {
    return send(pool::CreatePreempt(b(), lease, token, grace_ns));
  }
  Said collect(std::uint64_t wait, std::uint64_t holder = 1) { return send(pool::CreateCollect(b(), wait, holder)); }
  Said cancel(std::uint64_t wait, std::uint64_t holder = 1) { return send(pool::CreateCancelWait(b(), wait, holder)); }
  Said gone(std::uint64_t holder, std::uint32_t epoch = 1) { return send(pool::CreateHolderGone(b(), holder, epoch)); }
  Said leases(std::uint32_t first = 0) { return send(pool::CreateListLeases(b(), first)); }
  Said waiters(std::uint32_t first = 0) { return send(pool::CreateListWaiters(b(), first)); }
  Said explain(std::uint64_t wait) { return send(pool::CreateExplain(b(), wait)); }

  // The number of a pool that has just been made.
  static std::uint32_t number(const Said& made) {
    return made.as<pool::PoolInfo>() ? made.as<pool::PoolInfo>()->pool() : 0;
  }

  template <class T>
  Said send(flatbuffers::Offset<T> request) {
    builder_.Finish(request);
    return carry_(message_type(T::GetFullyQualifiedName()),
                  std::as_bytes(std::span(builder_.GetBufferPointer(), builder_.GetSize())));
  }
  flatbuffers::FlatBufferBuilder& b() {
    builder_.Clear();
    return builder_;
  }

 private:
  Carry carry_;
  flatbuffers::FlatBufferBuilder builder_;
};

}  // namespace symphony::pit::pools::testing
