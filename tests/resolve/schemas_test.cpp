#include "resolve/schemas.hpp"

#include <doctest/doctest.h>

#include <string>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/timestamp.pb.h>

namespace weir::host {

namespace {

namespace pb = google::protobuf;

/// pkg.Outer with a nested Inner and a map field.
pb::FileDescriptorProto outer_file() {
  pb::FileDescriptorProto file;
  file.set_name("outer.proto");
  file.set_package("pkg");
  file.set_syntax("proto3");
  auto* outer = file.add_message_type();
  outer->set_name("Outer");
  outer->add_nested_type()->set_name("Inner");
  return file;
}

std::string serialized(std::initializer_list<pb::FileDescriptorProto> files) {
  pb::FileDescriptorSet set;
  for (const auto& file : files) *set.add_file() = file;
  return set.SerializeAsString();
}

}  // namespace

TEST_CASE("schemas: a type is found by its full name and by its class name") {
  const auto schemas = Schemas::parse(serialized({outer_file()}));

  REQUIRE(schemas);
  const pb::Descriptor* inner = schemas->message("pkg.Outer.Inner");
  REQUIRE(inner != nullptr);
  CHECK(schemas->resolve("pkg.Outer.Inner") == inner);
  CHECK(schemas->resolve("pkg.Outer_Inner") == inner);
  CHECK(schemas->message("pkg.Outer_Inner") == nullptr);
  CHECK(schemas->resolve("pkg.Missing") == nullptr);
  CHECK(schemas->resolve("Outer") == nullptr);
}

TEST_CASE("schemas: the descriptors are not those of the host's generated code") {
  pb::FileDescriptorProto timestamp;
  pb::Timestamp::descriptor()->file()->CopyTo(&timestamp);
  const auto schemas = Schemas::parse(serialized({timestamp}));

  REQUIRE(schemas);
  const pb::Descriptor* own = schemas->message("google.protobuf.Timestamp");
  REQUIRE(own != nullptr);
  CHECK(own != pb::Timestamp::descriptor());
}

TEST_CASE("schemas: an import must be in the set before its user") {
  pb::FileDescriptorProto user;
  user.set_name("user.proto");
  user.add_dependency("outer.proto");

  CHECK(Schemas::parse(serialized({outer_file(), user})));
  const auto wrong_order = Schemas::parse(serialized({user, outer_file()}));
  REQUIRE_FALSE(wrong_order);
  CHECK(wrong_order.error().message.find("user.proto imports outer.proto") != std::string::npos);
}

TEST_CASE("schemas: what cannot be used is refused with the file's name") {
  const auto garbage = Schemas::parse("\xff\xff garbage");
  REQUIRE_FALSE(garbage);
  CHECK(garbage.error().message.find("no FileDescriptorSet") != std::string::npos);

  const auto twice = Schemas::parse(serialized({outer_file(), outer_file()}));
  REQUIRE_FALSE(twice);
  CHECK(twice.error().message == "outer.proto is in it twice");

  pb::FileDescriptorProto broken = outer_file();
  auto* field = broken.mutable_message_type(0)->add_field();
  field->set_name("lost");
  field->set_number(1);
  field->set_label(pb::FieldDescriptorProto::LABEL_OPTIONAL);
  field->set_type_name(".pkg.Lost");
  const auto unresolved = Schemas::parse(serialized({broken}));
  REQUIRE_FALSE(unresolved);
  CHECK(unresolved.error().message.find("outer.proto does not build") != std::string::npos);
  CHECK(unresolved.error().message.find("pkg.Lost") != std::string::npos);
}

TEST_CASE("schemas: the text is that of the .proto files without the well-known ones") {
  pb::FileDescriptorProto timestamp;
  pb::Timestamp::descriptor()->file()->CopyTo(&timestamp);
  const auto schemas = Schemas::parse(serialized({timestamp, outer_file()}));

  REQUIRE(schemas);
  CHECK(schemas->text().find("// outer.proto\nsyntax = \"proto3\";") == 0);
  CHECK(schemas->text().find("message Inner") != std::string::npos);
  CHECK(schemas->text().find("Timestamp") == std::string::npos);
}

}  // namespace weir::host
