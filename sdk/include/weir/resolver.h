#pragma once

#include <weir/detail/signature.h>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace weir {

// Units for .event_time<>().
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

namespace detail {

struct NoUnit {};

enum class Word { key, event_time, parse, initial, migrate, check, on_notify };

template <Word w, auto F, class U = NoUnit>
struct Said {
  static constexpr Word word = w;
  static constexpr auto function = F;
  using Unit = U;
};

struct Unsaid {
  static constexpr std::nullptr_t function = nullptr;
  using Unit = NoUnit;
};

template <Word w, class... Words>
struct FindWord {
  using type = Unsaid;
};
template <Word w, class First, class... Rest>
struct FindWord<w, First, Rest...> {
  using type = std::conditional_t<First::word == w, First, typename FindWord<w, Rest...>::type>;
};

/// The signature of .on_notify's function; Nothing where that is not said.
template <class SaidWord>
struct HandlerOf {
  using type = Signature<std::remove_cv_t<decltype(SaidWord::function)>, true>;
};
template <>
struct HandlerOf<Unsaid> {
  using type = Nothing;
};

/// Stands for a resolver whose signature was refused, so that the refusal is the only error.
struct BrokenResolver {
  template <auto>
  constexpr auto key() const {
    return *this;
  }
  template <auto, class = NoUnit>
  constexpr auto event_time() const {
    return *this;
  }
  template <auto>
  constexpr auto parse() const {
    return *this;
  }
  template <auto>
  constexpr auto initial() const {
    return *this;
  }
  template <auto>
  constexpr auto migrate() const {
    return *this;
  }
  template <auto>
  constexpr auto check_settings() const {
    return *this;
  }
  template <auto>
  constexpr auto on_notify() const {
    return *this;
  }
  constexpr auto outputs(auto...) const { return *this; }
  constexpr auto state_version(int) const { return *this; }
  constexpr auto readable_by(int) const { return *this; }
};

/// The names of a resolver's outputs, as the author wrote them.
struct OutputNames {
  static constexpr std::size_t count_max = 16;
  std::array<std::string_view, count_max> names{};
  std::size_t count = 0;  ///< 0: not said
  bool too_many = false;
};

}  // namespace detail

/// What a plugin says of one resolver: the function, its name, and one word for each thing that the
/// function's signature cannot say. Made by weir::resolver<f>("name"); the words may come in any
/// order, each at most once. Exists at compile time only.
template <auto Function, class... Words>
class Resolver {
  using Signature = detail::Signature<std::remove_cv_t<decltype(Function)>>;

  template <detail::Word w>
  static constexpr bool said = (... || (Words::word == w));

  /// A wrong word has been told of; leaving it out spares the author what follows from it.
  template <bool good, class Added>
  constexpr auto with_if() const {
    if constexpr (good) {
      Resolver<Function, Words..., Added> next;
      next.name = name;
      next.version = version;
      next.reader_version = reader_version;
      next.output_names = output_names;
      return next;
    } else {
      return *this;
    }
  }

 public:
  /// `.key<&Visit::user_id>()`: the State belongs to this value of the message. Also a function of
  /// (const M&) or (const weir::Record&). Text and bytes stand as they are, integers and enums as
  /// decimal numbers. Without this word the record's key is the key.
  template <auto Extract>
  constexpr auto key() const {
    constexpr bool once = !said<detail::Word::key>;
    static_assert(once, "weir: .key<>() is said twice");
    using Value = typename detail::Extracted<decltype(Extract), typename Signature::Message>::type;
    constexpr bool extracts = !std::is_void_v<Value>;
    static_assert(
        extracts,
        "weir: .key<f>() takes a field of the resolver's message, or a function of (const "
        "M&) or (const weir::Record&)");
    constexpr bool good = detail::KeyText<Value> || detail::KeyNumber<Value>;
    static_assert(good || !extracts,
                  "weir: a key is text, bytes, an integer or an enum (not bool, not floating "
                  "point, not a message)");
    return with_if < once && extracts && good, detail::Said < detail::Word::key, Extract >> ();
  }

