#include "decode/schema.hpp"

#include <array>
#include <stdexcept>

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/field_comparator.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

namespace weir::test {
namespace {

namespace pb = google::protobuf;

constexpr std::array well_known{"google/protobuf/any.proto",     "google/protobuf/duration.proto",
                                "google/protobuf/empty.proto",   "google/protobuf/field_mask.proto",
                                "google/protobuf/struct.proto",  "google/protobuf/timestamp.proto",
                                "google/protobuf/wrappers.proto"};

class Complain : public pb::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    throw std::invalid_argument(std::to_string(line + 1) + ":" + std::to_string(column + 1) + ": " +
                                message);
  }
};

class ComplainPool : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const pb::Message*,
                ErrorLocation, const std::string& message) override {
    text += file + ": " + element + ": " + message + "\n";
  }
  std::string text;
};

pb::FileDescriptorProto parse_proto(std::string_view text) {
  pb::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  Complain complain;
  pb::io::Tokenizer tokenizer(&input, &complain);
  pb::FileDescriptorProto file;
  pb::compiler::Parser parser;
  parser.RecordErrorsTo(&complain);
  parser.Parse(&tokenizer, &file);
  file.set_name("test.proto");
  return file;
}

}  // namespace

Schema::Schema(std::string_view proto) : Schema(parse_proto(proto)) {}

Schema::Schema(pb::FileDescriptorProto file) {
  add_well_known();
  for (const char* name : well_known) file.add_dependency(name);
  ComplainPool complain;
  if (pool_.BuildFileCollectingErrors(file, &complain) == nullptr) {
    throw std::invalid_argument(complain.text);
  }
}

void Schema::add_well_known() {
  for (const char* name : well_known) {
    pb::FileDescriptorProto file;
    pb::DescriptorPool::generated_pool()->FindFileByName(name)->CopyTo(&file);
    // CopyTo leaves out JSON names that follow from the field's name; the pool makes them again.
    pool_.BuildFile(file);
  }
}

const pb::Descriptor* Schema::message(const std::string& full_name) const {
  const auto* found = pool_.FindMessageTypeByName(full_name);
  if (found == nullptr) throw std::invalid_argument("no message " + full_name);
  return found;
}

std::unique_ptr<pb::Message> Schema::make(const pb::Descriptor* type) const {
  return std::unique_ptr<pb::Message>(factory_.GetPrototype(type)->New());
}

std::unique_ptr<pb::Message> Schema::from_text(const pb::Descriptor* type,
                                               const std::string& text) const {
  auto message = make(type);
  pb::TextFormat::Parser parser;
  parser.AllowPartialMessage(true);
  if (!parser.ParseFromString(text, message.get())) {
    throw std::invalid_argument("not text format: " + text);
  }
  return message;
}

std::unique_ptr<pb::Message> Schema::parse(const pb::Descriptor* type,
                                           std::string_view wire) const {
  auto message = make(type);
  const bool parsed = message->ParsePartialFromArray(wire.data(), static_cast<int>(wire.size())) &&
                      message->IsInitialized();
  return parsed ? std::move(message) : nullptr;
}

std::unique_ptr<pb::Message> Schema::by_json_util(const pb::Descriptor* type,
                                                  const std::string& json,
                                                  bool ignore_unknown_fields,
                                                  std::string* reason) const {
  auto message = make(type);
  pb::util::JsonParseOptions options;
  options.ignore_unknown_fields = ignore_unknown_fields;
  std::string why;
  try {
    const auto status = pb::util::JsonStringToMessage(json, message.get(), options);
    if (status.ok()) return message;
    why = status.message().ToString();
  } catch (const pb::FatalException& failed_check) {
    why = failed_check.what();  // its own bug; some inputs trip an internal check
  }
  if (reason != nullptr) *reason = why;
  return nullptr;
}

bool same(const pb::Message& a, const pb::Message& b) {
  pb::util::DefaultFieldComparator comparator;
  comparator.set_treat_nan_as_equal(true);
  pb::util::MessageDifferencer differencer;
  differencer.set_field_comparator(&comparator);
  return differencer.Compare(a, b);
}

std::string show(const pb::Message& message) { return message.ShortDebugString(); }

}  // namespace weir::test
