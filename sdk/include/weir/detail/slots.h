#pragma once

#include <cxxabi.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>
#include <weir/context.h>
#include <weir/resolver.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

/// The slots of the ABI for one resolver. Exceptions end here; nothing of the standard library or
/// of Protobuf crosses.
namespace weir::detail {

// Text and bytes ---------------------------------------------------------------------------------

/// As much of a reason as the host keeps.
inline constexpr std::size_t reason_bytes_max = 1024;

/// Never in the middle of a character.
inline std::string_view cut(std::string_view reason) {
  if (reason.size() <= reason_bytes_max) return reason;
  std::size_t size = reason_bytes_max;
  while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xC0u) == 0x80u) --size;
  return reason.substr(0, size);
}

template <class T>
std::string type_name() {
  std::string name;
  put_type_name<T>([&name](char c) { name += c; });
  return name;
}

/// What to say of the exception in flight. Only inside a catch block.
inline std::string text_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& thrown) {
    if (const char* what = thrown.what(); what != nullptr && *what != '\0') return what;
  } catch (...) {
    // Its type is all that there is to say.
  }
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "threw something unknown";
  int status = 0;
  char* readable = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string text = "threw " + std::string(status == 0 ? readable : type->name());
  std::free(readable);
  return text;
}

inline weir_status refuse(const weir_host& host, weir_call* call, weir_status status,
                          std::string_view reason) noexcept {
  host.set_reason(call, reason.data(), reason.size());
  return status;
}

/// Runs `body`, which returns a weir_status; an exception becomes `on_exception` and its text.
template <class Body>
weir_status guarded(const weir_host& host, weir_call* call, weir_status on_exception,
                    const Body& body) noexcept {
  try {
    return body();
  } catch (...) {
    try {
      return refuse(host, call, on_exception, text_of_current_exception());
    } catch (...) {
      return refuse(host, call, on_exception, "out of memory");
    }
  }
}

/// False: the bytes are not of this type. What is missing of proto2's required fields is another
/// question.
inline bool parse_bytes(google::protobuf::MessageLite& message, weir_bytes bytes) {
  return bytes.size <= INT_MAX &&
         message.ParsePartialFromArray(bytes.data, static_cast<int>(bytes.size));
}

/// Writes what ByteSizeLong() just measured, map entries in a fixed order.
inline bool write_bytes(const google::protobuf::MessageLite& message, std::uint8_t* to,
                        std::size_t size) {
  google::protobuf::io::ArrayOutputStream raw(to, static_cast<int>(size));
  google::protobuf::io::CodedOutputStream coded(&raw);
  coded.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&coded);
  return !coded.HadError() && static_cast<std::size_t>(coded.ByteCount()) == size;
}

// One configured instance ------------------------------------------------------------------------

/// One record in a batch, with room for what is made of it. Rooms are used again, so that in steady
/// state messages are parsed into memory they already have.
template <class R>
struct Room {
  using Signature = typename R::Types;
  static constexpr bool parses = R::template has<Word::parse>;
  using Message = typename Signature::Message;

  /// What the source decodes: the resolver's message, or what .parse takes.
  static constexpr auto input_type() {
    if constexpr (parses) {
      using Function = std::remove_cv_t<decltype(R::template Find<Word::parse>::function)>;
      return std::type_identity<typename ParseTypes<Function, Message>::Input>{};
    } else if constexpr (Signature::takes_message) {
      return std::type_identity<Message>{};
    } else {
      return std::type_identity<Nothing>{};
    }
  }
  using Input = typename decltype(input_type())::type;
  static constexpr bool has_input = !std::is_same_v<Input, Nothing>;

  const weir_record* raw = nullptr;
  const Message* message = nullptr;  // for Protobuf messages only
  std::size_t bytes = 0;             // the largest record that the room has held
  [[no_unique_address]] Input input{};
  [[no_unique_address]] std::conditional_t<parses, Message, Nothing> made{};
};

template <class R>
struct Batch {
  std::deque<Room<R>> rooms;  // a room's address is its weir_message*
};

template <class R>
struct Instance {
  const weir_host* host = nullptr;
  [[no_unique_address]] typename R::Types::Settings settings{};
  [[no_unique_address]] typename R::Types::State initial{};
  std::vector<std::unique_ptr<Batch<R>>> idle;  // batches overlap, so each has its own rooms
};

