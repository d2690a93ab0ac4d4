#pragma once

#include <google/protobuf/message_lite.h>
#include <weir/context.h>
#include <weir/detail/type_name.h>
#include <weir/out.h>
#include <weir/outcome.h>
#include <weir/record.h>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// What a resolver's C++ signature says. Everything here happens at compile time.
namespace weir::detail {

struct Nothing {};

template <class T>
concept ProtobufMessage = std::derived_from<std::remove_cv_t<T>, google::protobuf::MessageLite>;

/// A function's types: of a function pointer, a lambda without captures, or a function object.
template <class F>
struct FunctionTypes {
  static constexpr bool known = false;
};
template <class R, class... P>
struct FunctionTypes<R(P...)> {
  static constexpr bool known = true;
  using Return = R;
  using Parameters = std::tuple<P...>;
  static constexpr std::size_t count = sizeof...(P);
  template <std::size_t I>
  using Parameter = std::tuple_element_t<I, std::tuple<P...>>;
};
template <class R, class... P>
struct FunctionTypes<R (*)(P...)> : FunctionTypes<R(P...)> {};
template <class R, class... P>
struct FunctionTypes<R (*)(P...) noexcept> : FunctionTypes<R(P...)> {};
template <class R, class C, class... P>
struct FunctionTypes<R (C::*)(P...) const> : FunctionTypes<R(P...)> {};
template <class R, class C, class... P>
struct FunctionTypes<R (C::*)(P...) const noexcept> : FunctionTypes<R(P...)> {};
template <class F>
concept FunctionObject = std::is_class_v<F> && requires {
  &F::operator();
};
template <FunctionObject F>
struct FunctionTypes<F> : FunctionTypes<decltype(&F::operator())> {};

template <class F>
concept TakesNothing = FunctionTypes<F>::known && FunctionTypes<F>::count == 0;
template <class F>
concept TakesSomething = FunctionTypes<F>::known && FunctionTypes<F>::count >
0;

template <class T>
struct OutOf {
  static constexpr bool is = false;
};
template <class F>
struct OutOf<Out<F>> {
  static constexpr bool is = true;
  using Feature = F;
};

// What is returned -------------------------------------------------------------------------------

enum class Shape { wrong, none, one, optional, vector };

/// void, F, std::optional<F> or std::vector<F>.
template <class T>
struct Payload {
  static constexpr Shape shape = ProtobufMessage<T> ? Shape::one : Shape::wrong;
  using Feature = T;
};
template <>
struct Payload<void> {
  static constexpr Shape shape = Shape::none;
  using Feature = Nothing;
};
template <class T>
struct Payload<std::optional<T>> {
  static constexpr Shape shape = ProtobufMessage<T> ? Shape::optional : Shape::wrong;
  using Feature = T;
};
template <class T>
struct Payload<std::vector<T>> {
  static constexpr Shape shape = ProtobufMessage<T> ? Shape::vector : Shape::wrong;
  using Feature = T;
};

/// The same, or a weir::Result of it.
template <class T>
struct Returned : Payload<T> {
  static constexpr bool is_result = false;
};
template <class T>
struct Returned<Result<T>> : Payload<T> {
  static constexpr bool is_result = true;
};

// What is taken ----------------------------------------------------------------------------------

enum class Role {
  unknown,
  message,   // const M&
  record,    // const Record&
  view,      // std::string_view
  state,     // S&
  settings,  // const Settings&
  out,       // Out<F>&
  context,   // Context&
  message_by_value,
  out_by_value,
  context_by_value,
  out_of_something_else,
};

template <class P, bool first>
constexpr Role role_of() {
  using T = std::remove_cvref_t<P>;
  constexpr bool reference = std::is_lvalue_reference_v<P>;
  constexpr bool constant = std::is_const_v<std::remove_reference_t<P>>;
  if constexpr (std::is_rvalue_reference_v<P>) {
    return Role::unknown;
  } else if constexpr (ProtobufMessage<T>) {
    if (!reference) return Role::message_by_value;
    if (!constant) return Role::state;
    return first ? Role::message : Role::settings;
  } else if constexpr (std::is_same_v<T, Record>) {
    return first && (!reference || constant) ? Role::record : Role::unknown;
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return first && (!reference || constant) ? Role::view : Role::unknown;
  } else if constexpr (std::is_same_v<T, Context>) {
    return reference && !constant ? Role::context : Role::context_by_value;
  } else if constexpr (OutOf<T>::is) {
    if (!ProtobufMessage<typename OutOf<T>::Feature>) return Role::out_of_something_else;
    return reference && !constant ? Role::out : Role::out_by_value;
  } else {
    return Role::unknown;
  }
}

enum class Problem {
  none,
  no_function,
  no_message,
  state_first,
  message_by_value,
  two_states,
  two_settings,
  two_contexts,
  context_not_last,
  context_by_value,
  out_by_value,
  out_of_something_else,
  unknown_parameter,
  wrong_return,
};

/// The types of one resolver's function, or of its handler of timers, which takes no message.
template <class F, bool handler = false>
struct Signature {
  static constexpr Problem problem = Problem::no_function;
};

template <TakesNothing F, bool handler>
struct Signature<F, handler> {
  static constexpr Problem problem = Problem::no_message;
};

template <TakesSomething F, bool handler>
struct Signature<F, handler> {
  using Types = FunctionTypes<F>;
  using Answer = Returned<typename Types::Return>;
  static constexpr std::size_t count = Types::count;

