#pragma once

#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "decode/message_plan.hpp"

namespace weir::host {

/// How deep messages may lie inside each other below the root: Protobuf's parsers refuse more.
inline constexpr int wire_depth_max = 100;

/// Decides without parsing whether wire bytes are a message, so that a resolver's parser never
/// meets bytes that it has to refuse.
///
/// Stricter than that parser in one thing: a known field with a foreign wire type. The parser puts
/// it among the unknown fields, which loses a value in silence; here it is an error.
class WireCheck {
 public:
  /// `plans` must outlive this.
  explicit WireCheck(const PlanSet& plans);
  ~WireCheck();

  /// Errc::invalid says where and why.
  Result<void> check(std::string_view bytes);

 private:
  struct Merged;
  const PlanSet& plans_;
  std::unique_ptr<Merged> merged_;
};

}  // namespace weir::host
