#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include "base/result.hpp"

namespace weir::test {

/// Message types made at run time, in a pool of their own beside the well-known types.
class Schema {
 public:
  /// The text of a .proto file, without imports: every well-known type is there.
  explicit Schema(std::string_view proto);
  explicit Schema(google::protobuf::FileDescriptorProto file);

  const google::protobuf::Descriptor* message(const std::string& full_name) const;

  /// Empty message.
  std::unique_ptr<google::protobuf::Message> make(const google::protobuf::Descriptor* type) const;

  /// From Protobuf's text format.
  std::unique_ptr<google::protobuf::Message> from_text(const google::protobuf::Descriptor* type,
                                                       const std::string& text) const;

  /// Null: `wire` does not parse.
  std::unique_ptr<google::protobuf::Message> parse(const google::protobuf::Descriptor* type,
                                                   std::string_view wire) const;

  /// As Protobuf's own converter reads it; null: it refuses.
  std::unique_ptr<google::protobuf::Message> by_json_util(const google::protobuf::Descriptor* type,
                                                          const std::string& json,
                                                          bool ignore_unknown_fields,
                                                          std::string* reason = nullptr) const;

 private:
  void add_well_known();

  google::protobuf::DescriptorPool pool_;
  mutable google::protobuf::DynamicMessageFactory factory_{&pool_};
};

/// Same content; NaN equals NaN.
bool same(const google::protobuf::Message& a, const google::protobuf::Message& b);

/// One line of text format.
std::string show(const google::protobuf::Message& message);

}  // namespace weir::test