  static constexpr auto roles = []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<Role, count>{role_of < typename Types::template Parameter<I>,
                                   I == 0 && !handler > ()...};
  }
  (std::make_index_sequence<count>());

  static constexpr std::size_t how_many(Role role) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < count; ++i) found += roles[i] == role ? 1 : 0;
    return found;
  }
  static constexpr std::size_t position_of(Role role) {
    for (std::size_t i = 0; i < count; ++i) {
      if (roles[i] == role) return i;
    }
    return count;
  }

  static constexpr Problem find_problem() {
    for (const Role role : roles) {
      if (role == Role::message_by_value) return Problem::message_by_value;
      if (role == Role::out_by_value) return Problem::out_by_value;
      if (role == Role::out_of_something_else) return Problem::out_of_something_else;
      if (role == Role::context_by_value) return Problem::context_by_value;
      if (role == Role::unknown) return Problem::unknown_parameter;
    }
    if (!handler) {
      if (roles[0] == Role::state) return Problem::state_first;
      if (roles[0] != Role::message && roles[0] != Role::record && roles[0] != Role::view) {
        return Problem::no_message;
      }
    }
    if (how_many(Role::state) > 1) return Problem::two_states;
    if (how_many(Role::settings) > 1) return Problem::two_settings;
    if (how_many(Role::context) > 1) return Problem::two_contexts;
    if (how_many(Role::context) == 1 && roles[count - 1] != Role::context) {
      return Problem::context_not_last;
    }
    if (Answer::shape == Shape::wrong) return Problem::wrong_return;
    return Problem::none;
  }
  static constexpr Problem problem = find_problem();

  template <Role role>
  static constexpr auto type_of() {
    if constexpr (how_many(role) == 0) {
      return std::type_identity<Nothing>{};
    } else {
      using P = typename Types::template Parameter<position_of(role)>;
      return std::type_identity<std::remove_cvref_t<P>>{};
    }
  }

  using First = std::remove_cvref_t<typename Types::template Parameter<0>>;
  using Message = First;  // a Protobuf message, Record or std::string_view
  using State = typename decltype(type_of<Role::state>())::type;
  using Settings = typename decltype(type_of<Role::settings>())::type;

  static constexpr bool takes_message = roles[0] == Role::message;
  static constexpr bool has_state = how_many(Role::state) == 1;
  static constexpr bool has_settings = how_many(Role::settings) == 1;

  // Outputs are numbered: the returned feature first, then the Outs in their order.
  static constexpr bool returns_feature = Answer::shape != Shape::none;
  static constexpr std::size_t output_count = how_many(Role::out) + (returns_feature ? 1 : 0);
  static constexpr std::uint32_t output_at(std::size_t parameter) {
    std::uint32_t output = returns_feature ? 1 : 0;
    for (std::size_t i = 0; i < parameter; ++i) output += roles[i] == Role::out ? 1 : 0;
    return output;
  }
  template <std::size_t output>
  static constexpr auto feature_type() {
    if constexpr (returns_feature && output == 0) {
      return std::type_identity<typename Answer::Feature>{};
    } else {
      constexpr std::size_t position = [] {
        for (std::size_t i = 0; i < count; ++i) {
          if (roles[i] == Role::out && output_at(i) == output) return i;
        }
        return count;
      }();
      using P = std::remove_cvref_t<typename Types::template Parameter<position>>;
      return std::type_identity<typename OutOf<P>::Feature>{};
    }
  }
  template <std::size_t output>
  using Feature = typename decltype(feature_type<output>())::type;
};

