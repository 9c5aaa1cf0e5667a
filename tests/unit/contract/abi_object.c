/* The whole contract as one object with debug information, for abidiff: every struct is reached from the entry. */
#include <symphony/pit.h>

__attribute__((visibility("default"))) const symphony_pit_entry symphony_pit_entry_v1 = {0};
