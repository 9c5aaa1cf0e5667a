// The C++ face of the contract: write a class with typed handlers, name it once with SYMPHONY_PIT.   Layer: contract.
//
//   struct Greeter {
//     symphony::Result<Greeting> on(symphony::In<Hello> hello, symphony::Ctx& ctx);    // one kind of reply
//     symphony::Status           on(symphony::In<Reset>, symphony::Ctx& ctx);          // none, or several: ctx.reply()
//   };
//   SYMPHONY_PIT(Greeter, greeter, "1.0.0", symphony::once<Hello>, symphony::idempotent<Reset>)
//
// Optional members, found by their signature:
//   Status on_raw(Raw, Ctx&)                    messages of other types, as bytes that nobody verified
//   Status configure(std::string_view json, Ctx&)  the operator's configuration, if there is one; without this member a
//                                               configuration is refused
//   Status init(Ctx&), start(Ctx&), stop(Ctx&), drain(std::uint64_t deadline_ns, Ctx&)
//   Status on_timer(std::uint64_t id, Ctx&)     a timer of Ctx::set_timer is due
//   Status on_answer(Answer, Ctx&)              the answer to a Ctx::call
//   Status snapshot(Sink) const  and  Status restore(Source, std::uint32_t revision)
//       A restore that fails leaves the state it found. Bytes left over after a successful one are a BAD_MESSAGE.
//   static constexpr std::uint32_t reply_size_max     default 65,536
//   static constexpr std::uint32_t state_revision     of the snapshots it writes; default 1
//   static constexpr std::uint32_t state_revision_min the oldest it restores; default state_revision
//   static constexpr auto needs = std::array{"pool"}  names under which the pits that it calls are mounted; default
//   none
//
// Each message is verified before its handler sees it (depth and table limits below). A handler that throws ends the
// request as INTERNAL with what() as text. Two pits of different names can be linked into one program.
// symphony_add_pit (cmake/SymphonyPit.cmake) defines: SYMPHONY_PIT_SHARED, for a shared object, whose one symbol the
// macro then exports; SYMPHONY_SCHEMA_HASH, of the text of its schemas; SYMPHONY_PIT_RESTORES_MIN and _MAX, to which
// the class must agree where the build file names the revisions that it restores.
#pragma once

#include <symphony/pit.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#if defined(__cpp_exceptions)
#include <exception>
#endif
#include <new>
#include <utility>

#include <symphony/message_type.hpp>
#include <symphony/pit_context.hpp>
#include <symphony/pit_note.hpp>