/// One readable error for what is wrong with a signature; `true` lets the caller go on only when
/// nothing is.
template <class F>
constexpr bool check_signature() {
  constexpr Problem problem = Signature<F>::problem;
  static_assert(problem != Problem::no_function,
                "weir: resolver<f>() takes a function or a lambda without captures");
  static_assert(problem != Problem::no_message,
                "weir: a resolver's first parameter is what it resolves: const M& (a Protobuf "
                "message), const weir::Record& or std::string_view");
  static_assert(problem != Problem::state_first,
                "weir: a resolver's first parameter is its message, const M&; the State, S&, comes "
                "after it");
  static_assert(problem != Problem::message_by_value,
                "weir: a resolver takes messages and settings as const M& and its State as S&, so "
                "that changes to the State are kept");
  static_assert(problem != Problem::two_states,
                "weir: a resolver has one State; put both into one message");
  static_assert(problem != Problem::two_settings,
                "weir: a resolver has one message and one settings message; the State is the one "
                "taken by S& without const");
  static_assert(problem != Problem::two_contexts, "weir: a resolver has one weir::Context&");
  static_assert(problem != Problem::context_not_last,
                "weir: weir::Context& is a resolver's last parameter");
  static_assert(problem != Problem::context_by_value,
                "weir: the context is taken as weir::Context&");
  static_assert(problem != Problem::out_by_value, "weir: an output is taken as weir::Out<F>&");
  // Problem::out_of_something_else: Out itself has said so.
  static_assert(problem != Problem::unknown_parameter,
                "weir: a resolver takes (const M&, S&, const Settings&, weir::Out<F>&..., "
                "weir::Context&) and nothing else; M, S, Settings and F are Protobuf messages, and "
                "only the first parameter must be there");
  static_assert(problem != Problem::wrong_return,
                "weir: a resolver returns void, a feature F (a Protobuf message), "
                "std::optional<F>, std::vector<F>, or weir::Result of one of them");
  return problem == Problem::none;
}

