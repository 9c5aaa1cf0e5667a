// What a pit's shared object is not to have: a symbol beside its entry, and initialisers in numbers.
extern "C" __attribute__((visibility("default"))) int loud_symbol() { return 1; }

namespace {

using Initialiser = void (*)();
void nothing() {}

// As the compiler lists constructors for the loader.
#define LOUD_FOUR &nothing, &nothing, &nothing, &nothing
__attribute__((section(".init_array"), used))
Initialiser loud[] = {LOUD_FOUR, LOUD_FOUR, LOUD_FOUR, LOUD_FOUR, LOUD_FOUR};

}  // namespace
