#include <doctest/doctest.h>
#include <weir/abi.h>
#include <weir/test_driver.h>

#include <string>
#include <vector>

extern "C" const weir_plugin_table* weir_plugin(const weir_host* host);

// Drives the tables by hand, as the plugin fills them by hand.
namespace {

struct Call {
  weir_call abi{};
  std::string memory = std::string(64, '\0');
  std::string reason;
  std::size_t emitted = 0;
};
Call& of(weir_call* call) { return *reinterpret_cast<Call*>(call); }

weir_host make_host() {
  weir_host host{};
  host.struct_size = sizeof host;
  host.abi_major = WEIR_ABI_MAJOR;
  host.abi_minor = WEIR_ABI_MINOR;
  host.reserve = [](weir_call* call, size_t) noexcept {
    return reinterpret_cast<uint8_t*>(of(call).memory.data());
  };
  host.emit = [](weir_call* call, uint32_t, weir_bytes, size_t size) noexcept {
    of(call).emitted = size;
    return reinterpret_cast<uint8_t*>(of(call).memory.data());
  };
  host.set_reason = [](weir_call* call, const char* text, size_t size) noexcept {
    of(call).reason.assign(text, size);
  };
  return host;
}

weir_bytes bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

struct CountLines {
  weir_host host = make_host();
  const weir_resolver& slots = *weir_plugin(&host)->resolvers[0];
  weir_instance* instance = nullptr;
  weir_state* state = nullptr;
  Call call;

  explicit CountLines(weir_bytes from = {nullptr, 0}) {
    REQUIRE(slots.create(&host, {nullptr, 0}, &instance, &call.abi) == WEIR_OK);
    loaded = slots.state_load(instance, from, 1, &state, &call.abi);
  }
  ~CountLines() {
    if (state != nullptr) slots.state_free(instance, state);
    slots.destroy(instance);
  }

  /// The feature's bytes.
  std::string line(const std::string& text) {
    weir_record record{};
    record.value = bytes(text);
    const weir_records records{sizeof records, sizeof record, &record, 1};
    weir_prepared prepared{};
    weir_batch* batch = nullptr;
    REQUIRE(slots.prepare(instance, &records, &prepared, sizeof prepared, &batch, &call.abi) ==
            WEIR_OK);
    REQUIRE(slots.resolve(instance, prepared.message, state, &call.abi) == WEIR_OK);
    slots.batch_free(instance, batch);
    return call.memory.substr(0, call.emitted);
  }

  std::string save() {
    weir_bytes saved{};
    REQUIRE(slots.state_save(instance, state, &saved, &call.abi) == WEIR_OK);
    return {reinterpret_cast<const char*>(saved.data), saved.size};
  }

  weir_status loaded = WEIR_OK;
};

}  // namespace

TEST_CASE("lines and bytes are counted") {
  CountLines count;

  CHECK(count.line("hello") == std::string("\x08\x01\x10\x05"));
  CHECK(count.line(std::string(300, 'x')) == std::string("\x08\x02\x10\xb1\x02"));
}

TEST_CASE("the State comes back as it was") {
  CountLines count;
  count.line("hello");
  const std::string saved = count.save();

  CountLines again(bytes(saved));

  CHECK(again.save() == saved);
  CHECK(again.line("") == std::string("\x08\x02\x10\x05"));
}

TEST_CASE("bytes that are no State are refused") {
  for (const std::string garbage :
       {"\x08", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x1a\x01", "\xff\xff"}) {
    CountLines count(bytes(garbage));
    CHECK(count.loaded == WEIR_FATAL);
    CHECK(count.call.reason == "not a State of type plain_c.Totals");
  }
}

TEST_CASE("a null value is skipped") {
  CountLines count;
  weir_record record{};
  const weir_records records{sizeof records, sizeof record, &record, 1};
  weir_prepared prepared{};
  weir_batch* batch = nullptr;

  REQUIRE(count.slots.prepare(count.instance, &records, &prepared, sizeof prepared, &batch,
                              &count.call.abi) == WEIR_OK);
  CHECK(prepared.verdict == WEIR_SKIP);
}

TEST_CASE("the host reads the State that the plugin wrote by hand") {
  weir::TestDriver host("plain_c");

  host.pipe("lines", "GET / 200", {.key = "web-1"});
  host.pipe("lines", "", {.key = "web-1"});
  host.commit();
  host.crash();
  host.recover();
  host.pipe("lines", "GET /about 200", {.key = "web-1"});

  CHECK(host.state_bytes("web-1") == "\x08\x03\x10\x17");
  CHECK(host.state_json("web-1").find(R"("lines")") != std::string::npos);
  CHECK(host.emitted().size() == 3);
}
