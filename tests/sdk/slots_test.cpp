// The slots of a real plugin, called as the host calls them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "kitchen.pb.h"
#include "loaded_plugin.hpp"

using namespace weir::test;

namespace {

const std::string kitchen_so = KITCHEN_SO;

Input item(const std::string& user, std::int64_t amount = 0, std::int64_t at = 0) {
  kitchen::Item made;
  made.set_user(user);
  made.set_amount(amount);
  made.set_at(at);
  return {.value = made.SerializeAsString()};
}

kitchen::Count count_in(const FakeHost::Feature& feature) {
  kitchen::Count count;
  REQUIRE(count.ParseFromString(feature.bytes()));
  return count;
}

std::string first_user(const FakeHost& host) {
  REQUIRE(host.features.size() == 1);
  return count_in(host.features[0]).user();
}

}  // namespace

TEST_SUITE_BEGIN("sdk");

TEST_CASE("a resolver counts in its State and emits what it returns") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  Prepared prepared(tally, {item("ana", 5), item("ana", 7)});
  LiveState state(tally, absent);

  REQUIRE(resolve(tally, prepared, 0, &state) == WEIR_OK);
  REQUIRE(resolve(tally, prepared, 1, &state) == WEIR_OK);

  REQUIRE(plugin.host.features.size() == 1);
  CHECK(plugin.host.features[0].output == 0);
  CHECK_FALSE(plugin.host.features[0].has_key);
  CHECK(count_in(plugin.host.features[0]).user() == "ana");
  CHECK(count_in(plugin.host.features[0]).sum() == 12);
}

TEST_CASE("prepare extracts keys as text and as decimal numbers") {
  LoadedPlugin plugin(kitchen_so);
  kitchen::Item made;
  made.set_user("ana");
  made.set_number(4'294'967'295u);
  made.set_kind(kitchen::FANCY);
  made.set_amount(-9'223'372'036'854'775'807 - 1);
  kitchen::Event event;
  *event.mutable_item() = made;
  const Input whole{.value = made.SerializeAsString()};
  const Input wrapped{.value = event.SerializeAsString()};
  const auto key_of = [&](const char* resolver, const Input& input) {
    Instance instance(plugin, resolver);
    Prepared prepared(instance, {input});
    REQUIRE(prepared.entries[0].verdict == WEIR_OK);
    REQUIRE((prepared.entries[0].flags & WEIR_PREPARED_KEY) != 0);
    return text(prepared.entries[0].key);
  };

  CHECK(key_of("tally", whole) == "ana");
  CHECK(key_of("many", whole) == "4294967295");
  CHECK(key_of("effects_only", whole) == "7");
  CHECK(key_of("pick", wrapped) == "-9223372036854775808");
  CHECK(key_of("read_record", whole) == "orders-k");
  CHECK(key_of("lambda", whole) == "ana!");
}

TEST_CASE("an empty key is present and a resolver without the word leaves the key alone") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  Prepared prepared(tally, {item("")});
  CHECK((prepared.entries[0].flags & WEIR_PREPARED_KEY) != 0);
  CHECK(prepared.entries[0].key.data != nullptr);
  CHECK(prepared.entries[0].key.size == 0);

  Instance answer(plugin, "answer");
  Prepared keyless(answer, {item("x")});
  CHECK(keyless.entries[0].flags == 0);
  CHECK(keyless.entries[0].key.data == nullptr);
}

TEST_CASE("a key beyond the host's limit rejects its record alone") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  plugin.host.reserve_bytes_max = 8;
  Prepared prepared(tally, {item("short"), item("much too long"), item("short")});

  CHECK(prepared.entries[0].verdict == WEIR_OK);
  CHECK(prepared.entries[1].verdict == WEIR_REJECT);
  CHECK(prepared.entries[2].verdict == WEIR_OK);
}

