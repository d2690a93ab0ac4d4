#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.hpp"
#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "base/journal_line.hpp"
#include "base/logger.hpp"
#include "base/result.hpp"
#include "commit/task_store.hpp"
#include "decode/message_printer.hpp"
#include "decode/source_decoder.hpp"
#include "log/log.hpp"
#include "log/partitioner.hpp"
#include "publish/publisher.hpp"
#include "resolve/instance.hpp"
#include "resolve/live_states.hpp"
#include "resolve/live_timers.hpp"
#include "task/counters.hpp"
#include "task/fit.hpp"
#include "task/parked_request.hpp"
#include "task/parking.hpp"
#include "task/retry_log.hpp"
#include "task/state_walk.hpp"
#include "task/suspects.hpp"
#include "task/task_snapshot.hpp"
#include "task/task_swap.hpp"

namespace weir::host {

enum class Policy { drop, dead_letter, halt };

/// Where a task that has no State yet begins to read.
struct StartPosition {
  enum class Kind { earliest, latest, time } kind = Kind::earliest;
  std::int64_t time_ms = 0;
};

/// A source, as one task sees it.
struct TaskSource {
  std::string name;
  TopicPartition input;
  std::int32_t partition_count = 1;
  std::string topic_identity;
  StartPosition start;
  std::optional<std::int64_t> late_arrival_deadline_ms;  ///< absent: nothing is ever late
  bool arrival_is_record_time = false;
  std::optional<Partitioner> partitioner = Partitioner::murmur2;  ///< absent: keys are not checked
  std::array<Policy, static_cast<std::size_t>(SetAside::count)> policies{};
  bool crashed_waits = false;  ///< with its key, rather than as `policies` say, where that is known
};

/// A resolver of the app, as one task uses it.
struct TaskResolver {
  std::string name;  ///< in the app's YAML
  std::string use;   ///< plugin/resolver
  std::string renamed_from;
  std::shared_ptr<Plugin> plugin;  // shared with the other tasks: keeps the file mapped
  std::string resolver;            ///< its name in the plugin
  std::string settings;            ///< serialized
  std::unique_ptr<Decoder> decoder;
  std::vector<ResolverOutput> outputs;  ///< in the order of the manifest
  std::uint16_t journal_number = 0;
  std::uint32_t retry_attempts_max = 10;
  std::int64_t retry_wait_max_ms = 60'000;
};

struct TaskOptions {
  std::string app;
  std::string yaml;  ///< the app's file as the user names it, for commands in messages
  std::string name;
  TaskSource source;
  std::vector<TaskResolver> resolvers;
  std::vector<std::string> sink_names;  ///< the last one is dead_letter_sink
  TaskSinks sinks;
  TaskStore::Options store;
  LiveStates::Limits live;  ///< for each resolver
  Parking::Limits parking;
  std::int64_t commit_interval_ms = 100;
  std::uint64_t commit_records = 200'000;
  std::uint64_t commit_bytes = std::uint64_t{64} << 20;
  JournalLine* journal = nullptr;  ///< outlives the task; null: nobody wants to know
  /// Of the control thread, where instances are made and destroyed; as well.
  JournalLine* control_journal = nullptr;
  Suspects suspects;
  /// Called after a named step of the path; tests stop the process there. May be empty.
  std::function<void(std::string_view step)> after_step;
};

/// What a task lives among; everything outlives it.
struct TaskPorts {
  Log& log;
  Publisher& publisher;
  Clock& clock;
  Logger& logger;
  Log* retries = nullptr;  ///< dead letters that were sent back; null: none ever are
};

/// Partition p of a source with everything that belongs to it: the unit of ownership, order and
/// commit. One thread at a time.
///
/// turn() is the path of a record: log -> decode -> resolve -> commit -> publish. Whatever goes
/// wrong on it that is not a record's own fault halts the task: it says why, keeps what is
/// committed, and does nothing more.
class Task {
 public:
  /// Opens the store, checks States against the plugins, publishes what the last run committed but
  /// did not publish, and stands where the last commit left off.
  static Result<std::unique_ptr<Task>> open(TaskOptions options, TaskPorts ports);
  ~Task();

  enum class Turn {
    worked,  ///< call again
    idle,    ///< nothing to do before records arrive or next_deadline_ms()
    halted,
  };
  Turn turn();

  /// Commits everything since the last commit and waits until it is published. False: the task is
  /// or has just been halted.
  bool commit_and_wait();

  /// commit_and_wait(), and marks the outbox as done, so that the next start finds nothing to do.
  bool finish();

  const std::string& name() const { return options_.name; }
  /// What it was opened with; does not change, but for the resolvers' plugins and outputs. [any]
  const TaskOptions& options() const { return options_; }
  bool halted() const { return halted_.has_value(); }
  const Error& halt_reason() const { return *halted_; }