namespace symphony {

// A message in a pit's list, with what may be done with it when the pit died while handling it.
template <class T>
struct once {  // it is not sent again: the caller learns CRASHED
  using message = T;
  static constexpr std::uint32_t effect = SYMPHONY_EFFECT_ONCE;
};
template <class T>
struct read {  // it changes nothing: it is sent again
  using message = T;
  static constexpr std::uint32_t effect = SYMPHONY_EFFECT_READ;
};
template <class T>
struct idempotent {  // twice is the same as once: it is sent again
  using message = T;
  static constexpr std::uint32_t effect = SYMPHONY_EFFECT_IDEMPOTENT;
};

// The type id of a generated table.
template <class T>
[[nodiscard]] constexpr std::uint32_t pit_type_id() noexcept {
  constexpr std::uint32_t id = pit::message_type(T::GetFullyQualifiedName());
  static_assert(id != 0, "this table's name hashes to 0, which names no type: rename it");
  return id;
}

namespace pit {

inline constexpr std::uint32_t message_size_max = std::uint32_t{1} << 30;
inline constexpr std::uint32_t default_reply_size_max = 65'536;
#if defined(SYMPHONY_SCHEMA_HASH)
inline constexpr std::uint64_t schema_hash = SYMPHONY_SCHEMA_HASH;
#else
inline constexpr std::uint64_t schema_hash = 0;
#endif

// A string as a template argument.
template <std::size_t N>
struct Text {
  char chars[N];
  consteval Text(const char (&text)[N]) noexcept {  // NOLINT(google-explicit-constructor)
    for (std::size_t i = 0; i < N; ++i) chars[i] = text[i];
  }
};

constexpr bool is_pit_name(std::string_view name) {
  if (name.empty() || name.size() > 63 || name.front() < 'a' || name.front() > 'z') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

// Everything that SYMPHONY_PIT makes of a class.
template <class T, Text name, Text version, class... Messages>
class Face {
  struct Instance {
    explicit Instance(const symphony_host& host) : ctx(host) {}
    Ctx ctx;
    T pit;
  };
  using Handler = Status (*)(Instance&, const symphony_msg&);
  struct Entry {
    std::uint32_t type;
    std::uint32_t effect;
    Handler run;
  };
  static constexpr std::size_t count = sizeof...(Messages);

  static_assert(is_pit_name({name.chars, sizeof name.chars - 1}),
                "a pit's name is a lower-case letter, then lower-case letters, digits or _; at most 63");
  static constexpr bool has_snapshot = requires(const T& t, Sink s) { t.snapshot(s); };
  static constexpr bool has_timer = requires(T & t, Ctx& c) { t.on_timer(std::uint64_t{}, c); };
  static constexpr bool has_restore = requires(T & t, Source s) { t.restore(s, std::uint32_t{}); };
  static_assert(has_snapshot == has_restore,
                "a pit has both snapshot(Sink) const and restore(Source, revision), or none");

  static constexpr std::uint32_t reply_size_max() {
    if constexpr (requires { T::reply_size_max; }) return T::reply_size_max;
    return default_reply_size_max;
  }
  static constexpr std::uint32_t state_revision() {
    if constexpr (requires { T::state_revision; }) return T::state_revision;
    return has_snapshot ? 1 : 0;
  }
  static constexpr std::uint32_t state_revision_min() {
    if constexpr (requires { T::state_revision_min; }) return T::state_revision_min;
    return state_revision();
  }
  static_assert(!has_snapshot || (1 <= state_revision_min() && state_revision_min() <= state_revision()));
#if defined(SYMPHONY_PIT_RESTORES_MIN)
  static_assert(state_revision_min() == SYMPHONY_PIT_RESTORES_MIN && state_revision() == SYMPHONY_PIT_RESTORES_MAX,
                "RESTORES of symphony_add_pit differs from the class: state_revision_min, state_revision");
#endif

  template <class M>
  static Status finish(Ctx& ctx, const Result<M>& result) {
    return result.ok() ? ctx.reply(result.root()) : result.failure();
  }
  static Status finish(Ctx&, Status status) { return status; }

  template <class M>
  static Status run(Instance& self, const symphony_msg& message) {
    static_assert(
        requires(T & t, In<M> m, Ctx & c) { finish(c, t.on(m, c)); },
        "the pit lists a message without a handler: Result<Reply> or Status on(In<Message>, Ctx&)");
    flatbuffers::Verifier verifier(message.body.p, message.body.n, verify_depth_max, verify_tables_max);
    if (!verifier.VerifyBuffer<M>(nullptr)) {
      return self.ctx.fail(SYMPHONY_BAD_MESSAGE, "the body is not a valid ", M::GetFullyQualifiedName());
    }
    return finish(self.ctx, self.pit.on(In<M>(*flatbuffers::GetRoot<M>(message.body.p), message), self.ctx));
  }

  static constexpr std::array<Entry, count> table = [] {
    std::array<Entry, count> all{
        Entry{pit_type_id<typename Messages::message>(), Messages::effect, &run<typename Messages::message>}...};
    std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) { return a.type < b.type; });
    return all;
  }();
  static_assert(
      [] {
        for (std::size_t i = 1; i < count; ++i) {
          if (table[i - 1].type == table[i].type) return false;
        }
        return true;
      }(),
      "two messages of this pit have one type id: a message is listed twice, or rename one of them");
  // One more than needed, so that a pit without messages has an array too.
  static constexpr std::array<symphony_message_note, count + 1> messages = [] {
    std::array<symphony_message_note, count + 1> all{};
    for (std::size_t i = 0; i < count; ++i) all[i] = {table[i].type, table[i].effect};
    return all;
  }();

