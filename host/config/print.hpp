#pragma once

#include <set>
#include <string>

#include "config/document.hpp"

namespace google::protobuf {
class Message;
}

namespace weir::host {

/// `message` as YAML that binds to the same message again, in the order of its fields. Values of
/// sensitive fields and at the paths in `secrets` are "***". Fields with the option `any` come from
/// `root`, as they were written.
std::string print_yaml(const google::protobuf::Message& message, const Node& root,
                       const std::set<std::string>& secrets);

}  // namespace weir::host