  /// Where the next record comes from, and whether everything below `end` has been handled.
  std::int64_t position() const { return next_offset_; }
  /// and every dead letter that had been sent back when the task was opened, and nothing waits for
  /// its next try.
  bool has_reached(std::int64_t end) const {
    return next_offset_ >= end && retries_offset_ >= retries_end_ &&
           parking_->next_due_ms() == Parking::never_ms;
  }

  /// On Clock::steady_ms(): when turn() has something to do without a new record.
  std::int64_t next_deadline_ms() const;

  /// How the task stands. `out` may hold an older snapshot of this task: its memory is used again.
  void snapshot(TaskSnapshot& out) const;
  Counters counters() const;

  /// What the store takes on the disk. [any]
  TaskStore::Usage store_usage() const { return store_->usage(); }

  /// Committed timers that have not fired yet.
  Result<std::uint64_t> pending_timers();

  /// Whether other builds of some of its resolvers, `changed`, can follow those that run: what
  /// TaskBuilds need. Errc::refused: TaskStore::check_builds(). [control], while no swap is under
  /// way.
  Result<Registration> check_builds(std::span<const ResolverSchema> changed,
                                    TaskStore::Ways ways = TaskStore::Ways::on) const;

  /// Asks for a swap between two commits; the next turns make it as soon as the last commit is
  /// published. One at a time. [any]
  void request_swap(TaskSwap& swap);
  /// False: the task has begun with it, and will come to an end. [any]
  bool withdraw_swap(TaskSwap& swap);

  /// Asks for the States of older versions to be migrated. A walk that is under way is over. [any]
  void request_walk(std::shared_ptr<StateWalk> walk);

  /// Asks for orders to be carried out as soon as the last commit is published: after what is open
  /// is committed, and before the next record. One that has not begun gives way to another. [any]
  void request_parked(std::shared_ptr<ParkedRequest> request);

  /// Nobody will want to go back to before the newest swap: the next commit drops what was kept for
  /// that. [any]
  void forget_undo() { forget_undo_.store(true, std::memory_order_relaxed); }

  /// For the TestDriver. The State of a key as the last successful call left it; absent: none.
  Result<std::optional<std::string>> state(std::string_view resolver, std::string_view key);
  /// What the open commit will send out, as read_outbox() takes it. Until the next turn().
  std::vector<std::string_view> open_outbox() const { return outbox_.chunks(); }

 private:
  /// A resolver with its part of the current fetch.
  struct Stage {
    TaskResolver* resolver = nullptr;
    std::shared_ptr<ResolverInstance> instance;  // shared with States that are freed after a swap
    ResolverId id = 0;
    std::unique_ptr<CommittedStates> committed;
    std::unique_ptr<LiveStates> live;  ///< null: stateless
    std::size_t decoded = 0;           ///< index into decoded_
    PreparedRun run;
    std::size_t next = 0;                    ///< in run, while walking the records
    std::vector<LiveStates::Wanted> states;  ///< beside run.records(), if there is State
    LiveState* applied = nullptr;            ///< by the current record
    std::int64_t applied_offset = 0;         ///< that record's
    std::unique_ptr<CommittedTimers> committed_timers;
    std::unique_ptr<LiveTimers> timers;  ///< null: the resolver has no handler for them
    /// What the record at applied_offset has changed, for taking it back.
    bool timer_changed = false;
    std::optional<Timer> timer_before;
    Parking::Key* parked = nullptr;  ///< that the current record was put behind
    Outcomes outcomes;
    Outcomes outcomes_before;  ///< the current record
    std::uint64_t retries = 0;
  };
  /// What the walk over records does after one.
  enum class Flow {
    go_on,
    wait,  ///< only of a record that has waited: it waits on, and so do those behind it
    halt,
  };
  /// A record that does not come from the log now: a dead letter that was sent back, or one that
  /// has waited. For one resolver, and exempt from lateness.
  struct Recalled {
    const Stage* to = nullptr;
    bool undecoded = false;     ///< for all that take the same message as `to`
    std::string_view retry_of;  ///< the dead letter that it was sent back from; may be empty
    std::int64_t arrival_ms = 0;
    Parking::Key* waited = nullptr;  ///< it is the first record of; null: it has not waited
  };

  Task(TaskOptions options, TaskPorts ports);
  Result<void> start();
  Result<void> open_resolvers();
  Result<std::int64_t> start_offset();
  Result<std::int64_t> first_read();
  Fit fit() const;
  Result<void> recover();
  Result<bool> read(std::int64_t now_ms);
  /// Whether the log still holds the record that was handled last. False: not known yet.
  Result<bool> know_log();

