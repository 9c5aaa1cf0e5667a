// The culprit: a pit that keeps to the contract until it is told to commit one fault. In plain C terms, so that nothing
// stands between a fault and its host. Written against the contract alone; the same source in every mode.
#include <symphony/pit.h>
#include <symphony/pit_note.hpp>

#include <cstdint>
#include <cstring>
#include <new>

#include "bench/faults/acts.hpp"
#include "bench/faults/order.hpp"

namespace {

#if !defined(CULPRIT_MAJOR)  // the contract's version that it says it needs
#define CULPRIT_MAJOR SYMPHONY_ABI_MAJOR
#endif

constexpr symphony_message_note messages[] = {{symphony::faults::ask_type, SYMPHONY_EFFECT_READ},
                                              {symphony::faults::commit_type, SYMPHONY_EFFECT_ONCE}};
constexpr symphony_note note = {sizeof(symphony_note),
                                CULPRIT_MAJOR,
                                SYMPHONY_ABI_MINOR,
                                "culprit",
                                "1.0.0",
                                messages,
                                2,
                                symphony::faults::culprit_reply_size_max,
                                0,
                                0,
                                nullptr,
                                0,
                                SYMPHONY_THREAD_MODEL_SERIAL,
                                0};

struct Pit {
  const symphony_host* host;
  std::uint64_t asked = 0;
};

std::int32_t create(const symphony_host* host, symphony_span config, void** self) {
  if (config.n != 0) return SYMPHONY_BAD_MESSAGE;
  *self = new (std::nothrow) Pit{host};
  return *self != nullptr ? SYMPHONY_OK : SYMPHONY_OVERLOADED;
}
void destroy(void* self) { delete static_cast<Pit*>(self); }

std::int32_t handle(void* self, const symphony_msg* message) {
  using namespace symphony::faults;
  Pit& pit = *static_cast<Pit*>(self);
  const symphony_host& host = *pit.host;
  if (message->envelope->type == commit_type) {
    Order order;
    if (message->body.n != sizeof order) return SYMPHONY_BAD_MESSAGE;
    std::memcpy(&order, message->body.p, sizeof order);
    return commit_fault(order, host);
  }
  if (message->envelope->type != ask_type) return SYMPHONY_UNKNOWN_TYPE;
  ++pit.asked;
  symphony_mut_span out{};
  const std::int32_t claimed = host.claim(host.context, sizeof pit.asked, &out);
  if (claimed != SYMPHONY_OK) return claimed;
  std::memcpy(out.p, &pit.asked, sizeof pit.asked);
  return host.commit(host.context, sizeof pit.asked, told_type);
}

#if defined(SYMPHONY_PIT_SHARED)
}  // namespace
#define CULPRIT_ENTRY \
  extern "C" __attribute__((visibility("default"))) constinit const symphony_pit_entry symphony_pit_entry_v1
#else
#define CULPRIT_ENTRY constexpr symphony_pit_entry entry
#endif

CULPRIT_ENTRY = {sizeof(symphony_pit_entry),
                 0,
                 &note,
                 &create,
                 nullptr,
                 nullptr,
                 &handle,
                 nullptr,
                 nullptr,
                 nullptr,
                 nullptr,
                 &destroy,
                 nullptr,
                 nullptr};

#if !defined(SYMPHONY_PIT_SHARED)
}  // namespace
SYMPHONY_DECLARE_PIT(culprit);
const symphony_pit_entry* SYMPHONY_PIT_ACCESSOR(culprit)(void) { return &entry; }
#endif

#if !defined(__wasm__)
namespace symphony::pit {
SYMPHONY_PIT_NOTE_PLACE auto image = elf_note<note>;
}  // namespace symphony::pit
#endif