  static constexpr std::size_t need_count() {
    if constexpr (requires { T::needs; }) return T::needs.size();
    return 0;
  }
  static constexpr std::size_t need_size_max = 64;
  // Copies: a std::string_view need not end in a 0. One more than needed, as above.
  static constexpr auto need_texts = [] {
    std::array<std::array<char, need_size_max>, need_count() + 1> all{};
    if constexpr (requires { T::needs; }) {
      for (std::size_t i = 0; i < need_count(); ++i) {
        const std::string_view need = T::needs[i];
        for (std::size_t c = 0; c < need.size() && c < need_size_max; ++c) all[i][c] = need[c];
      }
    }
    return all;
  }();
  static constexpr auto needs = [] {
    std::array<const char*, need_count() + 1> all{};
    for (std::size_t i = 0; i < need_count(); ++i) all[i] = need_texts[i].data();
    return all;
  }();
  static constexpr bool needs_are_names() {
    if constexpr (requires { T::needs; }) {
      for (std::size_t i = 0; i < need_count(); ++i) {
        const std::string_view need = T::needs[i];
        if (!is_pit_name(need) || need == std::string_view(name.chars)) return false;
        for (std::size_t j = 0; j < i; ++j) {
          if (need == std::string_view(T::needs[j])) return false;
        }
      }
    }
    return true;
  }
  static_assert(needs_are_names(), "what a pit needs are names of other pits, each once");
  static_assert(need_count() <= SYMPHONY_NEEDS_MAX, "a pit needs at most 64 others");

  static Status dispatch_answer(Instance& self, const symphony_msg& message) {
    if constexpr (requires(T & t, Answer a, Ctx & c) { t.on_answer(a, c); }) {
      if (message.body.n > message_size_max) return fail(SYMPHONY_TOO_LARGE, "the answer is larger than 1 GiB");
      return self.pit.on_answer(Answer(message), self.ctx);
    }
    return fail(SYMPHONY_UNKNOWN_TYPE, "this pit calls other pits and has no on_answer()");
  }

  static Status dispatch(Instance& self, const symphony_msg& message) {
    if ((message.envelope->flags & SYMPHONY_FLAG_REPLY) != 0) [[unlikely]]
      return dispatch_answer(self, message);
    const std::uint32_t type = message.envelope->type;
    const auto at = std::lower_bound(table.begin(), table.end(), type,
                                     [](const Entry& entry, std::uint32_t wanted) { return entry.type < wanted; });
    if (at == table.end() || at->type != type) {
      if constexpr (requires(T & t, Raw r, Ctx & c) { t.on_raw(r, c); }) return self.pit.on_raw(Raw(message), self.ctx);
      return self.ctx.fail(SYMPHONY_UNKNOWN_TYPE, "pit ", std::string_view(name.chars),
                           " has no handler for message type ", type);
    }
    if (message.body.n > message_size_max) return fail(SYMPHONY_TOO_LARGE, "the message is larger than 1 GiB");
    return at->run(self, message);
  }

  // The barrier: whatever `step` does, a status comes out and its reason went to the host.
  template <class Step>
  static std::int32_t guarded(Ctx& ctx, const symphony_msg* message, Step&& step) noexcept {
#if defined(__cpp_exceptions)
    try {
#endif
      ctx.begin(message);
      const Status status = step();
      if (!status.ok() && !status.text().empty()) ctx.explain(status.text());
      return status.code();
#if defined(__cpp_exceptions)
    } catch (const std::exception& e) {
      ctx.explain(e.what());
    } catch (...) {
      ctx.explain("the pit threw something that is not a std::exception");
    }
    return SYMPHONY_INTERNAL;
#endif
  }

