#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.hpp"
#include "base/result.hpp"

namespace google::protobuf {
class Descriptor;
}

namespace weir::host {

/// How a source's bytes are to be read; from the app's YAML.
struct Format {
  enum class Kind {
    json,      ///< proto3 JSON of the resolver's message
    protobuf,  ///< the message's wire bytes
    text,      ///< UTF-8, for resolvers that take record bytes
    bytes,     ///< anything, for resolvers that take record bytes
  };
  Kind kind = Kind::json;
  bool ignore_unknown_fields = false;      ///< json: else an unknown field makes it undecodable
  std::vector<std::string> required = {};  ///< json, protobuf: names of fields that must be present

  enum class Framing {
    none,
    confluent,  ///< json, protobuf: the wire format of Confluent's Schema Registry clients
  };
  Framing framing = Framing::none;
  std::vector<std::uint32_t> schema_ids = {};  ///< confluent: those that are taken; empty: all
};

/// Turns a record's value into the wire bytes of one message type. One decoder per (source, message
/// type, task): it keeps scratch memory, so one thread at a time.
class Decoder {
 public:
  virtual ~Decoder() = default;

  /// The message's wire bytes: `value` itself where nothing has to change, else memory of `arena`.
  /// Errc::invalid with a reason for the dead letter when `value` does not fit.
  virtual Result<std::string_view> decode(std::string_view value, Arena& arena) = 0;
};

/// `message` null: the resolver takes record bytes. It must outlive the decoder.
/// Errc::config: the format cannot make this message (text with a message type), or `required`
/// names a field that the message does not have.
Result<std::unique_ptr<Decoder>> make_decoder(const Format& format,
                                              const google::protobuf::Descriptor* message);

}  // namespace weir::host
