#include "tools/symphony/graph/package_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <string>

#include "tools/symphony/graph/name_table.hpp"

namespace symphony::tools {
namespace {

constexpr std::string_view blanks = " \t\r\n";

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool ends_name(char c) { return is_blank(c) || c == ':' || c == '(' || c == '[' || c == '<'; }

// Takes the part of `rest` before the next `separator` and moves rest behind it; false at the end.
bool next_part(std::string_view& rest, char separator, std::string_view& part) {
  if (rest.empty()) return false;
  const std::size_t end = rest.find(separator);
  part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return true;
}

// The name in "name:any (>= 1.0) [amd64]"; empty when there is none. Plain loops: the searches of the standard library
// took most of the time of a whole resolution here.
std::string_view bare_name(std::string_view relation) {
  std::size_t begin = 0;
  while (begin < relation.size() && is_blank(relation[begin])) ++begin;
  std::size_t end = begin;
  while (end < relation.size() && !ends_name(relation[end])) ++end;
  return relation.substr(begin, end - begin);
}

// The last word of Status: what dpkg has done, where the first is what it was asked for. The two trigger states are
// installed packages with a task of their own left.
bool is_installed(std::string_view status) {
  const std::size_t space = status.find_last_of(blanks);
  const std::string_view state = space == std::string_view::npos ? status : status.substr(space + 1);
  return state == "installed" || state == "triggers-awaited" || state == "triggers-pending";
}

// The architecture that needs no suffix: dpkg's own, or else the one most stanzas have.
std::string_view native_architecture(const std::vector<Stanza>& stanzas) {
  std::map<std::string_view, std::size_t> counts;
  for (const Stanza& stanza : stanzas) {
    if (stanza.architecture.empty() || stanza.architecture == "all") continue;
    if (stanza.package == "dpkg") return stanza.architecture;
    ++counts[stanza.architecture];
  }
  std::string_view best;
  std::size_t best_count = 0;
  for (const auto& [name, count] : counts) {
    if (count > best_count) {
      best = name;
      best_count = count;
    }
  }
  return best;
}

class Resolver {
 public:
  explicit Resolver(const Stanzas& stanzas)
      : stanzas_(stanzas), tasks_(stanzas.list.size()), provided_(stanzas.list.size() / 4) {}

  TaskGraph run() {
    graph_.notes.format = stanzas_.has_status ? GraphFormat::dpkg_status : GraphFormat::apt_packages;
    graph_.notes.stanzas = stanzas_.list.size();
    graph_.notes.maybe_cut = !stanzas_.ends_complete;
    name_tasks();
    find_providers();
    for (std::uint32_t task = 0; task < packages_.size(); ++task) add_edges(task);
    graph_.names.reserve(tasks_.size());
    for (std::uint32_t task = 0; task < tasks_.size(); ++task) graph_.names.emplace_back(tasks_[task]);
    return std::move(graph_);
  }

 private:
  struct Package {
    const Stanza* stanza;
    std::string_view foreign;  // its architecture when that is not the native one, else empty
  };

  void name_tasks() {
    const std::string_view native = native_architecture(stanzas_.list);
    packages_.reserve(stanzas_.list.size());
    for (const Stanza& stanza : stanzas_.list) {
      if (stanzas_.has_status && !is_installed(stanza.status)) {
        ++graph_.notes.not_installed;
        continue;
      }
      const bool is_foreign =
          !stanza.architecture.empty() && stanza.architecture != "all" && stanza.architecture != native;
      std::string_view name = stanza.package;
      if (is_foreign) name = kept_.emplace_back(fmt::format("{}:{}", stanza.package, stanza.architecture));
      if (!tasks_.add(name).is_new) {
        ++graph_.notes.repeated;
        continue;
      }
      if (is_foreign) ++graph_.notes.foreign;
      packages_.push_back({&stanza, is_foreign ? stanza.architecture : std::string_view()});
    }
  }

  // For each name that is provided: the provider whose own name comes first in byte order.
  void find_providers() {
    for (std::uint32_t task = 0; task < packages_.size(); ++task) {
      for_each_provided(task, [&](std::string_view name) {
        const auto added = provided_.add(name);
        if (added.is_new) {
          provider_.push_back(task);
        } else if (tasks_[task] < tasks_[provider_[added.index]]) {
          provider_[added.index] = task;
        }
        return false;
      });
    }
  }

