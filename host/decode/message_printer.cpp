#include "decode/message_printer.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>

namespace weir::host {

struct MessagePrinter::Impl {
  google::protobuf::DynamicMessageFactory factory;
  std::unique_ptr<google::protobuf::Message> message;
};

MessagePrinter::MessagePrinter(const google::protobuf::Descriptor* type)
    : impl_(std::make_unique<Impl>()) {
  impl_->message.reset(impl_->factory.GetPrototype(type)->New());
}

MessagePrinter::~MessagePrinter() = default;

Result<std::string> MessagePrinter::print(std::string_view wire) {
  google::protobuf::Message& message = *impl_->message;
  std::string json;
  if (!message.ParseFromArray(wire.data(), static_cast<int>(wire.size()))) {
    return error(Errc::invalid, "{} bytes are not a {}", wire.size(),
                 message.GetDescriptor()->full_name());
  }
  if (const auto status = google::protobuf::util::MessageToJsonString(message, &json);
      !status.ok()) {
    return error(Errc::invalid, "a {} has no JSON: {}", message.GetDescriptor()->full_name(),
                 status.ToString());
  }
  return json;
}

}  // namespace weir::host
