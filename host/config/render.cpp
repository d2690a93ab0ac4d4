#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/counted.hpp"
#include "config/document.hpp"
#include "weir/config/v1/app.pb.h"
#include "weir/config/v1/options.pb.h"

namespace weir::host {
namespace {

constexpr std::size_t findings_shown_max = 50;
constexpr std::size_t line_characters_max = 120;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

/// The line, cut to a window around `column` when it is long, and the caret below it.
std::string excerpt(std::string_view line, int number, int column) {
  std::vector<std::string_view> glyphs;
  for (std::size_t i = 0; i < line.size();) {
    std::size_t end = i + 1;
    while (end < line.size() && is_continuation(line[end])) ++end;
    glyphs.push_back(line.substr(i, end - i));
    i = end;
  }
  const auto caret = static_cast<std::size_t>(std::max(column, 1)) - 1;
  std::size_t first = 0;
  if (glyphs.size() > line_characters_max && caret > line_characters_max / 2) {
    first = std::min(caret, glyphs.size()) - line_characters_max / 2;
  }
  const std::size_t last = std::min(glyphs.size(), first + line_characters_max);

  std::string shown = first > 0 ? "..." : "";
  const std::size_t indent = shown.size() + (caret - std::min(caret, first));
  for (std::size_t i = first; i < last; ++i) shown += glyphs[i] == "\t" ? " " : glyphs[i];
  if (last < glyphs.size()) shown += "...";
  return fmt::format("{:>6} | {}\n{:>6} | {:>{}}\n", number, shown, "", "^", indent + 1);
}

/// Words of keys whose values are nobody's business, whatever is wrong on their lines.
std::vector<std::string> sensitive_words() {
  const auto& field = *config::v1::Kafka::descriptor()->FindFieldByName("properties");
  const auto& words = field.options().GetRepeatedExtension(config::v1::sensitive_words);
  return {words.begin(), words.end()};
}

void collect_secrets(const Node& node, const std::vector<std::string>& words,
                     std::vector<const Node*>& secrets) {
  for (const Node& item : node.items) collect_secrets(item, words, secrets);
  for (const Entry& entry : node.entries) {
    const bool is_secret = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
      return entry.key.find(word) != std::string::npos;
    });
    if (is_secret && entry.value.kind == Node::Kind::scalar) secrets.push_back(&entry.value);
    collect_secrets(entry.value, words, secrets);
  }
}

/// The line with `*` for every character of a secret that stands in it.
std::string masked_line(const Document& document, const std::vector<const Node*>& secrets,
                        int number) {
  std::string line(document.line(number));
  for (const Node* secret : secrets) {
    if (number < secret->at.line) continue;
    std::string_view rest = secret->text;  // a block of text has several lines
    while (!rest.empty()) {
      const std::string_view piece = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(piece.size() + 1, rest.size()));
      if (piece.empty()) continue;
      const bool is_first = number == secret->at.line;
      const auto from = is_first ? static_cast<std::size_t>(secret->at.column) - 1 : 0;
      const std::size_t found = line.find(piece, from);
      if (found != std::string::npos) line.replace(found, piece.size(), piece.size(), '*');
    }
  }
  return line;
}

}  // namespace

std::string render_findings(const Document& document, const std::vector<Finding>& findings) {
  std::vector<Finding> sorted = findings;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Finding& a, const Finding& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  std::vector<const Node*> secrets;
  collect_secrets(document.root, sensitive_words(), secrets);
  std::string out;
  std::size_t shown = 0;
  std::size_t errors = 0;
  for (const Finding& finding : sorted) {
    const bool is_error = finding.severity == Finding::Severity::error;
    errors += is_error ? 1 : 0;
    if (++shown > findings_shown_max) continue;
    const std::string_view kind = is_error ? "error" : "warning";
    if (finding.line > 0) {
      out += fmt::format("{}:{}:{}: {}: {}\n", document.name, finding.line, finding.column, kind,
                         finding.message);
      out += excerpt(masked_line(document, secrets, finding.line), finding.line, finding.column);
    } else {
      out += fmt::format("{}: {}: {}\n", document.name, kind, finding.message);
    }
    if (!finding.hint.empty()) out += fmt::format("  hint: {}\n", finding.hint);
  }
  if (shown > findings_shown_max) {
    out += fmt::format("... and {} more\n", shown - findings_shown_max);
  }
  const std::size_t warnings = sorted.size() - errors;
  if (errors > 0) out += fmt::format("{}: {}", document.name, counted(errors, "error"));
  if (warnings > 0) {
    out += errors > 0 ? ", " + counted(warnings, "warning")
                      : fmt::format("{}: {}", document.name, counted(warnings, "warning"));
  }
  return out;
}

}  // namespace weir::host
