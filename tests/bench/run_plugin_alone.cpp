#include <unordered_map>
#include <vector>

#include "base/limits.hpp"
#include "bench/run.hpp"
#include "decode/source_decoder.hpp"
#include "resolve/call.hpp"

namespace weir::host::bench {

namespace {

/// Adds the CPU time of its life to a sum.
class Timed {
 public:
  explicit Timed(double& sum) : sum_(sum), start_(thread_cpu_ns()) {}
  ~Timed() { sum_ += static_cast<double>(thread_cpu_ns() - start_); }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  double& sum_;
  std::int64_t start_;
};

/// The slots of one resolver with the least around them that makes them run.
class Alone {
 public:
  Alone(const weir_host* host, const weir_resolver& slots) : slots_(slots) {
    begin(0);
    slots_.create(host, to_abi(""), &instance_, &call_.abi);
  }
  ~Alone() {
    for (const auto& entry : states_) slots_.state_free(instance_, entry.second->state);
    slots_.destroy(instance_);
  }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

  void handle(std::span<const weir_record> records, PluginShare& share) {
    prepared_.assign(records.size(), {});
    weir_batch* batch = nullptr;
    begin(value_bytes_max);
    {
      const Timed timed(share.prepare);
      const weir_records run{sizeof(weir_records), sizeof(weir_record), records.data(),
                             records.size()};
      slots_.prepare(instance_, &run, prepared_.data(), sizeof(weir_prepared), &batch, &call_.abi);
    }
    found_.clear();
    for (std::size_t i = 0; i < records.size(); ++i) {
      const bool extracted = (prepared_[i].flags & WEIR_PREPARED_KEY) != 0;
      keys_[i] = extracted ? prepared_[i].key : records[i].key;
      Live& live = find(std::string(from_abi(keys_[i])), share);
      found_.push_back(live.state);
      if (!live.touched) touched_.push_back(&live);
      live.touched = true;
    }
    call_arena_.reset();
    begin(0);
    call_.output_count = 1;
    {
      const Timed timed(share.resolve);
      for (std::size_t i = 0; i < records.size(); ++i) {
        call_.abi.record = &records[i];
        call_.abi.key = keys_[i];
        slots_.resolve(instance_, prepared_[i].message, found_[i], &call_.abi);
        call_.features.clear();
        call_.feature_count = 0;
        call_.feature_bytes = 0;
      }
    }
    slots_.batch_free(instance_, batch);
  }

  void save(PluginShare& share) {
    call_arena_.reset();
    begin(state_bytes_max);
    std::vector<const weir_state*> states;
    for (Live* live : touched_) {
      states.push_back(live->state);
      live->touched = false;
    }
    touched_.clear();
    const Timed timed(share.save);
    for (const weir_state* state : states) {
      weir_bytes bytes{};
      slots_.state_save(instance_, state, &bytes, &call_.abi);
    }
  }

 private:
  struct Live {
    weir_state* state = nullptr;
    bool touched = false;
  };
  void begin(std::size_t reserve_bytes_max) {
    call_.begin(&call_arena_);
    call_.reserve_bytes_max = reserve_bytes_max;
  }
  Live& find(const std::string& key, PluginShare& share) {
    std::unique_ptr<Live>& live = states_[key];
    if (live != nullptr) return *live;
    live = std::make_unique<Live>();
    const Timed timed(share.load);
    slots_.state_load(instance_, absent_bytes, 1, &live->state, &call_.abi);
    return *live;
  }

  const weir_resolver& slots_;
  weir_instance* instance_ = nullptr;
  Call call_;
  Arena call_arena_;
  std::vector<weir_prepared> prepared_;
  std::vector<weir_bytes> keys_ = std::vector<weir_bytes>(batch_records_max);
  std::vector<weir_state*> found_;
  std::unordered_map<std::string, std::unique_ptr<Live>> states_;
  std::vector<Live*> touched_;
};

}  // namespace

PluginShare run_plugin_alone(const Setting& setting, const Case& one,
                             std::uint64_t records_a_commit) {
  const auto log = open_log(setting);
  const auto plugin = or_fail(Plugin::load(plugin_path(one), setting.directory / "plugins"));
  PluginShare share;
  std::uint64_t count = 0;
  {
    Alone alone(plugin->host(), *plugin->resolver(one.resolver()));
    SourceDecoder decoder(
        or_fail(make_decoder({.kind = one.format}, plugin->message(one.message()))), false,
        {one.topic(), 0});
    const auto reader = or_fail(log->open_reader({one.topic(), 0}, 0));
    std::uint64_t open = 0;
    Arena arena;
    DecodedRecords decoded;
    for (auto records = or_fail(reader->fetch({})); !records.empty();
         records = or_fail(reader->fetch({}))) {
      arena.reset();
      decoder.decode(records, arena, decoded);
      alone.handle(decoded.records, share);
      count += decoded.records.size();
      open += decoded.records.size();
      if (open < records_a_commit) continue;
      alone.save(share);
      open = 0;
    }
    alone.save(share);
  }
  for (double* sum : {&share.prepare, &share.resolve, &share.load, &share.save}) {
    *sum /= static_cast<double>(count);
  }
  return share;
}

}  // namespace weir::host::bench