  template <class F>
  bool for_each_provided(std::uint32_t task, F&& f) const {
    std::string_view rest = packages_[task].stanza->provides;
    std::string_view part;
    while (next_part(rest, ',', part)) {
      const std::string_view name = bare_name(part);
      if (!name.empty() && f(name)) return true;
    }
    return false;
  }

  void add_edges(std::uint32_t task) {
    before_.clear();
    for (std::string_view rest : {packages_[task].stanza->pre_depends, packages_[task].stanza->depends}) {
      std::string_view relation;
      while (next_part(rest, ',', relation)) resolve(task, relation);
    }
    std::sort(before_.begin(), before_.end());
    const auto end = std::unique(before_.begin(), before_.end());
    graph_.notes.repeated_edges += static_cast<std::uint64_t>(before_.end() - end);
    before_.erase(end, before_.end());
    for (const std::uint32_t before : before_) graph_.edges.push_back({task, before});
  }

  // One relation: its first alternative that is there, as a package or else provided by one.
  void resolve(std::uint32_t task, std::string_view relation) {
    std::string_view rest = relation;
    std::string_view alternative;
    bool any = false;
    bool first = true;
    while (next_part(rest, '|', alternative)) {
      const std::string_view name = bare_name(alternative);
      if (name.empty()) continue;
      if (!any) ++graph_.notes.dependencies;
      any = true;
      bool is_virtual = false;
      const std::uint32_t target = find(task, name, is_virtual);
      if (target != NameTable::none) {
        if (!first) ++graph_.notes.later_alternatives;
        if (is_virtual) ++graph_.notes.virtual_dependencies;
        if (target == task) {
          ++graph_.notes.self_dependencies;
        } else {
          before_.push_back(target);
        }
        return;
      }
      first = false;
    }
    if (any) add_unmet(task, relation);
  }

  std::uint32_t find(std::uint32_t task, std::string_view name, bool& is_virtual) {
    if (const std::string_view architecture = packages_[task].foreign; !architecture.empty()) {
      scratch_.assign(name).append(":").append(architecture);
      if (const std::uint32_t same = tasks_.find(scratch_); same != NameTable::none) return same;
    }
    if (const std::uint32_t real = tasks_.find(name); real != NameTable::none) return real;
    const std::uint32_t provided = provided_.find(name);
    if (provided == NameTable::none) return NameTable::none;
    is_virtual = true;
    const bool own = for_each_provided(task, [&](std::string_view mine) { return mine == name; });
    return own ? task : provider_[provided];
  }

  void add_unmet(std::uint32_t task, std::string_view relation) {
    ++graph_.notes.unmet;
    if (graph_.notes.unmet_list.size() >= GraphNotes::unmet_listed_max) return;
    std::string wanted;
    std::string_view alternative;
    while (next_part(relation, '|', alternative)) {
      const std::string_view name = bare_name(alternative);
      if (name.empty()) continue;
      if (!wanted.empty()) wanted += " | ";
      wanted += name;
    }
    graph_.notes.unmet_list.push_back(fmt::format("{} needs {}", printable(tasks_[task]), printable(wanted)));
  }

  const Stanzas& stanzas_;
  std::deque<std::string> kept_;   // names that do not stand in the text: name:architecture
  std::vector<Package> packages_;  // by task
  NameTable tasks_;
  NameTable provided_;
  std::vector<std::uint32_t> provider_;  // by position in provided_
  std::vector<std::uint32_t> before_;    // of the task being resolved
  std::string scratch_;
  TaskGraph graph_;
};

}  // namespace

InputResult<TaskGraph> resolve_packages(const Stanzas& stanzas, std::string_view label) {
  TaskGraph graph = Resolver(stanzas).run();
  if (graph.names.empty()) {
    return InputError{InputFault::no_tasks,
                      fmt::format("{}: none of its {} packages is installed; give an apt Packages file or the "
                                  "status file of another system",
                                  label, graph.notes.stanzas)};
  }
  return graph;
}

}  // namespace symphony::tools
