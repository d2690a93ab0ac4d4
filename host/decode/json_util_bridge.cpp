#include "decode/json_util_bridge.hpp"

#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <simdjson.h>

#include "base/bytes.hpp"

namespace weir::host {

struct JsonUtilBridge::Impl {
  simdjson::dom::parser parser;
  google::protobuf::DynamicMessageFactory factory;
};

JsonUtilBridge::JsonUtilBridge() : impl_(std::make_unique<Impl>()) {}
JsonUtilBridge::~JsonUtilBridge() = default;

Result<std::string> JsonUtilBridge::encode(const google::protobuf::Descriptor& message,
                                           std::string_view json, bool ignore_unknown_fields) {
  const auto problem = impl_->parser.parse(json.data(), json.size()).error();
  if (problem != simdjson::SUCCESS) {
    return error(Errc::invalid, "malformed JSON: {}", simdjson::error_message(problem));
  }
  const std::unique_ptr<google::protobuf::Message> target(
      impl_->factory.GetPrototype(&message)->New());
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = ignore_unknown_fields;
  const auto status =
      google::protobuf::util::JsonStringToMessage(std::string(json), target.get(), options);
  if (!status.ok()) {
    const std::string text = status.message().ToString();
    return error(Errc::invalid, "{}", printable(text, 200));
  }
  return target->SerializePartialAsString();
}

}  // namespace weir::host
