#pragma once

#include <weir/abi.h>

#include <chrono>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace weir {

/// Not for this resolver: counted, and nothing else happens. No error.
struct Skip {};

/// This record cannot be handled. It goes where the source's `rejected` policy says (dead letters
/// by default) with `reason`. An exception that leaves a resolver means the same.
struct Reject {
  explicit Reject(std::string why) : reason(std::move(why)) {}
  std::string reason;
};

/// Not now: the same record comes again after `wait`, with the same times. Until then the later
/// records of its key wait behind it; other keys and other resolvers go on. Only resolvers can say
/// so.
struct RetryAfter {
  explicit RetryAfter(std::chrono::milliseconds how_long, std::string why = {})
      : wait(how_long), reason(std::move(why)) {}
  std::chrono::milliseconds wait;
  std::string reason;
};

/// The task must not go on: it commits what came before this record and halts.
struct Fatal {
  explicit Fatal(std::string why) : reason(std::move(why)) {}
  std::string reason;
};

enum class Status : weir_status {
  ok = WEIR_OK,
  skip = WEIR_SKIP,
  reject = WEIR_REJECT,
  retry = WEIR_RETRY,
  fatal = WEIR_FATAL,
};

namespace detail {

/// Every outcome but ok.
struct Refusal {
  Status status = Status::skip;
  std::string reason;
  std::chrono::milliseconds wait{0};

  Refusal(Skip) {}
  Refusal(Reject refusal) : status(Status::reject), reason(std::move(refusal.reason)) {}
  Refusal(RetryAfter refusal)
      : status(Status::retry), reason(std::move(refusal.reason)), wait(refusal.wait) {}
  Refusal(Fatal refusal) : status(Status::fatal), reason(std::move(refusal.reason)) {}
};

template <class U, class T>
concept ValueFor =
    std::is_convertible_v<U&&, T> && !std::is_convertible_v<std::remove_cvref_t<U>, Refusal>;

inline const std::string no_reason;

}  // namespace detail

/// What a resolver or a parse function returns when it can also refuse: a value, or one of Skip,
/// Reject, RetryAfter and Fatal. Whatever is not ok leaves no trace: features and changes of the
/// State are undone.
///
///   weir::Result<Receipt> pay(const Payment& payment, Account& account) {
///     if (payment.cents() < 0) return weir::Reject("negative amount");
///     ...
///     return receipt;
///   }
template <class T>
class [[nodiscard]] Result {
 public:
  template <detail::ValueFor<T> U = T>
  Result(U&& value) : content_(std::in_place_index<0>, std::forward<U>(value)) {}

  Result(Skip refusal) : content_(std::in_place_index<1>, refusal) {}
  Result(Reject refusal) : content_(std::in_place_index<1>, std::move(refusal)) {}
  Result(RetryAfter refusal) : content_(std::in_place_index<1>, std::move(refusal)) {}
  Result(Fatal refusal) : content_(std::in_place_index<1>, std::move(refusal)) {}

  bool ok() const { return content_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// Only when ok().
  T& operator*() { return *std::get_if<0>(&content_); }
  const T& operator*() const { return *std::get_if<0>(&content_); }
  T* operator->() { return std::get_if<0>(&content_); }
  const T* operator->() const { return std::get_if<0>(&content_); }

  Status status() const { return ok() ? Status::ok : refusal()->status; }
  /// Empty when ok().
  const std::string& reason() const { return ok() ? detail::no_reason : refusal()->reason; }

  /// nullptr when ok().
  const detail::Refusal* refusal() const { return std::get_if<1>(&content_); }

 private:
  std::variant<T, detail::Refusal> content_;
};

/// A Result without a value; `return {};` says ok.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Skip refusal) : refusal_(refusal) {}
  Result(Reject refusal) : refusal_(std::move(refusal)) {}
  Result(RetryAfter refusal) : refusal_(std::move(refusal)) {}
  Result(Fatal refusal) : refusal_(std::move(refusal)) {}

  bool ok() const { return !refusal_.has_value(); }
  explicit operator bool() const { return ok(); }
  Status status() const { return ok() ? Status::ok : refusal_->status; }
  const std::string& reason() const { return ok() ? detail::no_reason : refusal_->reason; }
  const detail::Refusal* refusal() const { return refusal_.has_value() ? &*refusal_ : nullptr; }

 private:
  std::optional<detail::Refusal> refusal_;
};

}  // namespace weir
