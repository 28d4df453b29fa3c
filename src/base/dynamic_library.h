#pragma once

// A shared library that is loaded when it is first needed, not with the program: a command that
// does without it does not pay for mapping and relocating it. It is found where the loader looks
// for what the program is linked with (its rpath first), and stays loaded until the process ends.
//
//   decltype(&::zlibVersion) version = nullptr;
//   TRY(const base::DynamicLibrary zlib, base::DynamicLibrary::open("libz.so.1"));
//   TRY(zlib.find("zlibVersion", version));
//
// Thread safety: all of it.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <utility>

namespace cromford::base {

class DynamicLibrary {
 public:
  // INTERNAL with the loader's own message when it is not there or cannot be loaded.
  static absl::StatusOr<DynamicLibrary> open(const std::string& name);

  // Sets `function` to the function `name`. INTERNAL, and `function` as it was, when the library
  // has none of that name. That its type is right, the caller answers for: take it from the
  // library's header.
  template <typename Function>
  absl::Status find(const char* name, Function*& function) const {
    absl::StatusOr<void*> address = find_address(name);
    if (address.ok()) {
      function = reinterpret_cast<Function*>(*address);
    }
    return address.status();
  }

 private:
  DynamicLibrary(std::string name, void* handle) : name_(std::move(name)), handle_(handle) {}
  absl::StatusOr<void*> find_address(const char* name) const;

  std::string name_;
  void* handle_;
};

}  // namespace cromford::base
