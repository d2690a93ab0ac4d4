#pragma once

#include <string>
#include <string_view>

#include "decode/message_plan.hpp"

namespace weir::host {

/// The words of decoding errors. Only failures come here, so nothing has to be fast.

/// What a value of this field looks like: "an int32 (-2147483648 to 2147483647)".
std::string expected_value(const FieldPlan& field);

/// What stands there: `the number 17`, `a string "abc"`, `an object`. `token` starts with the
/// value.
std::string found_value(std::string_view token);

/// `; did you mean "ip"?` if `name` is almost the name of a field, else nothing.
std::string did_you_mean(const MessagePlan& plan, std::string_view name);
std::string did_you_mean(const EnumPlan& plan, std::string_view name);

/// Where a value is, such as visits[3].ip, put together from the inside out while an error travels
/// to the root.
class JsonPath {
 public:
  void clear() { text_.clear(); }
  void inside_field(std::string_view name);
  void inside_element(std::size_t index);
  void inside_map_key(std::string_view key);

  /// "the record" for the root.
  std::string text() const;

 private:
  std::string text_;
};

}  // namespace weir::host
