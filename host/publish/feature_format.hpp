#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace google::protobuf {
class Descriptor;
}

namespace weir::host {

/// Prints features as proto3 JSON, on one line, for sinks of that format. [task]
class FeaturePrinter {
 public:
  /// `type` outlives the printer.
  explicit FeaturePrinter(const google::protobuf::Descriptor* type);
  ~FeaturePrinter();

  /// Errc::invalid: the bytes are not a message of the type.
  Result<std::string> print(std::string_view wire);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
