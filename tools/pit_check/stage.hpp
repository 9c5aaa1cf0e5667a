// A pit's file in one mode: what cases make instances and hosts of.   Layer: tools/pit_check.
// Threads: one. Nothing of the pit is loaded before it is asked for, so a stage may be made before fork().
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/pit_check.hpp>

#include "pits/hosting/host.hpp"
#include "pits/hosting/instance.hpp"
#include "pits/hosting/pit_file.hpp"

namespace symphony::pit_check {

// Lines in which a host says that the pit broke the contract.
class Blames final : public pit::LogSink {
 public:
  void write(std::int32_t level, std::string_view pit, std::string_view line) noexcept override;
  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

 private:
  std::vector<std::string> lines_;
};

// A host, and what stands behind it.
class Mounted {
 public:
  Mounted() = default;
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  virtual ~Mounted() = default;
  [[nodiscard]] virtual pit::Host& host() noexcept = 0;
  // Ends the pit as a crash would: its process, or, where calls can be ended from outside, the one that it is in.
  // BAD_STATE: neither; or it is in no call.
  virtual pit::Outcome kill();
  // The process that runs the pit; 0: this one, or none now.
  [[nodiscard]] virtual pid_t process() { return 0; }
};

class Stage {
 public:
  explicit Stage(const pit::PitFile& given) noexcept : given_(given) {}
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  virtual ~Stage() = default;

  // The file that was to be checked, and the one that the mode runs: the same, or another form of that pit.
  [[nodiscard]] const pit::PitFile& given() const noexcept { return given_; }
  [[nodiscard]] virtual const pit::PitFile& file() const noexcept { return given_; }
  [[nodiscard]] virtual std::string_view mode() const noexcept = 0;
  // The one symbol that the mode's file is to export; empty: the mode loads no file.
  [[nodiscard]] virtual std::string_view symbol() const noexcept { return "symphony_pit_entry_v1"; }
  // Whether the mode runs instances in this process, so that make_instance() works.
  [[nodiscard]] virtual bool has_instances() const noexcept = 0;
  // Whether the call that a pit is in can be ended from outside, so that Mounted::kill() works in this process.
  [[nodiscard]] virtual bool can_trap() const noexcept { return false; }
  // A CREATED instance, to be led by hand, behind Between.
  virtual pit::Outcome make_instance(const pit::InstanceOptions& options, std::unique_ptr<pit::Instance>& out) = 0;
  // A RUNNING pit behind a host. The log is null where the mode's pits cannot reach one of this process.
  virtual pit::Outcome mount(pit::LogSink* log, std::unique_ptr<Mounted>& out) = 0;

 private:
  const pit::PitFile& given_;
};

}  // namespace symphony::pit_check
