#include "base/dynamic_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/status.h"

namespace cromford::base {
namespace {

std::string loader_message() {
  const char* const message = ::dlerror();
  return message == nullptr ? "unknown error" : message;
}

}  // namespace

absl::StatusOr<DynamicLibrary> DynamicLibrary::open(const std::string& name) {
  void* const handle = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) {
    return internal(fmt::format("a library cannot be loaded: {}", loader_message()),
                    fmt::format("install {}, or name its folder in LD_LIBRARY_PATH", name));
  }
  return DynamicLibrary(name, handle);
}

absl::StatusOr<void*> DynamicLibrary::find_address(const char* name) const {
  void* const address = ::dlsym(handle_, name);
  if (address == nullptr) {
    return internal(
        fmt::format("the library {} has no function {}", name_, name),
        fmt::format("install the version of {} that this program was built with", name_));
  }
  return address;
}

}  // namespace cromford::base
