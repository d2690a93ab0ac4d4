// by_hand.c once more, as a C++ author writes it.
#include <weir/sdk.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <string>

#include "frozen.pb.h"

namespace frozen {
namespace {

using namespace std::chrono_literals;

weir::Result<std::optional<Command>> parse(const weir::Record& record) {
  if (!record.has_value() || record.value() == "nothing") return std::nullopt;
  if (record.value() == "unreadable") return weir::Reject("cannot be read");
  const std::string_view value = record.value();
  const std::size_t space = std::min(value.find(' '), value.size());
  Command command;
  command.set_word(std::string(value.substr(0, space)));
  if (space < value.size()) command.set_argument(std::string(value.substr(space + 1)));
  return command;
}

std::string key_of(const weir::Record& record) {
  return std::string(record.header("key").value_or(record.key()));
}

std::optional<weir::Time> time_of(const weir::Record& record) {
  const auto text = record.header("time");
  if (!text) return std::nullopt;
  std::int64_t time_ms = 0;
  std::from_chars(text->data(), text->data() + text->size(), time_ms);
  return weir::Time(std::chrono::milliseconds(time_ms));
}

weir::Result<std::optional<Count>> count(const Command& command, Count& state,
                                         const Settings& settings, weir::Out<Note>& notes,
                                         weir::Context& context) {
  const std::string& word = command.word();
  state.set_count(state.count() + settings.step());
  if (word == "ignore") return weir::Skip();
  if (word == "refuse") return weir::Reject("not now and not ever");
  if (word == "halt") return weir::Fatal("the end");
  if (word == "wait") return weir::RetryAfter(50ms, "not yet");
  if (word == "forget") context.discard_state();
  if (word == "timer") context.notify_at(context.arrival_time() + 100ms);
  if (word == "stop") context.cancel_notify();
  if (word == "log") context.log(weir::LogLevel::info, "a line");
  if (word == "note") {
    const weir::Record record = context.record();
    Note note;
    note.set_text(std::string(context.key()) + "@" + std::string(record.topic()) + "/" +
                  std::to_string(record.partition()) + "/" + std::to_string(record.offset()) + "/" +
                  std::to_string(context.event_time().time_since_epoch().count()) + "/" +
                  std::to_string(record.timestamp().time_since_epoch().count()));
    notes.emit(note, command.argument());
  }
  return state;
}

weir::Result<std::optional<Count>> ring(Count& state) {
  state.set_count(state.count() + 1000);
  return state;
}

Line pass(const Line& line) { return line; }

weir::Result<void> check(const Settings& settings) {
  if (settings.step() == 0) return weir::Reject("step: expected 1 or more");
  return {};
}

WEIR_PLUGIN("frozen", "1.0.0",
            weir::resolver<count>("count")
                .parse<parse>()
                .key<key_of>()
                .event_time<time_of>()
                .check_settings<check>()
                .on_notify<ring>()
                .outputs("counts", "notes")
                .state_version(2)
                .readable_by(1),
            weir::resolver<pass>("pass").outputs("lines"));

}  // namespace
}  // namespace frozen
