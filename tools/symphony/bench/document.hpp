// What the verbs of `symphony bench` share: arguments, the JSON document, the way out.   Layer: tools.
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace symphony::tools {

using BenchJson = nlohmann::ordered_json;

struct BenchArguments {
  std::string format = "table";  // or "json"
  std::string save;              // also write the document to this file
  std::string results;           // also write it into this folder, under result_name()
  bool quick = false;
  std::vector<std::size_t> sizes;
  std::vector<std::string> peers;
};

// One line on stderr; returns `status`.
int fail_bench(const char* verb, const std::string& why, int status);

// Command, commit and host; the verb adds what it measured.
[[nodiscard]] BenchJson new_bench_document(const char* command);

// Of a document's file among results: verb, processor and cores, commit. "ring.amd_epyc-2.0123456789ab.json"
[[nodiscard]] std::string result_name(const char* verb, const BenchJson& document);

// Prints the document or the table, keeps the document where it was asked for, returns the exit status.
[[nodiscard]] int put_out(const BenchArguments& arguments, const char* verb, const BenchJson& document,
                          const std::string& table);

}  // namespace symphony::tools
