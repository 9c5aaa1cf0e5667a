/* The bus for programs in C and in languages that call C: libsymphony.so.1.   Layer: bindings (public headers of the
 * bus).
 *
 *   symphony_bus bus;
 *   symphony_link link;
 *   symphony_reply reply;
 *   if (symphony_bus_connect(NULL, &bus) || symphony_bus_open(bus, "pool", NULL, -1, &link))
 * puts(symphony_last_error()); if (symphony_link_call(link, symphony_type_id("pool.Take"), body, size, NULL, &reply) ==
 * SYMPHONY_OK) use(reply.body);
 *
 * Rules for all functions:
 *  - What returns int32_t returns a status of the one table below: 0, a pit's own status above 0, or an error below 0.
 *    symphony_last_error() then says it in one line with the remedy. No function ends the process, and no exception
 *    crosses: without memory it is SYMPHONY_E_OUT_OF_MEMORY.
 *  - Handles are numbers. One that was closed, or never was one, is SYMPHONY_E_CLOSED for as long as the process runs
 *    (a place is used 2^32 times before a number comes again); 0 is never a handle.
 *  - Fork: handles from before fork() are SYMPHONY_FORKED in the child, which may close them and nothing else.
 *  - Structs that go in begin with their size; set struct_size to sizeof, the rest to 0. 0 in a field is its default.
 *  - Times are nanoseconds of CLOCK_MONOTONIC. A timeout below 0 is the default of its function, 0 does not wait.
 *  - Signals: no function returns early for a signal (EINTR), and none needs one: who must look for signals waits in
 *    slices (symphony_link_wait, symphony_link_wait_any). The library's own threads block all signals that come from
 * elsewhere.
 *  - Threads: marked at each function. [any]: any thread, at any time. [one]: one thread at a time for one link; a
 *    second one gets SYMPHONY_E_BUSY at once, and nothing happens.
 */
#ifndef SYMPHONY_C_H
#define SYMPHONY_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(SYMPHONY_BUILDS_LIBRARY)
#define SYMPHONY_API __attribute__((visibility("default")))
#else
#define SYMPHONY_API
#endif

/* The major number is the library's soname: another one is another library. The minor rises with each addition. */
#define SYMPHONY_C_ABI_MAJOR 1
#define SYMPHONY_C_ABI_MINOR 1

/* Statuses. Down to -21 they are how a call ended, with the numbers of the contract (symphony/pit.h); from -101 on what
 * this library says. Never reused. */
#define SYMPHONY_OK 0
#define SYMPHONY_OVERLOADED (-1)
#define SYMPHONY_DEADLINE (-2)
#define SYMPHONY_CANCELLED (-3)
#define SYMPHONY_UNKNOWN_TYPE (-4)
#define SYMPHONY_BAD_MESSAGE (-5)
#define SYMPHONY_VERSION (-6)
#define SYMPHONY_CRASHED (-7)
#define SYMPHONY_TRAPPED (-8)
#define SYMPHONY_POISONED (-9)
#define SYMPHONY_QUARANTINED (-10)
#define SYMPHONY_MOVED (-11)
#define SYMPHONY_INTERNAL (-12)
#define SYMPHONY_CLOSED (-13)
#define SYMPHONY_TOO_LARGE (-14)
#define SYMPHONY_FORKED (-15)
#define SYMPHONY_CRASHED_ACCEPTED (-16)
#define SYMPHONY_PEER_FAULT (-17)
#define SYMPHONY_UNREACHABLE (-18)
#define SYMPHONY_BAD_STATE (-19)
#define SYMPHONY_PENDING (-20)
#define SYMPHONY_DENIED (-21)
#define SYMPHONY_E_INVALID_ARGUMENT (-101)
#define SYMPHONY_E_OUT_OF_MEMORY (-102)
#define SYMPHONY_E_OUT_OF_DESCRIPTORS (-103)
#define SYMPHONY_E_REFUSED (-104)
#define SYMPHONY_E_NOT_FOUND (-105)
#define SYMPHONY_E_UNREACHABLE (-106)
#define SYMPHONY_E_TIMEOUT (-107)
#define SYMPHONY_E_CLOSED (-108)
#define SYMPHONY_E_VERSION_MISMATCH (-109)
#define SYMPHONY_E_PEER_FAULT (-110)
#define SYMPHONY_E_FORKED (-111)
#define SYMPHONY_E_BUSY (-112)
#define SYMPHONY_E_TOO_LARGE (-113)
#define SYMPHONY_E_QUARANTINED (-114)
#define SYMPHONY_E_SYSTEM (-115)
#define SYMPHONY_E_INTERNAL (-116)

