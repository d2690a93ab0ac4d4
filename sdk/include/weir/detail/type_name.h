#pragma once

#include <cstddef>
#include <string_view>

namespace weir::detail {

/// The C++ name of T, such as "pkg::Outer_Inner", known at compile time. Lite messages know their
/// Protobuf name only at run time, so that the manifest holds this one.
template <class T>
constexpr std::string_view cpp_name() {
#if defined(__clang__) || defined(__GNUC__)
  // g++: "... [with T = pkg::Visit; std::string_view = ...]"   clang: "... [T = pkg::Visit]"
  const std::string_view text = __PRETTY_FUNCTION__;
  const std::size_t begin = text.find("T = ") + 4;
  return text.substr(begin, text.find_first_of(";]", begin) - begin);
#else
#error "weir: the SDK needs g++ or clang"
#endif
}

/// Calls `put` with each character of the name of T as the manifest spells it: "." for "::".
template <class T, class Put>
constexpr void put_type_name(const Put& put) {
  const std::string_view name = cpp_name<T>();
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == ':') ++i;
    put(name[i] == ':' ? '.' : name[i]);
  }
}

}  // namespace weir::detail
