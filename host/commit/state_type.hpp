#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "weir/v1/task.pb.h"

namespace google::protobuf {
class Descriptor;
}

namespace weir::host {

/// The "schemas" row of a State type: only the files, messages and enums that the type reaches,
/// without comments and options that do not change its bytes or its JSON. So an edit elsewhere in
/// the same .proto file makes no new schema.
/// `readable_by`: 0 is `state_version` itself.
v1::Schema make_schema(const google::protobuf::Descriptor& type, std::uint32_t state_version,
                       std::uint32_t readable_by = 0);

/// The oldest State version whose code reads States of this schema.
inline std::uint32_t oldest_reader(const v1::Schema& schema) {
  return schema.readable_by() == 0 ? schema.state_version() : schema.readable_by();
}

/// A stored schema, brought to life in a descriptor pool of its own. Any thread, one at a time.
class StateType {
 public:
  /// Errc::corrupt: the descriptors do not build or do not hold the type.
  static Result<std::unique_ptr<StateType>> load(const v1::Schema& schema);
  ~StateType();

  /// Lives as long as this object.
  const google::protobuf::Descriptor& descriptor() const;

  /// One line of proto3 JSON: lowerCamelCase names, enums by name, 64-bit integers as strings,
  /// bytes in base64, map entries sorted by key, fields at their default left out.
  Result<std::string> to_json(std::string_view bytes) const;

 private:
  struct Impl;
  explicit StateType(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
