#pragma once

#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "decode/message_plan.hpp"

namespace weir::host {

class JsonWalk;

/// JSON in, Protobuf wire bytes out, in one pass and without a message object between. One thread
/// at a time.
class JsonToWire {
 public:
  struct Options {
    bool ignore_unknown_fields = false;  ///< also drops enum names that are not known
  };

  /// `plans` must outlive this and belong to it alone.
  JsonToWire(PlanSet& plans, Options options);
  ~JsonToWire();

  /// Valid until the next call. Errc::invalid: `json` is not this message; says where and why.
  Result<std::string_view> encode(std::string_view json);

 private:
  std::unique_ptr<JsonWalk> walk_;
};

}  // namespace weir::host
