#include "decode/decoder.hpp"

#include <google/protobuf/descriptor.h>
#include <simdjson.h>

#include "base/limits.hpp"
#include "decode/framing.hpp"
#include "decode/json_to_wire.hpp"
#include "decode/message_plan.hpp"
#include "decode/wire_check.hpp"

namespace weir::host {
namespace {

Result<void> check_size(std::string_view bytes, std::string_view what) {
  if (bytes.size() <= value_bytes_max) return {};
  return error(Errc::invalid, "the record: expected {} at most {} bytes, found {}", what,
               value_bytes_max, bytes.size());
}

class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(std::unique_ptr<PlanSet> plans, JsonToWire::Options options)
      : plans_(std::move(plans)), json_to_wire_(*plans_, options) {}

  Result<std::string_view> decode(std::string_view value, Arena& arena) override {
    WEIR_CHECK(check_size(value, "JSON of"));
    WEIR_TRY(const std::string_view wire, json_to_wire_.encode(value));
    WEIR_CHECK(check_size(wire, "a message of"));
    return arena.copy(wire);
  }

 private:
  std::unique_ptr<PlanSet> plans_;
  JsonToWire json_to_wire_;
};

class ProtobufDecoder final : public Decoder {
 public:
  explicit ProtobufDecoder(std::unique_ptr<PlanSet> plans)
      : plans_(std::move(plans)), check_(*plans_) {}

  Result<std::string_view> decode(std::string_view value, Arena&) override {
    WEIR_CHECK(check_size(value, "a message of"));
    WEIR_CHECK(check_.check(value));
    return value;
  }

 private:
  std::unique_ptr<PlanSet> plans_;
  WireCheck check_;
};

class TextDecoder final : public Decoder {
 public:
  Result<std::string_view> decode(std::string_view value, Arena&) override {
    WEIR_CHECK(check_size(value, "text of"));
    if (!simdjson::validate_utf8(value.data(), value.size())) {
      return error(Errc::invalid, "the record: expected text in UTF-8, found other bytes");
    }
    return value;
  }
};

class BytesDecoder final : public Decoder {
 public:
  Result<std::string_view> decode(std::string_view value, Arena&) override {
    WEIR_CHECK(check_size(value, "a value of"));
    return value;
  }
};

std::string_view name(Format::Kind kind) {
  switch (kind) {
    case Format::Kind::json:
      return "json";
    case Format::Kind::protobuf:
      return "protobuf";
    case Format::Kind::text:
      return "text";
    case Format::Kind::bytes:
      return "bytes";
  }
  return "";
}

}  // namespace

Result<std::unique_ptr<Decoder>> make_decoder(const Format& format,
                                              const google::protobuf::Descriptor* message) {
  const bool plain = format.kind == Format::Kind::text || format.kind == Format::Kind::bytes;
  if (plain && message != nullptr) {
    return error(Errc::config,
                 "format: {} cannot make the message {} that the resolver takes; write "
                 "format: json or format: protobuf",
                 name(format.kind), message->full_name());
  }
  if (!plain && message == nullptr) {
    return error(Errc::config,
                 "format: {} makes messages, but the resolver takes record bytes; write "
                 "format: text or format: bytes",
                 name(format.kind));
  }
  if (plain && !format.required.empty()) {
    return error(Errc::config, "required: format: {} has no fields, so \"{}\" cannot be required",
                 name(format.kind), format.required.front());
  }
  const bool framed = format.framing == Format::Framing::confluent;
  if (plain && framed) {
    return error(Errc::config, "framing: format: {} has no message to stand before",
                 name(format.kind));
  }
  if (format.kind == Format::Kind::text) return std::unique_ptr<Decoder>(new TextDecoder);
  if (format.kind == Format::Kind::bytes) return std::unique_ptr<Decoder>(new BytesDecoder);
  WEIR_TRY(auto plans, PlanSet::build(*message, format.required));
  std::unique_ptr<Decoder> decoder;
  if (format.kind == Format::Kind::protobuf) {
    decoder = std::make_unique<ProtobufDecoder>(std::move(plans));
  } else {
    decoder = std::make_unique<JsonDecoder>(
        std::move(plans),
        JsonToWire::Options{.ignore_unknown_fields = format.ignore_unknown_fields});
  }
  if (framed) decoder = make_framed_decoder(std::move(decoder), format);
  return decoder;
}

}  // namespace weir::host
