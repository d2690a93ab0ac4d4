#include "config/document.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "config/values.hpp"

namespace weir::host {
namespace {

struct TooDeep {
  Position at;
};

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

int characters(std::string_view utf8) {
  return static_cast<int>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return !is_continuation(c); }));
}

/// Builds the tree from yaml-cpp's events.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(Document& document) : document_(document) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) {
      report(mark, "a second document starts here", "one file holds one app; remove the ---");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    add(make(Node::Kind::null, mark));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    report(mark, "aliases are not supported", "write the value out where it is used");
    add(make(Node::Kind::refused, mark));
  }

  void OnAnchor(const YAML::Mark& mark, const std::string& anchor_name) override {
    report(mark, fmt::format("anchors are not supported (&{})", printable(anchor_name)),
           "remove it, and write the value out where it is used");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    check_tag(mark, tag);
    Node node = make(Node::Kind::scalar, mark);
    node.text = value;
    node.plain = tag != "!";
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    open(Node::Kind::sequence, mark, tag);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(Node::Kind::map, mark, tag);
  }
  void OnMapEnd() override { close(); }

  /// Closes what a syntax error left open, so that the part before it can be bound.
  void finish() {
    while (!open_.empty()) close();
  }

  int documents() const { return documents_; }

  Position position(const YAML::Mark& mark) const {
    if (mark.is_null()) return {};
    const std::string_view line = document_.line(mark.line + 1);
    const auto before = std::min(line.size(), static_cast<std::size_t>(std::max(mark.column, 0)));
    return {mark.line + 1, characters(line.substr(0, before)) + 1};
  }

 private:
  struct Open {
    Node node;
    bool has_key = false;
    Position key_at;
    std::string key;
    bool key_usable = true;
    std::map<std::string, int, std::less<>> lines_of_keys;
  };

  Node make(Node::Kind kind, const YAML::Mark& mark) const {
    Node node;
    node.kind = kind;
    node.at = position(mark);
    return node;
  }

  void report(const YAML::Mark& mark, std::string message, std::string hint) {
    report(position(mark), std::move(message), std::move(hint));
  }
  void report(Position at, std::string message, std::string hint) {
    document_.findings.push_back(make_finding(at, std::move(message), std::move(hint)));
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    constexpr std::string_view core = "tag:yaml.org,2002:";
    const std::string written = tag.starts_with(core) ? "!!" + tag.substr(core.size()) : tag;
    report(mark, fmt::format("tags are not supported ({})", printable(written)),
           "remove it: the schema decides every type");
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag) {
    check_tag(mark, tag);
    if (open_.size() >= static_cast<std::size_t>(yaml_depth_max)) throw TooDeep{position(mark)};
    open_.emplace_back();
    open_.back().node = make(kind, mark);
  }

  void close() {
    Node done = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(done));
  }

  void add(Node node) {
    if (open_.empty()) {
      if (documents_ == 1) document_.root = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      take_key(parent, std::move(node));
    } else {
      parent.has_key = false;
      if (!parent.key_usable) return;
      // What is not there has no position; yaml-cpp gives that of the next token.
      if (node.kind == Node::Kind::null && !stands_there(node.at)) node.at = parent.key_at;
      parent.node.entries.push_back({parent.key_at, std::move(parent.key), std::move(node)});
    }
  }

  bool stands_there(Position at) const {
    const std::string_view line = document_.line(at.line);
    const auto column = static_cast<std::size_t>(std::max(at.column, 1)) - 1;
    if (characters(line) != static_cast<int>(line.size()) || column >= line.size()) return false;
    const std::string_view rest = line.substr(column);
    return rest.starts_with('~') || rest.starts_with("null") || rest.starts_with("Null") ||
           rest.starts_with("NULL");
  }

  void take_key(Open& parent, Node key) {
    parent.has_key = true;
    parent.key_at = key.at;
    parent.key_usable = false;
    if (key.kind == Node::Kind::refused) return;
    if (key.kind != Node::Kind::scalar) {
      return report(key.at, fmt::format("expected a word as key, found {}", describe(key.kind)),
                    key.kind == Node::Kind::null ? "put it in quotes if it is a name" : "");
    }
    if (key.plain && key.text == "<<") {
      return report(key.at, "merge keys (<<) are not supported", "write the keys out");
    }
    // First come, first kept: every later one is reported and dropped.
    const auto [first, is_new] = parent.lines_of_keys.emplace(key.text, key.at.line);
    if (!is_new) {
      return report(key.at,
                    fmt::format("duplicate key \"{}\" (first at line {})", printable(key.text),
                                first->second),
                    "keep one of them");
    }
    parent.key_usable = true;
    parent.key = std::move(key.text);
  }

  Document& document_;
  std::vector<Open> open_;
  int documents_ = 0;
};

