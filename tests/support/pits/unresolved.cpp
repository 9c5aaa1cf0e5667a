// Needs a function that nobody has.
extern "C" int nobody_has_this();
extern "C" __attribute__((used, visibility("hidden"))) int asks_for_it() { return nobody_has_this(); }