TEST_CASE("event times come in every unit and form") {
  LoadedPlugin plugin(kitchen_so);
  const auto time_of = [&](const char* resolver, const Input& input) -> std::string {
    Instance instance(plugin, resolver);
    Prepared prepared(instance, {input});
    const weir_prepared& entry = prepared.entries[0];
    if (entry.verdict != WEIR_OK) return text(entry.reason);
    if ((entry.flags & WEIR_PREPARED_EVENT_TIME) == 0) return "the record's";
    return std::to_string(entry.event_time_ms);
  };
  kitchen::Item stamped;
  stamped.mutable_stamp()->set_seconds(-1);
  stamped.mutable_stamp()->set_nanos(999'999'999);

  CHECK(time_of("tally", item("", 0, 12)) == "12000");
  CHECK(time_of("tally", item("", 0, -12)) == "-12000");
  CHECK(time_of("tally", item("", 0, 10'000'000'000'000'000)) ==
        "the event time is beyond what 64 bits of milliseconds hold");
  CHECK(time_of("many", {.value = stamped.SerializeAsString()}) == "-1");
  CHECK(time_of("effects_only", item("", 0, 99)) == "99");
  CHECK(time_of("effects_only", item("", 0, 0)) == "the record's");
  CHECK(time_of("answer", item("")) == "the record's");
}

TEST_CASE("bytes that are not the message are rejected by name and harm no neighbour") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  Input no_value = item("x");
  no_value.has_value = false;
  Prepared prepared(tally,
                    {item("ana"), {.value = "\xff\xff\xff"}, item("bob"), no_value, {.value = ""}});

  CHECK(prepared.status == WEIR_OK);
  CHECK(prepared.entries[0].verdict == WEIR_OK);
  CHECK(prepared.entries[1].verdict == WEIR_REJECT);
  CHECK(prepared.entries[1].message == nullptr);
  CHECK(text(prepared.entries[1].reason) == "not a valid kitchen.Item (3 bytes)");
  CHECK(prepared.entries[2].verdict == WEIR_OK);
  CHECK(text(prepared.entries[3].reason) == "the record has no value, expected a kitchen.Item");
  CHECK(prepared.entries[4].verdict == WEIR_OK);
}

TEST_CASE("a message without its required fields is rejected") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  kitchen::Item made;
  made.mutable_needy();
  Prepared prepared(tally, {{.value = made.SerializePartialAsString()}});

  CHECK(prepared.entries[0].verdict == WEIR_REJECT);
  CHECK(text(prepared.entries[0].reason) == "a kitchen.Item without all of its required fields");
}

TEST_CASE("each outcome reaches the host with its reason") {
  LoadedPlugin plugin(kitchen_so);
  Instance answer(plugin, "answer");
  FakeHost& host = plugin.host;
  const auto answer_to = [&](const char* user) {
    Prepared prepared(answer, {item(user)});
    LiveState state(answer, absent);
    return resolve(answer, prepared, 0, &state);
  };

  CHECK(answer_to("skip") == WEIR_SKIP);
  CHECK(host.features.empty());
  CHECK(answer_to("reject") == WEIR_REJECT);
  CHECK(host.reason == "no good");
  CHECK(answer_to("retry") == WEIR_RETRY);
  CHECK(host.retry_after_ms == 5'000);
  CHECK(host.reason == "busy");
  CHECK(answer_to("fatal") == WEIR_FATAL);
  CHECK(host.reason == "the end");
  CHECK(answer_to("nothing") == WEIR_OK);
  CHECK(host.features.empty());
  CHECK(host.reason.empty());
  CHECK(answer_to("discard") == WEIR_OK);
  CHECK(host.discarded);
  CHECK(answer_to("log") == WEIR_OK);
  CHECK(host.log == std::vector<std::string>{"2 a line"});
}

TEST_CASE("the context shows key and record and time") {
  LoadedPlugin plugin(kitchen_so);
  Instance answer(plugin, "answer");
  Input input = item("x");
  input.offset = 17;
  Prepared prepared(answer, {input});
  LiveState state(answer, absent);

  REQUIRE(resolve(answer, prepared, 0, &state) == WEIR_OK);

  CHECK(first_user(plugin.host) == "k@orders/3/17/1000/1000");
}

TEST_CASE("an exception becomes a rejection with its text") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  LiveState state(tally, absent);
  Prepared prepared(tally, {item("", -1), item("", -2), item("", -3)});

  CHECK(resolve(tally, prepared, 0, &state) == WEIR_REJECT);
  CHECK(plugin.host.reason == "negative amount");
  CHECK(resolve(tally, prepared, 1, &state) == WEIR_REJECT);
  CHECK(plugin.host.reason == "threw int");
  CHECK(resolve(tally, prepared, 2, &state) == WEIR_REJECT);
  CHECK(plugin.host.reason == "threw std::runtime_error");
  CHECK(plugin.host.features.empty());
}

