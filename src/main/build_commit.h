#pragma once

// The commit that this program was built from. It stands in a source file of its own, which the
// build writes anew when the commit changes (build_commit.cmake), so that nothing else is compiled
// for it.
//
//   lineage["commit"] = build_commit();   // "9858872..." or "9858872...-changed"
//
// Thread safety: a function without state.

#include <string_view>

namespace cromford::main_program {

// 40 hexadecimal digits, followed by "-changed" where the sources differed from the commit; empty
// where the sources came without their history.
std::string_view build_commit();

}  // namespace cromford::main_program