  /// `.event_time<&Visit::at_ms, weir::milliseconds>()`: when the event happened, for lateness and
  /// windows. An integer needs its unit; a google.protobuf.Timestamp and functions that return a
  /// std::chrono::sys_time (or std::optional of one; nothing means the record's timestamp) need
  /// none. Functions take (const M&) or (const weir::Record&). Without this word the record's
  /// timestamp is the event time.
  template <auto Extract, class Unit = detail::NoUnit>
  constexpr auto event_time() const {
    constexpr bool once = !said<detail::Word::event_time>;
    static_assert(once, "weir: .event_time<>() is said twice");
    using Value = std::remove_cvref_t<
        typename detail::Extracted<decltype(Extract), typename Signature::Message>::type>;
    constexpr bool extracts = !std::is_void_v<Value>;
    static_assert(
        extracts,
        "weir: .event_time<f>() takes a field of the resolver's message, or a function of "
        "(const M&) or (const weir::Record&)");
    using Inner = typename detail::UnwrapOptional<Value>::type;
    constexpr bool number = std::integral<Inner> && !std::same_as<Inner, bool>;
    constexpr bool time = detail::TimestampMessage<Inner> || detail::IsTimePoint<Inner>::value;
    static_assert(number || time || !extracts,
                  "weir: an event time is an integer with a unit, a google.protobuf.Timestamp or a "
                  "std::chrono::sys_time");
    constexpr bool has_unit = !std::same_as<Unit, detail::NoUnit>;
    static_assert(!number || has_unit,
                  "weir: an event time that is a number needs its unit: .event_time<&M::at, "
                  "weir::milliseconds>() (or seconds, microseconds, nanoseconds)");
    constexpr bool good_unit = !has_unit || detail::IsDuration<Unit>::value;
    static_assert(good_unit,
                  "weir: the unit of an event time is weir::seconds, weir::milliseconds, "
                  "weir::microseconds or weir::nanoseconds");
    return with_if < once && ((number && has_unit && good_unit) || time),
           detail::Said < detail::Word::event_time, Extract, Unit >> ();
  }

  /// `.parse<pick_click>()`: makes the resolver's message out of a record, or of the message that
  /// the source decodes; nothing skips the record. `std::optional<M> f(const weir::Record&)`, or
  /// `f(const P&)`, or `f(const P&, const weir::Record&)`. It may also return M, weir::Result of
  /// these, and `const M*` to a part of its P (nullptr skips; copies nothing).
  template <auto Parse>
  constexpr auto parse() const {
    using M = typename Signature::Message;
    constexpr bool once = !said<detail::Word::parse>;
    static_assert(once, "weir: .parse<>() is said twice");
    constexpr bool makes_message = detail::ProtobufMessage<M>;
    static_assert(makes_message,
                  "weir: .parse<f>() makes a message, so the resolver has to take one: const M&");
    constexpr bool good = detail::ParseTypes<std::remove_cv_t<decltype(Parse)>, M>::valid;
    static_assert(good || !makes_message,
                  "weir: .parse<f>() gives the resolver's message M: std::optional<M> f(const "
                  "weir::Record&) or f(const P&) with a Protobuf message P; nothing skips");
    return with_if < once && makes_message && good, detail::Said < detail::Word::parse, Parse >> ();
  }

  /// `.initial<make_ips>()`: the State of a key that has none yet. `S f()` or `S f(const
  /// Settings&)`; it runs once for each instance, and each key gets a copy. Without this word: the
  /// default message.
  template <auto Make>
  constexpr auto initial() const {
    constexpr bool once = !said<detail::Word::initial>;
    static_assert(once, "weir: .initial<>() is said twice");
    static_assert(Signature::has_state,
                  "weir: .initial<>() is for resolvers with a State, a parameter S&");
    using Made = typename detail::MadeBy<decltype(Make), typename Signature::Settings>::type;
    constexpr bool good = std::same_as<std::remove_cvref_t<Made>, typename Signature::State>;
    static_assert(good || !Signature::has_state,
                  "weir: .initial<f>() takes S f() or S f(const Settings&) with the resolver's "
                  "State S");
    return with_if < once && Signature::has_state && good, detail::Said < detail::Word::initial,
           Make >> ();
  }

  /// `.migrate<migrate_ips>()`: brings a State of an older `.state_version()` up to date, in place:
  /// `void f(S&, int from_version)`. It runs when such a State is loaded. Throwing halts the task.
  template <auto Migrate>
  constexpr auto migrate() const {
    constexpr bool once = !said<detail::Word::migrate>;
    static_assert(once, "weir: .migrate<>() is said twice");
    static_assert(Signature::has_state,
                  "weir: .migrate<>() is for resolvers with a State, a parameter S&");
    constexpr bool good =
        std::is_invocable_r_v<void, decltype(Migrate), typename Signature::State&, int>;
    static_assert(
        good || !Signature::has_state,
        "weir: .migrate<f>() takes void f(S&, int from_version) with the resolver's State S");
    return with_if < once && Signature::has_state && good, detail::Said < detail::Word::migrate,
           Migrate >> ();
  }

