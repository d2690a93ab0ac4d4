#include "decode/wire_check.hpp"

#include <array>
#include <cstring>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <simdjson.h>

#include "decode/json_report.hpp"

namespace weir::host {
namespace {

using google::protobuf::Message;
using google::protobuf::Reflection;

enum WireType : std::uint8_t {
  varint = 0,
  fixed64 = 1,
  sized = 2,
  start_group = 3,
  end_group = 4,
  fixed32 = 5
};

std::string_view wire_type_name(std::uint32_t type) {
  static constexpr std::array<std::string_view, 8> names{
      "varint", "64-bit", "length-delimited", "start of group", "end of group", "32-bit", "6", "7"};
  return names[type];
}

bool is_ascii(const char* at, std::size_t size) {
  std::uint64_t seen = 0;
  for (; size >= 8; at += 8, size -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    seen |= word;
  }
  for (; size > 0; ++at, --size) seen |= static_cast<unsigned char>(*at);
  return (seen & 0x8080808080808080) == 0;
}

/// One walk over one record. Every step returns false once something is wrong; the path is put
/// together on the way back to the root.
class Walk {
 public:
  explicit Walk(std::string_view bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool message(const MessagePlan& plan) { return fields(plan, end_, 0); }

  /// A required field is missing in one of the pieces that were seen.
  bool missing_required() const { return missing_required_; }

  Error problem() const {
    return error(Errc::invalid, "{}: {} (byte {})", path_.text(), problem_, at_ - begin_);
  }

 private:
  /// Up to `end`, or up to the end of the group `group`.
  bool fields(const MessagePlan& plan, const char* end, std::uint32_t group) {
    std::uint64_t seen = 0;
    while (at_ < end) {
      std::uint32_t tag = 0;
      if (!read_tag(end, tag)) return false;
      const std::uint32_t type = tag & 7;
      if (type == end_group) {
        if (group == 0 || tag >> 3 != group) return fail("a group ends that was not begun");
        return finish(plan, seen);
      }
      const FieldPlan* field = plan.find(tag >> 3);
      if (field == nullptr) {
        if (!unknown(end, tag)) return false;
        continue;
      }
      if (field->required_bit >= 0 && counts(*field, type, end)) mark(*field, seen);
      if (!known(*field, type, end)) {
        path_.inside_field(field->descriptor->name());
        return false;
      }
    }
    if (group != 0) return fail("a group has no end");
    return finish(plan, seen);
  }

  bool known(const FieldPlan& field, std::uint32_t type, const char* end) {
    if (type != field.wire_type) {
      if (type == sized && field.packable) return packed(field, end);
      return fail(fmt::format("expected the wire type {}, found {}; is this another message type?",
                              wire_type_name(field.wire_type), wire_type_name(type)));
    }
    switch (type) {
      case varint:
        return skip_varint(end);
      case fixed64:
        return skip(end, 8);
      case fixed32:
        return skip(end, 4);
      case start_group:
        if (++depth_ > wire_depth_max) return fail_depth();
        if (!fields(*field.message, end, field.number)) return false;
        --depth_;
        return true;
      default:
        break;
    }
    std::size_t size = 0;
    if (!read_size(end, size)) return false;
    if (field.message != nullptr) {
      if (++depth_ > wire_depth_max) return fail_depth();
      if (!fields(*field.message, at_ + size, 0)) return false;
      --depth_;
      return true;
    }
    if (field.check_utf8 && !is_ascii(at_, size) && !simdjson::validate_utf8(at_, size)) {
      return fail("expected a string of UTF-8, found other bytes");
    }
    at_ += size;
    return true;
  }

  /// Parsers put an unknown number of a proto2 enum among the unknown fields.
  bool counts(const FieldPlan& field, std::uint32_t type, const char* end) const {
    if (!field.closed_enum || type != varint) return true;
    std::uint64_t value = 0;
    for (int i = 0; i < 10 && at_ + i < end; ++i) {
      const auto byte = static_cast<unsigned char>(at_[i]);
      value |= std::uint64_t{byte & 0x7fu} << (7 * i);
      if (byte < 0x80) break;
    }
    return field.enumeration->has(static_cast<std::int32_t>(value));
  }

  bool packed(const FieldPlan& field, const char* end) {
    std::size_t size = 0;
    if (!read_size(end, size)) return false;
    const char* const stop = at_ + size;
    if (field.wire_type == varint) {
      while (at_ < stop) {
        if (!skip_varint(stop)) return false;
      }
      return true;
    }
    const std::size_t one = field.wire_type == fixed64 ? 8 : 4;
    if (size % one != 0) {
      return fail(
          fmt::format("expected packed values of {} bytes each, found {} bytes", one, size));
    }
    at_ = stop;
    return true;
  }

  bool unknown(const char* end, std::uint32_t tag) {
    switch (tag & 7) {
      case varint:
        return skip_varint(end);
      case fixed64:
        return skip(end, 8);
      case fixed32:
        return skip(end, 4);
      case sized: {
        std::size_t size = 0;
        if (!read_size(end, size)) return false;
        at_ += size;
        return true;
      }
      case start_group:
        return unknown_group(end, tag >> 3);
      default:
        return fail(fmt::format("there is no wire type {}", tag & 7));
    }
  }

  bool unknown_group(const char* end, std::uint32_t group) {
    if (++depth_ > wire_depth_max) return fail_depth();
    while (at_ < end) {
      std::uint32_t tag = 0;
      if (!read_tag(end, tag)) return false;
      if ((tag & 7) == end_group) {
        if (tag >> 3 != group) return fail("a group ends that was not begun");
        --depth_;
        return true;
      }
      if (!unknown(end, tag)) return false;
    }
    return fail("a group has no end");
  }

  bool read_tag(const char* end, std::uint32_t& tag) {
    const auto first = static_cast<unsigned char>(*at_);
    if (first < 0x80 && first >= 8) {
      tag = first;
      ++at_;
      return true;
    }
    std::uint64_t value = 0;
    if (!read_varint(end, 5, value)) return false;
    tag = static_cast<std::uint32_t>(value);
    return tag >> 3 != 0 ? true : fail("there is no field 0");
  }

  bool read_size(const char* end, std::size_t& size) {
    std::uint64_t value = 0;
    if (!read_varint(end, 5, value)) return false;
    const auto rest = static_cast<std::uint64_t>(end - at_);
    if (value > rest) {
      return fail(fmt::format("expected {} bytes, found {} until the end", value, rest));
    }
    size = static_cast<std::size_t>(value);
    return true;
  }

  bool read_varint(const char* end, int size_max, std::uint64_t& value) {
    for (int i = 0; i < size_max; ++i) {
      if (at_ == end) return fail("a varint has no end");
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= std::uint64_t{byte & 0x7fu} << (7 * i);
      if (byte < 0x80) return true;
    }
    return fail(fmt::format("a varint is longer than {} bytes", size_max));
  }

  bool skip_varint(const char* end) {
    for (int i = 0; i < 10; ++i) {
      if (at_ == end) return fail("a varint has no end");
      if (static_cast<unsigned char>(*at_++) < 0x80) return true;
    }
    return fail("a varint is longer than 10 bytes");
  }

  bool skip(const char* end, std::ptrdiff_t size) {
    if (end - at_ < size) {
      return fail(fmt::format("expected {} bytes, found {} until the end", size, end - at_));
    }
    at_ += size;
    return true;
  }

  /// Only the first 64 required fields are counted here; with more, or with one missing, the
  /// merged message decides.
  void mark(const FieldPlan& field, std::uint64_t& seen) {
    if (field.required_bit < 64) seen |= std::uint64_t{1} << field.required_bit;
  }
  bool finish(const MessagePlan& plan, std::uint64_t seen) {
    if (plan.required_count == 0) return true;
    const std::uint64_t all = plan.required_count >= 64
                                  ? ~std::uint64_t{0}
                                  : (std::uint64_t{1} << plan.required_count) - 1;
    if (seen != all || plan.required_count > 64) missing_required_ = true;
    return true;
  }

  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool fail_depth() {
    return fail(
        fmt::format("expected at most {} messages inside each other, found more", wire_depth_max));
  }

  const char* const begin_;
  const char* at_;
  const char* const end_;
  int depth_ = 0;
  bool missing_required_ = false;
  std::string problem_;
  JsonPath path_;
};

}  // namespace

/// Decides about required fields when the walk is in doubt: a message may come in pieces that only
/// together have all of them. Rare, so it may build the whole message.
struct WireCheck::Merged {
  google::protobuf::DynamicMessageFactory factory;

