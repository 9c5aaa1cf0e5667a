/* Compiled once for each module, together with the C that wasm2c 1.0.32 made of it (pit_module.h): the one exported
 * table, and what generated code wants of a runtime, handed on to the host.   Layer: hosting/wasm (contract).
 * SYMPHONY_WASM_FILE and SYMPHONY_WASM_NOTE_FILE name the module itself and the pit's note; both travel in the object,
 * so that a host can check what it loads. */
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <wasm-rt.h>

#include "pit_module.h"
#include "pits/hosting/wasm/module_table.h"

_Static_assert(sizeof(symphony_wasm_memory) == sizeof(wasm_rt_memory_t), "the memory struct of wasm2c changed");
_Static_assert(offsetof(symphony_wasm_memory, pages) == offsetof(wasm_rt_memory_t, pages), "as above");
_Static_assert(offsetof(symphony_wasm_memory, pages_max) == offsetof(wasm_rt_memory_t, max_pages), "as above");
_Static_assert(offsetof(symphony_wasm_memory, size) == offsetof(wasm_rt_memory_t, size), "as above");
_Static_assert(SYMPHONY_WASM_TRAP_OUT_OF_BOUNDS == WASM_RT_TRAP_OOB, "the trap numbers of wasm2c changed");
_Static_assert(SYMPHONY_WASM_TRAP_INTEGER_OVERFLOW == WASM_RT_TRAP_INT_OVERFLOW, "as above");
_Static_assert(SYMPHONY_WASM_TRAP_DIVISION_BY_ZERO == WASM_RT_TRAP_DIV_BY_ZERO, "as above");
_Static_assert(SYMPHONY_WASM_TRAP_CONVERSION == WASM_RT_TRAP_INVALID_CONVERSION, "as above");
_Static_assert(SYMPHONY_WASM_TRAP_UNREACHABLE == WASM_RT_TRAP_UNREACHABLE, "as above");
_Static_assert(SYMPHONY_WASM_TRAP_INDIRECT_CALL == WASM_RT_TRAP_CALL_INDIRECT, "as above");
_Static_assert(SYMPHONY_WASM_TRAP_EXCEPTION == WASM_RT_TRAP_UNCAUGHT_EXCEPTION, "as above");
_Static_assert(SYMPHONY_WASM_TRAP_STACK_OVERFLOW == WASM_RT_TRAP_EXHAUSTION, "as above");
/* Without a check on each access: the memory is a reservation of 8 GiB, and the host's handler makes a trap of a fault.
 */
_Static_assert(WASM_RT_MEMCHECK_SIGNAL_HANDLER == 1, "compile for 64-bit, with the signal handler");

static const symphony_wasm_runtime* runtime;
static void* module;

/* ---- the module itself ---------------------------------------------------------------------------------------- */
extern const uint8_t symphony_wasm_bytes[], symphony_wasm_bytes_end[];
__asm__(
    ".section .rodata\n"
    ".hidden symphony_wasm_bytes\n.hidden symphony_wasm_bytes_end\n"
    ".globl symphony_wasm_bytes\n.globl symphony_wasm_bytes_end\n"
    ".balign 8\n"
    "symphony_wasm_bytes: .incbin \"" SYMPHONY_WASM_FILE
    "\"\n"
    "symphony_wasm_bytes_end:\n"
    ".previous\n");

/* The pit's note, as any file of a pit has it. */
#define SYMPHONY_TEXT_OF(x) #x
#define SYMPHONY_NUMBER(x) SYMPHONY_TEXT_OF(x)
__asm__(
    ".section " SYMPHONY_NOTE_SECTION
    ",\"a\",@note\n"
    ".balign 4\n"
    ".long 2f - 1f, 4f - 3f, " SYMPHONY_NUMBER(SYMPHONY_NOTE_TYPE) "\n"
    "1: .asciz \"" SYMPHONY_NOTE_OWNER
    "\"\n2: .balign 4\n"
    "3: .incbin \"" SYMPHONY_WASM_NOTE_FILE
    "\"\n4: .balign 4\n"
    ".previous\n");

/* ---- types of functions: an indirect call compares their numbers ---------------------------------------------- */
typedef struct {
  uint32_t params, results;
  uint8_t* types;
} FuncType;
static FuncType* func_types;
static uint32_t func_type_count;

uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...) {
  const size_t size = (size_t)params + results;
  uint8_t* types = malloc(size + 1);
  FuncType* grown = realloc(func_types, (func_type_count + 1) * sizeof *grown);
  if (types == NULL || grown == NULL) abort(); /* while loading, a few bytes */
  func_types = grown;
  va_list list;
  va_start(list, results);
  for (size_t i = 0; i < size; ++i) types[i] = (uint8_t)va_arg(list, int);
  va_end(list);
  for (uint32_t i = 0; i < func_type_count; ++i) {
    const FuncType* known = &func_types[i];
    if (known->params == params && known->results == results && memcmp(known->types, types, size) == 0) {
      free(types);
      return i + 1;
    }
  }
  func_types[func_type_count] = (FuncType){params, results, types};
  return ++func_type_count;
}