  Result<void> decode(std::span<const Record> records);
  Result<void> prepare();
  Result<void> prepare(Stage& stage);
  static void find_states(Stage& stage, std::span<const weir_record> records);
  Result<void> resolve(std::span<const Record> records);
  Result<Flow> resolve_or_undo(std::span<const Record> records, std::uint32_t index);
  Result<Flow> resolve_record(std::span<const Record> records, std::uint32_t index);
  Result<Flow> resolve_one(Stage& stage, const Record& record, std::size_t at);
  Result<void> undo_record(const Record& record);
  Flow set_aside(SetAside kind, const Record& record, Stage& stage, std::string_view reason,
                 std::string_view crash = {});
  void append_dead_letter(SetAside kind, const Record& record, Stage& stage,
                          std::string_view reason, bool timer, std::string_view crash = {});

  // Dead letters that were sent back.
  Result<void> open_retries();
  Result<bool> read_retries(std::int64_t now_ms);
  Result<Flow> resolve_returned(const Retry& retry);
  bool is_for(const Stage& stage) const;

  // Other builds of its resolvers.
  TaskSwap* begin_swap();
  Result<void> swap_if_asked();
  Result<void> commit_before(TaskSwap& swap);
  /// To the commit that began the undo log, in the store and in memory.
  Result<void> roll_back();
  Result<void> commit_rollback();
  void refuse_swap();
  void exchange(TaskSwap& swap);
  void exchange_decoders(std::vector<KeyedDecoder>& others);
  void free_retired();
  static ResolverSchema schema_of(const TaskResolver& resolver);

  // States of older versions.
  void begin_walk();
  void end_walk(const Error* why);
  void restart_walk();
  /// One portion; false: it waits for the next commit.
  Result<bool> walk_states(std::int64_t now_ms);

  // Records that wait.
  Result<void> open_parking();
  /// The keys as they are stored. The result: what waits for resolvers that the app does not have.
  Result<Parking::Count> read_parking();
  std::shared_ptr<ParkedRequest> begin_parked_request();
  void refuse_parked_request();
  Result<void> change_parked_if_asked();
  Result<void> carry_out(ParkedRequest& request);
  Parking::Now now() { return {ports_.clock.wall_ms(), ports_.clock.steady_ms()}; }
  /// The key of `stage` that a record with this key has to wait behind; null: none.
  Parking::Key* waiting(const Stage& stage, MaybeBytes key) const;
  Result<Flow> try_again_later(Stage& stage, const Record& record, MaybeBytes key,
                               std::int64_t after_ms, std::string_view reason);
  /// With its key, which waits already where the record is one that was tried again.
  Result<Flow> wait_with_key(Stage& stage, const Record& record, MaybeBytes key,
                             const Parking::Wait& wait);
  /// `behind` null: with a key of its own, until `wait` is over.
  Result<Flow> park(Stage& stage, const Record& record, MaybeBytes key, Parking::Key* behind,
                    const Parking::Wait& wait);
  Result<bool> resolve_parked(std::int64_t now_ms);
  Result<Flow> resolve_parked(Parking::Key& key, ParkedLimit& left);
  Result<Flow> resolve_parked(Parking::Key& key, const v1::ParkedRecord& stored,
                              std::span<const Record> records, std::uint32_t index);
  /// The timer of a key that waits, or has waited, if it is due when the clock shows this.
  Result<Flow> fire_waited(Stage& stage, const std::string& key, std::int64_t clock_ms);
  /// `key` waits no more: its timer fires in its turn again.
  Result<void> end_wait(Stage& stage, const std::string& key);
  Result<void> take_back_parked(Stage& stage);

  // What earlier processes have crashed on.
  FetchLimit fetch_limit() const;
  const Suspects::Crashed* crashed_on(const Stage& stage, std::int64_t offset) const;
  const Suspects::Crashed* crashed_on(const Stage& stage, const KeyTimer& due) const;
  bool waits(const Suspects::Crashed& crashed) const;
  Result<Flow> wait_after_crash(Stage& stage, const Record& record, MaybeBytes key,
                                const Suspects::Crashed& crashed);
  void try_crashed_again();
  void halt_if_stuck();

  // Timers.
  bool timers_due() const { return next_timer_ms_ <= arrival_ms_; }
  void move_clock(std::int64_t to_ms) {
    arrival_ms_ = std::max(arrival_ms_, std::min(to_ms, clock_ms_max));
  }
  Result<void> change_timer(Stage& stage, const LiveState& live);
  Result<Flow> fire_timers();
  /// `clock_ms`: what the task's clock shows for it.
  Result<Flow> fire(Stage& stage, const KeyTimer& due, std::int64_t clock_ms);
  Result<Flow> fire_failed(Stage& stage, LiveState& live, const KeyTimer& due, weir_status status,
                           std::int64_t clock_ms);
  Flow set_aside(SetAside kind, const KeyTimer& due, Stage& stage, std::string_view reason,
                 std::string_view crash = {});
  void find_next_timer();
  Result<void> emit(Stage& stage, std::string_view key, std::int64_t event_time_ms);

