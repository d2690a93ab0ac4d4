#include "proto_text.hpp"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <stdexcept>

namespace weir::test {
namespace {

namespace pb = google::protobuf;

class Throw : public pb::io::ErrorCollector, public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(int line, int /*column*/, const std::string& message) override {
    throw std::runtime_error("line " + std::to_string(line + 1) + ": " + message);
  }
  void AddError(const std::string& /*file*/, const std::string& element,
                const pb::Message* /*descriptor*/, ErrorLocation /*location*/,
                const std::string& message) override {
    throw std::runtime_error(element + ": " + message);
  }
};

}  // namespace

void ProtoText::add(const std::string& name, const std::string& text) {
  Throw errors;
  pb::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  pb::io::Tokenizer tokenizer(&input, &errors);
  pb::compiler::Parser parser;
  parser.RecordErrorsTo(&errors);
  pb::FileDescriptorProto file;
  if (!parser.Parse(&tokenizer, &file)) throw std::runtime_error("does not parse");
  file.set_name(name);
  pool_.BuildFileCollectingErrors(file, &errors);
}

const pb::Descriptor& ProtoText::type(const std::string& full_name) const {
  const pb::Descriptor* found = pool_.FindMessageTypeByName(full_name);
  if (found == nullptr) throw std::runtime_error("no message " + full_name);
  return *found;
}

}  // namespace weir::test
