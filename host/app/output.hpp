#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "app/exit_code.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace weir::host {

/// How a command prints its data.
enum class OutputFormat { text, json };

/// Data goes to stdout, talk to stderr: `weir ... | next` sees data only.

/// One line of data. Buffered; flush_data() before waiting for anything.
void print_line(std::string_view line);

/// False when stdout did not take everything that was printed.
bool flush_data();

/// One line for the person who typed the command.
void say_line(std::string_view line);
template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say_line(fmt::format(format, std::forward<Args>(args)...));
}

/// The error on stderr, in words that stand alone, and its exit code.
ExitCode fail(const Error& error);

/// A JSON string with its quotes; `text` is UTF-8.
std::string json_string(std::string_view text);

/// `"name":"text"`, or `"name_base64":"..."` where the bytes are not UTF-8, or `"name":null`.
std::string json_bytes(std::string_view name, MaybeBytes bytes);

std::string to_base64(std::string_view bytes);
Result<std::string> from_base64(std::string_view text);

/// Bytes for a person: text as it is, without line ends and controls; else hex behind 0x.
std::string readable(std::string_view bytes, std::size_t size_max = 200);

}  // namespace weir::host
