#include "tools/symphony/graph/json_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tools/symphony/graph/name_table.hpp"

namespace symphony::tools {
namespace {

constexpr std::string_view form = R"({"tasks": ["a", "b"], "edges": [["a", "b"]]})";

// Takes the parser's events one by one; no document is ever built, so memory is what the graph itself needs and
// nesting costs nothing: the first event out of place ends the reading.
class Handler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Handler(std::string_view text, std::string_view label) : text_(text), label_(label) {}

  bool null() override { return value("null"); }
  bool boolean(bool /*value*/) override { return value("a boolean"); }
  bool number_integer(number_integer_t /*value*/) override { return value("a number"); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return value("a number"); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return value("a number"); }
  bool binary(binary_t& /*value*/) override { return value("binary data"); }

  bool string(string_t& name) override {
    if (at_ == At::in_tasks) return add_task(name);
    if (at_ == At::in_edge) return add_end(name);
    return value("a string");
  }

  bool start_object(std::size_t /*elements*/) override {
    if (at_ != At::start) return value("an object");
    at_ = At::in_document;
    return true;
  }
  bool end_object() override {
    at_ = At::end;
    return true;
  }

  bool key(string_t& name) override {
    bool* seen = name == "tasks" ? &saw_tasks_ : name == "edges" ? &saw_edges_ : nullptr;
    if (seen == nullptr) return malformed(fmt::format("has the unknown key \"{}\"", printable(name)));
    if (*seen) return malformed(fmt::format("has the key \"{}\" twice", name));
    *seen = true;
    at_ = seen == &saw_tasks_ ? At::before_tasks : At::before_edges;
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    switch (at_) {
      case At::before_tasks:
        at_ = At::in_tasks;
        return true;
      case At::before_edges:
        at_ = At::in_edges;
        return true;
      case At::in_edges:
        at_ = At::in_edge;
        ends_ = 0;
        return true;
      default:
        return value("a list");
    }
  }
  bool end_array() override {
    if (at_ == At::in_edge) {
      if (ends_ != 2)
        return malformed(fmt::format("edges[{}] has {} names instead of [before, after]", graph_.edges.size(), ends_));
      // Reversed here: Edge has `after` first.
      graph_.edges.push_back({edge_[1], edge_[0]});
      at_ = At::in_edges;
    } else {
      at_ = At::in_document;
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*why*/) override {
    // The parser counts the end of the text as one more character read.
    if (position > text_.size()) {
      error_ = {InputFault::truncated,
                fmt::format("{}: ends inside a JSON value, after {} bytes; fetch or write the file again", label_,
                            text_.size())};
      return false;
    }
    const std::size_t offset = position == 0 ? 0 : position - 1;
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
    error_ = {InputFault::malformed,
              fmt::format("{}: is not JSON near byte {} (line {}); correct it there", label_, offset, line)};
    return false;
  }

  InputResult<TaskGraph> finish(bool parsed) {
    if (!parsed) return std::move(error_);
    if (!saw_tasks_ || !saw_edges_) {
      (void)malformed(fmt::format("has no \"{}\"", saw_tasks_ ? "edges" : "tasks"));
      return std::move(error_);
    }
    if (task_names_.empty()) {
      return InputError{InputFault::no_tasks, fmt::format("{}: \"tasks\" is empty; name at least one task", label_)};
    }
    return build();
  }

 private:
  enum class At { start, in_document, before_tasks, in_tasks, before_edges, in_edges, in_edge, end };

  bool add_task(const std::string& name) {
    if (name.empty()) return malformed(fmt::format("tasks[{}] is an empty name", task_names_.size()));
    const std::uint32_t id = intern(name);
    if (task_of_[id] != NameTable::none) {
      error_ = {
          InputFault::duplicate_task,
          fmt::format("{}: task \"{}\" stands in \"tasks\" twice; remove or rename one", label_, printable(name))};
      return false;
    }
    task_of_[id] = static_cast<std::uint32_t>(task_names_.size());
    task_names_.push_back(id);
    return true;
  }

  bool add_end(const std::string& name) {
    if (ends_ < 2) edge_[ends_] = intern(name);
    ++ends_;
    return true;
  }

  // The parser reuses its string, so the bytes of a new name are kept here.
  std::uint32_t intern(const std::string& name) {
    if (const std::uint32_t known = names_.find(name); known != NameTable::none) return known;
    task_of_.push_back(NameTable::none);
    return names_.add(kept_.emplace_back(name)).index;
  }

  InputResult<TaskGraph> build() {
    for (Edge& edge : graph_.edges) {
      const std::uint32_t before = task_of_[edge.before];
      const std::uint32_t after = task_of_[edge.after];
      if (before == NameTable::none || after == NameTable::none) {
        const std::uint32_t missing = before == NameTable::none ? edge.before : edge.after;
        return InputError{
            InputFault::unknown_task,
            fmt::format(
                "{}: edge [\"{}\", \"{}\"] names the unknown task \"{}\"; add it to \"tasks\" or remove the edge",
                label_, printable(names_[edge.before]), printable(names_[edge.after]), printable(names_[missing]))};
      }
      edge = {after, before};
    }
    std::sort(graph_.edges.begin(), graph_.edges.end());
    const auto end = std::unique(graph_.edges.begin(), graph_.edges.end());
    graph_.notes.repeated_edges = static_cast<std::uint64_t>(graph_.edges.end() - end);
    graph_.edges.erase(end, graph_.edges.end());
    graph_.notes.format = GraphFormat::json;
    graph_.names.reserve(task_names_.size());
    for (const std::uint32_t id : task_names_) graph_.names.emplace_back(names_[id]);
    return std::move(graph_);
  }

  bool malformed(std::string_view what) {
    error_ = {InputFault::malformed, fmt::format("{}: {}; the form is {}", label_, what, form)};
    return false;
  }

  // A value where this form has none of its kind.
  bool value(std::string_view kind) {
    switch (at_) {
      case At::in_tasks:
        return malformed(fmt::format("tasks[{}] is {} instead of a name", task_names_.size(), kind));
      case At::in_edges:
        return malformed(fmt::format("edges[{}] is {} instead of [before, after]", graph_.edges.size(), kind));
      case At::in_edge:
        return malformed(fmt::format("edges[{}] holds {} instead of a name", graph_.edges.size(), kind));
      case At::before_tasks:
        return malformed(fmt::format("\"tasks\" is {} instead of a list", kind));
      case At::before_edges:
        return malformed(fmt::format("\"edges\" is {} instead of a list", kind));
      default:
        return malformed(fmt::format("is {} instead of an object", kind));
    }
  }

  std::string_view text_;
  std::string_view label_;
  At at_ = At::start;
  bool saw_tasks_ = false;
  bool saw_edges_ = false;
  std::deque<std::string> kept_;
  NameTable names_;                        // tasks and ends of edges, in the order met
  std::vector<std::uint32_t> task_of_;     // by position in names_: the task, or none
  std::vector<std::uint32_t> task_names_;  // by task: position in names_
  std::uint32_t edge_[2] = {0, 0};         // of the edge being read: before, after
  std::size_t ends_ = 0;
  TaskGraph graph_;  // until build(), its edges are positions in names_
  InputError error_;
};

}  // namespace

InputResult<TaskGraph> read_json_graph(std::string_view text, std::string_view label) {
  Handler handler(text, label);
  const bool parsed = nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
  return handler.finish(parsed);
}

}  // namespace symphony::tools