TEST_CASE("a State round trip is byte-identical with maps and unknown fields") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  std::vector<Input> inputs;
  for (int i = 0; i < 200; ++i) inputs.push_back(item("ana", i * 7919 % 211));
  Prepared prepared(tally, inputs);
  LiveState state(tally, absent);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    REQUIRE(resolve(tally, prepared, i, &state) == WEIR_OK);
  }
  const std::string unknown_field = "\xba\x3e\x03old";  // field 999

  const std::string saved = state.save() + unknown_field;
  LiveState again(tally, bytes(saved));

  CHECK(saved.size() > 1'000);
  CHECK(again.save() == saved);
  CHECK(again.save() == saved);
}

TEST_CASE("features with maps have the same bytes each time") {
  LoadedPlugin plugin(kitchen_so);
  std::string first;
  for (int round = 0; round < 5; ++round) {
    Instance tally(plugin, "tally");
    std::vector<Input> inputs;
    for (int i = 0; i < 50; ++i) inputs.push_back(item("ana", i));
    Prepared prepared(tally, inputs);
    LiveState state(tally, absent);
    for (std::size_t i = 0; i < inputs.size(); ++i) resolve(tally, prepared, i, &state);
    REQUIRE(plugin.host.features.size() == 1);
    if (round == 0) first = plugin.host.features[0].bytes();
    CHECK(plugin.host.features[0].bytes() == first);
  }
}

TEST_CASE("an absent State is the initial one and an empty State is not") {
  LoadedPlugin plugin(kitchen_so);
  kitchen::Settings settings;
  settings.set_start(40);
  Instance configured(plugin, "configured", settings.SerializeAsString());
  REQUIRE(configured.created == WEIR_OK);

  LiveState fresh(configured, absent);
  LiveState empty(configured, bytes(""));

  kitchen::Tally tally;
  REQUIRE(tally.ParseFromString(fresh.save()));
  CHECK(tally.sum() == 40);
  CHECK(tally.by_name().at("start") == 1);
  CHECK(empty.save().empty());
}

TEST_CASE("the initial State is copied for each key") {
  LoadedPlugin plugin(kitchen_so);
  kitchen::Settings settings;
  settings.set_start(40);
  Instance configured(plugin, "configured", settings.SerializeAsString());
  LiveState ana(configured, absent);
  LiveState bob(configured, absent);
  Prepared prepared(configured, {item("", 2), item("", 5)});

  REQUIRE(resolve(configured, prepared, 0, &ana) == WEIR_OK);
  REQUIRE(resolve(configured, prepared, 1, &bob) == WEIR_OK);

  CHECK(count_in(plugin.host.features[0]).sum() == 5);
}

TEST_CASE("settings are refused with a reason and leave no instance") {
  LoadedPlugin plugin(kitchen_so);
  kitchen::Settings settings;

  Instance garbage(plugin, "configured", "\xff");
  CHECK(garbage.created == WEIR_REJECT);
  CHECK(garbage.self == nullptr);
  CHECK(plugin.host.reason == "settings: not a valid kitchen.Settings (1 bytes)");
  settings.set_start(-1);
  Instance negative(plugin, "configured", settings.SerializeAsString());
  CHECK(negative.created == WEIR_REJECT);
  CHECK(plugin.host.reason == "start: expected 0 or more");
  settings.set_start(13);
  Instance throwing(plugin, "configured", settings.SerializeAsString());
  CHECK(throwing.created == WEIR_REJECT);
  CHECK(throwing.self == nullptr);
  CHECK(plugin.host.reason == "13 is no start");
}

TEST_CASE("bytes that are no State halt the task") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  LiveState state(tally, bytes("\xff\xff"));

  CHECK(state.loaded == WEIR_FATAL);
  CHECK(state.state == nullptr);
  CHECK(plugin.host.reason == "not a State of type kitchen.Tally (2 bytes)");
}

