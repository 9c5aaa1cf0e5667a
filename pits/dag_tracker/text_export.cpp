// The rows are: a head, one for each task, one for each edge, a tail; `from` is the number of a row.
#include "pits/dag_tracker/text_export.hpp"

#include <algorithm>
#include <array>

namespace symphony::pit::tracker {
namespace {

// How long the character of UTF-8 is that `text` begins with; 0: none is there.
std::size_t character(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool is_long = first != 0xE0 || at(1) >= 0xA0;
    const bool is_no_surrogate = first != 0xED || at(1) < 0xA0;
    return follows(1) && follows(2) && is_long && is_no_surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool is_long = first != 0xF0 || at(1) >= 0x90;
    const bool is_code = first != 0xF4 || at(1) < 0x90;
    return follows(1) && follows(2) && follows(3) && is_long && is_code ? 4 : 0;
  }
  return 0;
}

// In quotes. What is no UTF-8 becomes U+FFFD, as a name may be any bytes.
void add_quoted(std::string& out, std::string_view text, TextForm form) {
  constexpr std::string_view hex = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const std::size_t size = character(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (size == 0) {
      out += "\xEF\xBF\xBD";
    } else if (text.front() == '"' || text.front() == '\\') {
      out += '\\';
      out += text.front();
    } else if (first < 0x20) {
      if (form == TextForm::json) {
        out += "\\u00";
        out += hex[first >> 4U];
        out += hex[first & 15U];
      } else {
        out += ' ';
      }
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  out += '"';
}

std::string_view colour_of(TaskState state) noexcept {
  switch (state) {
    case TaskState::waiting:
      return "white";
    case TaskState::ready:
      return "lightyellow";
    case TaskState::running:
      return "lightblue";
    case TaskState::retry_wait:
      return "orange";
    case TaskState::succeeded:
    case TaskState::cached:
      return "palegreen";
    case TaskState::failed:
      return "salmon";
    default:
      return "lightgrey";
  }
}

void add_task(std::string& out, const Graph& graph, std::uint32_t task, TextForm form) {
  const std::string number = std::to_string(task);
  const TaskState state = graph.state(task);
  if (form == TextForm::dot) {
    out += "  " + number + " [label=";
    const std::string_view name = graph.name(task);
    add_quoted(out, name.empty() ? std::string_view(number) : name, form);
    out += ", fillcolor=";
    out += colour_of(state);
    out += "];\n";
    return;
  }
  out += (task == 0 ? "\n{\"id\":" : ",\n{\"id\":") + number + ",\"name\":";
  add_quoted(out, graph.name(task), form);
  out += ",\"state\":\"";
  out += name_of(state);
  out += "\",\"attempts\":" + std::to_string(graph.attempt(task)) + "}";
}

void add_head(std::string& out, const Graph& graph, std::string_view name, TextForm form) {
  if (form == TextForm::dot) {
    out += "digraph ";
    add_quoted(out, name, form);
    out += " {\n  rankdir=LR;\n  node [shape=box, style=filled];\n";
    return;
  }
  out += "{\"name\":";
  add_quoted(out, name, form);
  out += graph.sealed() ? ",\"sealed\":true,\"tasks\":[" : ",\"sealed\":false,\"tasks\":[";
}

}  // namespace

std::string_view name_of(TaskState state) noexcept {
  switch (state) {
    case TaskState::waiting:
      return "waiting";
    case TaskState::ready:
      return "ready";
    case TaskState::retry_wait:
      return "retry_wait";
    case TaskState::running:
      return "running";
    case TaskState::succeeded:
      return "succeeded";
    case TaskState::cached:
      return "cached";
    case TaskState::failed:
      return "failed";
    case TaskState::upstream_failed:
      return "upstream_failed";
    case TaskState::skipped:
      return "skipped";
    case TaskState::cancelled:
      break;
  }
  return "cancelled";
}

std::uint64_t export_text(const Graph& graph, std::string_view name, TextForm form, std::uint64_t from,
                          std::size_t room, std::string& out) {
  const std::uint64_t tasks = graph.tasks();
  const std::uint64_t tail = 1 + tasks + graph.edges();
  const std::size_t end = out.size() + room;
  for (std::uint64_t row = from; row <= tail; ++row) {
    if (out.size() + text_row_max > end) return row;
    if (row == 0) {
      add_head(out, graph, name, form);
    } else if (row <= tasks) {
      add_task(out, graph, static_cast<std::uint32_t>(row - 1), form);
    } else if (row < tail) {
      const auto [before, after] = graph.edge(static_cast<std::uint32_t>(row - 1 - tasks));
      if (form == TextForm::dot) {
        out += "  " + std::to_string(before) + " -> " + std::to_string(after) + ";\n";
      } else {
        out += (row == 1 + tasks ? "[" : ",[") + std::to_string(before) + "," + std::to_string(after) + "]";
      }
    }
    if (form == TextForm::json && row == tasks) out += "\n],\"edges\":[";
    if (row == tail) out += form == TextForm::dot ? "}\n" : "]}\n";
  }
  return 0;
}

}  // namespace symphony::pit::tracker
