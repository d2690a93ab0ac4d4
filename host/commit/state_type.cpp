#include "commit/state_type.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.hpp"

namespace weir::host {
namespace {

namespace pb = google::protobuf;

constexpr const char* type_url_prefix = "type.googleapis.com";

/// Everything a type reaches.
struct Reach {
  std::set<const pb::Descriptor*> messages;
  std::set<const pb::EnumDescriptor*> enums;
  std::map<std::string, const pb::FileDescriptor*> files;

  void add(const pb::Descriptor& root) {
    std::vector<const pb::Descriptor*> todo{&root};
    while (!todo.empty()) {
      const pb::Descriptor* message = todo.back();
      todo.pop_back();
      if (!messages.insert(message).second) continue;
      files.emplace(message->file()->name(), message->file());
      for (int i = 0; i < message->field_count(); ++i) {
        const pb::FieldDescriptor& field = *message->field(i);
        if (field.message_type() != nullptr) todo.push_back(field.message_type());
        if (field.enum_type() != nullptr) {
          enums.insert(field.enum_type());
          files.emplace(field.enum_type()->file()->name(), field.enum_type()->file());
        }
      }
    }
  }
};

void keep_only_meaning(pb::EnumDescriptorProto* proto) {
  const bool aliases = proto->options().allow_alias();
  proto->clear_options();
  if (aliases) proto->mutable_options()->set_allow_alias(true);
  for (pb::EnumValueDescriptorProto& value : *proto->mutable_value()) value.clear_options();
}

void keep_only_meaning(pb::DescriptorProto* proto) {
  const bool map_entry = proto->options().map_entry();
  const bool message_set = proto->options().message_set_wire_format();
  proto->clear_options();
  if (map_entry) proto->mutable_options()->set_map_entry(true);
  if (message_set) proto->mutable_options()->set_message_set_wire_format(true);
  proto->clear_extension();
  for (auto& range : *proto->mutable_extension_range()) range.clear_options();
  for (auto& oneof : *proto->mutable_oneof_decl()) oneof.clear_options();
  for (pb::FieldDescriptorProto& field : *proto->mutable_field()) {
    const bool has_packed = field.options().has_packed();
    const bool packed = field.options().packed();
    field.clear_options();
    if (has_packed) field.mutable_options()->set_packed(packed);
  }
}

// True: something of `message` is needed, and `proto` holds only that.
bool cut(const pb::Descriptor& message, const Reach& reach, pb::DescriptorProto* proto) {
  pb::DescriptorProto whole = std::move(*proto);
  pb::DescriptorProto kept;
  const bool needed = reach.messages.contains(&message);
  if (needed) {
    kept = whole;
    kept.clear_nested_type();
    kept.clear_enum_type();
  } else {
    kept.set_name(whole.name());
  }
  bool any = needed;
  for (int i = 0; i < message.nested_type_count(); ++i) {
    pb::DescriptorProto* nested = whole.mutable_nested_type(i);
    if (!cut(*message.nested_type(i), reach, nested)) continue;
    *kept.add_nested_type() = std::move(*nested);
    any = true;
  }
  for (int i = 0; i < message.enum_type_count(); ++i) {
    if (!reach.enums.contains(message.enum_type(i))) continue;
    pb::EnumDescriptorProto* nested = kept.add_enum_type();
    *nested = std::move(*whole.mutable_enum_type(i));
    keep_only_meaning(nested);
    any = true;
  }
  keep_only_meaning(&kept);
  *proto = std::move(kept);
  return any;
}

// The files that the kept messages of `file` refer to, sorted.
std::set<std::string> references(const pb::FileDescriptor& file, const Reach& reach) {
  std::set<std::string> out;
  for (const pb::Descriptor* message : reach.messages) {
    if (message->file() != &file) continue;
    for (int i = 0; i < message->field_count(); ++i) {
      const pb::FieldDescriptor& field = *message->field(i);
      if (field.message_type() != nullptr) out.insert(field.message_type()->file()->name());
      if (field.enum_type() != nullptr) out.insert(field.enum_type()->file()->name());
    }
  }
  out.erase(file.name());
  return out;
}

pb::FileDescriptorProto cut_file(const pb::FileDescriptor& file, const Reach& reach) {
  pb::FileDescriptorProto whole;
  file.CopyTo(&whole);
  file.CopyJsonNameTo(&whole);
  pb::FileDescriptorProto kept;
  kept.set_name(whole.name());
  if (whole.has_package()) kept.set_package(whole.package());
  if (whole.has_syntax()) kept.set_syntax(whole.syntax());
  for (const std::string& name : references(file, reach)) kept.add_dependency(name);
  for (int i = 0; i < file.message_type_count(); ++i) {
    pb::DescriptorProto* message = whole.mutable_message_type(i);
    if (cut(*file.message_type(i), reach, message)) {
      *kept.add_message_type() = std::move(*message);
    }
  }
  for (int i = 0; i < file.enum_type_count(); ++i) {
    if (!reach.enums.contains(file.enum_type(i))) continue;
    pb::EnumDescriptorProto* kept_enum = kept.add_enum_type();
    *kept_enum = std::move(*whole.mutable_enum_type(i));
    keep_only_meaning(kept_enum);
  }
  return kept;
}

// Dependencies first, otherwise by name: the same type always gives the same bytes.
void add_file(const std::string& name, const Reach& reach, std::set<std::string>& done,
              pb::FileDescriptorSet* out) {
  if (!done.insert(name).second) return;
  pb::FileDescriptorProto file = cut_file(*reach.files.at(name), reach);
  for (const std::string& dependency : file.dependency()) add_file(dependency, reach, done, out);
  *out->add_file() = std::move(file);
}

class FirstError : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& /*file*/, const std::string& element,
                const pb::Message* /*descriptor*/, ErrorLocation /*location*/,
                const std::string& text) override {
    if (message.empty()) message = element + ": " + text;
  }
  std::string message;
};

}  // namespace

