// What the shell sees of pits for the watchdog: the words of their links, and whether they can run at all.
//
// Of a pit with budgets the words of each open link are mapped, to be read; nobody looks at them until the core asks.
// A broker that follows another has no descriptor of what is open, and asks the keeper.
#include <array>
#include <charconv>
#include <span>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "bus/broker/shell.hpp"
#include "bus/channel/observer.hpp"

namespace symphony::detail::broker {
namespace {

// The beginning of it; nothing where it cannot be read.
std::string_view read_process(pid_t pid, const std::string& name, std::span<char> buffer) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
  return {buffer.data(), size < 0 ? 0 : static_cast<std::size_t>(size)};
}

// Of a confined pit the keeper's child is the first process of a namespace, which always waits: the pit is its first
// child (decision 0044), and the kernel lists children in the order in which they came. 0: nobody can say. To kill the
// first one is to kill the pit, whether either is stopped or not.
pid_t behind_first(pid_t first) {
  std::array<char, 64> buffer;
  const std::string_view text = read_process(first, "task/" + std::to_string(first) + "/children", buffer);
  pid_t child = 0;
  std::from_chars(text.data(), text.data() + text.size(), child);
  return child;
}

// SIGSTOP, SIGTSTP, a debugger. Where nobody can say, it may be: then it is not killed for standing still.
bool is_stopped(pid_t pid) {
  std::array<char, 512> buffer;
  const std::string_view text = read_process(pid, "stat", buffer);
  const std::size_t name_end = text.rfind(") ");  // the name may hold anything
  if (name_end == std::string_view::npos || name_end + 2 >= text.size()) return true;
  const char state = text[name_end + 2];
  return state == 'T' || state == 't';
}

}  // namespace

void Shell::execute(const KeepWords& a) {
  LinkWords& words = words_[{a.link, a.epoch}];
  words.request_capacity = a.request_capacity;
  const auto segments = segments_.find({a.link, a.epoch});
  if (segments == segments_.end()) return tell_keeper(keeper::datagram(keeper::Kind::fetch, link_key(a.link), 0));
  see_words(words, segments->second.caller_rw.get(), segments->second.pit_rw.get());
}

// What a record holds is of the one epoch that was open when it was asked for.
void Shell::hear_words(LinkId link, const std::vector<UniqueFd>& fds) {
  if (fds.size() < 2) return;
  for (auto& [of, words] : words_) {
    if (of.first == link && !words.pit_words) return see_words(words, fds[0].get(), fds[1].get());
  }
}

void Shell::see_words(LinkWords& words, int caller_segment, int pit_segment) {
  auto pit_words = Mapping::map(pit_segment, page_size, Access::read_only, words_offset);
  auto requests = Mapping::map(caller_segment, words.request_capacity, Access::read_only, data_offset);
  if (!pit_words || !requests) return execute(Note{"no memory to watch a link: what hangs on it may not be noticed"});
  words.pit_words = *std::move(pit_words);
  words.requests = *std::move(requests);
}

void Shell::execute(const ForgetWords& a) { words_.erase({a.link, a.epoch}); }

void Shell::execute(const LookAtPit& a) {
  PitSeen seen{a.pit, a.instance, true, {}};
  if (const auto pit = pits_.find(a.pit); pit != pits_.end() && pit->second.instance == a.instance) {
    const pid_t pid = a.has_namespace ? behind_first(pit->second.pid) : pit->second.pid;
    seen.is_stopped = pid == 0 || is_stopped(pid);
  }
  for (const auto& [link, epoch] : a.links) {
    const auto words = words_.find({link, epoch});
    if (words == words_.end() || !words->second.pit_words) continue;
    const auto* const said = reinterpret_cast<const PitWords*>(words->second.pit_words.data());
    const LinkWords& of = words->second;
    std::uint64_t handled = 0;
    seen.waits |= request_waits(said, of.requests.data(), of.request_capacity, handled);
    seen.progress += handled;
    const auto request = request_being_executed(said, of.requests.data(), of.request_capacity);
    if (!request) continue;
    const Envelope& envelope = request->envelope;
    seen.executing.push_back(
        {epoch, request->begun, {link, envelope.id, envelope.type, request->body_size, envelope.attempt}});
  }
  feed(std::move(seen));
}

}  // namespace symphony::detail::broker