/* The one table: X(name, what it is called). symphony_status_text() and the Python package are made of it. */
#define SYMPHONY_STATUS_TABLE(X)                                                         \
  X(SYMPHONY_OK, "ok")                                                                   \
  X(SYMPHONY_OVERLOADED, "a named limit was reached")                                    \
  X(SYMPHONY_DEADLINE, "the call's deadline passed")                                     \
  X(SYMPHONY_CANCELLED, "cancelled")                                                     \
  X(SYMPHONY_UNKNOWN_TYPE, "the pit has no handler for this message type")               \
  X(SYMPHONY_BAD_MESSAGE, "the body is not what its type says")                          \
  X(SYMPHONY_VERSION, "the two sides are of versions that do not fit")                   \
  X(SYMPHONY_CRASHED, "the pit died while it was executing this call: it may have run")  \
  X(SYMPHONY_TRAPPED, "the pit's sandbox was broken off inside this call")               \
  X(SYMPHONY_POISONED, "it killed the pit too often and is not sent again")              \
  X(SYMPHONY_QUARANTINED, "the pit failed too often and is not started again")           \
  X(SYMPHONY_MOVED, "the pit is elsewhere now")                                          \
  X(SYMPHONY_INTERNAL, "a bug, of the pit or of this library")                           \
  X(SYMPHONY_CLOSED, "the link was closed before the answer")                            \
  X(SYMPHONY_TOO_LARGE, "more bytes than a record of this link may have")                \
  X(SYMPHONY_FORKED, "a handle from before fork() was used in the child")                \
  X(SYMPHONY_CRASHED_ACCEPTED, "the pit had accepted the call; its answer died with it") \
  X(SYMPHONY_PEER_FAULT, "the other side broke the protocol")                            \
  X(SYMPHONY_UNREACHABLE, "nobody serves this pit")                                      \
  X(SYMPHONY_BAD_STATE, "there is no such call, or it was taken")                        \
  X(SYMPHONY_PENDING, "the call goes on: there is no ending yet")                        \
  X(SYMPHONY_DENIED, "the operator or the pit's note does not grant this")               \
  X(SYMPHONY_E_INVALID_ARGUMENT, "an argument is wrong")                                 \
  X(SYMPHONY_E_OUT_OF_MEMORY, "no memory")                                               \
  X(SYMPHONY_E_OUT_OF_DESCRIPTORS, "no file descriptors: raise ulimit -n")               \
  X(SYMPHONY_E_REFUSED, "a policy said no")                                              \
  X(SYMPHONY_E_NOT_FOUND, "there is no pit, table or program of that name")              \
  X(SYMPHONY_E_UNREACHABLE, "there is no broker")                                        \
  X(SYMPHONY_E_TIMEOUT, "not in time")                                                   \
  X(SYMPHONY_E_CLOSED, "a handle that is closed, or none")                               \
  X(SYMPHONY_E_VERSION_MISMATCH, "the broker is of another version")                     \
  X(SYMPHONY_E_PEER_FAULT, "the broker broke the protocol")                              \
  X(SYMPHONY_E_FORKED, "a handle from before fork() was used in the child")              \
  X(SYMPHONY_E_BUSY, "another thread is inside a function of this link")                 \
  X(SYMPHONY_E_TOO_LARGE, "too large")                                                   \
  X(SYMPHONY_E_QUARANTINED, "the pit failed too often and is not started again")         \
  X(SYMPHONY_E_SYSTEM, "a system call failed")                                           \
  X(SYMPHONY_E_INTERNAL, "a bug of this library")

typedef uint64_t symphony_broker; /* a broker that runs in this program */
typedef uint64_t symphony_bus;    /* a connection to a broker */
typedef uint64_t symphony_link;   /* a connection to one pit */
typedef uint64_t symphony_mount;  /* a pit as a whole */
typedef uint64_t symphony_writer; /* who writes a cell or a topic */
typedef uint64_t symphony_reader; /* who reads one */
typedef uint64_t symphony_schema; /* the tables of messages, known when the program runs */