TEST_CASE("an older State is migrated once and a newer one is refused") {
  LoadedPlugin plugin(kitchen_so);
  Instance migrated(plugin, "migrated");
  kitchen::Tally tally;
  tally.set_sum(1);
  const std::string stored = tally.SerializeAsString();
  const auto sum_of = [&](std::uint32_t version) {
    LiveState state(migrated, bytes(stored), version);
    REQUIRE(state.loaded == WEIR_OK);
    kitchen::Tally loaded;
    REQUIRE(loaded.ParseFromString(state.save()));
    return loaded.sum();
  };

  CHECK(sum_of(1) == 1'001);
  CHECK(sum_of(2) == 2'001);
  CHECK(sum_of(3) == 1);
  LiveState newer(migrated, bytes(stored), 4);
  CHECK(newer.loaded == WEIR_FATAL);
  CHECK(plugin.host.reason ==
        "the State has version 4 and this plugin knows versions up to 3; load the newer plugin");
  tally.set_sum(666);
  const std::string cursed = tally.SerializeAsString();
  LiveState failing(migrated, bytes(cursed), 1);
  CHECK(failing.loaded == WEIR_FATAL);
  CHECK(failing.state == nullptr);
  CHECK(plugin.host.reason == "cannot be migrated");
}

TEST_CASE("a vector is as many features as it has") {
  LoadedPlugin plugin(kitchen_so);
  Instance many(plugin, "many");
  Prepared prepared(many, {item("", 0), item("", 3)});

  CHECK(resolve(many, prepared, 0) == WEIR_OK);
  CHECK(plugin.host.features.empty());
  CHECK(resolve(many, prepared, 1) == WEIR_OK);
  CHECK(plugin.host.features.size() == 3);
}

TEST_CASE("outputs are numbered and carry keys of their own") {
  LoadedPlugin plugin(kitchen_so);
  Instance outs(plugin, "outs");
  Prepared prepared(outs, {item("", 9)});

  REQUIRE(resolve(outs, prepared, 0) == WEIR_OK);

  const auto& features = plugin.host.features;
  REQUIRE(features.size() == 5);
  CHECK(features[0].output == 1);
  CHECK_FALSE(features[0].has_key);
  CHECK(count_in(features[0]).sum() == 9);
  CHECK(features[1].key == "own");
  CHECK(features[2].has_key);
  CHECK(features[2].key.empty());
  CHECK(features[3].output == 2);
  CHECK(features[4].output == 0);
  CHECK(features[4].memory.size == 0);
}

TEST_CASE("a feature above the host's limit fails the call") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  LiveState state(tally, absent);
  Prepared prepared(tally, {item("a longer name", 1)});
  plugin.host.emit_bytes_max = 4;

  CHECK(resolve(tally, prepared, 0, &state) == WEIR_REJECT);
}

TEST_CASE("a feature that lacks required fields fails the call") {
  LoadedPlugin plugin(kitchen_so);
  Instance outs(plugin, "outs");
  Prepared prepared(outs, {item("uninitialized")});

  CHECK(resolve(outs, prepared, 0) == WEIR_REJECT);
  CHECK(plugin.host.reason == "a feature of type shelf.Needy lacks required fields");
}

TEST_CASE("a State above the host's limit is not saved") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  LiveState state(tally, absent);
  Prepared prepared(tally, {item("", 1)});
  REQUIRE(resolve(tally, prepared, 0, &state) == WEIR_OK);
  plugin.host.reserve_bytes_max = 2;
  weir_bytes saved{};

  CHECK(tally.slots.state_save(tally.self, state.state, &saved, plugin.host.begin()) ==
        WEIR_REJECT);
  CHECK(saved.data == nullptr);
}

TEST_CASE("a resolver of records sees value and headers with null and empty apart") {
  LoadedPlugin plugin(kitchen_so);
  Instance read(plugin, "read_record");
  const std::string a = "a", b = "b", one = "1", two = "2", none;
  Input full{.value = ""};
  full.headers = {
      {bytes(a), bytes(one)}, {bytes(b), absent}, {bytes(a), bytes(two)}, {bytes(b), bytes(none)}};
  Input null{.value = "", .has_value = false};
  Prepared prepared(read, {full, null});

  REQUIRE(resolve(read, prepared, 0) == WEIR_OK);
  CHECK(first_user(plugin.host) == ";a=1;b=null;a=2;b=;last a=2");
  REQUIRE(resolve(read, prepared, 1) == WEIR_OK);
  CHECK(first_user(plugin.host) == "null");
}

TEST_CASE("a resolver of bytes sees them whole and a null value as null") {
  LoadedPlugin plugin(kitchen_so);
  Instance read(plugin, "read_view");
  Prepared prepared(read, {{.value = "\x01 bytes"}, {.value = "", .has_value = false}});

  REQUIRE(resolve(read, prepared, 0) == WEIR_OK);
  CHECK(first_user(plugin.host) == "\x01 bytes");
  REQUIRE(resolve(read, prepared, 1) == WEIR_OK);
  CHECK(first_user(plugin.host) == "null");
}

