// What a service manager that started this process wants to hear and has given it: systemd's two protocols, each a few
// lines of its documentation (sd_notify(3), sd_listen_fds(3)).   Layer: broker. Threads: plain values.
#pragma once

#include <string>

#include <symphony/unique_fd.hpp>

namespace symphony::detail::broker {

struct ServiceManager {
  UniqueFd listener;              // listens already, non-blocking; none: nobody gave one
  std::string path;               // where it does
  const char* trouble = nullptr;  // what was given is no such socket, and how to mend that
  std::string notify_socket;      // empty: nobody wants to hear

  // Takes what is meant for this process out of its environment, so that no child believes it.
  [[nodiscard]] static ServiceManager from_environment();
  // One datagram; what does not reach anybody is lost.
  void notify(const char* state) const noexcept;
};

}  // namespace symphony::detail::broker
