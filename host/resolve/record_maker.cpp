#include "resolve/record_maker.hpp"

#include <array>
#include <memory>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "resolve/random_message.hpp"

namespace weir::host {

namespace {

namespace pb = google::protobuf;

constexpr std::int64_t start_ms = 1'763'683'200'000;  // 2025-11-21

}  // namespace

RecordMaker::RecordMaker(const Plugin& plugin, const Manifest::Resolver& resolver,
                         std::uint64_t seed)
    : plugin_(plugin), resolver_(resolver), random_(seed) {}

std::string RecordMaker::message(std::string_view type) {
  const pb::Descriptor* descriptor = plugin_.message(type);
  if (descriptor == nullptr) return {};
  pb::DynamicMessageFactory factory;
  const std::unique_ptr<pb::Message> message(factory.GetPrototype(descriptor)->New());
  fill_random(*message, random_);
  std::string bytes;
  {
    pb::io::StringOutputStream stream(&bytes);
    pb::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message->SerializePartialToCodedStream(&out);
  }
  return bytes;
}

std::string RecordMaker::damaged(std::string bytes) {
  const auto noise = [this] { return static_cast<char>(random_()); };
  switch (below(bytes.empty() ? 2 : 4)) {
    case 0:
      return {};
    case 1: {
      std::string out(below(200), '\0');
      for (char& byte : out) byte = noise();
      return out;
    }
    case 2:
      bytes.resize(below(bytes.size()));
      return bytes;
    default:
      for (std::uint64_t edits = 1 + below(4); edits > 0; --edits) {
        bytes[below(bytes.size())] = noise();
      }
      return bytes;
  }
}

CheckRecord RecordMaker::envelope() {
  static constexpr std::array<std::string_view, 4> keys = {"ana", "ben", "cho", "k"};
  CheckRecord record;
  if (below(20) != 0) record.key = keys[below(keys.size())];
  record.timestamp_ms = start_ms + static_cast<std::int64_t>(below(3'600'000));
  for (std::uint64_t n = below(3); n > 0; --n) {
    record.headers.emplace_back("trace",
                                below(3) == 0 ? std::nullopt : std::optional<std::string>("7f3a"));
  }
  return record;
}

CheckRecord RecordMaker::valid() {
  CheckRecord record = envelope();
  if (!resolver_.message_type.empty()) {
    record.value = message(resolver_.message_type);
    return record;
  }
  static constexpr std::array<std::string_view, 6> texts = {
      "ana", "42", "a line of text", R"({"user": "ana", "amount": 12.5})", "a,b,c\n1,2,3\n", ""};
  record.value = texts[below(texts.size())];
  return record;
}

CheckRecord RecordMaker::malformed() {
  CheckRecord record = valid();
  if (resolver_.message_type.empty() && below(5) == 0) {
    record.value.reset();
  } else {
    record.value = damaged(std::move(*record.value));
  }
  return record;
}

std::vector<CheckRecord> RecordMaker::valid(std::size_t count) {
  std::vector<CheckRecord> out;
  while (out.size() < count) out.push_back(valid());
  return out;
}

std::vector<CheckRecord> RecordMaker::malformed(std::size_t count) {
  std::vector<CheckRecord> out;
  while (out.size() < count) out.push_back(malformed());
  return out;
}

bool is_message(const Plugin& plugin, std::string_view type, std::string_view bytes) {
  const pb::Descriptor* descriptor = plugin.message(type);
  if (descriptor == nullptr) return false;
  pb::DynamicMessageFactory factory;
  const std::unique_ptr<pb::Message> message(factory.GetPrototype(descriptor)->New());
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace weir::host