TEST_CASE("parse from a message picks a part of it or skips") {
  LoadedPlugin plugin(kitchen_so);
  Instance pick(plugin, "pick");
  kitchen::Event with_item, with_note;
  with_item.mutable_item()->set_user("ana");
  with_note.set_note("n");
  Prepared prepared(pick, {{.value = with_note.SerializeAsString()},
                           {.value = with_item.SerializeAsString()},
                           {.value = "\xff"}});

  CHECK(prepared.entries[0].verdict == WEIR_SKIP);
  CHECK(prepared.entries[0].message == nullptr);
  REQUIRE(prepared.entries[1].verdict == WEIR_OK);
  CHECK(text(prepared.entries[2].reason) == "not a valid kitchen.Event (1 bytes)");
  REQUIRE(resolve(pick, prepared, 1) == WEIR_OK);
  CHECK(first_user(plugin.host) == "ana");
}

TEST_CASE("parse from a record can skip and reject and stop but not retry") {
  LoadedPlugin plugin(kitchen_so);
  Instance from_record(plugin, "from_record");
  Prepared prepared(from_record, {{.value = "ana"},
                                  {.value = "skip"},
                                  {.value = "nothing"},
                                  {.value = "reject"},
                                  {.value = "fatal"},
                                  {.value = "retry"},
                                  {.value = "throw"}});
  const auto& entries = prepared.entries;

  CHECK(entries[0].verdict == WEIR_OK);
  CHECK(entries[1].verdict == WEIR_SKIP);
  CHECK(entries[2].verdict == WEIR_SKIP);
  CHECK(entries[3].verdict == WEIR_REJECT);
  CHECK(text(entries[3].reason) == "not mine");
  CHECK(entries[4].verdict == WEIR_FATAL);
  CHECK(text(entries[4].reason) == "stop");
  CHECK(entries[5].verdict == WEIR_REJECT);
  CHECK(text(entries[5].reason) == "parse asked for a retry, which only resolvers can");
  CHECK(entries[6].verdict == WEIR_REJECT);
  CHECK(text(entries[6].reason) == "unreadable");
}

TEST_CASE("parse may look at the record beside the message") {
  LoadedPlugin plugin(kitchen_so);
  Instance marked(plugin, "marked");
  kitchen::Event event;
  event.mutable_item()->set_user("ana");
  const std::string mark = "mark", x = "x";
  Input input{.value = event.SerializeAsString()};
  input.headers = {{bytes(mark), bytes(x)}};
  Prepared prepared(marked, {input});

  REQUIRE(resolve(marked, prepared, 0) == WEIR_OK);
  CHECK(first_user(plugin.host) == "ana+x");
}

TEST_CASE("batches overlap and messages are used again") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "answer");
  std::vector<weir_message*> before;
  {
    Prepared first(tally, {item("discard"), item("b")});
    Prepared second(tally, {item("log"), item("d")});
    for (const auto* batch : {&first, &second}) {
      for (const weir_prepared& entry : batch->entries) before.push_back(entry.message);
    }
    CHECK(before[0] != before[2]);
    LiveState state(tally, absent);
    CHECK(resolve(tally, second, 0, &state) == WEIR_OK);
    CHECK_FALSE(plugin.host.discarded);
    CHECK(resolve(tally, first, 0, &state) == WEIR_OK);
    CHECK(plugin.host.discarded);
  }
  Prepared third(tally, {item("e"), item("f")});

  CHECK(std::find(before.begin(), before.end(), third.entries[0].message) != before.end());
  CHECK(std::find(before.begin(), before.end(), third.entries[1].message) != before.end());
}

TEST_CASE("nothing of an earlier record shows through in a message that is used again") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  { Prepared before(tally, {item("somebody", 5, 6)}); }
  Prepared prepared(tally, {{.value = ""}});
  LiveState state(tally, absent);

  REQUIRE(resolve(tally, prepared, 0, &state) == WEIR_OK);
  CHECK(count_in(plugin.host.features[0]).user().empty());
  CHECK(count_in(plugin.host.features[0]).sum() == 0);
  CHECK(prepared.entries[0].event_time_ms == 0);
}

TEST_CASE("records and answers are walked by their strides") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  struct WideRecord {
    weir_record record;
    char later[24];
  };
  struct WidePrepared {
    weir_prepared prepared;
    char later[40];
  };
  const Input ana = item("ana"), bob = item("bob");
  const WideRecord records[2] = {{ana.raw(), {}}, {bob.raw(), {}}};
  WidePrepared entries[2] = {};
  const weir_records run{sizeof(weir_records), sizeof(WideRecord), &records[0].record, 2};
  weir_batch* batch = nullptr;

  REQUIRE(tally.slots.prepare(tally.self, &run, &entries[0].prepared, sizeof(WidePrepared), &batch,
                              plugin.host.begin()) == WEIR_OK);

  CHECK(text(entries[0].prepared.key) == "ana");
  CHECK(text(entries[1].prepared.key) == "bob");
  tally.slots.batch_free(tally.self, batch);
}

