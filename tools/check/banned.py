#!/usr/bin/env python3
"""Spellings that this code base does without, each with what to write instead.

An exception says so, with its reason, in a comment on the line or the one above:  // allowed: why
"""
import re

import repo

EVERYWHERE = ("bus/", "pits/", "bindings/", "bench/", "tools/", "tests/")
SHARED = ("bus/memory/", "bus/ring/", "bus/wait/", "bus/channel/")
LIBRARY = ("bus/", "pits/", "bindings/")

# (pattern, folders, what to write instead)
SPELLINGS = [
    (r"\batomic_(?:thread|signal)_fence\b", EVERYWHERE, "an order on the operation itself (ThreadSanitizer cannot follow fences)"),
    (r"\batomic_(?:wait|notify_one|notify_all)\b", EVERYWHERE, "bus/wait, or a condition variable private to the process"),
    (r"\bmemory_order(?:_|::)consume\b", EVERYWHERE, "acquire"),
    (r"\bhardware_(?:con|de)structive_interference_size\b", EVERYWHERE, "cache_line_size of bus/base/platform.hpp"),
    (r"\bCLOCK_REALTIME\w*|\bsystem_clock\b|\bhigh_resolution_clock\b|\bgettimeofday\s*\(", EVERYWHERE, "now_ns() (CLOCK_MONOTONIC)"),
    (r"\bnamed_(?:mutex|condition|semaphore|recursive_mutex|upgradable_mutex|sharable_mutex)\b", EVERYWHERE, "nothing with a name; channels of bus/channel"),
    (r"\binterprocess_(?:mutex|condition|semaphore)\b|\bPTHREAD_PROCESS_SHARED\b", EVERYWHERE, "no lock in shared memory: one writer for each word"),
    (r"\bmanaged_\w*shared_memory\b|\bshared_memory_object\b|\boffset_ptr\b", EVERYWHERE, "a sealed memfd of bus/memory and offsets"),
    (r"\bshm_(?:open|unlink)\b|\bshmget\b|\bmq_open\b|\bsem_open\b", EVERYWHERE, "memfd_create with MFD_CLOEXEC (bus/memory)"),
    (r"\bsleep_(?:for|until)\b|\b(?:u|nano)?sleep\s*\(", ("tests/",), "wait for the condition, with a deadline"),
    (r"\bstd::(?:recursive_|shared_|timed_)?mutex\b|\bcondition_variable\b|\bpthread_mutex_\w+", SHARED, "lock-free words, and bus/wait to sleep"),
    (r"\.(?:notify_one|notify_all)\s*\(", SHARED, "bus/wait"),
    (r"\b(?:strcpy|strcat|sprintf|vsprintf|gets)\s*\(", EVERYWHERE, "std::string, or snprintf with the size"),
    (r"\b(?:tmpnam|mktemp|tempnam)\s*\(", EVERYWHERE, "mkstemp or mkdtemp"),
    (r"\bdlclose\b", EVERYWHERE, "leave the library loaded: code of it may still be on a stack"),
    (r"(?<![\w.>])assert\s*\(", LIBRARY, "SYMPHONY_DCHECK, or an error for what a peer wrote"),
    (r"(?<![\w:])(?:std::)?s?rand\s*\(", EVERYWHERE, "a generator with a printed seed"),
    (r"::accept\s*\(|\bepoll_create\s*\(|::pipe\s*\(|::dup\s*\(|\binotify_init\s*\(", EVERYWHERE, "the call that takes a close-on-exec flag (accept4, epoll_create1, pipe2, F_DUPFD_CLOEXEC)"),
]
# (call, what marks the system call, the flag it must carry): descriptors are close-on-exec from birth.
DESCRIPTORS = [
    (r"(?:(?<![\w.>:])|(?<!\w)::)open(?:at)?\s*\(", r"\bO_(?:RDONLY|WRONLY|RDWR|PATH|TMPFILE)\b", "O_CLOEXEC"),
    (r"\bsocket(?:pair)?\s*\(", r"\b[AP]F_\w+", "SOCK_CLOEXEC"),
    (r"\baccept4\s*\(", "", "SOCK_CLOEXEC"),
    (r"\bpipe2\s*\(", "", "O_CLOEXEC"),
    (r"\bmemfd_create\s*\(", "", "MFD_CLOEXEC"),
    (r"\beventfd\s*\(", "", "EFD_CLOEXEC"),
    (r"\bepoll_create1\s*\(", "", "EPOLL_CLOEXEC"),
    (r"\btimerfd_create\s*\(", "", "TFD_CLOEXEC"),
    (r"\bsignalfd\s*\(", "", "SFD_CLOEXEC"),
    (r"::recvmsg\s*\(", "", "MSG_CMSG_CLOEXEC"),
]
ALLOWED = re.compile(r"//.*\ballowed:\s*\S")
ATOMIC = re.compile(r"\batomic(?:_flag|_ref)?\s*(?:<[^;{}]*>)?\s+(\w+)\s*[;{=(]")