  /// `.check_settings<f>()`: refuses settings before the first record: `weir::Result<void> f(const
  /// Settings&)`, or a void function that throws.
  template <auto Check>
  constexpr auto check_settings() const {
    constexpr bool once = !said<detail::Word::check>;
    static_assert(once, "weir: .check_settings<>() is said twice");
    static_assert(Signature::has_settings,
                  "weir: .check_settings<>() is for resolvers with settings, a second parameter "
                  "const Settings&");
    using Answer = typename detail::CheckedBy<decltype(Check), typename Signature::Settings>::type;
    constexpr bool good = std::is_void_v<Answer> || std::same_as<Answer, Result<void>>;
    static_assert(good || !Signature::has_settings,
                  "weir: .check_settings<f>() takes weir::Result<void> f(const Settings&)");
    return with_if < once && Signature::has_settings && good, detail::Said < detail::Word::check,
           Check >> ();
  }

  /// `.on_notify<end_session>()`: called when the timer that `ctx.notify_at()` set has come due:
  ///
  ///   R f([S&] [, const Settings&] [, weir::Out<F>&]... [, weir::Context&])
  ///
  /// with the resolver's State and settings and R as for a resolver. What it emits goes to the
  /// resolver's output of that type, or to one of its own behind them. Skip and reject end
  /// the timer without effect, a retry sets it again.
  template <auto Handler>
  constexpr auto on_notify() const {
    constexpr bool once = !said<detail::Word::on_notify>;
    static_assert(once, "weir: .on_notify<>() is said twice");
    static_assert(Signature::has_state,
                  "weir: .on_notify<>() is for resolvers with a State, a parameter S&: a timer "
                  "belongs to the State of a key");
    constexpr bool good = [] {
      if constexpr (Signature::has_state) {
        return detail::check_handler<std::remove_cv_t<decltype(Handler)>, Signature>();
      } else {
        return false;
      }
    }();
    return with_if < once && good, detail::Said < detail::Word::on_notify, Handler >> ();
  }

  /// `.outputs("alerts", "totals")`: one name for each output, in the order: the returned feature,
  /// then each Out, then what only .on_notify emits. The resolver's `to:` maps these names to
  /// sinks. A single output is called "features" unless this word says otherwise.
  template <std::convertible_to<std::string_view>... Names>
  constexpr auto outputs(Names... names) const {
    Resolver next = *this;
    constexpr std::size_t max = detail::OutputNames::count_max;
    next.output_names.too_many = sizeof...(Names) > max;
    next.output_names.count = 0;
    const std::array<std::string_view, sizeof...(Names)> given{std::string_view(names)...};
    for (std::size_t i = 0; i < given.size() && i < max; ++i) {
      next.output_names.names[next.output_names.count++] = given[i];
    }
    return next;
  }

  /// `.state_version(2)`: 1 .. 65535, 1 when not said. Raise it when the meaning of the State
  /// changes in a way that its Protobuf schema does not show; see migrate().
  constexpr auto state_version(int number) const {
    Resolver next = *this;
    next.version = number;
    return next;
  }

  /// `.readable_by(1)`: code of State version 1 or later reads what this code writes, so that a
  /// rollback keeps it. Such code sees it as a State of its own version, and keeps fields that it
  /// does not know. Without this word no code of an older version gets to see a State of this one.
  constexpr auto readable_by(int version_of_reader) const {
    Resolver next = *this;
    next.reader_version = version_of_reader;
    return next;
  }

  // Read by WEIR_PLUGIN.
  using Types = Signature;
  using Handler = typename detail::HandlerOf<
      typename detail::FindWord<detail::Word::on_notify, Words...>::type>::type;
  using Outputs = detail::Outputs<Signature, Handler>;
  static constexpr auto function = Function;
  template <detail::Word w>
  using Find = typename detail::FindWord<w, Words...>::type;
  template <detail::Word w>
  static constexpr bool has = said<w>;

  const char* name = "";
  int version = 0;         ///< 0: not said
  int reader_version = 0;  ///< 0: not said
  detail::OutputNames output_names{};
};

/// `weir::resolver<count_ips>("count_ips")`: the function is
///
///   R f(const M& [, S&] [, const Settings&] [, weir::Out<F>&]... [, weir::Context&])
///
/// M is the message (or const weir::Record& or std::string_view for the record's bytes), S the
/// State of the message's key, and R is void, a feature F, std::optional<F>, std::vector<F> or
/// weir::Result of one of them. M, S, Settings and F are Protobuf messages. The function depends on
/// its arguments only: no clock, no random numbers, no other outside state.
///
/// `name` is [a-z][a-z0-9_]*, at most 63 characters; apps write `use: <plugin>/<name>`.
template <auto Function>
constexpr auto resolver(const char* name) {
  if constexpr (detail::check_signature<std::remove_cv_t<decltype(Function)>>()) {
    Resolver<Function> made;
    made.name = name;
    return made;
  } else {
    return detail::BrokenResolver{};
  }
}

}  // namespace weir