v1::Schema make_schema(const pb::Descriptor& type, std::uint32_t state_version,
                       std::uint32_t readable_by) {
  Reach reach;
  reach.add(type);
  pb::FileDescriptorSet set;
  std::set<std::string> done;
  for (const auto& [name, file] : reach.files) add_file(name, reach, done, &set);

  v1::Schema schema;
  schema.set_file_descriptor_set(set.SerializeAsString());
  schema.set_type(type.full_name());
  schema.set_state_version(state_version);
  std::string hashed = schema.type();
  hashed.push_back('\0');
  append_le(hashed, state_version);
  if (readable_by != 0 && readable_by != state_version) {
    schema.set_readable_by(readable_by);
    append_le(hashed, readable_by);
  }
  hashed += schema.file_descriptor_set();
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits(hashed.data(), hashed.size()));
  schema.set_digest(digest.digest, sizeof digest.digest);
  return schema;
}

struct StateType::Impl {
  std::string type;
  pb::DescriptorPool pool;
  pb::DynamicMessageFactory factory;  // after the pool: dies before it
  const pb::Descriptor* descriptor = nullptr;
  std::unique_ptr<pb::util::TypeResolver> resolver;
};

StateType::StateType(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateType::~StateType() = default;

const pb::Descriptor& StateType::descriptor() const { return *impl_->descriptor; }

Result<std::unique_ptr<StateType>> StateType::load(const v1::Schema& schema) {
  pb::FileDescriptorSet set;
  if (!set.ParseFromString(schema.file_descriptor_set())) {
    return error(Errc::corrupt, "the stored descriptors of {} do not parse", schema.type());
  }
  auto impl = std::make_unique<Impl>();
  impl->type = schema.type();
  for (const pb::FileDescriptorProto& file : set.file()) {
    FirstError first;
    if (impl->pool.BuildFileCollectingErrors(file, &first) == nullptr) {
      return error(Errc::corrupt, "the stored descriptors of {} do not build: {}", schema.type(),
                   first.message);
    }
  }
  impl->descriptor = impl->pool.FindMessageTypeByName(schema.type());
  if (impl->descriptor == nullptr) {
    return error(Errc::corrupt, "the stored descriptors do not hold their own type {}",
                 schema.type());
  }
  impl->resolver.reset(pb::util::NewTypeResolverForDescriptorPool(type_url_prefix, &impl->pool));
  return std::unique_ptr<StateType>(new StateType(std::move(impl)));
}

Result<std::string> StateType::to_json(std::string_view bytes) const {
  const std::unique_ptr<pb::Message> message(impl_->factory.GetPrototype(impl_->descriptor)->New());
  if (!message->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return error(Errc::corrupt, "a State of {} bytes is not a {}", bytes.size(), impl_->type);
  }
  // Through the message and not from the stored bytes, so that map entries come out sorted.
  std::string sorted;
  {
    pb::io::StringOutputStream stream(&sorted);
    pb::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message->SerializePartialToCodedStream(&coded);
  }
  std::string json;
  const auto status = pb::util::BinaryToJsonString(
      impl_->resolver.get(), std::string(type_url_prefix) + "/" + impl_->type, sorted, &json);
  if (!status.ok()) {
    return error(Errc::invalid, "a State of {} has no JSON: {}", impl_->type,
                 std::string(status.message()));
  }
  return json;
}

}  // namespace weir::host
