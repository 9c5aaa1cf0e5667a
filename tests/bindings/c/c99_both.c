/* Both public C headers in one program: what they define twice is the same. */
#include <symphony/pit.h>

#include <symphony.h>

uint32_t contract_major(void);
uint32_t contract_major(void) { return SYMPHONY_ABI_MAJOR; }
