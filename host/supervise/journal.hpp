#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal_line.hpp"
#include "base/result.hpp"

namespace weir::host {

/// Why a process ends, as it has noted by itself.
enum class CrashKind : std::uint32_t { none, signal, exit, watchdog };

/// What is noted in the moment of a crash; only stores, nothing is allocated.
struct CrashMark {
  std::atomic<std::uint32_t> taken{0};  ///< 1: by one thread, 2: it has written all of it
  CrashKind kind = CrashKind::none;
  std::int32_t signal = 0;
  std::int32_t signal_code = 0;  ///< siginfo's
  std::int32_t sender = 0;       ///< its process
  std::int32_t exit_code = 0;
  std::int32_t thread = 0;
  std::int32_t line = -1;  ///< of the journal; -1: the thread was not in a call
  std::int64_t time_ms = 0;
  std::uint64_t address = 0;  ///< what was touched
  std::uint64_t instruction = 0;
  std::uint32_t return_count = 0;
  std::array<std::uint64_t, 16> returns{};  ///< places in plugins that the stack points to
  std::uint32_t key_size = 0;
  std::array<char, 512> key{};
};

/// What is in flight in a worker process, in memory that outlives it: a line a task, the loaded
/// generations of plugins, and the mark of a crash.
///
/// Under a supervisor the memory belongs to both processes. Without one it is a file, which the
/// next start reads.
class Journal {
 public:
  /// Lines that there are at most: tasks beyond have none, so a crash in them is nobody's.
  static constexpr std::size_t lines_max = 16'384;
  static constexpr std::size_t generations_max = 64;
  static constexpr std::size_t resolvers_max = 1024;

  /// Memory that worker processes inherit as fd(). Errc::io.
  static Result<std::unique_ptr<Journal>> make_shared_memory();
  /// The memory behind an inherited descriptor, or behind the file of a process that has ended.
  static Result<std::unique_ptr<Journal>> inherit(int fd);
  /// A new file, in place of one that is there. Errc::io.
  static Result<std::unique_ptr<Journal>> make_file(const std::filesystem::path& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  int fd() const { return fd_; }
  /// Everything in it is forgotten. Before a worker process is started.
  void clear();

  // In the worker process. [control]

  void set_owner(std::int64_t pid);
  /// The line of what the main thread loads.
  JournalLine& control() { return lines()[0]; }
  void set_control_subject(std::string_view text);
  /// The line of a task; null: there are too many.
  JournalLine* add_task(std::string_view task, std::string_view topic, std::int32_t partition);
  /// The number of a resolver of the app; 0: there are too many.
  std::uint16_t add_resolver(std::string_view name);

  struct Generation {
    std::string plugin;
    std::string version;
    std::string sha256;
    std::string build_id;
    std::uint64_t begin = 0;  ///< of its mapping; 0: not mapped
    std::uint64_t end = 0;
  };
  /// A plugin was loaded from the file `copy`; its number, for Plugin::set_generation(). 0: there
  /// are too many. [control]
  std::uint16_t add_generation(Generation generation, const std::filesystem::path& copy);
  /// It was unloaded; its number may be given again. [control]
  void remove_generation(std::uint16_t number);

  // For whoever judges a crash.

  CrashMark& mark();
  const CrashMark& mark() const;
  std::int64_t owner() const;
  std::size_t line_count() const;
  JournalLine* lines();
  const JournalLine* lines() const;
  struct Names {
    std::string task;  ///< of the control line: what was loaded
    std::string topic;
    std::int32_t partition = -1;
  };
  Names names(std::size_t line) const;
  std::string resolver(std::uint16_t number) const;
  std::optional<Generation> generation(std::uint16_t number) const;
  /// Where a code or data address lies. Absent: in no plugin.
  std::optional<std::uint16_t> generation_at(std::uint64_t address) const;

  // Async-signal-safe.

  /// The line of a call that this thread is in; -1: none.
  std::int32_t line_in_call(std::int32_t thread) const;
  bool is_in_plugin(std::uint64_t address) const;

 private:
  struct Shared;
  Journal(int fd, Shared* shared) : fd_(fd), shared_(shared) {}
  static Result<std::unique_ptr<Journal>> map(int fd);
  int fd_;
  Shared* shared_;
  std::mutex mutex_;  // of the worker process: numbers are given one at a time
};

}  // namespace weir::host
