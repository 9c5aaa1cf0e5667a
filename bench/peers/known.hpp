// The peers that this tree knows to compare with, built here or not.   Layer: bench.
// The command names from this table what is missing, and how to get it. Threads: constants.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace symphony::bench::peers {

// How both sides wait: each table compares like with like.
enum class Wait { spin, sleep };

// What is measured: round trips one after the other, or messages in one direction.
enum class Pattern { rtt, stream };

// How a program symphony-peer-* ends when the peer cannot run on this machine; its last line says why.
inline constexpr int status_cannot_run = 3;

struct PeerFacts {
  std::string_view name;     // of its figures
  std::string_view program;  // behind "symphony-peer-"
  std::string_view package;  // of Debian 12; empty: nothing but what the tree needs anyway
  Wait wait;
  bool threads;  // both sides are threads of one process: it knows no other way
  bool streams;  // it can have several messages on the way
  bool library;  // not the kernel's means alone
  std::string_view what;
  std::string_view settings;
};

inline constexpr std::array known_peers{
    PeerFacts{"boost_lockfree", "boost-lockfree", "", Wait::spin, false, true, true,
              "Boost.Lockfree spsc_queue in our segment", "slots of the size asked for, 1 MiB; read in place"},
    PeerFacts{"readerwriterqueue", "readerwriterqueue", "libreaderwriterqueue-dev", Wait::spin, true, true, true,
              "moodycamel ReaderWriterQueue, two THREADS", "room for 1 MiB; read in place by peek, pop"},
    PeerFacts{"concurrentqueue", "concurrentqueue", "", Wait::spin, true, true, true,
              "moodycamel ConcurrentQueue, two THREADS", "producer and consumer tokens, no allocation"},
    PeerFacts{"iceoryx", "iceoryx", "libiceoryx-posh-dev iceoryx", Wait::spin, false, true, true,
              "iceoryx 2.0 publishers and subscribers, polling",
              "chunks loaned and read in place; full queues block, 256 at most"},
    PeerFacts{"boost_mq_poll", "boost-mq", "", Wait::spin, false, true, true,
              "Boost.Interprocess message_queue, polling",
              "try_send, try_receive; room for 1 MiB, 1024 messages at most"},
    PeerFacts{"boost_mq", "boost-mq", "", Wait::sleep, false, true, true, "Boost.Interprocess message_queue",
              "send, receive; room for 1 MiB, 1024 messages at most"},
    PeerFacts{"iceoryx_waitset", "iceoryx", "libiceoryx-posh-dev iceoryx", Wait::sleep, false, true, true,
              "iceoryx 2.0 publishers and subscribers, WaitSet",
              "state attached; chunks loaned and read in place; full queues block, 256 at most"},
    PeerFacts{"zeromq", "zeromq", "libzmq3-dev", Wait::sleep, false, true, true, "ZeroMQ PAIR over ipc",
              "messages made in place, default water marks, one I/O thread"},
    PeerFacts{"nng", "nng", "libnng-dev", Wait::sleep, false, true, true, "nng pair0 over ipc",
              "messages made in place, 128 in each buffer"},
    PeerFacts{"grpc", "grpc", "libgrpc++-dev libprotobuf-dev protobuf-compiler-grpc", Wait::sleep, false, true, true,
              "gRPC, one bidirectional stream over a Unix socket",
              "target latency, 1 MiB ahead, completion queue driven by the thread, buffered writes in streams"},
    PeerFacts{"capnp", "capnp", "libcapnp-dev capnproto", Wait::sleep, false, true, true,
              "Cap'n Proto RPC over a Unix socket",
              "size hints, bodies built in place, streams under its flow control"},
    PeerFacts{"sdbus", "sdbus", "libsystemd-dev", Wait::sleep, false, true, true,
              "sd-bus over a Unix socket, no bus daemon", "trusted; no descriptors, time stamps or credentials"},
    PeerFacts{"uds", "socket", "", Wait::sleep, false, true, false, "Unix socket, stream", "one system call a message"},
    PeerFacts{"uds_seqpacket", "socket", "", Wait::sleep, false, true, false, "Unix socket, seqpacket",
              "one system call a message"},
    PeerFacts{"tcp", "socket", "", Wait::sleep, false, true, false, "TCP over loopback", "TCP_NODELAY"},
    PeerFacts{"pipe", "pipe", "", Wait::sleep, false, true, false, "pipes, one each way", "of 1 MiB"},
    PeerFacts{"futex", "futex", "", Wait::sleep, false, false, false, "futex alone, payload in shared memory",
              "one message at a time; no stream"},
};

[[nodiscard]] constexpr const PeerFacts* find_peer(std::string_view name) noexcept {
  const auto* const found =
      std::find_if(known_peers.begin(), known_peers.end(), [&](const PeerFacts& peer) { return peer.name == name; });
  return found == known_peers.end() ? nullptr : found;
}

}  // namespace symphony::bench::peers
