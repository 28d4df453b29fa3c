#pragma once

// The help, made from the table of commands: it teaches by examples.
//
//   output.raw(help_text(""));              // all commands
//   output.raw(help_text("dataset"));       // a group
//   output.raw(help_text("dataset add"));   // one command
//
// Thread safety: functions only.

#include <string>
#include <string_view>

namespace cromford::cli {

std::string help_text(std::string_view path);

}  // namespace cromford::cli
