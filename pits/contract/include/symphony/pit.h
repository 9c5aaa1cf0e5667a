/* The contract between a pit and whatever hosts it: one C ABI, version 1.   Layer: contract (depends on nothing).
 *
 * A pit is one data object, `symphony_pit_entry_v1`, with a note that says who it is and functions that a host calls.
 * The host gives each instance a `symphony_host` with functions that the pit calls. Rules, for both tables:
 *
 *  - Every struct starts with its own size. Fields are only ever appended; a host copies the pit's table into its own,
 *    zero-filled one, so a function the pit was compiled without is null.
 *  - Only fixed-width integers, pointers and function pointers. Reserved fields are 0.
 *  - No buffer changes owner. Inputs are lent until the call returns; outputs go into bytes that the host hands out
 *    (claim, commit) or takes a copy of (write).
 *  - Statuses: 0 is success, below 0 the host's (SYMPHONY_...), above 0 the pit's own.
 *  - Every request gets exactly one ending: what the handler committed, else an empty reply where it returned 0, else
 *    an error reply with the status it returned and the text it left with error(). A handler that returned PENDING ends
 *    its request later, from any call into the instance, with reply().
 *  - Threads: an instance is never entered twice and never on two threads at once; the thread may change between calls.
 *    A pit never blocks, never calls the host outside a call from it, and the host never calls it from inside a call of
 *    the pit.
 *  - No exception, longjmp or signal crosses the boundary.
 *
 * States:  CREATED -init-> INITED -(restore)-> INITED -start-> RUNNING -drain-> DRAINED -start-> RUNNING
 *          DRAINED -stop-> STOPPED -destroy.   snapshot: RUNNING between messages, or DRAINED.
 *          destroy: any state. A call outside these is not made; one that a host is asked for is refused.
 *
 * Byte-exact description: docs/formats/pit-abi.md.
 */
#ifndef SYMPHONY_PIT_H
#define SYMPHONY_PIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYMPHONY_ABI_MAJOR 1
#define SYMPHONY_ABI_MINOR 0

/* Statuses of the host's range. The numbers are part of the wire format and never reused. */
#define SYMPHONY_OK 0
#define SYMPHONY_OVERLOADED (-1) /* a named limit was reached; try later */
#define SYMPHONY_DEADLINE (-2)   /* the call's deadline passed */
#define SYMPHONY_CANCELLED (-3)
#define SYMPHONY_UNKNOWN_TYPE (-4) /* the pit has no handler for this message type */
#define SYMPHONY_BAD_MESSAGE (-5)  /* the body is not what its type says */
#define SYMPHONY_VERSION (-6)
#define SYMPHONY_CRASHED (-7) /* the pit died while this call was executing: it may have run */
#define SYMPHONY_TRAPPED (-8)
#define SYMPHONY_POISONED (-9)     /* it killed the pit too often and is not sent again */
#define SYMPHONY_QUARANTINED (-10) /* the pit failed too often and is not started again */
#define SYMPHONY_MOVED (-11)
#define SYMPHONY_INTERNAL (-12)         /* a bug: an exception in a handler, or one of ours */
#define SYMPHONY_CLOSED (-13)           /* the link was closed before the answer */
#define SYMPHONY_TOO_LARGE (-14)        /* more bytes than a record of this link may have */
#define SYMPHONY_FORKED (-15)           /* a handle from before fork() was used in the child */
#define SYMPHONY_CRASHED_ACCEPTED (-16) /* the pit had accepted the call; its answer died with its state */
#define SYMPHONY_PEER_FAULT (-17)       /* the other side broke the protocol */
#define SYMPHONY_UNREACHABLE (-18)      /* nobody serves this pit */
#define SYMPHONY_BAD_STATE (-19)        /* a call outside the state machine, or a second reply */
#define SYMPHONY_PENDING (-20)          /* handle() only: the request is ended by reply() later; never an ending */
#define SYMPHONY_DENIED (-21)           /* the operator or the note does not grant this */

