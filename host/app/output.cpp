#include "app/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <sodium.h>

#include "config/values.hpp"

namespace weir::host {
namespace {

bool stderr_is_colored() {
  const char* no_color = std::getenv("NO_COLOR");
  return (no_color == nullptr || *no_color == '\0') && ::isatty(STDERR_FILENO) == 1;
}

}  // namespace

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

bool flush_data() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

void say_line(std::string_view line) {
  (void)flush_data();  // in the order in which it happened, where both are one terminal
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

ExitCode fail(const Error& error) {
  // Findings in a YAML name their file, like those of a compiler.
  if (error.code == Errc::config) {
    say_line(error.message);
  } else {
    const bool colored = stderr_is_colored();
    say("{}weir: error:{} {}", colored ? "\x1b[31m" : "", colored ? "\x1b[0m" : "", error.message);
  }
  return exit_code(error.code);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

std::string json_bytes(std::string_view name, MaybeBytes bytes) {
  if (!bytes) return fmt::format("\"{}\":null", name);
  if (is_utf8(*bytes)) return fmt::format("\"{}\":{}", name, json_string(*bytes));
  return fmt::format("\"{}_base64\":\"{}\"", name, to_base64(*bytes));
}

std::string to_base64(std::string_view bytes) {
  std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();  // the terminating zero
  return out;
}

Result<std::string> from_base64(std::string_view text) {
  std::string out(text.size(), '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int failed =
      sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                        text.size(), nullptr, &size, &end, sodium_base64_VARIANT_ORIGINAL);
  if (failed != 0 || end != text.data() + text.size()) {
    return error(Errc::invalid, "\"{}\" is not base64", printable(text));
  }
  out.resize(size);
  return out;
}

std::string readable(std::string_view bytes, std::size_t size_max) {
  const std::string_view shown = bytes.substr(0, size_max);
  const bool is_text =
      is_utf8(bytes) && std::none_of(bytes.begin(), bytes.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t';
      });
  std::string out;
  if (is_text) {
    for (const char c : shown) out += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
    while (!is_utf8(out)) out.pop_back();
  } else {
    out = "0x" + to_hex(shown);
  }
  if (shown.size() < bytes.size()) out += fmt::format("... ({} bytes)", bytes.size());
  return out;
}

}  // namespace weir::host
