#pragma once

// A directory of one test, removed with all its content when the object goes.
//
//   testing::TempDir directory;
//   std::ofstream(directory / "a.csv") << "x\n1\n";
//
// Thread safety: reading the path is.

#include <filesystem>
#include <string_view>

namespace cromford::testing {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace cromford::testing
