#pragma once

#include <dlfcn.h>
#include <weir/abi.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "fake_host.hpp"

namespace weir::test {

/// A built plugin, loaded as the host does, and given a FakeHost.
class LoadedPlugin {
 public:
  explicit LoadedPlugin(const std::string& path) : path_(path) {
    library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) throw std::runtime_error(dlerror());
    entry_ = reinterpret_cast<weir_plugin_entry>(dlsym(library_, WEIR_ENTRY_SYMBOL));
    if (entry_ == nullptr) throw std::runtime_error(path + " has no entry function");
    table_ = entry_(host.table());
    if (table_ == nullptr) throw std::runtime_error(path + " refuses the host");
  }
  ~LoadedPlugin() { dlclose(library_); }
  LoadedPlugin(const LoadedPlugin&) = delete;
  LoadedPlugin& operator=(const LoadedPlugin&) = delete;

  const weir_plugin_table& table() const { return *table_; }
  weir_plugin_entry entry() const { return entry_; }

  const weir_resolver& resolver(std::string_view name) const {
    for (std::uint32_t i = 0; i < table_->resolver_count; ++i) {
      if (table_->resolvers[i]->name == name) return *table_->resolvers[i];
    }
    throw std::runtime_error(path_ + " has no resolver " + std::string(name));
  }

  static bool is_mapped(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (library != nullptr) dlclose(library);
    return library != nullptr;
  }

  FakeHost host;

 private:
  std::string path_;
  void* library_ = nullptr;
  weir_plugin_entry entry_ = nullptr;
  const weir_plugin_table* table_ = nullptr;
};

/// One record, owning its bytes. The raw form is valid while the Input stays where it is.
struct Input {
  std::string value;
  std::string key = "k";
  bool has_value = true;
  bool has_key = true;
  std::vector<weir_header> headers{};
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 1'000;

  weir_record raw() const {
    weir_record record{};
    record.key = has_key ? bytes(key) : absent;
    record.value = has_value ? bytes(value) : absent;
    record.headers = headers.data();
    record.header_count = headers.size();
    record.topic = bytes(topic);
    record.offset = offset;
    record.timestamp_ms = timestamp_ms;
    record.partition = 3;
    return record;
  }

 private:
  static inline const std::string topic = "orders";
};

/// One instance of one resolver.
class Instance {
 public:
  Instance(LoadedPlugin& plugin, std::string_view resolver, const std::string& settings = "")
      : slots(plugin.resolver(resolver)), host(plugin.host) {
    created = slots.create(host.table(), bytes(settings), &self, host.begin());
  }
  ~Instance() {
    if (self != nullptr) slots.destroy(self);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  const weir_resolver& slots;
  FakeHost& host;
  weir_instance* self = nullptr;
  weir_status created = WEIR_OK;
};

/// What prepare() says of some records. The records are kept here, as the host keeps them.
class Prepared {
 public:
  Prepared(Instance& instance, std::vector<Input> inputs)
      : instance_(&instance), inputs_(std::move(inputs)), entries(inputs_.size()) {
    for (const Input& input : inputs_) records.push_back(input.raw());
    const weir_records run{sizeof(weir_records), sizeof(weir_record), records.data(),
                           records.size()};
    status = instance.slots.prepare(instance.self, &run, entries.data(), sizeof(weir_prepared),
                                    &batch, instance.host.begin());
  }
  ~Prepared() {
    if (batch != nullptr) instance_->slots.batch_free(instance_->self, batch);
  }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

 private:
  Instance* instance_;
  std::vector<Input> inputs_;

 public:
  std::vector<weir_record> records;
  std::vector<weir_prepared> entries;
  weir_batch* batch = nullptr;
  weir_status status = WEIR_OK;
};

/// The live State of one key.
class LiveState {
 public:
  LiveState(Instance& instance, weir_bytes from, std::uint32_t version = 1) : instance_(&instance) {
    loaded = instance.slots.state_load(instance.self, from, version, &state, instance.host.begin());
  }
  ~LiveState() {
    if (state != nullptr) instance_->slots.state_free(instance_->self, state);
  }
  LiveState(const LiveState&) = delete;
  LiveState& operator=(const LiveState&) = delete;

  std::string save() const {
    weir_bytes saved{};
    const weir_status status =
        instance_->slots.state_save(instance_->self, state, &saved, instance_->host.begin());
    if (status != WEIR_OK) throw std::runtime_error("state_save: " + instance_->host.reason);
    if (saved.data == nullptr) throw std::runtime_error("state_save gave absent bytes");
    return text(saved);
  }

  weir_state* state = nullptr;
  weir_status loaded = WEIR_OK;

 private:
  Instance* instance_;
};

inline weir_status resolve(Instance& instance, Prepared& prepared, std::size_t i,
                           LiveState* state = nullptr) {
  weir_call* call = instance.host.begin();
  call->record = &prepared.records[i];
  const weir_prepared& entry = prepared.entries[i];
  call->key = (entry.flags & WEIR_PREPARED_KEY) != 0 ? entry.key : prepared.records[i].key;
  call->event_time_ms = (entry.flags & WEIR_PREPARED_EVENT_TIME) != 0
                            ? entry.event_time_ms
                            : prepared.records[i].timestamp_ms;
  return instance.slots.resolve(instance.self, entry.message,
                                state == nullptr ? nullptr : state->state, call);
}

}  // namespace weir::test