/* ---- the library itself. [any], never blocks, no handle needed */

/* (major << 16) | minor of the library that is loaded; compare with the two numbers above. */
SYMPHONY_API uint32_t symphony_abi_version(void);
/* The release, as "0.1.0". Static. */
SYMPHONY_API const char* symphony_version(void);
/* From the table above; "status of the pit" above 0, "unknown status" for other numbers. Static. */
SYMPHONY_API const char* symphony_status_text(int32_t status);
/* What the last function that failed on this thread said: one line, with the remedy, at most 1023 bytes; "" before any
 * has. Stays until the next failure on the same thread. */
SYMPHONY_API const char* symphony_last_error(void);
/* The number of a message type: a hash of its fully qualified table name, as "pool.Take". 0 for NULL. */
SYMPHONY_API uint32_t symphony_type_id(const char* table);
/* Gives back memory that a function here handed over. NULL is nothing. */
SYMPHONY_API void symphony_free(const void* memory);

/* ---- a broker in this program */

#define SYMPHONY_TRUST_COOPERATIVE 0 /* no ill will, but may be wrong */
#define SYMPHONY_TRUST_TRUSTED 1     /* our own code */
#define SYMPHONY_TRUST_HOSTILE 2     /* anything: gets none of our environment */

typedef struct symphony_pit_config {
  uint32_t struct_size;
  uint32_t trust;         /* SYMPHONY_TRUST_... */
  const char* name;       /* 1 to 63 of a-z 0-9 _ - . */
  const char* executable; /* a path; for a pit's file (.so): that of symphony-pit-host, with the file as argument */
  const char* const* arguments;   /* after argv[0], ends with NULL; NULL: none */
  const char* const* environment; /* NAME=value, added, ends with NULL; NULL: none */
  const char* config;             /* for the pit, as it is; NULL: empty */
  uint32_t instances;             /* processes, each with a state of its own, up to 32; 0: one */
  uint32_t is_lazy;               /* 1: started when the first caller opens it */
} symphony_pit_config;

typedef struct symphony_broker_options {
  uint32_t struct_size;
  uint32_t pit_count;
  const symphony_pit_config* pits; /* pit_count of them, at most 64 processes */
  const char* keeper_executable;   /* NULL: $SYMPHONY_KEEPER, else beside this program, else the installed one */
} symphony_broker_options;

/* Starts a broker on a thread of its own and its helper process; pits may still be starting when it returns. [any]
 * Blocks up to 10 s. Errors: NOT_FOUND (no helper executable), INVALID_ARGUMENT (a pit), OUT_OF_DESCRIPTORS, SYSTEM. */
SYMPHONY_API int32_t symphony_broker_start(const symphony_broker_options* options, symphony_broker* broker);
/* A connection to it; outlives it, and then finds nobody. [any] Blocks up to 5 s. */
SYMPHONY_API int32_t symphony_broker_connect(symphony_broker broker, symphony_bus* bus);
/* SIGKILL to the pit's process, as a crash would end it; its process id in *pid, which may be NULL. [any] Blocks for
 * the broker's thread. NOT_FOUND: no such pit, or it has no process now. */
SYMPHONY_API int32_t symphony_broker_kill_pit(symphony_broker broker, const char* pit, int32_t* pid);
/* Stops the pits (each has two seconds to end by itself) and returns when all processes are gone. [any] Where another
 * thread is inside a function of the broker, that thread ends it when it leaves. */
SYMPHONY_API int32_t symphony_broker_stop(symphony_broker broker);

/* ---- a connection to a broker */

typedef struct symphony_connect_options {
  uint32_t struct_size;
  uint32_t reserved;
  const char* realm;  /* which broker of this user; NULL: default */
  const char* path;   /* its socket, instead of the realm's; NULL: the realm's */
  int64_t timeout_ns; /* 0 or below: 5 s */
} symphony_connect_options;

/* To the daemon of this user. Options may be NULL. [any] Blocks up to the timeout. The connection finds the next daemon
 * by itself when this one dies. Errors: UNREACHABLE, REFUSED, VERSION_MISMATCH, OUT_OF_DESCRIPTORS. */
SYMPHONY_API int32_t symphony_bus_connect(const symphony_connect_options* options, symphony_bus* bus);
/* Over a connected control socket that was inherited; the descriptor is the library's from now on, also when this
 * fails. [any] Blocks up to 5 s. */
