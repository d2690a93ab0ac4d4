#include "resolve/library_search.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <dlfcn.h>
#include <fmt/format.h>

namespace weir::host {

namespace {

bool is_loaded(std::string_view library) {
  void* handle = dlopen(std::string(library).c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle != nullptr) dlclose(handle);
  return handle != nullptr;
}

}  // namespace

LibrarySearch::LibrarySearch(std::string_view run_path) {
  std::ifstream file("/etc/ld.so.cache", std::ios::binary);
  cache_.assign(std::istreambuf_iterator<char>(file), {});
  const char* environment = std::getenv("LD_LIBRARY_PATH");
  directories_ = fmt::format("{}:{}:/lib:/usr/lib:/lib64:/usr/lib64",
                             environment == nullptr ? "" : environment, run_path);
}

bool LibrarySearch::finds(std::string_view library) const {
  std::error_code ignored;
  if (library.find('/') != std::string_view::npos) {
    return std::filesystem::exists(library, ignored);
  }
  if (is_loaded(library)) return true;
  // The cache lists full paths, each ended by a NUL.
  if (cache_.find(fmt::format("/{}{}", library, '\0')) != std::string::npos) return true;
  std::string_view rest = directories_;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::filesystem::path directory(rest.substr(0, colon));
    if (!directory.empty() && std::filesystem::exists(directory / library, ignored)) return true;
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return false;
}

}  // namespace weir::host