/* ---- what generated code calls -------------------------------------------------------------------------------- */
void wasm_rt_trap(wasm_rt_trap_t why) {
  runtime->trap((int32_t)why);
  abort(); /* trap() does not return */
}
void wasm_rt_allocate_memory(wasm_rt_memory_t* memory, uint32_t pages, uint32_t pages_max) {
  runtime->allocate_memory((symphony_wasm_memory*)memory, pages, pages_max);
}
uint32_t wasm_rt_grow_memory(wasm_rt_memory_t* memory, uint32_t pages) {
  return runtime->grow_memory((symphony_wasm_memory*)memory, pages);
}
void wasm_rt_free_memory(wasm_rt_memory_t* memory) { (void)memory; } /* the host's reservation */
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t* table, uint32_t elements, uint32_t elements_max) {
  table->data = calloc(elements == 0 ? 1 : elements, sizeof *table->data);
  if (table->data == NULL) wasm_rt_trap((wasm_rt_trap_t)SYMPHONY_WASM_TRAP_NO_MEMORY);
  table->size = elements;
  table->max_size = elements_max;
}
void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t* table) { free(table->data); }

/* ---- imports -------------------------------------------------------------------------------------------------- */
typedef struct Z_symphony_instance_t Guest;
void Z_symphonyZ_log(Guest* g, u32 level, u32 p, u32 n) { runtime->log(g, level, p, n); }
u64 Z_symphonyZ_now(Guest* g) { return runtime->now(g); }
u32 Z_symphonyZ_claim(Guest* g, u32 size_min) { return runtime->claim(g, size_min); }
u32 Z_symphonyZ_commit(Guest* g, u32 p, u32 used, u32 type) { return runtime->commit(g, p, used, type); }
void Z_symphonyZ_error(Guest* g, u32 p, u32 n) { runtime->error(g, p, n); }
u64 Z_symphonyZ_random(Guest* g) { return runtime->random(g); }
u32 Z_symphonyZ_snapshot_write(Guest* g, u32 p, u32 n) { return runtime->snapshot_write(g, p, n); }
u64 Z_symphonyZ_restore_read(Guest* g, u32 p, u32 n) { return runtime->restore_read(g, p, n); }
u32 Z_symphonyZ_publish(Guest* g, u32 type, u32 p, u32 n) { return runtime->publish(g, type, p, n); }
u32 Z_symphonyZ_call_async(Guest* g, u32 service_p, u32 service_n, u32 type, u32 effect, u32 p, u32 n, u64 deadline_ns,
                           u64 cookie) {
  return runtime->call_async(g, service_p, service_n, type, effect, p, n, deadline_ns, cookie);
}
u32 Z_symphonyZ_timer_set(Guest* g, u64 id, u64 at_ns) { return runtime->timer_set(g, id, at_ns); }
u32 Z_symphonyZ_timer_cancel(Guest* g, u64 id) { return runtime->timer_cancel(g, id); }
u32 Z_symphonyZ_cancelled(Guest* g) { return runtime->cancelled(g); }
void Z_symphonyZ_mark_dirty(Guest* g) { runtime->mark_dirty(g); }
u32 Z_symphonyZ_reply(Guest* g, u64 request, u32 status, u32 type, u32 p, u32 n) {
  return runtime->reply(g, request, status, type, p, n);
}

/* ---- the table ------------------------------------------------------------------------------------------------ */
static void attach(const symphony_wasm_runtime* with, void* as) {
  if (runtime == NULL) {
    runtime = with;
    module = as;
    Z_pit_init_module();
  }
}
static int32_t create(const symphony_host* host, symphony_span config, void** self) {
  return runtime->create(module, host, config, self);
}
static symphony_wasm_memory* memory_of(Z_pit_instance_t* instance) {
  return (symphony_wasm_memory*)Z_pitZ_memory(instance);
}

extern const symphony_wasm_module symphony_wasm_module_v1;
__attribute__((visibility("default"))) const symphony_wasm_module symphony_wasm_module_v1 = {
    .struct_size = sizeof(symphony_wasm_module),
    .abi = SYMPHONY_WASM_MODULE_ABI,
    .wasm = symphony_wasm_bytes,
    .wasm_end = symphony_wasm_bytes_end,
    .instance_size = sizeof(Z_pit_instance_t),
    .attach = attach,
    .create = create,
    .instantiate = Z_pit_instantiate,
    .free = Z_pit_free,
    .memory = memory_of,
    .pit_initialize = Z_pitZ__initialize,
    .pit_functions = Z_pitZ_symphony_functions,
    .pit_buffer = Z_pitZ_symphony_buffer,
    .pit_create = Z_pitZ_symphony_create,
    .pit_init = Z_pitZ_symphony_init,
    .pit_start = Z_pitZ_symphony_start,
    .pit_handle = Z_pitZ_symphony_handle,
    .pit_drain = Z_pitZ_symphony_drain,
    .pit_snapshot = Z_pitZ_symphony_snapshot,
    .pit_restore = Z_pitZ_symphony_restore,
    .pit_stop = Z_pitZ_symphony_stop,
    .pit_destroy = Z_pitZ_symphony_destroy,
    .pit_timer = Z_pitZ_symphony_timer,
};