SYMPHONY_API int32_t symphony_bus_adopt(int fd, symphony_bus* bus);

typedef struct symphony_pit_info {
  char name[64];
  char state[24]; /* known starting ready backoff quarantined stopping stopped */
  int32_t pid;    /* 0: no process */
  uint32_t instance;
  uint32_t links;
  uint32_t reserved;
} symphony_pit_info;

/* What the broker knows of its pits: how many in *count, the first `capacity` of them in pits. info_size is
 * sizeof(symphony_pit_info). `generation`, which may be NULL: of the broker, another number after each of its deaths.
 * [any] Blocks up to the timeout (below 0: 5 s). Errors: UNREACHABLE, TIMEOUT. */
SYMPHONY_API int32_t symphony_bus_list(symphony_bus bus, int64_t timeout_ns, symphony_pit_info* pits, size_t info_size,
                                       size_t capacity, size_t* count, uint64_t* generation);
/* Links that are open go on. [any] Does not wait for other threads that are inside a function of it. */
SYMPHONY_API int32_t symphony_bus_close(symphony_bus bus);

/* ---- a link to a pit */

typedef struct symphony_link_options {
  uint32_t struct_size;
  uint32_t request_capacity; /* bytes, a power of two from 4 KiB to 1 GiB; 0: as its manifest says, else 256 KiB */
  uint32_t reply_capacity;   /* as that; 0 without a manifest's word: raised to fit the pit's largest reply */
  uint32_t in_flight_max;    /* calls without an ending, a power of two up to 1024; 0: 256 */
  uint32_t waiting;          /* SYMPHONY_WAIT_... */
  uint32_t attempts_max;     /* of a message that kills the pit; 0: 3 */
} symphony_link_options;

#define SYMPHONY_WAIT_ADAPTIVE 0 /* spin while that has paid off lately, then sleep */
#define SYMPHONY_WAIT_SPIN 1     /* never sleep: only with a core to itself */
#define SYMPHONY_WAIT_SLEEP 2    /* sleep at once */

/* Waits for a pit that is known but not ready. Options may be NULL. [any] Blocks up to the timeout (below 0: 30 s).
 * Errors: NOT_FOUND (at once), TIMEOUT, QUARANTINED, REFUSED, UNREACHABLE, OUT_OF_MEMORY, INVALID_ARGUMENT, FORKED. */
SYMPHONY_API int32_t symphony_bus_open(symphony_bus bus, const char* pit, const symphony_link_options* options,
                                       int64_t timeout_ns, symphony_link* link);
/* Ends the link: calls without an ending end, and nobody hears of them. [one] Never blocks. What was kept stays. */
SYMPHONY_API int32_t symphony_link_close(symphony_link link);

#define SYMPHONY_EFFECT_ONCE 0
#define SYMPHONY_EFFECT_READ 1
#define SYMPHONY_EFFECT_IDEMPOTENT 2

typedef struct symphony_call_options {
  uint32_t struct_size;
  uint32_t effect;    /* SYMPHONY_EFFECT_...: what may be done when the pit dies while executing it */
  int64_t timeout_ns; /* 0 or below: 30 s */
} symphony_call_options;

/* How a call ended. `body` and `text` are this process's own memory, which nobody changes; they stay until the next
 * call of the same link is started, or until it is closed. */
typedef struct symphony_reply {
  uint64_t id;      /* of the call */
  const void* body; /* 8-byte aligned; NULL where size is 0 */
  size_t size;
  const char* text; /* why, where status is not 0; no zero byte behind it */
  size_t text_size;
  uint32_t type; /* of the body's message */
  int32_t status;
} symphony_reply;

/* Sends, and waits for the ending, which it returns. Options may be NULL. [one] Blocks up to the call's timeout. */
SYMPHONY_API int32_t symphony_link_call(symphony_link link, uint32_t type, const void* body, size_t size,
                                        const symphony_call_options* options, symphony_reply* reply);
/* Sends without waiting, and names the call in *call. [one] Never blocks. OVERLOADED: no room in the ring, or
 * in_flight_max calls were started and not taken. A call that cannot be sent at all has its ending at once. */
SYMPHONY_API int32_t symphony_link_start(symphony_link link, uint32_t type, const void* body, size_t size,
                                         const symphony_call_options* options, uint64_t* call);