/* Effect classes: what may be done with a message that was executing when its pit died. */
#define SYMPHONY_EFFECT_ONCE 0       /* never sent again: ends as CRASHED */
#define SYMPHONY_EFFECT_READ 1       /* sent again */
#define SYMPHONY_EFFECT_IDEMPOTENT 2 /* sent again */

/* Who may be inside an instance. */
#define SYMPHONY_THREAD_MODEL_SERIAL 0 /* one thread at a time, whichever it is */

/* Where a file says who it is: the description of an ELF note of this owner and type, in a section of this name; a
 * WebAssembly module has it in a custom section. Its bytes: schemas/pit_note.fbs. */
#define SYMPHONY_NOTE_SECTION ".note.symphony.pit"
#define SYMPHONY_NOTE_OWNER "Symphony"
#define SYMPHONY_NOTE_TYPE 1
#define SYMPHONY_NOTE_WASM_SECTION "symphony.pit"

/* Log levels. */
#define SYMPHONY_LOG_DEBUG 0
#define SYMPHONY_LOG_INFO 1
#define SYMPHONY_LOG_WARNING 2
#define SYMPHONY_LOG_ERROR 3

/* Limits of one instance. */
#define SYMPHONY_TIMERS_MAX 1024  /* armed at once */
#define SYMPHONY_PENDING_MAX 1024 /* requests that wait for reply() */
#define SYMPHONY_CALLS_MAX 256    /* calls of its own without an answer */

/* Limits, in bytes. */
#define SYMPHONY_ERROR_TEXT_MAX 512
#define SYMPHONY_LOG_TEXT_MAX 1024
#define SYMPHONY_NEEDS_MAX 64                      /* entries, not bytes */
#define SYMPHONY_REPLY_SIZE_MAX (16 * 1024 * 1024) /* no note may ask for more */

/* Bytes lent to the callee until it returns. p may be null when n is 0. */
typedef struct symphony_span {
  const uint8_t* p;
  uint32_t n;
  uint32_t reserved;
} symphony_span;

/* Bytes to write into. */
typedef struct symphony_mut_span {
  uint8_t* p;
  uint32_t n;
  uint32_t reserved;
} symphony_mut_span;

/* What precedes every body on the wire: 24 bytes, little-endian (docs/formats/ring.md). */
typedef struct symphony_envelope {
  uint64_t id;          /* rises over the life of a link; a reply carries the id of its request */
  uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0 = none */
  uint32_t type;        /* hash of the message's fully qualified table name */
  uint16_t flags;
  uint8_t attempt; /* how often a handler began this message before */
  uint8_t reserved;
} symphony_envelope;

/* Bits of symphony_envelope.flags. */
#define SYMPHONY_FLAG_REQUEST 1
#define SYMPHONY_FLAG_REPLY 2
#define SYMPHONY_FLAG_EVENT 4
#define SYMPHONY_FLAG_ERROR 8 /* with REPLY: the body is int32 status, uint32 0, UTF-8 text */
#define SYMPHONY_FLAG_HAS_EXTENSION_BLOCK 16
#define SYMPHONY_FLAG_REDELIVERED 32 /* a handler may have begun it before: see attempt */
#define SYMPHONY_FLAG_BODY_AT_64 64  /* the body begins on a cache line */
#define SYMPHONY_FLAG_MORE 128       /* reserved; version 1 refuses it */

/* A request as a handler sees it; or, with the flag REPLY, the answer to a call of the pit's own: the envelope's id is
 * then the call's cookie, and with the flag ERROR the body is an error body. An answer is not replied to. */
typedef struct symphony_msg {
  uint32_t struct_size;
  uint32_t reserved;
  const symphony_envelope* envelope;
  symphony_span body; /* bytes that nobody changes until handle() returns; 8-byte aligned */
  uint64_t request;   /* names the request for reply(), unique in the instance; 0 of an answer */
} symphony_msg;

