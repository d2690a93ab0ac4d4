#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace google::protobuf {
class Descriptor;
}

namespace weir::host {

/// Wire bytes of one message type as proto3 JSON on one line. One thread at a time.
class MessagePrinter {
 public:
  /// `type` outlives the printer.
  explicit MessagePrinter(const google::protobuf::Descriptor* type);
  ~MessagePrinter();

  /// Errc::invalid: the bytes are not a message of the type.
  Result<std::string> print(std::string_view wire);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