/* The ending of a started call, once. [one] Blocks up to wait_ns (0: not at all; below 0: as long as the call), then
 * PENDING: the call goes on. BAD_STATE: there is no such call, or it was taken. */
SYMPHONY_API int32_t symphony_link_wait(symphony_link link, uint64_t call, int64_t wait_ns, symphony_reply* reply);
/* Until any started call has an ending that was not taken, the pit died or came back, or symphony_link_nudge(). [one]
 * Blocks up to wait_ns (0: not at all; below 0: without end), then TIMEOUT. */
SYMPHONY_API int32_t symphony_link_wait_any(symphony_link link, int64_t wait_ns);
/* Ends the symphony_link_wait_any() that is under way, else the next one. [any] Never blocks. */
SYMPHONY_API int32_t symphony_link_nudge(symphony_link link);
/* Gives up a started call: its ending is dropped when it comes, which may still end a symphony_link_wait_any() or make
 * the descriptor readable. The pit is not told, and may run it. [one] Never blocks. BAD_STATE: there is no such call,
 * or it was taken. */
SYMPHONY_API int32_t symphony_link_cancel(symphony_link link, uint64_t call);
/* The body of the reply that this link gave last, before its next call is started, becomes the caller's: it stays where
 * it is until symphony_free(). [one] Never blocks, copies nothing. BAD_STATE: no body, or too late. */
SYMPHONY_API int32_t symphony_link_keep(symphony_link link, const symphony_reply* reply);

/* For languages whose calls cost more than the ring's: one function does it all. They return the size of the ending's
 * body, which may be 0, or its status below 0; a status of the pit's own, above 0, as SYMPHONY_PIT_STATUS, with the
 * number in reply. A body of up to `capacity` bytes is copied to `out`, which the caller may use at once from many
 * threads; a larger one is the caller's, as after symphony_link_keep(). [one]
 *  - symphony_call_into looks for the ending for about a microsecond; then PENDING, and reply->id names the call. Never
 *    blocks, so it may be called with an interpreter's lock held.
 *  - symphony_wait_into is symphony_link_wait(). */
#define SYMPHONY_PIT_STATUS (-1000)
SYMPHONY_API int64_t symphony_link_call_into(symphony_link link, uint32_t type, const void* body, size_t size,
                                             const symphony_call_options* options, void* out, size_t capacity,
                                             symphony_reply* reply);
SYMPHONY_API int64_t symphony_link_wait_into(symphony_link link, uint64_t call, int64_t wait_ns, void* out,
                                             size_t capacity, symphony_reply* reply);

/* The same with all that stays the same from call to call in one place: each argument costs such a language more than
 * its share of the ring. Set struct_size, link, options, out and capacity once; the ending comes to `reply`. */
typedef struct symphony_frame {
  uint32_t struct_size;
  uint32_t reserved;
  symphony_link link;
  const symphony_call_options* options; /* NULL: the defaults */
  void* out;
  size_t capacity;
  symphony_reply reply;
} symphony_frame;
/* As symphony_link_call_into. [one] Never blocks. */
SYMPHONY_API int64_t symphony_link_call_frame(symphony_frame* frame, uint32_t type, const void* body, uint32_t size);

/* For event loops: *fd is open as long as the link. It becomes readable, once for each symphony_link_arm(), when a
 * started call has an ending, the pit died or came back, or a started call's deadline has passed. [one] Never blocks.
 */
SYMPHONY_API int32_t symphony_link_fd(symphony_link link, int* fd);
/* PENDING: nothing is there, and the descriptor will become readable. OK: do not wait; there is an ending to take, or
 * no started call without one. Ends with the next function of this link. [one] Never blocks. */
SYMPHONY_API int32_t symphony_link_arm(symphony_link link);

typedef struct symphony_link_counters {
  uint64_t calls;
  uint64_t ended;
  uint64_t late_replies; /* for calls that had ended already: dropped */
  uint64_t sent_again;
  uint64_t attaches; /* instances of the pit that it was linked to */
  uint64_t sleeps;
  uint64_t peer_faults;
  uint64_t epoch; /* rises with each instance of the pit */
} symphony_link_counters;

/* counters_size is sizeof(symphony_link_counters). [one] Never blocks. */
SYMPHONY_API int32_t symphony_link_count(symphony_link link, symphony_link_counters* counters, size_t counters_size);

