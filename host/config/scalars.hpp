#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace weir::host {

/// Why a text is not a value of a field; `message` goes behind the field's path.
struct Misfit {
  std::string message;
  std::string hint;
};

enum class Place {
  single,  ///< the field's value
  item,    ///< one more item of a repeated field
};

/// A text for one field, and whether messages may quote it.
struct Scalar {
  std::string text;
  bool hidden = false;
};

/// What a field that is not a message expects, in words: "a duration such as 250ms or 1h30m".
std::string_view expected_words(const google::protobuf::FieldDescriptor& field);

/// Reads the text as the field's type and unit say, checks its bounds, and sets or adds it. On a
/// misfit `message` is unchanged.
std::optional<Misfit> set_scalar(google::protobuf::Message* message,
                                 const google::protobuf::FieldDescriptor& field, Place place,
                                 const Scalar& scalar);

/// The same words for messages that YAML writes as one text: Timestamp, Duration, FieldMask and the
/// wrappers. Empty for all others.
std::string_view text_form_words(const google::protobuf::Descriptor& type);

/// Sets a message that has text_form_words().
std::optional<Misfit> set_text_form(google::protobuf::Message* message, const Scalar& scalar);

}  // namespace weir::host