  static std::int32_t create(const symphony_host* host, symphony_span config, void** self) noexcept {
    if (host->abi_major != SYMPHONY_ABI_MAJOR || host->struct_size < sizeof(symphony_host)) return SYMPHONY_VERSION;
    Instance* made = nullptr;
#if defined(__cpp_exceptions)
    Ctx reporter(*host);
    const std::int32_t constructed = guarded(reporter, nullptr, [&] {
#endif
      made = new (std::nothrow) Instance(*host);
#if defined(__cpp_exceptions)
      return ok();
    });
    if (constructed != SYMPHONY_OK) return constructed;
#endif
    if (made == nullptr) return SYMPHONY_OVERLOADED;
    const std::int32_t status = guarded(made->ctx, nullptr, [&]() -> Status {
      if (config.n == 0) return ok();
      if constexpr (requires(T & t, std::string_view json, Ctx & c) { t.configure(json, c); }) {
        return made->pit.configure({reinterpret_cast<const char*>(config.p), config.n}, made->ctx);
      }
      return fail(SYMPHONY_BAD_MESSAGE, "this pit takes no configuration: remove it");
    });
    if (status == SYMPHONY_OK) {
      *self = made;
    } else {
      delete made;
    }
    return status;
  }
  static std::int32_t init(void* self) noexcept {
    return guarded(of(self).ctx, nullptr, [&]() -> Status {
      if constexpr (requires(T & t, Ctx & c) { t.init(c); }) return of(self).pit.init(of(self).ctx);
      return ok();
    });
  }
  static std::int32_t start(void* self) noexcept {
    return guarded(of(self).ctx, nullptr, [&]() -> Status {
      if constexpr (requires(T & t, Ctx & c) { t.start(c); }) return of(self).pit.start(of(self).ctx);
      return ok();
    });
  }
  static std::int32_t handle(void* self, const symphony_msg* message) noexcept {
    return guarded(of(self).ctx, message, [&] { return dispatch(of(self), *message); });
  }
  static std::int32_t timer(void* self, std::uint64_t id, [[maybe_unused]] std::uint64_t now_ns) noexcept {
    return guarded(of(self).ctx, nullptr, [&]() -> Status {
      if constexpr (has_timer) return of(self).pit.on_timer(id, of(self).ctx);
      return ok();
    });
  }
  static std::int32_t drain(void* self, [[maybe_unused]] std::uint64_t deadline_ns) noexcept {
    return guarded(of(self).ctx, nullptr, [&]() -> Status {
      if constexpr (requires(T & t, Ctx & c) { t.drain(deadline_ns, c); }) {
        return of(self).pit.drain(deadline_ns, of(self).ctx);
      }
      return ok();
    });
  }
  static std::int32_t stop(void* self) noexcept {
    return guarded(of(self).ctx, nullptr, [&]() -> Status {
      if constexpr (requires(T & t, Ctx & c) { t.stop(c); }) return of(self).pit.stop(of(self).ctx);
      return ok();
    });
  }
  static std::int32_t snapshot(void* self, std::uint32_t revision, const symphony_sink* to) noexcept {
    return guarded(of(self).ctx, nullptr, [&]() -> Status {
      if (revision != state_revision()) {
        return of(self).ctx.fail(SYMPHONY_VERSION, "this pit writes snapshots of revision ", state_revision(), ", not ",
                                 revision);
      }
      SinkState state{to, {}};
      const Status status = std::as_const(of(self).pit).snapshot(Sink(state));
      return status.ok() ? state.status : status;
    });
  }
  static std::int32_t restore(void* self, std::uint32_t revision, const symphony_source* from) noexcept {
    return guarded(of(self).ctx, nullptr, [&]() -> Status {
      if (revision < state_revision_min() || revision > state_revision()) {
        return of(self).ctx.fail(SYMPHONY_VERSION, "this pit restores snapshots of revision ", state_revision_min(),
                                 " to ", state_revision(), ", not ", revision);
      }
      SourceState state{from, {}};
      const Status status = of(self).pit.restore(Source(state), revision);
      if (!status.ok()) return status;
      if (!state.status.ok()) return state.status;
      std::uint8_t more = 0;
      if (Source(state).read(&more, 1) != 0)
        return fail(SYMPHONY_BAD_MESSAGE, "the snapshot has more bytes than its state");
      return state.status;
    });
  }
  static void destroy(void* self) noexcept { delete static_cast<Instance*>(self); }