/// A room that has held more than this gives its memory back with its batch.
inline constexpr std::size_t room_bytes_max = 16 * 1024;
inline constexpr std::size_t idle_batches_max = 4;

// One call of resolve() --------------------------------------------------------------------------

struct Emitter {
  const weir_host* host;
  weir_call* call;
  bool failed = false;

  void emit(std::uint32_t output, const google::protobuf::MessageLite& feature, weir_bytes key) {
    if (failed) return;
    if (!feature.IsInitialized()) {
      fail("a feature of type " + feature.GetTypeName() + " lacks required fields");
      return;
    }
    const std::size_t size = feature.ByteSizeLong();
    std::uint8_t* to = size <= INT_MAX ? host->emit(call, output, key, size) : nullptr;
    if (to == nullptr) {
      failed = true;  // the host knows its limit and adds the reason
    } else if (!write_bytes(feature, to, size)) {
      fail("a feature of type " + feature.GetTypeName() + " changed while it was written");
    }
  }

  void fail(const std::string& reason) {
    failed = true;
    refuse(*host, call, WEIR_REJECT, reason);
  }
};

template <class F>
class HostOut final : public Out<F> {
 public:
  HostOut(Emitter& emitter, std::uint32_t output)
      : Out<F>(&emit_to_host), emitter_(&emitter), output_(output) {}

 private:
  static void emit_to_host(Out<F>& self, const F& feature, weir_bytes key) {
    const HostOut& out = static_cast<HostOut&>(self);
    out.emitter_->emit(out.output_, feature, key);
  }
  Emitter* emitter_;
  std::uint32_t output_;
};

/// The two functions of a resolver: for its messages, and for its timers.
template <class R>
struct ForMessage {
  using Signature = typename R::Types;
  static constexpr auto function = R::function;
  static constexpr std::uint32_t output(std::uint32_t own) { return own; }
};
template <class R>
struct ForTimer {
  using Signature = typename R::Handler;
  static constexpr auto function = R::template Find<Word::on_notify>::function;
  static constexpr std::uint32_t output(std::uint32_t own) { return R::Outputs::numbers[own]; }
};

/// What stands in the place of parameter I while one call of Function runs; `room` is null for
/// timers.
template <class R, class Function, std::size_t I>
class Argument {
  using Signature = typename Function::Signature;
  static constexpr Role role = Signature::roles[I];

 public:
  Argument(const Instance<R>& instance, const Room<R>* room, weir_state* state, Emitter& emitter)
      : held_(make(instance, room, state, emitter)) {}
  decltype(auto) get() {
    if constexpr (role == Role::out || role == Role::context || role == Role::record ||
                  role == Role::view) {
      return (held_);
    } else {
      return (*held_);
    }
  }

 private:
  static auto make(const Instance<R>& instance, const Room<R>* room, weir_state* state,
                   Emitter& emitter) {
    if constexpr (role == Role::message) {
      return room->message;
    } else if constexpr (role == Role::record) {
      return Record(*room->raw);
    } else if constexpr (role == Role::view) {
      return view(room->raw->value);
    } else if constexpr (role == Role::state) {
      return reinterpret_cast<typename Signature::State*>(state);
    } else if constexpr (role == Role::settings) {
      return &instance.settings;
    } else if constexpr (role == Role::out) {
      constexpr std::uint32_t own = Signature::output_at(I);
      return HostOut<typename Signature::template Feature<own>>(emitter, Function::output(own));
    } else {
      return Context(*emitter.host, *emitter.call);
    }
  }
  decltype(make(std::declval<const Instance<R>&>(), nullptr, nullptr,
                std::declval<Emitter&>())) held_;
};

// Keys and times ---------------------------------------------------------------------------------

/// Calls an extracting function of (const M&) or (const Record&).
template <class R, auto Extract>
decltype(auto) extract(const Room<R>& room) {
  using Message = typename R::Types::Message;
  if constexpr (!std::invocable<decltype(Extract), const Message&>) {
    return std::invoke(Extract, Record(*room.raw));
  } else if constexpr (ProtobufMessage<Message>) {
    return std::invoke(Extract, *room.message);
  } else if constexpr (std::same_as<Message, Record>) {
    return std::invoke(Extract, Record(*room.raw));
  } else {
    return std::invoke(Extract, view(room.raw->value));
  }
}

