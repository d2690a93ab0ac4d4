#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace google::protobuf {
class Descriptor;
class DescriptorPool;
}  // namespace google::protobuf

namespace weir::host {

/// The message types that a plugin brings along, in a DescriptorPool of their own: nothing of them
/// touches the pool of the host's generated code, so two builds of one plugin never clash.
class Schemas {
 public:
  /// `file_set`: a serialized FileDescriptorSet in which every file stands after its imports.
  /// Errc::invalid names the file and what is wrong with it.
  static Result<Schemas> parse(std::string_view file_set);
  ~Schemas();
  Schemas(Schemas&&) noexcept;
  Schemas& operator=(Schemas&&) noexcept;

  /// Null: no message of this full name. Lives as long as the Schemas. [any]
  const google::protobuf::Descriptor* message(std::string_view full_name) const;

  /// The message named by its full name or by its generated C++ class with "." for "::"
  /// ("pkg.Outer_Inner" for pkg.Outer.Inner). Null: there is none.
  const google::protobuf::Descriptor* resolve(std::string_view name) const;

  /// The .proto files as text, in the order of the file set, well-known types left out.
  std::string text() const;

 private:
  struct Impl;
  explicit Schemas(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
