#include "config/substitute.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "config/values.hpp"

namespace weir::host {
namespace {

constexpr std::string_view forms = "the forms are ${VAR}, ${VAR:-default}, ${file:path} and $$";

bool is_variable(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

class Substituter {
 public:
  explicit Substituter(const std::filesystem::path& directory) : directory_(directory) {}

  Substituted run(std::string_view scalar) {
    while (!scalar.empty()) {
      const std::size_t dollar = scalar.find('$');
      out_.text += scalar.substr(0, dollar);
      if (dollar == scalar.npos) break;
      scalar.remove_prefix(dollar);
      scalar.remove_prefix(take(scalar));
    }
    return std::move(out_);
  }

 private:
  /// `at` starts with a dollar; returns how much of it is dealt with.
  std::size_t take(std::string_view at) {
    if (at.starts_with("$$")) {
      out_.text += '$';
      return 2;
    }
    if (!at.starts_with("${")) {
      problem("$", "a lone $", "write $$ for a dollar sign; " + std::string(forms));
      return 1;
    }
    const std::size_t end = at.find('}');
    if (end == at.npos) {
      problem(at.substr(0, 2), "${ without }", "write $$ for a dollar sign");
      return at.size();
    }
    form_ = at.substr(0, end + 1);
    expand(at.substr(2, end - 2));
    return end + 1;
  }

  void expand(std::string_view inside) {
    if (inside.starts_with("file:")) return expand_file(inside.substr(5));
    const std::size_t colon = inside.find(':');
    const std::string name(inside.substr(0, colon));
    const bool has_default = colon != inside.npos && inside.substr(colon).starts_with(":-");
    if (!is_variable(name) || (colon != inside.npos && !has_default)) {
      return problem(form_, fmt::format("cannot read {}", printable(form_)), std::string(forms));
    }
    const char* value = std::getenv(name.c_str());
    if (value != nullptr && (*value != '\0' || !has_default)) {
      add(value, fmt::format("the environment variable {}", name));
    } else if (has_default) {
      out_.text += inside.substr(colon + 2);
    } else {
      problem(form_, fmt::format("the environment variable {} is not set", name),
              fmt::format("set it, or write ${{{}:-default}}", name));
    }
  }

  void expand_file(std::string_view relative) {
    out_.from_file = true;
    if (relative.empty()) {
      return problem(form_, "${file:} names no file", std::string(forms));
    }
    const std::filesystem::path path = directory_ / std::filesystem::path(relative);
    const auto cannot = [&](std::string_view why) {
      problem(form_, fmt::format("cannot read the file {}: {}", printable(path.string(), 512), why),
              "the path is relative to the YAML file");
    };
    std::error_code code;
    if (std::filesystem::is_directory(path, code)) return cannot("it is a directory");
    std::ifstream in(path, std::ios::binary);
    if (!in) return cannot(std::strerror(errno));
    std::string content(substituted_file_bytes_max + 2, '\0');
    in.read(content.data(), static_cast<std::streamsize>(content.size()));
    content.resize(static_cast<std::size_t>(in.gcount()));
    if (content.ends_with('\n')) content.pop_back();
    if (content.size() > substituted_file_bytes_max) return cannot("it has more than 64KiB");
    add(content, fmt::format("the file {}", printable(path.string(), 512)));
  }

  void add(std::string_view value, std::string_view origin) {
    if (!is_utf8(value) || value.find('\0') != value.npos) {
      return problem(form_, fmt::format("{} does not hold UTF-8 text", origin), "");
    }
    out_.text += value;
  }

  void problem(std::string_view form, std::string message, std::string hint) {
    out_.problems.push_back({std::string(form), std::move(message), std::move(hint)});
  }

  const std::filesystem::path& directory_;
  std::string_view form_;
  Substituted out_;
};

}  // namespace

Substituted substitute(std::string_view scalar, const std::filesystem::path& directory) {
  return Substituter(directory).run(scalar);
}

std::string without_substitution(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '$') out += '$';
  }
  return out;
}

}  // namespace weir::host
