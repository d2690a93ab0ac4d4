#pragma once

#include <string>
#include <vector>

namespace google::protobuf {
class Descriptor;
}

namespace weir::host {

struct ReferenceExample {
  std::string title;
  std::string yaml;
};

/// The page of all settings as Markdown: how values are written, `examples`, and a table for every
/// message that `app` reaches, from its fields' options and comments. The descriptor must carry
/// source info, which generated code does not.
std::string configuration_reference(const google::protobuf::Descriptor& app,
                                    const std::vector<ReferenceExample>& examples);

}  // namespace weir::host