/// Milliseconds, rounded down; false: beyond what 64 bits hold.
template <class Duration>
bool to_milliseconds(Duration time, std::int64_t& result) {
  using Ratio = std::ratio_divide<typename Duration::period, std::milli>;
  const auto count = time.count();
  if constexpr (Ratio::den == 1) {
    return !__builtin_mul_overflow(count, static_cast<std::int64_t>(Ratio::num), &result);
  } else {
    const auto floored = std::chrono::floor<std::chrono::milliseconds>(time).count();
    result = static_cast<std::int64_t>(floored);
    return true;
  }
}

enum class TimeFound { yes, no, out_of_range };

template <class Unit, class T>
TimeFound event_time_of(const T& time, std::int64_t& result) {
  bool fits = true;
  if constexpr (IsOptional<T>::value) {
    if (!time.has_value()) return TimeFound::no;
    return event_time_of<Unit>(*time, result);
  } else if constexpr (std::integral<T>) {
    if (!std::in_range<std::int64_t>(time)) return TimeFound::out_of_range;
    using Wide = std::chrono::duration<std::int64_t, typename Unit::period>;
    fits = to_milliseconds(Wide(static_cast<std::int64_t>(time)), result);
  } else if constexpr (IsTimePoint<T>::value) {
    fits = to_milliseconds(time.time_since_epoch(), result);
  } else {
    std::int64_t ms = 0;
    fits = !__builtin_mul_overflow(static_cast<std::int64_t>(time.seconds()), std::int64_t{1000},
                                   &ms) &&
           !__builtin_add_overflow(ms, std::int64_t{time.nanos()} / 1'000'000, &result);
  }
  return fits ? TimeFound::yes : TimeFound::out_of_range;
}

// The slots --------------------------------------------------------------------------------------

template <class R, int state_version>
class Slots {
  using Signature = typename R::Types;
  using Message = typename Signature::Message;
  using State = typename Signature::State;
  using Settings = typename Signature::Settings;
  using Self = Instance<R>;

  static Self& of(weir_instance* instance) { return *reinterpret_cast<Self*>(instance); }
  template <Word w>
  using Find = typename R::template Find<w>;
  template <Word w>
  static constexpr bool said = R::template has<w>;

 public:
  static weir_status create(const weir_host* host, weir_bytes settings, weir_instance** instance,
                            weir_call* call) noexcept {
    *instance = nullptr;
    return guarded(*host, call, WEIR_REJECT, [&] {
      auto made = std::make_unique<Self>();
      made->host = host;
      if constexpr (Signature::has_settings) {
        if (!parse_bytes(made->settings, settings) || !made->settings.IsInitialized()) {
          return refuse(*host, call, WEIR_REJECT,
                        "settings: not a valid " + type_name<Settings>() + " (" +
                            std::to_string(settings.size) + " bytes)");
        }
      }
      if constexpr (said<Word::check>) {
        if (const weir_status status = check_settings(*made, call); status != WEIR_OK) {
          return status;
        }
      }
      if constexpr (said<Word::initial>) {
        constexpr auto make = Find<Word::initial>::function;
        if constexpr (std::invocable<decltype(make), const Settings&>) {
          made->initial = std::invoke(make, std::as_const(made->settings));
        } else {
          made->initial = std::invoke(make);
        }
      }
      *instance = reinterpret_cast<weir_instance*>(made.release());
      return weir_status{WEIR_OK};
    });
  }

  static void destroy(weir_instance* instance) noexcept { delete &of(instance); }

  static weir_status prepare(weir_instance* instance, const weir_records* records,
                             weir_prepared* prepared, std::size_t prepared_size, weir_batch** batch,
                             weir_call* call) noexcept {
    Self& self = of(instance);
    *batch = nullptr;
    return guarded(*self.host, call, WEIR_REJECT, [&] {
      std::unique_ptr<Batch<R>> filled;
      if (self.idle.empty()) {
        filled = std::make_unique<Batch<R>>();
      } else {
        filled = std::move(self.idle.back());
        self.idle.pop_back();
      }
      while (filled->rooms.size() < records->count) filled->rooms.emplace_back();

      auto* record = reinterpret_cast<const char*>(records->first);
      auto* entry = reinterpret_cast<char*>(prepared);
      for (std::size_t i = 0; i < records->count; ++i) {
        prepare_one(self, *reinterpret_cast<const weir_record*>(record), filled->rooms[i],
                    *reinterpret_cast<weir_prepared*>(entry), call);
        record += records->record_size;
        entry += prepared_size;
      }
      *batch = reinterpret_cast<weir_batch*>(filled.release());
      return weir_status{WEIR_OK};
    });
  }

