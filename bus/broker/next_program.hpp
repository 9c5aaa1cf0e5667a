// A broker of a new release under a keeper of an older one: the file of the program has changed, and the next broker is
// executed from it.   Layer: broker. Threads: of a process with one thread.
//
// A broker is otherwise a forked copy of its keeper, which needs no file. What the two have in common across exec are
// the keeper's datagrams and the bytes of records, slots and letters: handover_version names them, and a new program
// with another number says so and ends, upon which the keeper forks a copy of itself as ever.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include <symphony/broker.hpp>
#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony::detail::broker {

// One more when anything changes that one broker leaves the next, or says to its keeper (tests/unit/broker/handover).
inline constexpr int handover_version = 2;

// What a broker has from its keeper, by descriptors.
struct Inheritance {
  UniqueFd keeper, listener, slots, letters;
  pid_t parent = 0;
};

// The file that brokers may be executed from, watched by what stat() says of it.
class ProgramFile {
 public:
  // As it is now: that is what this process runs.
  explicit ProgramFile(ProgramStart program);
  // Another file is there, and it did not fail before.
  [[nodiscard]] bool is_new() const;
  // What is_new() saw does not serve: not again, until there is another one.
  void distrust();
  // In a forked child: executes it with what it inherits. Returns when it cannot be.
  void execute(const Inheritance& inheritance) const;
  [[nodiscard]] const std::string& path() const noexcept { return program_.file; }

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    TimeNs changed_ns = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  [[nodiscard]] static std::optional<Identity> identity_of(const std::string& path);

  ProgramStart program_;
  std::optional<Identity> own_, distrusted_;
};

// In a process that was executed so. Nothing: it was not. Takes it out of the environment, so that no child believes
// it. Errors: version_mismatch (another handover_version), invalid_argument.
[[nodiscard]] std::optional<result<Inheritance>> inheritance_from_environment();

}  // namespace symphony::detail::broker
