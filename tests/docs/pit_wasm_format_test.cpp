// docs/formats/pit-wasm.md against the code.
#include <string>

#include "pits/hosting/wasm/sections.hpp"
#include "tests/docs/document.hpp"

namespace symphony::docs::pit_wasm_format {
namespace {

const std::string document = "docs/formats/pit-wasm.md";

void expect_listed(const Table& table, std::span<const pit::wasm::Lowered> functions) {
  EXPECT_EQ(table.rows.size(), functions.size());
  for (const pit::wasm::Lowered& function : functions) {
    const auto row = table.rows.find(std::string(function.name));
    ASSERT_NE(row, table.rows.end()) << function.name;
    EXPECT_EQ(table.cell(row->first, "Takes and gives"), function.signature) << function.name;
  }
}

TEST(PitWasmFormat, ListsEveryFunctionThatPassesWithItsType) {
  expect_listed(table(document, "Imports"), pit::wasm::lowered_imports());
  expect_listed(table(document, "Exports"), pit::wasm::lowered_exports());
}

}  // namespace
}  // namespace symphony::docs::pit_wasm_format