/// One readable error for what is wrong with the handler F of a resolver with the signature Main.
template <class F, class Main>
constexpr bool check_handler() {
  using Handler = Signature<F, true>;
  constexpr Problem problem = Handler::problem;
  static_assert(problem != Problem::no_function,
                "weir: .on_notify<f>() takes a function or a lambda without captures");
  static_assert(problem != Problem::wrong_return,
                "weir: .on_notify<f>() returns what a resolver returns: void, a feature F, "
                "std::optional<F>, std::vector<F>, or weir::Result of one of them");
  // Problem::out_of_something_else: Out itself has said so.
  static_assert(problem == Problem::none || problem == Problem::no_function ||
                    problem == Problem::wrong_return || problem == Problem::out_of_something_else,
                "weir: .on_notify<f>() takes some of (S&, const Settings&, weir::Out<F>&..., "
                "weir::Context&), the context last, and nothing else: a timer has no message");
  if constexpr (problem == Problem::none) {
    constexpr bool own_state =
        !Handler::has_state || std::same_as<typename Handler::State, typename Main::State>;
    static_assert(own_state, "weir: .on_notify<f>() takes the resolver's own State, S&");
    constexpr bool own_settings =
        !Handler::has_settings || std::same_as<typename Handler::Settings, typename Main::Settings>;
    static_assert(own_settings,
                  "weir: .on_notify<f>() takes the resolver's own settings by const Settings&, and "
                  "its State by S& without const");
    return own_state && own_settings;
  } else {
    return false;
  }
}

/// The outputs of a resolver: those of its function, then those that only its handler has. What the
/// handler emits goes to the function's output of the same type; of several of one type, to the
/// first, the second ... in their order. Handler: Nothing where there is none.
template <class Main, class Handler>
class Outputs {
  static constexpr std::size_t of_main = Main::output_count;

  template <class A, std::size_t a, class B, std::size_t... b>
  static constexpr std::array<bool, sizeof...(b)> same(std::index_sequence<b...>) {
    return {std::is_same_v<typename A::template Feature<a>, typename B::template Feature<b>>...};
  }
  template <std::size_t own, std::size_t... before>
  static constexpr std::uint32_t extra_before(std::index_sequence<before...>) {
    return (std::uint32_t{0} + ... + (number_of<before>() >= of_main ? 1 : 0));
  }
  template <std::size_t own>
  static constexpr std::uint32_t number_of() {
    std::size_t nth = 0;
    for (const bool match : same<Handler, own, Handler>(std::make_index_sequence<own>())) {
      nth += match ? 1 : 0;
    }
    std::uint32_t number = 0;
    for (const bool match : same<Handler, own, Main>(std::make_index_sequence<of_main>())) {
      if (match && nth-- == 0) return number;
      ++number;
    }
    return of_main + extra_before<own>(std::make_index_sequence<own>());
  }
  template <std::size_t... own>
  static constexpr std::array<std::uint32_t, sizeof...(own)> all_numbers(
      std::index_sequence<own...>) {
    return {number_of<own>()...};
  }

 public:
  /// The resolver's output for each of the handler's own.
  static constexpr auto numbers = all_numbers(std::make_index_sequence<Handler::output_count>());
  static constexpr std::size_t count = [] {
    std::size_t most = of_main;
    for (const std::uint32_t number : numbers) most = number + 1 > most ? number + 1 : most;
    return most;
  }();

  template <std::size_t output>
  static constexpr auto feature_type() {
    if constexpr (output < of_main) {
      return std::type_identity<typename Main::template Feature<output>>{};
    } else {
      constexpr std::size_t own = [] {
        std::size_t at = 0;
        while (numbers[at] != output) ++at;
        return at;
      }();
      return std::type_identity<typename Handler::template Feature<own>>{};
    }
  }
  template <std::size_t output>
  using Feature = typename decltype(feature_type<output>())::type;
};

template <class Main>
struct Outputs<Main, Nothing> {
  static constexpr std::size_t count = Main::output_count;
  template <std::size_t output>
  using Feature = typename Main::template Feature<output>;
};

// The functions of the chained words -------------------------------------------------------------

/// .parse: what it takes, and how it says "this one" and "none".
enum class ParseShape { wrong, value, optional, pointer };

