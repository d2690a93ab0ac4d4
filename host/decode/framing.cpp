#include "decode/framing.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weir::host {
namespace {

constexpr std::size_t header_bytes = 5;
/// Messages nest at most this deep in the files that protoc takes.
constexpr std::uint64_t message_depth_max = 100;

/// Takes a zigzag varint off the front of `bytes`; false: there is none.
bool take_varint(std::string_view& bytes, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    value |= std::uint64_t{byte & 0x7fu} << (7 * i);
    if ((byte & 0x80u) != 0) continue;
    bytes.remove_prefix(i + 1);
    value = (value >> 1) ^ (~(value & 1) + 1);
    return true;
  }
  return false;
}

class FramedDecoder final : public Decoder {
 public:
  FramedDecoder(std::unique_ptr<Decoder> decoder, const Format& format)
      : decoder_(std::move(decoder)),
        has_indexes_(format.kind == Format::Kind::protobuf),
        ids_(format.schema_ids) {}

  Result<std::string_view> decode(std::string_view value, Arena& arena) override {
    if (value.size() < header_bytes || value.front() != 0) {
      return error(Errc::invalid,
                   "the record: expected Confluent framing (a byte 0 and a schema id of four "
                   "bytes), found {}; without frames, write framing: none",
                   value.size() < header_bytes
                       ? fmt::format("{} bytes", value.size())
                       : fmt::format("a first byte {}", static_cast<unsigned char>(value.front())));
    }
    std::uint32_t id = 0;
    for (std::size_t i = 1; i < header_bytes; ++i) {
      id = id << 8 | static_cast<unsigned char>(value[i]);
    }
    if (!ids_.empty() && std::find(ids_.begin(), ids_.end(), id) == ids_.end()) {
      return error(Errc::invalid, "the record: expected a schema id of {}, found {}",
                   fmt::join(ids_, ", "), id);
    }
    value.remove_prefix(header_bytes);
    if (has_indexes_) WEIR_CHECK(skip_indexes(value));
    return decoder_->decode(value, arena);
  }

 private:
  static Result<void> skip_indexes(std::string_view& value) {
    std::uint64_t count = 0;
    std::uint64_t index = 0;
    bool whole = take_varint(value, count) && count <= message_depth_max;
    for (; whole && count > 0; --count) whole = take_varint(value, index);
    if (whole) return {};
    return error(Errc::invalid,
                 "the record: expected the indexes of a message after the schema id, found "
                 "something else; is the topic's format json?");
  }

  std::unique_ptr<Decoder> decoder_;
  bool has_indexes_;
  std::vector<std::uint32_t> ids_;
};

}  // namespace

std::unique_ptr<Decoder> make_framed_decoder(std::unique_ptr<Decoder> decoder,
                                             const Format& format) {
  return std::make_unique<FramedDecoder>(std::move(decoder), format);
}

}  // namespace weir::host
