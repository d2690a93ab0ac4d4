#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace weir::host {

/// What kind of thing went wrong; decides the exit code of a command, never the flow of a task.
enum class Errc {
  usage,        ///< the command line is wrong
  invalid,      ///< input data does not fit: a record, a State, a file to import
  config,       ///< the app's YAML does not fit
  not_found,    ///< the thing named does not exist
  refused,      ///< a rule forbids it: foreign state directory, bad plugin, second host
  io,           ///< the operating system or LMDB said no
  full,         ///< the map or the disk has no room
  corrupt,      ///< stored bytes fail their checksum or grammar
  unavailable,  ///< a broker or another process does not answer
  interrupted,  ///< a stop was asked for
  internal,     ///< a bug of ours, or of a plugin
};

/// The word for it, as it stands above.
constexpr std::string_view name_of(Errc code) {
  constexpr std::string_view names[] = {"usage",       "invalid",     "config",  "not_found",
                                        "refused",     "io",          "full",    "corrupt",
                                        "unavailable", "interrupted", "internal"};
  return names[static_cast<std::size_t>(code)];
}

/// One failure, in words for a person: what failed, on what, why with the values, what to do next.
/// Lower case, no full stop at the end.
struct Error {
  Errc code = Errc::internal;
  std::string message;
};

template <typename... Args>
[[nodiscard]] Error error(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return Error{code, fmt::format(format, std::forward<Args>(args)...)};
}

/// A value or an Error; the names are those of std::expected (which g++ 12 has only as C++23).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return content_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& operator*() & { return *std::get_if<0>(&content_); }
  const T& operator*() const& { return *std::get_if<0>(&content_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&content_)); }
  T* operator->() { return std::get_if<0>(&content_); }
  const T* operator->() const { return std::get_if<0>(&content_); }
  Error& error() & { return *std::get_if<1>(&content_); }
  const Error& error() const& { return *std::get_if<1>(&content_); }
  Error&& error() && { return std::move(*std::get_if<1>(&content_)); }

 private:
  std::variant<T, Error> content_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void operator*() const {}
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

#define WEIR_CONCAT_(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_(a, b)
#define WEIR_TRY_(name, declaration, expression) \
  auto name = (expression);                      \
  if (!name) return std::move(name).error();     \
  declaration = *std::move(name)

/// `WEIR_TRY(auto x, call())`: x is the value of call(), or this function returns its error.
#define WEIR_TRY(declaration, expression) \
  WEIR_TRY_(WEIR_CONCAT(weir_try_, __LINE__), declaration, expression)

/// The same for a Result<void>.
#define WEIR_CHECK(expression)                         \
  do {                                                 \
    if (auto weir_check = (expression); !weir_check) { \
      return std::move(weir_check).error();            \
    }                                                  \
  } while (false)

}  // namespace weir::host
