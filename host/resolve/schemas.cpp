#include "resolve/schemas.hpp"

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

namespace weir::host {

namespace {

namespace pb = google::protobuf;

class Errors final : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& /*file*/, const std::string& element,
                const pb::Message* /*descriptor*/, ErrorLocation /*location*/,
                const std::string& message) override {
    if (!text.empty()) text += ", ";
    text += fmt::format("{}: {}", element, message);
  }
  std::string text;
};

/// As protoc spells the generated class: nested messages are joined by underscores.
void add_class_names(const pb::Descriptor& message, const std::string& prefix,
                     std::unordered_map<std::string, const pb::Descriptor*>& by_class) {
  if (message.options().map_entry()) return;
  const std::string name = prefix + message.name();
  by_class.emplace(name, &message);
  for (int i = 0; i < message.nested_type_count(); ++i) {
    add_class_names(*message.nested_type(i), name + "_", by_class);
  }
}

/// As protoc derives it from a field's name.
std::string default_json_name(std::string_view name) {
  std::string out;
  bool upper = false;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
    } else {
      out.push_back(upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
      upper = false;
    }
  }
  return out;
}

/// protoc writes every JSON name into a descriptor set; the text is for people.
void clear_default_json_names(pb::DescriptorProto& message) {
  for (pb::FieldDescriptorProto& field : *message.mutable_field()) {
    if (field.json_name() == default_json_name(field.name())) field.clear_json_name();
  }
  for (pb::DescriptorProto& nested : *message.mutable_nested_type()) {
    clear_default_json_names(nested);
  }
}

}  // namespace

struct Schemas::Impl {
  pb::DescriptorPool pool;
  std::vector<const pb::FileDescriptor*> files;
  std::unordered_map<std::string, const pb::Descriptor*> by_class;
};

Schemas::Schemas(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Schemas::~Schemas() = default;
Schemas::Schemas(Schemas&&) noexcept = default;
Schemas& Schemas::operator=(Schemas&&) noexcept = default;

Result<Schemas> Schemas::parse(std::string_view file_set) {
  pb::FileDescriptorSet set;
  if (!set.ParseFromArray(file_set.data(), static_cast<int>(file_set.size()))) {
    return error(Errc::invalid, "its {} B are no FileDescriptorSet", file_set.size());
  }
  auto impl = std::make_unique<Impl>();
  for (const pb::FileDescriptorProto& file : set.file()) {
    if (impl->pool.FindFileByName(file.name()) != nullptr) {
      return error(Errc::invalid, "{} is in it twice", file.name());
    }
    for (const std::string& import : file.dependency()) {
      if (impl->pool.FindFileByName(import) == nullptr) {
        return error(Errc::invalid,
                     "{} imports {}, which is not before it (protoc --include_imports writes them "
                     "in order)",
                     file.name(), import);
      }
    }
    Errors errors;
    const pb::FileDescriptor* built = impl->pool.BuildFileCollectingErrors(file, &errors);
    if (built == nullptr) {
      return error(Errc::invalid, "{} does not build: {}", file.name(), errors.text);
    }
    impl->files.push_back(built);
    const std::string prefix = built->package().empty() ? "" : built->package() + ".";
    for (int i = 0; i < built->message_type_count(); ++i) {
      add_class_names(*built->message_type(i), prefix, impl->by_class);
    }
  }
  return Schemas(std::move(impl));
}

const pb::Descriptor* Schemas::message(std::string_view full_name) const {
  const pb::Descriptor* found = impl_->pool.FindMessageTypeByName(std::string(full_name));
  return found == nullptr || found->options().map_entry() ? nullptr : found;
}

const pb::Descriptor* Schemas::resolve(std::string_view name) const {
  if (const pb::Descriptor* found = message(name); found != nullptr) return found;
  const auto found = impl_->by_class.find(std::string(name));
  return found == impl_->by_class.end() ? nullptr : found->second;
}

std::string Schemas::text() const {
  std::string out;
  pb::DescriptorPool pool;
  for (const pb::FileDescriptor* file : impl_->files) {
    pb::FileDescriptorProto proto;
    file->CopyTo(&proto);
    file->CopyJsonNameTo(&proto);
    for (pb::DescriptorProto& message : *proto.mutable_message_type()) {
      clear_default_json_names(message);
    }
    const pb::FileDescriptor* readable = pool.BuildFile(proto);
    if (readable == nullptr || file->package() == "google.protobuf") continue;
    out +=
        fmt::format("{}// {}\n{}", out.empty() ? "" : "\n", file->name(), readable->DebugString());
  }
  return out;
}

}  // namespace weir::host