/* A call of a pit to another one. Lent to call_async(), which takes a copy. */
typedef struct symphony_call {
  uint32_t struct_size;
  uint32_t type;   /* of the body */
  uint32_t effect; /* SYMPHONY_EFFECT_... */
  uint32_t reserved;
  symphony_span service; /* the other pit's name; one of the note's needs */
  symphony_span body;
  uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0 = the host's default */
  uint64_t cookie;      /* comes back as the answer's envelope id; a value, never an address */
} symphony_call;

/* Where a snapshot goes. write: 0, or a status that the pit returns unchanged. Chunks of any size, in order. */
typedef struct symphony_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  int32_t (*write)(void* context, symphony_span bytes);
} symphony_sink;

/* Where a snapshot comes from. read: bytes copied into out, 0 at the end, below 0 a status. Short reads are normal. */
typedef struct symphony_source {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  int64_t (*read)(void* context, symphony_mut_span out);
} symphony_source;

/* What a host offers an instance. `context` goes back into each call. Valid from create to destroy.
 * All functions: only from inside a call of the host into the same instance, on that thread; none blocks. */
typedef struct symphony_host {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  void* context;

  /* One line of UTF-8 text for the log; longer than SYMPHONY_LOG_TEXT_MAX is cut.   [any state] */
  void (*log)(void* context, int32_t level, symphony_span text);
  /* CLOCK_MONOTONIC in ns, constant within one handle() and fed from the trace in replay.   [any state] */
  uint64_t (*now)(void* context);
  /* Reserves at least min_size bytes for the reply to the request being handled; a second claim before commit replaces
   * the first. TOO_LARGE above the note's reply_size_max; BAD_STATE after commit.   [in handle] */
  int32_t (*claim)(void* context, uint32_t min_size, symphony_mut_span* out);
  /* Makes the first `used` bytes of the claim the reply, of message type `type`.   [in handle, once] */
  int32_t (*commit)(void* context, uint32_t used, uint32_t type);
  /* A reason for the status this call is about to return; longer than SYMPHONY_ERROR_TEXT_MAX is cut.   [any state] */
  void (*error)(void* context, symphony_span text);
  /* 64 random bits, fed from the trace in replay; not for secrets.   [any state] */
  uint64_t (*random)(void* context);
  /* A named, optional table of functions, or null.   [any state] */
  const void* (*get_extension)(void* context, uint64_t id);

  /* Tells whoever is subscribed to this pit's events. DENIED where the operator granted nobody.   [RUNNING] */
  int32_t (*publish)(void* context, uint32_t type, symphony_span body);
  /* Calls another pit; returns at once. Its one answer comes to handle() later. DENIED: not among the note's needs.
   * OVERLOADED above SYMPHONY_CALLS_MAX. UNREACHABLE: this host makes no calls.   [RUNNING] */
  int32_t (*call_async)(void* context, const symphony_call* call);
  /* Runs timer() once, not before `at_ns` of now()'s clock; arms a timer of that id anew. It survives snapshot and
   * restore. OVERLOADED above SYMPHONY_TIMERS_MAX.   [any state] */
  int32_t (*timer_set)(void* context, uint64_t id, uint64_t at_ns);
  /* BAD_STATE where no such timer is armed.   [any state] */
  int32_t (*timer_cancel)(void* context, uint64_t id);
  /* 1 when nobody waits for the request being handled any more: its deadline passed, its caller gave up; or when it has
   * used up the time that its operator gives it, and is about to cost the pit its process.   [in handle] */
  int32_t (*cancelled)(void* context);
  /* The state changed and is worth keeping. A pit that never calls this is taken to change with every message and
   * timer; one that does, with these calls only.   [any state] */
  void (*mark_dirty)(void* context);
  /* Ends a request whose handler returned PENDING: status 0 with a body of message type `type`, else that status with
   * the body as its text. BAD_STATE: no such request waits. TOO_LARGE above the note's reply_size_max, and it waits on.
   * [any state] */
  int32_t (*reply)(void* context, uint64_t request, int32_t status, uint32_t type, symphony_span body);
} symphony_host;

