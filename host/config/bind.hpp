#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "config/document.hpp"

namespace google::protobuf {
class EnumDescriptor;
class Message;
}  // namespace google::protobuf

namespace weir::host {

/// What binding a tree to a message needs and leaves behind.
struct Binding {
  const Document& document;
  std::filesystem::path directory;  ///< of the YAML file, for ${file:}
  bool fill_messages = false;       ///< absent messages are made, with their defaults in them
  std::vector<Finding> findings{};  ///< added to
  std::set<std::string> secrets{};  ///< paths of values that came from ${file:}
};

/// Binds `node` (null: nothing was written) to `message` by its descriptor, field by field, and
/// collects everything that is wrong. `path` is the node's path, `key_at` where its key stands.
void bind_message(Binding& binding, const Node* node, Position key_at, const std::string& path,
                  google::protobuf::Message* message);

/// Substitutes in every scalar below `node` to find what is wrong with it, for nodes whose schema
/// is not known yet.
void check_substitutions(Binding& binding, const Node& node);

/// How YAML spells the values of an enum, by index: lower case, without a prefix that all values
/// share; empty for the UNSPECIFIED one, which cannot be written.
std::vector<std::string> enum_spellings(const google::protobuf::EnumDescriptor& type);

}  // namespace weir::host