template <class T, class M>
struct ParsePayload {
  static constexpr ParseShape shape = std::same_as<T, M>          ? ParseShape::value
                                      : std::same_as<T, const M*> ? ParseShape::pointer
                                                                  : ParseShape::wrong;
};
template <class T, class M>
struct ParsePayload<std::optional<T>, M> {
  static constexpr ParseShape shape = std::same_as<T, M> ? ParseShape::optional : ParseShape::wrong;
};
template <class T, class M>
struct ParseReturn : ParsePayload<T, M> {
  static constexpr bool is_result = false;
};
template <class T, class M>
struct ParseReturn<Result<T>, M> : ParsePayload<T, M> {
  static constexpr bool is_result = true;
};

template <class F, class M>
struct ParseTypes {
  static constexpr bool valid = false;
};
template <TakesSomething F, class M>
struct ParseTypes<F, M> {
  using Types = FunctionTypes<F>;
  using Answer = ParseReturn<std::remove_cv_t<typename Types::Return>, M>;
  static constexpr Role takes = role_of<typename Types::template Parameter<0>, true>();
  static constexpr bool from_message = takes == Role::message;
  static constexpr bool from_record = takes == Role::record;
  static constexpr bool with_record = [] {
    if constexpr (Types::count == 2) {
      return role_of<typename Types::template Parameter<1>, true>() == Role::record;
    } else {
      return false;
    }
  }();
  using Input =
      std::conditional_t<from_message, std::remove_cvref_t<typename Types::template Parameter<0>>,
                         Nothing>;
  static constexpr bool input_valid =
      (Types::count == 1 && (from_message || from_record)) || (from_message && with_record);
  static constexpr bool valid = input_valid && Answer::shape != ParseShape::wrong &&
                                !(from_record && Answer::shape == ParseShape::pointer);
};

/// What .key and .event_time get from an extracting function E; void: E takes something else.
template <class E, class M>
struct Extracted {
  using type = void;
};
template <class E, class M>
concept OfRecordOnly = std::invocable<E, const Record&> && !std::invocable<E, const M&>;
template <class E, class M>
requires std::invocable<E, const M&>
struct Extracted<E, M> : std::invoke_result<E, const M&> {
};
template <class E, class M>
requires OfRecordOnly<E, M>
struct Extracted<E, M> : std::invoke_result<E, const Record&> {
};

/// What .initial makes; void: F takes something else.
template <class F, class Settings>
struct MadeBy {
  using type = void;
};
template <class F, class Settings>
concept OfNothingOnly = std::invocable<F> && !std::invocable<F, const Settings&>;
template <class F, class Settings>
requires std::invocable<F, const Settings&>
struct MadeBy<F, Settings> : std::invoke_result<F, const Settings&> {
};
template <class F, class Settings>
requires OfNothingOnly<F, Settings>
struct MadeBy<F, Settings> : std::invoke_result<F> {
};

/// What .check_settings answers; Nothing: F takes something else.
template <class F, class Settings>
struct CheckedBy {
  using type = Nothing;
};
template <class F, class Settings>
requires std::invocable<F, const Settings&>
struct CheckedBy<F, Settings> : std::invoke_result<F, const Settings&> {
};

template <class T>
concept KeyText = std::convertible_to<T, std::string_view>;
template <class T>
concept KeyNumber = (std::integral<std::remove_cvref_t<T>> &&
                     !std::same_as<std::remove_cvref_t<T>, bool>) ||
                    std::is_enum_v<std::remove_cvref_t<T>>;

template <class T>
concept TimestampMessage = requires(const T& t) {
  { t.seconds() } -> std::convertible_to<std::int64_t>;
  { t.nanos() } -> std::convertible_to<std::int32_t>;
};
template <class T>
struct IsTimePoint : std::false_type {};
template <class D>
struct IsTimePoint<std::chrono::sys_time<D>> : std::true_type {};
template <class T>
struct IsDuration : std::false_type {};
template <class R, class P>
struct IsDuration<std::chrono::duration<R, P>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct UnwrapOptional {
  using type = T;
};
template <class T>
struct UnwrapOptional<std::optional<T>> {
  using type = T;
};

}  // namespace weir::detail