TEST_CASE("a run without records is a batch") {
  LoadedPlugin plugin(kitchen_so);
  Instance tally(plugin, "tally");
  Prepared prepared(tally, {});
  CHECK(prepared.status == WEIR_OK);
  CHECK(prepared.batch != nullptr);
}

TEST_CASE("a timer is set on the arrival clock and cleared") {
  LoadedPlugin plugin(kitchen_so);
  Instance timed(plugin, "timed");
  Prepared prepared(timed, {item("ana", 30), item("ana")});
  LiveState state(timed, absent);

  weir_call* call = plugin.host.begin();
  call->record = &prepared.records[0];
  call->arrival_time_ms = 5'000;
  REQUIRE(timed.slots.resolve(timed.self, prepared.entries[0].message, state.state, call) ==
          WEIR_OK);
  CHECK(plugin.host.timer == "0 at 5030");
  REQUIRE(resolve(timed, prepared, 1, &state) == WEIR_OK);
  CHECK(plugin.host.timer == "0 cleared");
}

TEST_CASE("a handler's features go to the outputs of their types and then to its own") {
  LoadedPlugin plugin(kitchen_so);
  Instance timed(plugin, "timed");
  LiveState state(timed, absent);
  const auto notify = [&] {
    weir_call* call = plugin.host.begin();
    const std::string key = "ana";
    call->key = bytes(key);
    call->event_time_ms = 77;
    return timed.slots.notify(timed.self, WEIR_CLOCK_ARRIVAL, state.state, call);
  };

  REQUIRE(notify() == WEIR_OK);
  std::vector<std::uint32_t> outputs;
  for (const FakeHost::Feature& feature : plugin.host.features) outputs.push_back(feature.output);
  CHECK(outputs == std::vector<std::uint32_t>{3, 1, 2, 0});
  CHECK(count_in(plugin.host.features[1]).user() == "ana");
  CHECK(count_in(plugin.host.features[1]).sum() == 77);
  REQUIRE(notify() == WEIR_OK);
  REQUIRE(notify() == WEIR_OK);  // 300: returns none
  CHECK(plugin.host.features.size() == 3);
  CHECK(notify() == WEIR_REJECT);
  CHECK(plugin.host.reason == "enough");
  CHECK(notify() == WEIR_REJECT);
  CHECK(notify() == WEIR_RETRY);
  CHECK(plugin.host.retry_after_ms == 3'000);
  for (int i = 0; i < 4; ++i) notify();
  CHECK(notify() == WEIR_REJECT);
  CHECK(plugin.host.reason == "too much");
}

TEST_CASE("only resolvers with a handler have the slot for it") {
  LoadedPlugin plugin(kitchen_so);
  CHECK(static_cast<bool>(plugin.resolver("timed").notify));
  CHECK(static_cast<bool>(plugin.resolver("quiet").notify));
  CHECK_FALSE(static_cast<bool>(plugin.resolver("tally").notify));
  CHECK_FALSE(static_cast<bool>(plugin.resolver("many").notify));
}

TEST_CASE("stateless resolvers have no State slots") {
  LoadedPlugin plugin(kitchen_so);
  const weir_resolver& many = plugin.resolver("many");
  CHECK_FALSE(static_cast<bool>(many.state_load));
  CHECK_FALSE(static_cast<bool>(many.state_save));
  CHECK_FALSE(static_cast<bool>(many.state_free));
  CHECK(static_cast<bool>(plugin.resolver("tally").state_load));
}

TEST_CASE("the entry refuses a host of another version") {
  LoadedPlugin plugin(kitchen_so);
  weir_host other = *plugin.host.table();
  CHECK(plugin.entry()(&other) == &plugin.table());
  other.abi_minor = WEIR_ABI_MINOR + 1;  // a host that does not know this plugin's
  CHECK(plugin.entry()(&other) == nullptr);
  other = *plugin.host.table();
  other.abi_major = WEIR_ABI_MAJOR + 1;
  CHECK(plugin.entry()(&other) == nullptr);
}
