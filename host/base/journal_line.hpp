#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace weir::host {

/// What a plugin's code is called for; the order is part of the journal's layout.
enum class Slot : std::uint8_t {
  none,  ///< nothing of a plugin runs
  load,  ///< static constructors and the entry function
  create,
  destroy,
  prepare,
  batch_free,
  resolve,
  notify,
  state_load,
  state_save,
  state_free,
  count,
};

constexpr std::string_view name_of(Slot slot) {
  constexpr std::string_view names[] = {"none",       "load",       "create",    "destroy",
                                        "prepare",    "batch_free", "resolve",   "notify",
                                        "state_load", "state_save", "state_free"};
  return names[static_cast<std::size_t>(slot)];
}

/// The kernel's number of the calling thread.
std::int32_t thread_number();

/// What one thread at a time is running of a plugin's code: one cache line, plain stores, no clock.
/// It lies in memory that outlives the process, so that what comes after a crash knows what was in
/// flight. Written by the thread that runs the code; read by the crash handler of that thread, by
/// the watchdog, and by whoever comes after.
struct alignas(64) JournalLine {
  /// The slot in the low 8 bits; above them the calls so far, so that two are never taken for one.
  std::atomic<std::uint64_t> call{0};
  /// The first record in flight, or what a timer was set to.
  std::atomic<std::int64_t> at{0};
  /// Offsets from there to behind the last one; 0: no record is in flight.
  std::atomic<std::uint32_t> span{0};
  std::atomic<std::uint32_t> key_size{0};
  std::atomic<const char*> key{nullptr};  ///< in this process's memory
  /// The task's commits, so that it shows whether it got on between two crashes.
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint16_t> resolver{0};    ///< its number in the journal
  std::atomic<std::uint16_t> generation{0};  ///< as well
  std::atomic<std::int32_t> thread{0};

  static Slot slot_of(std::uint64_t call) { return static_cast<Slot>(call & 0xff); }

  /// The record or timer that the next calls are about; `span` 0: none.
  void set_record(std::int64_t offset, std::uint32_t offsets) {
    at.store(offset, std::memory_order_relaxed);
    span.store(offsets, std::memory_order_relaxed);
  }
  void set_key(std::string_view bytes) {
    key.store(bytes.data(), std::memory_order_relaxed);
    key_size.store(static_cast<std::uint32_t>(bytes.size()), std::memory_order_relaxed);
  }
  void set_thread() { thread.store(thread_number(), std::memory_order_relaxed); }
};

/// Where a resolver's instance notes its calls.
struct JournalPlace {
  JournalLine* line = nullptr;     ///< of its task; null: nobody wants to know
  JournalLine* control = nullptr;  ///< of the thread that makes and destroys it; as well
  std::uint16_t resolver = 0;      ///< its number in the journal
};

/// One call of a slot, from here to the end of the scope.
class JournalCall {
 public:
  JournalCall(JournalLine& line, Slot slot, std::uint16_t resolver, std::uint16_t generation)
      : line_(line), calls_((line.call.load(std::memory_order_relaxed) | 0xff) + 1) {
    line_.resolver.store(resolver, std::memory_order_relaxed);
    line_.generation.store(generation, std::memory_order_relaxed);
    line_.call.store(calls_ | static_cast<std::uint64_t>(slot), std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~JournalCall() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    line_.call.store(calls_, std::memory_order_relaxed);
  }
  JournalCall(const JournalCall&) = delete;
  JournalCall& operator=(const JournalCall&) = delete;

 private:
  JournalLine& line_;
  std::uint64_t calls_;
};

}  // namespace weir::host
