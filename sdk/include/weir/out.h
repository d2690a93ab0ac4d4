#pragma once

#include <google/protobuf/message_lite.h>
#include <weir/abi.h>
#include <weir/record.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir {

/// Where a resolver puts features of type F, none or many: a parameter `weir::Out<F>& out`. Its
/// name is the one that `.outputs()` gives it, and that the resolver's `to:` maps to a sink.
template <class F>
class Out {
  static_assert(std::is_base_of_v<google::protobuf::MessageLite, F>,
                "weir: Out<F> takes features, and a feature is a Protobuf message");

 public:
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;

  /// One feature, with the State's key.
  void emit(const F& feature) { emit_(*this, feature, {nullptr, 0}); }
  /// One feature with a key of its own.
  void emit(const F& feature, std::string_view key) {
    emit_(*this, feature, detail::bytes_of(key));
  }

 protected:
  using Emit = void (*)(Out& self, const F& feature, weir_bytes key);
  explicit Out(Emit function) : emit_(function) {}
  ~Out() = default;

 private:
  Emit emit_;
};

/// An Out that keeps what it gets, for tests that call a resolver directly.
template <class F>
class CollectingOut final : public Out<F> {
 public:
  struct Emitted {
    F feature;
    std::string key;  ///< empty: the State's key
  };

  CollectingOut() : Out<F>(&keep) {}
  const std::vector<Emitted>& emitted() const { return emitted_; }

 private:
  static void keep(Out<F>& self, const F& feature, weir_bytes key) {
    static_cast<CollectingOut&>(self).emitted_.push_back(
        {feature, key.data == nullptr ? std::string() : std::string(detail::view(key))});
  }
  std::vector<Emitted> emitted_;
};

}  // namespace weir
