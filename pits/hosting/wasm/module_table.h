/* What a shared object made from a WebAssembly module shows its host, and what the host gives it.
 * Layer: hosting/wasm (contract).
 *
 * A module becomes C (wasm2c -n pit) and is compiled together with shim.c into one shared object, which exports one
 * data symbol: symphony_wasm_module_v1. The object needs nothing of the host but what attach() hands over, so a host
 * can look at the table before any of the module's code has run.
 *
 * Guest addresses are uint32_t; the host checks each span against the guest's memory before it uses it.
 */
#ifndef SYMPHONY_HOSTING_WASM_MODULE_TABLE_H
#define SYMPHONY_HOSTING_WASM_MODULE_TABLE_H

#include <stdint.h>
#include <symphony/pit.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYMPHONY_WASM_MODULE_ABI 1
/* Bits of pit_functions(): the functions of the pit's table that may be missing and are there. */
#define SYMPHONY_WASM_HAS_INIT 1
#define SYMPHONY_WASM_HAS_START 2
#define SYMPHONY_WASM_HAS_DRAIN 4
#define SYMPHONY_WASM_HAS_SNAPSHOT 8
#define SYMPHONY_WASM_HAS_RESTORE 16
#define SYMPHONY_WASM_HAS_STOP 32
#define SYMPHONY_WASM_HAS_TIMER 64

#define SYMPHONY_WASM_MODULE_SYMBOL "symphony_wasm_module_v1"

/* Why a guest was left. The first nine are wasm2c's numbers; shim.c compares them. */
#define SYMPHONY_WASM_TRAP_NONE 0
#define SYMPHONY_WASM_TRAP_OUT_OF_BOUNDS 1
#define SYMPHONY_WASM_TRAP_INTEGER_OVERFLOW 2
#define SYMPHONY_WASM_TRAP_DIVISION_BY_ZERO 3
#define SYMPHONY_WASM_TRAP_CONVERSION 4
#define SYMPHONY_WASM_TRAP_UNREACHABLE 5
#define SYMPHONY_WASM_TRAP_INDIRECT_CALL 6
#define SYMPHONY_WASM_TRAP_EXCEPTION 7
#define SYMPHONY_WASM_TRAP_STACK_OVERFLOW 8
#define SYMPHONY_WASM_TRAP_INTERRUPTED 9 /* its time budget was used up */
#define SYMPHONY_WASM_TRAP_BAD_SPAN 10   /* it passed the host bytes that are not in its memory */
#define SYMPHONY_WASM_TRAP_NO_MEMORY 11  /* its first memory could not be had */

struct Z_pit_instance_t;      /* a module's globals, memory and tables: wasm2c's struct and name */
struct Z_symphony_instance_t; /* what imports are called with: the host's Guest */

/* wasm2c's wasm_rt_memory_t. */
typedef struct symphony_wasm_memory {
  uint8_t* data;
  uint32_t pages;
  uint32_t pages_max;
  uint32_t size;
} symphony_wasm_memory;

/* What generated code calls: the runtime's part of wasm2c, then the imports in the order of pit.h. */
typedef struct symphony_wasm_runtime {
  void (*trap)(int32_t why);
  void (*allocate_memory)(symphony_wasm_memory* memory, uint32_t pages, uint32_t pages_max);
  uint32_t (*grow_memory)(symphony_wasm_memory* memory, uint32_t pages);
  /* The pit's create(): `module` is what attach() was given. */
  int32_t (*create)(void* module, const symphony_host* host, symphony_span config, void** self);

  void (*log)(struct Z_symphony_instance_t*, uint32_t level, uint32_t p, uint32_t n);
  uint64_t (*now)(struct Z_symphony_instance_t*);
  uint32_t (*claim)(struct Z_symphony_instance_t*, uint32_t size_min);
  uint32_t (*commit)(struct Z_symphony_instance_t*, uint32_t p, uint32_t used, uint32_t type);
  void (*error)(struct Z_symphony_instance_t*, uint32_t p, uint32_t n);
  uint64_t (*random)(struct Z_symphony_instance_t*);
  uint32_t (*snapshot_write)(struct Z_symphony_instance_t*, uint32_t p, uint32_t n);
  uint64_t (*restore_read)(struct Z_symphony_instance_t*, uint32_t p, uint32_t n);
  uint32_t (*publish)(struct Z_symphony_instance_t*, uint32_t type, uint32_t p, uint32_t n);
  uint32_t (*call_async)(struct Z_symphony_instance_t*, uint32_t service_p, uint32_t service_n, uint32_t type,
                         uint32_t effect, uint32_t body_p, uint32_t body_n, uint64_t deadline_ns, uint64_t cookie);
  uint32_t (*timer_set)(struct Z_symphony_instance_t*, uint64_t id, uint64_t at_ns);
  uint32_t (*timer_cancel)(struct Z_symphony_instance_t*, uint64_t id);
  uint32_t (*cancelled)(struct Z_symphony_instance_t*);
  void (*mark_dirty)(struct Z_symphony_instance_t*);
  uint32_t (*reply)(struct Z_symphony_instance_t*, uint64_t request, uint32_t status, uint32_t type, uint32_t p,
                    uint32_t n);
} symphony_wasm_runtime;

/* What the shared object shows. All functions but attach() and create() run guest code: only inside enter(). */
typedef struct symphony_wasm_module {
  uint32_t struct_size;
  uint32_t abi;
  const uint8_t* wasm; /* the module that this object was made from */
  const uint8_t* wasm_end;
  uint64_t instance_size;
  void (*attach)(const symphony_wasm_runtime* runtime, void* module); /* once, before anything else */
  int32_t (*create)(const symphony_host* host, symphony_span config, void** self);

  void (*instantiate)(struct Z_pit_instance_t*, struct Z_symphony_instance_t*);
  void (*free)(struct Z_pit_instance_t*);
  symphony_wasm_memory* (*memory)(struct Z_pit_instance_t*);

  void (*pit_initialize)(struct Z_pit_instance_t*); /* the module's constructors */
  uint32_t (*pit_functions)(struct Z_pit_instance_t*);
  uint32_t (*pit_buffer)(struct Z_pit_instance_t*, uint32_t size);
  uint32_t (*pit_create)(struct Z_pit_instance_t*, uint32_t p, uint32_t n);
  uint32_t (*pit_init)(struct Z_pit_instance_t*);
  uint32_t (*pit_start)(struct Z_pit_instance_t*);
  uint32_t (*pit_handle)(struct Z_pit_instance_t*, uint64_t id, uint64_t deadline_ns, uint32_t type, uint32_t flags,
                         uint32_t attempt, uint64_t request, uint32_t body_p, uint32_t body_n);
  uint32_t (*pit_drain)(struct Z_pit_instance_t*, uint64_t deadline_ns);
  uint32_t (*pit_snapshot)(struct Z_pit_instance_t*, uint32_t revision);
  uint32_t (*pit_restore)(struct Z_pit_instance_t*, uint32_t revision);
  uint32_t (*pit_stop)(struct Z_pit_instance_t*);
  void (*pit_destroy)(struct Z_pit_instance_t*);
  uint32_t (*pit_timer)(struct Z_pit_instance_t*, uint64_t id, uint64_t now_ns);
} symphony_wasm_module;

#ifdef __cplusplus
}
#endif

#endif /* SYMPHONY_HOSTING_WASM_MODULE_TABLE_H */
