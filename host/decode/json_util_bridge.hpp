#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace google::protobuf {
class Descriptor;
}

namespace weir::host {

/// Protobuf's own JSON converter, for the messages whose JSON form is rare and intricate (Any,
/// FieldMask). Slow: microseconds a value.
class JsonUtilBridge {
 public:
  JsonUtilBridge();
  ~JsonUtilBridge();

  /// The wire bytes of a `message` whose JSON is `json`, which must be RFC 8259 (the converter
  /// alone would take more). What Any holds is looked up in the pool of `message`.
  Result<std::string> encode(const google::protobuf::Descriptor& message, std::string_view json,
                             bool ignore_unknown_fields);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