/* ---- a pit as a whole: loaded into this program, and the state of one. [one]: as for links, of one mount */

/* Loads the .so of a pit into this program (mode dynamic) and starts it: a call costs a call, and a crash of the pit is
 * one of the program. `config`, which may be NULL: for the pit. [any] Blocks for as long as the pit takes to start.
 * Errors: NOT_FOUND (no such file), BAD_MESSAGE (no pit), VERSION, E_REFUSED (it calls other pits), what the pit says.
 */
SYMPHONY_API int32_t symphony_mount_file(const char* file, const char* config, symphony_mount* mount);
/* A broker's pit, to save and restore it; it is called by a link. [any] Blocks up to the timeout (below 0: 30 s). The
 * connection stays open until the mount is closed. Errors as symphony_bus_open, with the numbers from -1 to -21. */
SYMPHONY_API int32_t symphony_mount_pit(symphony_bus bus, const char* pit, int64_t timeout_ns, symphony_mount* mount);
/* As symphony_link_call_into, of a pit in this program: its handler runs in here, and the ending is there when this
 * returns. Blocks only where the pit answers later, up to the call's timeout (0: without end). The reply's text stays
 * until the next call. [one] */
SYMPHONY_API int64_t symphony_mount_call_into(symphony_mount mount, uint32_t type, const void* body, size_t size,
                                              const symphony_call_options* options, void* out, size_t capacity,
                                              symphony_reply* reply);
/* The pit's state between two messages, its armed timers included, and the revision of its format. Memory is the
 * caller's: symphony_free(). [one] Blocks; up to 30 s where it is a broker's. VERSION: it has no snapshots. */
SYMPHONY_API int32_t symphony_mount_save(symphony_mount mount, uint32_t* revision, void** bytes, size_t* size);
/* Replaces the state by a saved one, of this process or another: where it is refused the old one goes on. [one] Blocks
 * as that. BAD_MESSAGE: no saved state, or damaged; VERSION: of a revision that this pit does not read. */
SYMPHONY_API int32_t symphony_mount_restore(symphony_mount mount, uint32_t revision, const void* bytes, size_t size);
/* Stops and lets go of a pit in this program; a broker's goes on. [one] */
SYMPHONY_API int32_t symphony_mount_close(symphony_mount mount);

/* ---- a pit in a language that calls C */

/* What the process of a pit exits with, as its broker reads it: it was told to end; its handlers failed too often in a
 * short time; it may be tried again; it will fail every time. */
#define SYMPHONY_EXIT_FINISHED 0
#define SYMPHONY_EXIT_STORM 70
#define SYMPHONY_EXIT_TRY_AGAIN 75
#define SYMPHONY_EXIT_PERMANENT 125

/* The pit's functions and what it says of itself: symphony/pit.h, whose rules hold. */
struct symphony_pit_entry;

/* Runs this process as that pit: makes an instance, tells the broker that started the process that it is ready, and
 * serves calls until it is told to end. Returns what the process must exit with; below 0 an error, and nothing was
 * done. What goes wrong stands on stderr, which the broker keeps. The table and its note stay until then. Once in a
 * process, which a broker started: it takes the control socket and the rest from the environment. All functions of the
 * pit are called on the calling thread. [any] Blocks for as long as the pit serves. */
SYMPHONY_API int32_t symphony_pit_run(const struct symphony_pit_entry* entry);
/* ---- cells and topics: one writer of a name, any number of readers, over memory that they map read-only. Since 1.1 */

#define SYMPHONY_CELL 0  /* the newest value is of interest */
#define SYMPHONY_TOPIC 1 /* the values in order; a reader that is too slow loses the oldest, and is told how many */

typedef struct symphony_board_options {
  uint32_t struct_size;
  uint32_t kind;           /* SYMPHONY_CELL or SYMPHONY_TOPIC */
  uint32_t value_size_max; /* of a writer: bytes, up to 64 KiB; 0: 4096 */
  uint32_t history; /* of a topic. Of its writer: how many values are kept, 2 to 4096; 0: 64. Of a reader: how many
                       of those that are there it begins with */
} symphony_board_options;

