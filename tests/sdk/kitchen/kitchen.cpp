// Every form that a resolver and its words can take, for the tests of the slots.
#include <weir/sdk.h>

#include <stdexcept>
#include <string>

#include "kitchen.pb.h"
#include "shelf/needy.pb.h"

namespace kitchen {
namespace {

using namespace std::chrono_literals;

Count tally(const Item& item, Tally& state) {
  state.set_sum(state.sum() + item.amount());
  (*state.mutable_by_name())[std::to_string(item.amount())] += 1;
  if (item.amount() == -1) throw std::runtime_error("negative amount");
  if (item.amount() == -2) throw 42;
  if (item.amount() == -3) throw std::runtime_error("");
  Count count;
  count.set_user(item.user());
  count.set_sum(state.sum());
  *count.mutable_by_name() = state.by_name();
  return count;
}

weir::Result<std::optional<Count>> answer(const Item& item, Tally& state, weir::Context& ctx) {
  const std::string& wanted = item.user();
  state.set_sum(state.sum() + 1);
  if (wanted == "skip") return weir::Skip();
  if (wanted == "reject") return weir::Reject("no good");
  if (wanted == "retry") return weir::RetryAfter(5s, "busy");
  if (wanted == "fatal") return weir::Fatal("the end");
  if (wanted == "nothing") return std::nullopt;
  if (wanted == "discard") ctx.discard_state();
  if (wanted == "log") ctx.log(weir::LogLevel::warn, "a line");
  Count count;
  count.set_user(std::string(ctx.key()) + "@" + std::string(ctx.record().topic()) + "/" +
                 std::to_string(ctx.record().partition()) + "/" +
                 std::to_string(ctx.record().offset()) + "/" +
                 std::to_string(ctx.event_time().time_since_epoch().count()) + "/" +
                 std::to_string(ctx.record().timestamp().time_since_epoch().count()));
  return count;
}

std::vector<Count> many(const Item& item) {
  return std::vector<Count>(static_cast<std::size_t>(item.amount()));
}

Count::Inner outs(const Item& item, weir::Out<Count>& counts, weir::Out<shelf::Needy>& needies) {
  Count count;
  count.set_sum(item.amount());
  counts.emit(count);
  counts.emit(count, "own");
  counts.emit(count, "");
  shelf::Needy needy;
  if (item.user() != "uninitialized") needy.set_name("n");
  needies.emit(needy);
  return {};
}

weir::Result<void> effects_only(const Item& item, Tally& state) {
  if (item.user() == "reject") return weir::Reject("no");
  state.set_sum(1);
  return {};
}

Count read_record(const weir::Record& record) {
  std::string text = record.has_value() ? std::string(record.value()) : "null";
  for (const weir::Header header : record.headers()) {
    text += ";" + std::string(header.name) + "=" +
            (header.has_value() ? std::string(header.value) : "null");
  }
  text += record.header("a").has_value() ? ";last a=" + std::string(*record.header("a")) : "";
  Count count;
  count.set_user(text);
  return count;
}

Count read_view(std::string_view value) {
  Count count;
  count.set_user(value.data() == nullptr ? "null" : std::string(value));
  return count;
}

Count echo(const Item& item) {
  Count count;
  count.set_user(item.user());
  return count;
}

const Item* pick_item(const Event& event) { return event.has_item() ? &event.item() : nullptr; }

weir::Result<std::optional<Item>> item_of_record(const weir::Record& record) {
  if (record.value() == "throw") throw std::runtime_error("unreadable");
  if (record.value() == "reject") return weir::Reject("not mine");
  if (record.value() == "retry") return weir::RetryAfter(1s);
  if (record.value() == "fatal") return weir::Fatal("stop");
  if (record.value() == "skip") return weir::Skip();
  if (record.value() == "nothing") return std::nullopt;
  Item item;
  item.set_user(std::string(record.value()));
  return item;
}

Item marked_item(const Event& event, const weir::Record& record) {
  Item item = event.item();
  item.set_user(item.user() + "+" + std::string(record.header("mark").value_or("none")));
  return item;
}

Tally start_at(const Settings& settings) {
  if (settings.start() == 13) throw std::runtime_error("13 is no start");
  Tally tally;
  tally.set_sum(settings.start());
  (*tally.mutable_by_name())["start"] = 1;
  return tally;
}

weir::Result<void> check(const Settings& settings) {
  if (settings.start() < 0) return weir::Reject("start: expected 0 or more");
  return {};
}

Count configured(const Item& item, Tally& state, const Settings& settings) {
  state.set_sum(state.sum() + item.amount());
  Count count;
  count.set_sum(state.sum() - settings.start());
  return count;
}

void add_thousands(Tally& state, int from_version) {
  if (state.sum() == 666) throw std::runtime_error("cannot be migrated");
  state.set_sum(state.sum() + 1000 * from_version);
}

Count migrated(const Item&, Tally& state) {
  Count count;
  count.set_sum(state.sum());
  return count;
}

std::optional<weir::Time> time_if_any(const Item& item) {
  if (item.at() == 0) return std::nullopt;
  return weir::Time(std::chrono::milliseconds(item.at()));
}

std::string key_of_record(const weir::Record& record) {
  return std::string(record.topic()) + "-" + std::string(record.key());
}

/// Sets its timer `amount` ms after the arrival clock; without an amount clears it.
Count timed(const Item& item, Tally& state, weir::Out<Count>& more, weir::Out<Count::Inner>& inner,
            weir::Context& context) {
  (void)more;
  (void)inner;
  state.set_sum(state.sum() + 1);
  if (item.amount() == 0) {
    context.cancel_notify();
  } else {
    context.notify_at(context.arrival_time() + std::chrono::milliseconds(item.amount()));
  }
  return Count();
}

/// Its features go to the outputs of their types; only the last one is its own.
weir::Result<std::optional<Count>> timed_out(Tally& state, weir::Out<Count::Inner>& inner,
                                             weir::Out<Count>& more, weir::Out<Tally>& own,
                                             weir::Context& context) {
  state.set_sum(state.sum() + 100);
  if (state.sum() > 1'000) throw std::runtime_error("too much");
  if (state.sum() > 500) return weir::RetryAfter(3s);
  if (state.sum() > 300) return weir::Reject("enough");
  own.emit(state);
  Count count;
  count.set_user(std::string(context.key()));
  count.set_sum(context.event_time().time_since_epoch().count());
  more.emit(count);
  inner.emit(Count::Inner());
  if (state.sum() > 200) return std::optional<Count>();
  return std::optional<Count>(count);
}

weir::Result<void> only_a_state(Tally&) { return {}; }

WEIR_PLUGIN(
    "kitchen", "2.1.0-rc1",
    weir::resolver<tally>("tally").key<&Item::user>().event_time<&Item::at, weir::seconds>(),
    weir::resolver<answer>("answer"),
    weir::resolver<many>("many").key<&Item::number>().event_time<&Item::stamp>(),
    weir::resolver<outs>("outs").outputs("inner", "counts", "needies"),
    weir::resolver<effects_only>("effects_only").key<&Item::kind>().event_time<time_if_any>(),
    weir::resolver<read_record>("read_record").key<key_of_record>().outputs("texts"),
    weir::resolver<read_view>("read_view"),
    weir::resolver<echo>("pick").parse<pick_item>().key<&Item::amount>(),
    weir::resolver<echo>("from_record").parse<item_of_record>(),
    weir::resolver<echo>("marked").parse<marked_item>(),
    weir::resolver<configured>("configured").initial<start_at>().check_settings<check>(),
    weir::resolver<timed>("timed").on_notify<timed_out>().outputs("counts", "more", "inners",
                                                                  "tallies"),
    weir::resolver<effects_only>("quiet").on_notify<only_a_state>(),
    weir::resolver<migrated>("migrated").migrate<add_thousands>().state_version(3).readable_by(2),
    weir::resolver<[](const Item&) noexcept { return Count(); }>("lambda")
        .key<[](const Item& item) { return item.user() + "!"; }>());

}  // namespace
}  // namespace kitchen
