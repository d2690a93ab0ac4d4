#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace weir::host {

/// Where something stands in the file; both 1-based, columns in characters. Line 0: nowhere.
struct Position {
  int line = 0;
  int column = 0;
};

struct Entry;

/// One YAML value with its position. Types are the schema's business: every scalar is a text.
struct Node {
  enum class Kind {
    null,
    scalar,
    map,
    sequence,
    refused,  ///< already reported (an alias); nothing more is said about it
  };
  Kind kind = Kind::null;
  Position at;
  std::string text;    ///< scalar; not yet substituted
  bool plain = false;  ///< scalar without quotes
  std::vector<Entry> entries;
  std::vector<Node> items;

  const Node* find(std::string_view key) const;
};

struct Entry {
  Position at;  ///< of the key
  std::string key;
  Node value;
};

/// A YAML file as a tree, and the findings that need no schema: syntax, duplicate keys, anchors,
/// aliases, tags, merge keys, several documents, nesting, encoding.
///
/// yaml-cpp's events instead of its Node: Node forgets duplicate keys, anchors, tags and the
/// positions of keys.
struct Document {
  std::string name;  ///< as findings show it
  std::string text;
  std::vector<std::size_t> line_starts;
  Node root;
  bool complete = false;  ///< false: the tree ends where the syntax error is
  std::vector<Finding> findings;

  static Document parse(std::string text, std::string name);

  /// Line `number` (1-based) without its end; empty when there is none.
  std::string_view line(int number) const;
};

/// Nesting of YAML values; an app needs 5.
inline constexpr int yaml_depth_max = 32;

/// What a node is, in words: "a map".
std::string_view describe(Node::Kind kind);

Finding make_finding(Position at, std::string message, std::string hint);

/// Findings as people read them, in the order of the file: position, line, caret, hint.
std::string render_findings(const Document& document, const std::vector<Finding>& findings);

}  // namespace weir::host