def suspects(path, text):
    """(line, what, instead)"""
    code = repo.code_only(text)
    for pattern, folders, instead in SPELLINGS:
        if path.startswith(folders):
            for match in re.finditer(pattern, code):
                yield code.count("\n", 0, match.start()) + 1, match.group().strip(" .("), instead
    for name in set(ATOMIC.findall(code)):
        for match in re.finditer(rf"\b{name}\s*\.\s*(?:wait|notify_one|notify_all)\s*\(", code):
            yield code.count("\n", 0, match.start()) + 1, match.group().strip("( "), "bus/wait"
    for line, statement in repo.statements(text):
        for call, marks, flag in DESCRIPTORS:
            match = re.search(call, statement)
            if match and re.search(marks, statement) and flag not in statement:
                at = line + statement.count("\n", 0, match.start())
                yield at, match.group().strip("( "), f"the same call with {flag}"


def check(tree):
    found = []
    for path, text in tree.cpp(*EVERYWHERE).items():
        lines = text.split("\n")
        for line, what, instead in suspects(path, text):
            if not any(ALLOWED.search(near) for near in lines[max(0, line - 2):line]):
                found.append(f"{path}:{line}: {what}; write instead: {instead}")
    return found


def planted(code, expected, path="bus/ring/x.cpp"):
    return {path: code}, expected


CASES = [planted(code, part) for code, part in [
    ("std::atomic_thread_fence(o);", "an order on the operation"), ("std::atomic_wait(&x, 1);", "bus/wait"),
    ("std::atomic<int> bell{0}; void f() { bell.wait(0); }", "bell.wait"), ("x.notify_one();", "bus/wait"),
    ("auto t = CLOCK_REALTIME;", "now_ns()"), ("std::chrono::system_clock::now();", "now_ns()"),
    ("named_mutex m;", "nothing with a name"), ("managed_shared_memory m;", "sealed memfd"), ("offset_ptr<int> p;", "sealed memfd"),
    ("shared_memory_object o;", "sealed memfd"), ("shm_open(n, 0, 0);", "memfd_create"), ("std::mutex m;", "lock-free words"),
    ("strcpy(a, b);", "snprintf"), ("sprintf(a, b);", "snprintf"), ("dlclose(h);", "leave the library loaded"),
    ("int x[std::hardware_destructive_interference_size];", "cache_line_size"), ("assert(x);", "SYMPHONY_DCHECK"),
    ("::open(p, O_RDONLY);", "O_CLOEXEC"), ("open(p,\n  O_RDWR | O_CREAT, 0600);", "O_CLOEXEC"), ("::accept(fd, a, n);", "accept4"),
    ("::socket(AF_UNIX, SOCK_SEQPACKET, 0);", "SOCK_CLOEXEC"), ("::pipe(fds);", "pipe2"), ("memfd_create(n, 0);", "MFD_CLOEXEC"),
    ("::recvmsg(fd, &m, 0);", "MSG_CMSG_CLOEXEC"), ("// strcpy(a, b) is bad\nf(\"dlclose\"); R\"(sprintf()\";", None),
    ("::open(p, O_RDONLY | O_CLOEXEC); endpoint.open(name); snprintf(a, 1, b); ::accept4(f, a, n, SOCK_CLOEXEC);", None),
    ("// allowed: another program's format asks for it\nauto t = CLOCK_REALTIME;", None), ("static_assert(sizeof(int) == 4);", None),
]] + [planted("std::this_thread::sleep_for(1ms);", "wait for the condition", "tests/unit/x_test.cpp"),
      planted("std::mutex m; cv.notify_one();", None, "pits/hosting/x.cpp")]

if __name__ == "__main__":
    repo.main(check, CASES)