Position position_of(std::string_view text, std::size_t index) {
  const std::string_view before = text.substr(0, index);
  const auto newlines = std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n');
  const std::string_view line = start == before.npos ? before : before.substr(start + 1);
  return {static_cast<int>(newlines) + 1, characters(line) + 1};
}

/// What yaml-cpp would misread: it takes byte 4 for the end of the file and guesses encodings.
bool check_encoding(Document& document) {
  const std::string& text = document.text;
  const auto report = [&](std::size_t index, std::string message, std::string hint) {
    const Position at = position_of(text, index);
    document.findings.push_back(make_finding(at, std::move(message), std::move(hint)));
    return false;
  };
  if (text.size() > config_bytes_max) {
    document.findings.push_back(
        make_finding({},
                     fmt::format("the file has {} bytes; the limit is {}", text.size(),
                                 format_size(config_bytes_max)),
                     "an app is a few hundred lines; data belongs into files of its own"));
    return false;
  }
  std::size_t bad = 0;
  if (!is_utf8(text, &bad)) {
    return report(bad,
                  fmt::format("byte 0x{:02x} is not UTF-8", static_cast<unsigned char>(text[bad])),
                  "save the file as UTF-8");
  }
  const auto control = std::find_if(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7F;
  });
  if (control != text.end()) {
    return report(static_cast<std::size_t>(control - text.begin()),
                  fmt::format("control character 0x{:02x}", static_cast<unsigned char>(*control)),
                  "remove it, or write it as an escape inside double quotes");
  }
  return true;
}

/// A tab among the blanks that a line starts with; 0 when there is none.
int tab_column(std::string_view line) {
  const std::size_t end = line.find_first_not_of(" \t");
  const std::size_t tab = line.substr(0, end).find('\t');
  return tab == line.npos ? 0 : static_cast<int>(tab) + 1;
}

void report_syntax(Document& document, Position at, std::string_view what) {
  // yaml-cpp names the place where it gave up, which for tabs can be a line later.
  for (int line = at.line; line >= 1 && line >= at.line - 1; --line) {
    if (const int column = tab_column(document.line(line)); column != 0) {
      document.findings.push_back(make_finding({line, column}, "a tab in the indentation",
                                               "indent with spaces; YAML forbids tabs there"));
      return;
    }
  }
  std::string hint;
  if (what == "illegal map value") {
    hint = "a value that holds \": \" needs quotes; keys of one map start in one column";
  } else if (what.substr(0, 10) == "end of map" || what.substr(0, 10) == "end of seq") {
    hint = "check the indentation and the brackets above this line";
  }
  document.findings.push_back(make_finding(at, fmt::format("not YAML: {}", what), hint));
}

}  // namespace

Finding make_finding(Position at, std::string message, std::string hint) {
  return {at.line, at.column, std::move(message), std::move(hint), Finding::Severity::error};
}

const Node* Node::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::string_view Document::line(int number) const {
  if (number < 1 || static_cast<std::size_t>(number) > line_starts.size()) return {};
  std::string_view rest = text;
  rest.remove_prefix(line_starts[static_cast<std::size_t>(number) - 1]);
  rest = rest.substr(0, rest.find('\n'));
  if (!rest.empty() && rest.back() == '\r') rest.remove_suffix(1);
  return rest;
}

Document Document::parse(std::string text, std::string name) {
  Document document;
  document.name = std::move(name);
  document.text = std::move(text);
  if (document.text.starts_with("\xEF\xBB\xBF")) document.text.erase(0, 3);
  document.line_starts.push_back(0);
  for (std::size_t i = 0; i < document.text.size(); ++i) {
    if (document.text[i] == '\n') document.line_starts.push_back(i + 1);
  }
  if (!check_encoding(document)) return document;

  Builder builder(document);
  std::optional<Position> too_deep;
  try {
    std::istringstream in(document.text);
    YAML::Parser parser(in);
    while (builder.documents() < 2 && parser.HandleNextDocument(builder)) {
    }
    document.complete = true;
  } catch (const TooDeep& deep) {
    too_deep = deep.at;
  } catch (const YAML::Exception& failure) {
    report_syntax(document, builder.position(failure.mark), failure.msg);
  }
  builder.finish();
  if (too_deep) {
    // What looked wrong on the way down is the same mistake.
    std::erase_if(document.findings, [&](const Finding& f) { return f.line >= too_deep->line; });
    document.findings.push_back(make_finding(
        *too_deep, fmt::format("values are nested deeper than {}", yaml_depth_max), ""));
  }
  if (document.complete && builder.documents() == 0) {
    document.complete = false;
    document.findings.push_back(make_finding({}, "the file is empty", "start with app: <name>"));
  }
  return document;
}

std::string_view describe(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return "a single value";
    case Node::Kind::map:
      return "a map";
    case Node::Kind::sequence:
      return "a list";
    case Node::Kind::refused:
      break;
  }
  return "an alias";
}

}  // namespace weir::host