  static void batch_free(weir_instance* instance, weir_batch* batch) noexcept {
    Self& self = of(instance);
    std::unique_ptr<Batch<R>> filled(reinterpret_cast<Batch<R>*>(batch));
    try {
      if (self.idle.size() >= idle_batches_max) return;
      for (Room<R>& room : filled->rooms) {
        if (room.bytes <= room_bytes_max) continue;
        std::destroy_at(&room);
        std::construct_at(&room);
      }
      self.idle.push_back(std::move(filled));
    } catch (...) {
      // Out of memory: the batch is freed instead of kept.
    }
  }

  static weir_status state_load(weir_instance* instance, weir_bytes bytes, std::uint32_t version,
                                weir_state** state, weir_call* call) noexcept {
    Self& self = of(instance);
    *state = nullptr;
    return guarded(*self.host, call, WEIR_FATAL, [&] {
      if (bytes.data == nullptr) {
        *state = reinterpret_cast<weir_state*>(new State(self.initial));
        return weir_status{WEIR_OK};
      }
      auto loaded = std::make_unique<State>();
      if (!parse_bytes(*loaded, bytes)) {
        return refuse(*self.host, call, WEIR_FATAL,
                      "not a State of type " + type_name<State>() + " (" +
                          std::to_string(bytes.size) + " bytes)");
      }
      if (version > state_version) {
        return refuse(*self.host, call, WEIR_FATAL,
                      "the State has version " + std::to_string(version) +
                          " and this plugin knows versions up to " + std::to_string(state_version) +
                          "; load the newer plugin");
      }
      if constexpr (said<Word::migrate>) {
        if (version < state_version) {
          std::invoke(Find<Word::migrate>::function, *loaded, static_cast<int>(version));
        }
      }
      *state = reinterpret_cast<weir_state*>(loaded.release());
      return weir_status{WEIR_OK};
    });
  }

  static weir_status state_save(weir_instance* instance, const weir_state* state, weir_bytes* bytes,
                                weir_call* call) noexcept {
    Self& self = of(instance);
    return guarded(*self.host, call, WEIR_FATAL, [&] {
      const State& saved = *reinterpret_cast<const State*>(state);
      const std::size_t size = saved.ByteSizeLong();
      if (size > INT_MAX) {
        return refuse(*self.host, call, WEIR_REJECT,
                      "a State of type " + type_name<State>() + " has " + std::to_string(size) +
                          " bytes, more than Protobuf can write");
      }
      // An empty State is present all the same, so it needs an address.
      std::uint8_t* to = self.host->reserve(call, std::max<std::size_t>(size, 1));
      if (to == nullptr) return weir_status{WEIR_REJECT};
      if (!write_bytes(saved, to, size)) {
        return refuse(*self.host, call, WEIR_FATAL,
                      "a State of type " + type_name<State>() + " changed while it was saved");
      }
      *bytes = {to, size};
      return weir_status{WEIR_OK};
    });
  }

  static void state_free(weir_instance*, weir_state* state) noexcept {
    delete reinterpret_cast<State*>(state);
  }

  static weir_status resolve(weir_instance* instance, const weir_message* message,
                             weir_state* state, weir_call* call) noexcept {
    Self& self = of(instance);
    const Room<R>& room = *reinterpret_cast<const Room<R>*>(message);
    return guarded(*self.host, call, WEIR_REJECT, [&] {
      return run<ForMessage<R>>(self, &room, state, call,
                                std::make_index_sequence<Signature::count>());
    });
  }

  static weir_status notify(weir_instance* instance, std::int32_t, weir_state* state,
                            weir_call* call) noexcept {
    Self& self = of(instance);
    return guarded(*self.host, call, WEIR_REJECT, [&] {
      return run<ForTimer<R>>(self, nullptr, state, call,
                              std::make_index_sequence<R::Handler::count>());
    });
  }

 private:
  static weir_status check_settings(Self& self, weir_call* call) {
    constexpr auto check = Find<Word::check>::function;
    using Answer = std::invoke_result_t<decltype(check), const Settings&>;
    if constexpr (std::is_void_v<Answer>) {
      std::invoke(check, std::as_const(self.settings));
    } else {
      const Result<void> answer = std::invoke(check, std::as_const(self.settings));
      if (!answer.ok()) return refuse(*self.host, call, WEIR_REJECT, answer.reason());
    }
    return WEIR_OK;
  }