  /// What the open commit weighs, beside its States.
  std::uint64_t open_bytes() const {
    return open_arena_.bytes() + outbox_.bytes() + parking_->open_bytes();
  }
  bool commit_due(std::int64_t now_ms);
  /// The next of the task's turns behind open_since_ms_. Every task has one an interval, and they
  /// are spread over it: a commit finds disk and log free, and does not wait for its neighbours'.
  /// With sinks it comes sooner, so that features are out about when the interval is over.
  std::int64_t interval_end_ms() const;
  Result<void> commit(UndoStep undo = UndoStep::none);
  /// Submits the newest commit with `chunks` as its outbox, which live until await_publication().
  void publish(std::vector<std::string_view> chunks, bool is_again = false);
  Result<void> await_publication();
  void count_published(const PendingPublication& publication);
  Result<void> finish_commits();
  Error halt_after_commit();
  v1::Head next_head(bool is_published);
  void halt(Error error);
  void step(std::string_view name) {
    if (options_.after_step) options_.after_step(name);
  }

  TaskOptions options_;
  TaskPorts ports_;
  JournalLine own_line_;  // where nobody wants to know
  JournalLine* journal_;
  std::unique_ptr<TaskStore> store_;
  std::unique_ptr<Reader> reader_;
  std::vector<KeyedDecoder> decoders_;   // one a message type
  std::vector<DecodedRecords> decoded_;  // beside decoders_
  std::vector<Stage> stages_;

  // The open commit.
  // A fetch's records fit in a chunk.
  static constexpr std::size_t arena_chunk_bytes = std::size_t{256} << 10;
  Arena open_arena_{arena_chunk_bytes};   // its applied calls, for rebuilding
  Arena batch_arena_{arena_chunk_bytes};  // the current fetch: records, keys, reasons
  OutboxWriter outbox_;
  std::uint64_t open_records_ = 0;  // and timers fired, and States migrated
  std::int64_t open_since_ms_ = 0;
  std::int64_t next_offset_ = 0;
  std::int64_t committed_offset_ = 0;
  std::optional<v1::LastRecord> last_record_;  // that was handled
  bool log_is_known_ = true;                   // false: it comes first from the reader
  // The task's arrival clock. Far below where adding a wait would overflow.
  static constexpr std::int64_t clock_ms_max = std::int64_t{1} << 61;
  std::int64_t arrival_ms_ = 0;
  std::int64_t next_timer_ms_ = LiveTimers::never_ms;  // the earliest of all stages

  // The commit on its way out.
  bool outbox_stored_ = false;  // the store's newest outbox has entries
  Arena save_arena_;
  OutboxWriter publishing_outbox_;
  std::optional<PendingPublication> publishing_;

  // Dead letters that were sent back.
  std::unique_ptr<Reader> retries_;  // null: none ever are
  std::int64_t retries_offset_ = 0;
  std::int64_t retries_end_ = 0;  // when the task was opened

  std::unique_ptr<Parking> parking_;
  const Recalled* recalled_ = nullptr;  // while one is handled

  // Other builds of its resolvers.
  std::atomic<bool> swap_is_asked_{false};
  std::atomic<bool> forget_undo_{false};
  std::mutex swap_mutex_;
  TaskSwap* asked_swap_ = nullptr;   // guarded by swap_mutex_
  std::vector<TaskSwap*> retiring_;  // whose States are being freed
  std::atomic<bool> walk_is_asked_{false};
  std::shared_ptr<StateWalk> asked_walk_;  // guarded by swap_mutex_
  std::shared_ptr<StateWalk> walk_;        // under way; null: none
  std::atomic<bool> parked_is_asked_{false};
  std::shared_ptr<ParkedRequest> asked_parked_;  // guarded by swap_mutex_

  Error pending_halt_;  // why the walk over a fetch stopped

  // What was counted and measured; outcomes are with the stages.
  std::uint64_t records_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t call_us_ = 0;             // in prepare() and resolve()
  std::vector<std::uint64_t> published_;  // beside options_.sink_names
  Histogram commit_times_;
  Histogram publish_times_;
  std::optional<std::int64_t> record_timestamp_ms_;
  std::optional<std::int64_t> commit_wall_ms_;
  std::optional<Error> halted_;
};

}  // namespace weir::host
