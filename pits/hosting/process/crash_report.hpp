// What a pit's process says of its own crash: signal, address, registers and the way to there, as lines on stderr,
// which a daemon keeps in the pit's log.   Layer: hosting/process.
//
//   symphony: SIGSEGV at 0x10 (code 1) in thread 4711
//   symphony:   rip 0x7f.. rsp 0x7f.. ...
//   symphony:   file greeter.so, build-id 3c4b..., loaded from /memfd:greeter.so
//   symphony:   #0 greeter.so+0x11d4
//
// `addr2line -Cfie FILE 0x11d4` says which line that is, in the file with that build-id. Then the process dies of the
// same signal, with a core dump where the system writes one. Threads: install_crash_report() once, before there is a
// second one; of later threads only those have a stack of their own for it that call add_crash_stack(): another one's
// overflow is not reported, its other crashes are.
#pragma once

namespace symphony::pit {

// For SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, where nobody else handles them: a sanitizer does, and says more.
// `pit_file`: what the pit was loaded from, as it is to be named; must outlive the process's last thread.
void install_crash_report(const char* pit_file) noexcept;

// An alternate stack for signals of the calling thread, which has it until it ends.
void add_crash_stack() noexcept;

}  // namespace symphony::pit