/* To write that name, alone: 1 to 63 of a-z 0-9 _ - . and single slashes; NAME and NAME/... of a pit are that pit's.
 * Options may be NULL. [any] Blocks up to the timeout (below 0: 5 s). Errors: REFUSED (another writes it, or it is a
 * pit's), INVALID_ARGUMENT, TOO_LARGE, OUT_OF_MEMORY, UNREACHABLE, TIMEOUT, VERSION_MISMATCH, FORKED. */
SYMPHONY_API int32_t symphony_bus_write(symphony_bus bus, const char* name, const symphony_board_options* options,
                                        int64_t timeout_ns, symphony_writer* writer);
/* The next value; its number, from 1 on, in *number, which may be NULL. [one] Waits for nobody. TOO_LARGE: more than
 * value_size_max. CLOSED: another had the name when a new broker came. */
SYMPHONY_API int32_t symphony_writer_put(symphony_writer writer, uint32_t type, const void* value, size_t size,
                                         uint64_t* number);
/* The name is free; readers keep what they have. [one] Never blocks. */
SYMPHONY_API int32_t symphony_writer_close(symphony_writer writer);

/* To read that name: waits until somebody has written it. Options may be NULL. [any] Blocks up to the timeout (below 0:
 * 5 s). Errors: as above; TIMEOUT: nobody writes it. */
SYMPHONY_API int32_t symphony_bus_read(symphony_bus bus, const char* name, const symphony_board_options* options,
                                       int64_t timeout_ns, symphony_reader* reader);

typedef struct symphony_value {
  uint64_t number;  /* of the value: its version */
  uint64_t source;  /* whose numbers these are: another one, another count from 1 */
  uint64_t dropped; /* of a topic: values lost before this one, just now */
  uint32_t type;
  uint32_t size;
} symphony_value;

/* Of a cell the newest value, as often as one likes; of a topic the next one, in order. Copied to `out`. [one] Blocks
 * up to wait_ns (0: not at all; below 0: without end), a cell only until there is a first value. PENDING: there is
 * none. TOO_LARGE: the value may have more than `capacity` bytes, and value->size says how many. PEER_FAULT: the writer
 * broke the format. value_size is sizeof(symphony_value). */
SYMPHONY_API int32_t symphony_reader_get(symphony_reader reader, int64_t wait_ns, void* out, size_t capacity,
                                         symphony_value* value, size_t value_size);
/* [one] Never blocks. */
SYMPHONY_API int32_t symphony_reader_close(symphony_reader reader);

/* ---- messages by schema: [any], never blocks. Tables are named whole, as "pool.Take" */

/* From a binary schema (flatc --binary --schema FILE.fbs), which may go afterwards. BAD_MESSAGE: it is none. */
SYMPHONY_API int32_t symphony_schema_open(const void* bfbs, size_t size, symphony_schema* schema);
SYMPHONY_API int32_t symphony_schema_close(symphony_schema schema);
/* The whole name, with a zero byte, of the table that is called so, or whose last part is. NOT_FOUND: none, or several.
 * TOO_LARGE: it has `capacity` bytes or more. */
SYMPHONY_API int32_t symphony_schema_find(symphony_schema schema, const char* name, char* table, size_t capacity);
/* The same, of the table with that symphony_type_id(). */
SYMPHONY_API int32_t symphony_schema_table_of(symphony_schema schema, uint32_t type, char* table, size_t capacity);
/* Whether the bytes, which may be anything and must not change meanwhile, are a message of that table: OK, or
 * BAD_MESSAGE. The verdict is that of the generated C++ verifier; nothing outside the bytes is read, here or by who
 * reads a message that is OK. A changed number is a valid message. Messages within messages (nested_flatbuffer) are
 * bytes here. */
SYMPHONY_API int32_t symphony_schema_verify(symphony_schema schema, const char* table, const void* bytes, size_t size);
/* A message of that table from a JSON object with its fields; unknown ones are an error. Memory is the caller's:
 * symphony_free(). BAD_MESSAGE: the text says why. */
SYMPHONY_API int32_t symphony_schema_from_json(symphony_schema schema, const char* table, const char* json,
                                               void** bytes, size_t* size);
/* The other way, with fields that have their default too; verified first. A zero byte stands behind the text. */
SYMPHONY_API int32_t symphony_schema_to_json(symphony_schema schema, const char* table, const void* bytes, size_t size,
                                             char** json, size_t* json_size);

#ifdef __cplusplus
}
#endif

#endif