  // prepare() ------------------------------------------------------------------------------------

  static void prepare_one(Self& self, const weir_record& record, Room<R>& room,
                          weir_prepared& entry, weir_call* call) noexcept {
    room.raw = &record;
    room.message = nullptr;
    room.bytes = std::max(room.bytes, record.value.size);
    try {
      if (!read(self, room, entry, call)) return;
      if constexpr (said<Word::key>) {
        if (!put_key(self, room, entry, call)) return;
      }
      if constexpr (said<Word::event_time>) {
        if (!put_event_time(self, room, entry, call)) return;
      }
      entry.message = reinterpret_cast<weir_message*>(&room);
      entry.verdict = WEIR_OK;
    } catch (...) {
      try {
        set(self, entry, call, WEIR_REJECT, text_of_current_exception());
      } catch (...) {
        set(self, entry, call, WEIR_REJECT, "out of memory");
      }
    }
  }

  /// Always false: the record goes no further.
  static bool set(Self& self, weir_prepared& entry, weir_call* call, weir_status verdict,
                  std::string_view reason) noexcept {
    entry.verdict = verdict;
    entry.reason = copy(self, call, cut(reason));
    return false;
  }

  static bool set(Self& self, weir_prepared& entry, weir_call* call, const Refusal& refusal) {
    switch (refusal.status) {
      case Status::skip:
        entry.verdict = WEIR_SKIP;
        return false;
      case Status::retry:
        return set(self, entry, call, WEIR_REJECT,
                   "parse asked for a retry, which only resolvers can");
      default:
        return set(self, entry, call, static_cast<weir_status>(refusal.status), refusal.reason);
    }
  }