/* One message type that a pit handles. */
typedef struct symphony_message_note {
  uint32_t type;   /* hash of the fully qualified table name */
  uint32_t effect; /* SYMPHONY_EFFECT_... */
} symphony_message_note;

/* Who a pit is. Constant data, readable without running anything of the pit. */
typedef struct symphony_note {
  uint32_t struct_size;
  uint16_t abi_major;                    /* needed */
  uint16_t abi_minor;                    /* needed */
  const char* name;                      /* [a-z][a-z0-9_]*, 1 to 63 bytes */
  const char* version;                   /* MAJOR.MINOR.PATCH */
  const symphony_message_note* messages; /* sorted by type */
  uint32_t message_count;
  uint32_t reply_size_max;     /* bytes; what claim() may be asked for */
  uint32_t state_revision;     /* of the snapshots it writes; 0 = it writes none */
  uint32_t state_revision_min; /* the oldest that it restores */
  const char* const* needs;    /* names under which the pits that it calls are mounted */
  uint32_t need_count;
  uint32_t thread_model; /* SYMPHONY_THREAD_MODEL_... */
  uint64_t schema_hash;  /* of the text of its schemas; 0 = unknown */
} symphony_note;

/* A pit. Required: note, create, handle, destroy. The others may be null: then the step is a success that does nothing,
 * and snapshot and restore are refused with VERSION. */
typedef struct symphony_pit_entry {
  uint32_t struct_size;
  uint32_t reserved;
  const symphony_note* note;

  /* Makes an instance; `config` is the operator's JSON text, empty for none.   [-> CREATED] */
  int32_t (*create)(const symphony_host* host, symphony_span config, void** self);
  int32_t (*init)(void* self);                                                    /* [CREATED -> INITED] */
  int32_t (*start)(void* self);                                                   /* [INITED, DRAINED -> RUNNING] */
  int32_t (*handle)(void* self, const symphony_msg* message);                     /* [RUNNING] */
  int32_t (*drain)(void* self, uint64_t deadline_ns);                             /* [RUNNING -> DRAINED] */
  int32_t (*snapshot)(void* self, uint32_t revision, const symphony_sink* to);    /* [RUNNING, DRAINED] */
  int32_t (*restore)(void* self, uint32_t revision, const symphony_source* from); /* [INITED] */
  int32_t (*stop)(void* self);                                                    /* [DRAINED -> STOPPED] */
  void (*destroy)(void* self);                                                    /* [any; self is gone] */
  const void* (*get_extension)(void* self, uint64_t id);                          /* [any] */
  int32_t (*timer)(void* self, uint64_t id, uint64_t now_ns);                     /* [RUNNING] */
} symphony_pit_entry;

/* The one symbol of a pit built as a shared object. */
#if defined(SYMPHONY_PIT_SHARED)
__attribute__((visibility("default"))) extern const symphony_pit_entry symphony_pit_entry_v1;
#endif

/* How a program finds a pit that is linked into it: SYMPHONY_DECLARE_PIT(greeter); then call symphony_pit_greeter(). */
#define SYMPHONY_PIT_ACCESSOR(name) symphony_pit_##name
#ifdef __cplusplus
#define SYMPHONY_DECLARE_PIT(name) extern "C" const symphony_pit_entry* SYMPHONY_PIT_ACCESSOR(name)(void)
#else
#define SYMPHONY_DECLARE_PIT(name) extern const symphony_pit_entry* SYMPHONY_PIT_ACCESSOR(name)(void)
#endif

#ifdef __cplusplus
}
#endif

#endif /* SYMPHONY_PIT_H */
