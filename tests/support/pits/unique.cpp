// What GCC makes of a local static of an inline function with default visibility, by whatever compiler: one object for
// the whole process.
asm(R"(
  .data
  .globl one_for_the_whole_process
  .type one_for_the_whole_process, @gnu_unique_object
  .size one_for_the_whole_process, 8
one_for_the_whole_process:
  .quad 0
  .previous
)");