  static Instance& of(void* self) noexcept { return *static_cast<Instance*>(self); }

  static constexpr symphony_pit_entry make_entry() {
    symphony_pit_entry made{};
    made.struct_size = sizeof made;
    made.note = &note;
    made.create = &create;
    made.init = &init;
    made.start = &start;
    made.handle = &handle;
    made.drain = &drain;
    if constexpr (has_snapshot) {
      made.snapshot = &snapshot;
      made.restore = &restore;
    }
    made.stop = &stop;
    made.destroy = &destroy;
    if constexpr (has_timer) made.timer = &timer;
    return made;
  }

 public:
  static constexpr symphony_note note = {sizeof(symphony_note),
                                         SYMPHONY_ABI_MAJOR,
                                         SYMPHONY_ABI_MINOR,
                                         name.chars,
                                         version.chars,
                                         messages.data(),
                                         static_cast<std::uint32_t>(count),
                                         reply_size_max(),
                                         state_revision(),
                                         state_revision_min(),
                                         needs.data(),
                                         static_cast<std::uint32_t>(need_count()),
                                         SYMPHONY_THREAD_MODEL_SERIAL,
                                         schema_hash};
  static constexpr symphony_pit_entry entry = make_entry();
};

}  // namespace pit
}  // namespace symphony

#if defined(SYMPHONY_PIT_SHARED)
#define SYMPHONY_PIT_EXPORT(...)                                                                               \
  extern "C" __attribute__((visibility("default"))) constinit const symphony_pit_entry symphony_pit_entry_v1 = \
      ::symphony::pit::Face<__VA_ARGS__>::entry;
#else
#define SYMPHONY_PIT_EXPORT(...)
#endif

// A WebAssembly module gets its note from outside: the compiler has no way to put constant data into a custom section.
#if defined(__ELF__)
#define SYMPHONY_PIT_PLACE_NOTE(name, ...)                \
  SYMPHONY_PIT_NOTE_PLACE auto symphony_pit_note_##name = \
      ::symphony::pit::elf_note<::symphony::pit::Face<__VA_ARGS__>::note>;
#else
#define SYMPHONY_PIT_PLACE_NOTE(name, ...)
#endif

// SYMPHONY_PIT(Class, name, "MAJOR.MINOR.PATCH", effect<Message>...)   once a pit, at namespace scope.
#define SYMPHONY_PIT(Class, name, version, ...)                                             \
  SYMPHONY_DECLARE_PIT(name);                                                               \
  const symphony_pit_entry* SYMPHONY_PIT_ACCESSOR(name)(void) {                             \
    return &::symphony::pit::Face<Class, #name, version __VA_OPT__(, ) __VA_ARGS__>::entry; \
  }                                                                                         \
  SYMPHONY_PIT_PLACE_NOTE(name, Class, #name, version __VA_OPT__(, ) __VA_ARGS__)           \
  SYMPHONY_PIT_EXPORT(Class, #name, version __VA_OPT__(, ) __VA_ARGS__)                     \
  static_assert(true)