  Result<void> check(const MessagePlan& plan, std::string_view bytes) {
    const std::unique_ptr<Message> message(factory.GetPrototype(plan.descriptor)->New());
    if (!message->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return error(Errc::invalid, "the record: expected {}, found bytes that do not parse",
                   plan.descriptor->full_name());
    }
    JsonPath path;
    const std::string missing = find_missing(plan, *message, path);
    if (missing.empty()) return {};
    return error(Errc::invalid, "{}: required field missing: {}", path.text(), missing);
  }

  static std::string find_missing(const MessagePlan& plan, const Message& message, JsonPath& path) {
    const Reflection& reflection = *message.GetReflection();
    for (const FieldPlan& field : plan.fields) {
      const auto* descriptor = field.descriptor;
      const int count = descriptor->is_repeated() ? reflection.FieldSize(message, descriptor)
                        : reflection.HasField(message, descriptor) ? 1
                                                                   : 0;
      if (count == 0 && field.required_bit >= 0) return descriptor->name();
      if (field.message == nullptr) continue;
      for (int i = 0; i < count; ++i) {
        const Message& inner = descriptor->is_repeated()
                                   ? reflection.GetRepeatedMessage(message, descriptor, i)
                                   : reflection.GetMessage(message, descriptor);
        std::string missing = find_missing(*field.message, inner, path);
        if (missing.empty()) continue;
        if (descriptor->is_repeated()) path.inside_element(static_cast<std::size_t>(i));
        path.inside_field(descriptor->name());
        return missing;
      }
    }
    return {};
  }
};

WireCheck::WireCheck(const PlanSet& plans) : plans_(plans) {}
WireCheck::~WireCheck() = default;

Result<void> WireCheck::check(std::string_view bytes) {
  Walk walk(bytes);
  if (!walk.message(plans_.root())) return walk.problem();
  if (!walk.missing_required()) return {};
  if (merged_ == nullptr) merged_ = std::make_unique<Merged>();
  return merged_->check(plans_.root(), bytes);
}

}  // namespace weir::host