  /// Absent when the host has no room for it.
  static weir_bytes copy(Self& self, weir_call* call, std::string_view text) noexcept {
    std::uint8_t* to = self.host->reserve(call, std::max<std::size_t>(text.size(), 1));
    if (to == nullptr) return {nullptr, 0};
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  /// Makes room.message, where the resolver takes a message.
  static bool read(Self& self, Room<R>& room, weir_prepared& entry, weir_call* call) {
    if constexpr (Room<R>::has_input) {
      using Input = typename Room<R>::Input;
      if (room.raw->value.data == nullptr) {
        return set(self, entry, call, WEIR_REJECT,
                   "the record has no value, expected a " + type_name<Input>());
      }
      if (!parse_bytes(room.input, room.raw->value)) {
        return set(self, entry, call, WEIR_REJECT,
                   "not a valid " + type_name<Input>() + " (" +
                       std::to_string(room.raw->value.size) + " bytes)");
      }
      if (!room.input.IsInitialized()) {
        return set(self, entry, call, WEIR_REJECT,
                   "a " + type_name<Input>() + " without all of its required fields");
      }
    }
    if constexpr (Room<R>::parses) {
      constexpr auto parse = Find<Word::parse>::function;
      using Types = ParseTypes<std::remove_cv_t<decltype(parse)>, Message>;
      if constexpr (Types::from_record) {
        return take_parsed(self, room, entry, call, std::invoke(parse, Record(*room.raw)));
      } else if constexpr (Types::with_record) {
        return take_parsed(self, room, entry, call,
                           std::invoke(parse, std::as_const(room.input), Record(*room.raw)));
      } else {
        return take_parsed(self, room, entry, call, std::invoke(parse, std::as_const(room.input)));
      }
    } else if constexpr (Room<R>::has_input) {
      room.message = &room.input;
    }
    return true;
  }

  template <class Answer>
  static bool take_parsed(Self& self, Room<R>& room, weir_prepared& entry, weir_call* call,
                          Answer&& answer) {
    using T = std::remove_cvref_t<Answer>;
    if constexpr (std::same_as<T, Message>) {
      room.made = std::forward<Answer>(answer);
      room.message = &room.made;
    } else if constexpr (std::same_as<T, const Message*>) {
      room.message = answer;
    } else if constexpr (std::same_as<T, std::optional<Message>>) {
      if (answer.has_value()) {
        room.made = std::move(*answer);
        room.message = &room.made;
      }
    } else {
      if (!answer.ok()) return set(self, entry, call, *answer.refusal());
      return take_parsed(self, room, entry, call, std::move(*answer));
    }
    if (room.message == nullptr) {
      entry.verdict = WEIR_SKIP;
      return false;
    }
    return true;
  }

  static bool put_key(Self& self, Room<R>& room, weir_prepared& entry, weir_call* call) {
    decltype(auto) key = extract<R, Find<Word::key>::function>(room);
    using Key = std::remove_cvref_t<decltype(key)>;
    if constexpr (KeyText<Key>) {
      entry.key = copy(self, call, key);
    } else {
      char digits[24];
      std::to_chars_result written{};
      if constexpr (std::is_enum_v<Key>) {
        written =
            std::to_chars(digits, digits + sizeof digits,
                          static_cast<long long>(static_cast<std::underlying_type_t<Key>>(key)));
      } else {
        written = std::to_chars(digits, digits + sizeof digits, as_number(key));
      }
      entry.key = copy(self, call, {digits, static_cast<std::size_t>(written.ptr - digits)});
    }
    if (entry.key.data == nullptr) {
      entry.verdict = WEIR_REJECT;  // the host knows its limit and adds the reason
      return false;
    }
    entry.flags |= WEIR_PREPARED_KEY;
    return true;
  }

  template <std::integral T>
  static constexpr auto as_number(T value) {
    if constexpr (std::is_signed_v<T>) {
      return static_cast<long long>(value);
    } else {
      return static_cast<unsigned long long>(value);
    }
  }

  static bool put_event_time(Self& self, Room<R>& room, weir_prepared& entry, weir_call* call) {
    using Said = Find<Word::event_time>;
    std::int64_t milliseconds = 0;
    switch (event_time_of<typename Said::Unit>(extract<R, Said::function>(room), milliseconds)) {
      case TimeFound::yes:
        entry.event_time_ms = milliseconds;
        entry.flags |= WEIR_PREPARED_EVENT_TIME;
        return true;
      case TimeFound::no:
        return true;
      case TimeFound::out_of_range:
        break;
    }
    return set(self, entry, call, WEIR_REJECT,
               "the event time is beyond what 64 bits of milliseconds hold");
  }

  // resolve(), notify() --------------------------------------------------------------------------

  template <class Function, std::size_t... I>
  static weir_status run(Self& self, const Room<R>* room, weir_state* state, weir_call* call,
                         std::index_sequence<I...>) {
    using Answer = typename Function::Signature::Answer;
    using Return = typename Function::Signature::Types::Return;
    Emitter emitter{self.host, call};
    // The arguments live in one expression: a Context and an Out can neither be copied nor moved.
    if constexpr (std::is_void_v<Return>) {
      std::invoke(Function::function,
                  Argument<R, Function, I>(self, room, state, emitter).get()...);
    } else {
      const auto answer = std::invoke(
          Function::function, Argument<R, Function, I>(self, room, state, emitter).get()...);
      if constexpr (!Answer::is_result) {
        emit_payload<Function>(emitter, answer);
      } else {
        if (!answer.ok()) return refuse_with(emitter, *answer.refusal());
        if constexpr (Answer::shape != Shape::none) emit_payload<Function>(emitter, *answer);
      }
    }
    return emitter.failed ? weir_status{WEIR_REJECT} : weir_status{WEIR_OK};
  }

  template <class Function, class P>
  static void emit_payload(Emitter& emitter, const P& payload) {
    constexpr weir_bytes state_key{nullptr, 0};
    constexpr Shape shape = Function::Signature::Answer::shape;
    constexpr std::uint32_t output = Function::output(0);
    if constexpr (shape == Shape::one) {
      emitter.emit(output, payload, state_key);
    } else if constexpr (shape == Shape::optional) {
      if (payload.has_value()) emitter.emit(output, *payload, state_key);
    } else {
      for (const auto& feature : payload) emitter.emit(output, feature, state_key);
    }
  }

  static weir_status refuse_with(Emitter& emitter, const Refusal& refusal) noexcept {
    if (refusal.status == Status::retry) {
      emitter.host->retry_after(emitter.call, refusal.wait.count());
    }
    if (refusal.reason.empty()) return static_cast<weir_status>(refusal.status);
    return refuse(*emitter.host, emitter.call, static_cast<weir_status>(refusal.status),
                  refusal.reason);
  }
};

}  // namespace weir::detail
