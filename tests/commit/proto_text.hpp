#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

namespace weir::test {

/// Message types from the text of a .proto file, in a descriptor pool of their own.
class ProtoText {
 public:
  /// Throws when the text does not compile.
  explicit ProtoText(const std::string& text) { add("test.proto", text); }
  ProtoText() = default;
  void add(const std::string& name, const std::string& text);

  const google::protobuf::Descriptor& type(const std::string& full_name) const;

 private:
  google::protobuf::DescriptorPool pool_;
};

}  // namespace weir::test
