#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace weir::host {

enum class LogLevel { debug, info, warn, error };

/// Lines for operators, on stderr: for people on a terminal, one JSON object a line otherwise.
///
/// error: a person must act; warn: the host coped; info: lifecycle; debug: the rest. Never a
/// payload. Lines with equal `area` and text are limited: the first, then one every 10 seconds that
/// says how many were left out. Built by main() and handed on. [any]
class Logger {
 public:
  enum class Format { human, json };

  /// human when stderr is a terminal.
  static Format format_for_stderr();

  Logger(Format format, LogLevel level);
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  /// `area`: a folder of the host, or `plugin NAME`.
  void write(LogLevel level, std::string_view area, std::string_view text);

  template <typename... Args>
  void info(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::info, area, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void warn(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::warn, area, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void error(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::error, area, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
