// How a task opens: where it stands, whether its States fit the plugins, what the last run left.
#include <algorithm>

#include <google/protobuf/descriptor.h>

#include "task/stored_states.hpp"
#include "task/task.hpp"

namespace weir::host {

namespace {

class StoredTimers final : public CommittedTimers {
 public:
  StoredTimers(TaskStore& store, ResolverId id) : store_(store), id_(id) {}

  Result<std::optional<Timer>> get(std::string_view key) override { return store_.timer(id_, key); }
  Result<std::vector<KeyTimer>> next(const KeyTimer* after, std::size_t count) override {
    return store_.next_timers(id_, after, count);
  }

 private:
  TaskStore& store_;
  ResolverId id_;
};

}  // namespace

Result<std::unique_ptr<Task>> Task::open(TaskOptions options, TaskPorts ports) {
  std::unique_ptr<Task> self(new Task(std::move(options), ports));
  if (auto started = self->start(); !started) {
    return host::error(started.error().code, "task {}: {}", self->name(), started.error().message);
  }
  return self;
}

Task::Task(TaskOptions options, TaskPorts ports)
    : options_(std::move(options)),
      ports_(ports),
      journal_(options_.journal == nullptr ? &own_line_ : options_.journal),
      outbox_(options_.sink_names),
      publishing_outbox_(options_.sink_names),
      published_(options_.sink_names.size()) {}

Task::~Task() {
  if (publishing_) (void)ports_.publisher.wait(*publishing_);
}

Result<void> Task::start() {
  WEIR_TRY(store_, TaskStore::open(options_.store));
  WEIR_TRY(next_offset_, start_offset());
  if (store_->head()) {
    arrival_ms_ = store_->head()->arrival_ms();
    retries_offset_ = store_->head()->retries_offset();
  }
  WEIR_CHECK(open_resolvers());
  WEIR_CHECK(open_parking());
  WEIR_CHECK(recover());
  if (!store_->head()) {
    // The first start decides where the task begins, also if no record comes before the next one.
    WEIR_CHECK(
        store_->commit({.head = next_head(/*is_published=*/false), .states = {}, .outbox = {}}));
    publish({});
  }
  committed_offset_ = next_offset_;
  WEIR_TRY(const std::int64_t read_from, first_read());
  WEIR_TRY(reader_, ports_.log.open_reader(options_.source.input, read_from));
  WEIR_CHECK(open_retries());
  halt_if_stuck();
  return {};
}

Result<std::int64_t> Task::start_offset() {
  const TaskSource& source = options_.source;
  WEIR_TRY(const OffsetRange range, ports_.log.offsets(source.input));
  if (!store_->head()) {
    switch (source.start.kind) {
      case StartPosition::Kind::earliest:
        return range.begin;
      case StartPosition::Kind::latest:
        return range.end;
      case StartPosition::Kind::time:
        return ports_.log.offset_at(source.input, source.start.time_ms);
    }
  }
  const v1::Input& input = store_->head()->inputs(0);
  WEIR_CHECK(check_input(fit(), input, range));
  return input.next_offset();
}

/// Where the reader begins: at the record that was handled last, if the log still has its place.
/// There is none between that and the next one.
Result<std::int64_t> Task::first_read() {
  const v1::Input& input = store_->head()->inputs(0);
  if (!input.has_last()) return next_offset_;
  last_record_ = input.last();
  WEIR_TRY(const OffsetRange range, ports_.log.offsets(options_.source.input));
  if (last_record_->offset() < range.begin) return next_offset_;
  log_is_known_ = false;
  return last_record_->offset();
}

Fit Task::fit() const {
  const TaskSource& source = options_.source;
  return {options_.yaml, source.name, source.input, source.partition_count, source.topic_identity};
}

Result<void> Task::open_resolvers() {
  std::vector<ResolverSchema> schemas;
  for (const TaskResolver& resolver : options_.resolvers) schemas.push_back(schema_of(resolver));
  const v1::Head here = next_head(/*is_published=*/false);
  const std::vector<v1::Input> inputs(here.inputs().begin(), here.inputs().end());
  auto registered = store_->register_resolvers(schemas, inputs);
  if (!registered && store_->undo_head()) {
    // The newer builds have not outlived their probation.
    WEIR_CHECK(recover());
    WEIR_CHECK(commit_rollback());
    registered = store_->register_resolvers(schemas, inputs);
  }
  WEIR_TRY(const auto ids, std::move(registered));
  if (store_->undo_head()) forget_undo();  // those that run now are the ones to stay
  for (const std::string& note : store_->notes()) {
    ports_.logger.info("commit", "task {}: {}", options_.name, note);
  }

  for (std::size_t i = 0; i < options_.resolvers.size(); ++i) {
    TaskResolver& resolver = options_.resolvers[i];
    Stage stage;
    stage.resolver = &resolver;
    stage.id = ids[i];
    WEIR_TRY(stage.instance,
             ResolverInstance::create(
                 resolver.plugin, resolver.resolver, resolver.settings,
                 {options_.journal, options_.control_journal, resolver.journal_number}));
    if (!stage.instance->stateless()) {
      stage.committed = std::make_unique<StoredStates>(*store_, stage.id);
      stage.live = std::make_unique<LiveStates>(*stage.instance, *stage.committed, options_.live);
    }
    if (stage.instance->manifest().timers) {
      stage.committed_timers = std::make_unique<StoredTimers>(*store_, stage.id);
      stage.timers = std::make_unique<LiveTimers>(*stage.committed_timers);
      WEIR_CHECK(stage.timers->reload());
    }
    const std::string& type = stage.instance->manifest().message_type;
    const std::string key = decoder_key(*resolver.plugin, type);
    const auto known = std::ranges::find(decoders_, key, &KeyedDecoder::key);
    stage.decoded = static_cast<std::size_t>(known - decoders_.begin());
    if (known == decoders_.end()) {
      decoders_.push_back(
          {key, std::make_unique<SourceDecoder>(std::move(resolver.decoder), type.empty(),
                                                options_.source.input)});
    }
    stages_.push_back(std::move(stage));
  }
  decoded_.resize(decoders_.size());
  find_next_timer();
  return {};
}

ResolverSchema Task::schema_of(const TaskResolver& resolver) {
  const Manifest::Resolver& manifest = *resolver.plugin->manifest().find(resolver.resolver);
  return {resolver.name,
          resolver.renamed_from,
          resolver.use,
          resolver.plugin->manifest().version,
          manifest.state_type.empty() ? nullptr : resolver.plugin->message(manifest.state_type),
          manifest.state_version,
          manifest.state_readable_by,
          manifest.timers};
}

Result<void> Task::recover() {
  WEIR_TRY(const auto mark, ports_.log.committed(options_.app, options_.source.input));
  WEIR_TRY(const Recovery recovery, check_mark(fit(), store_->head(), mark));
  if (!store_->head()) return {};

  WEIR_CHECK(Publisher::restore(options_.sinks, *store_->head()));
  WEIR_TRY(const auto chunks, store_->outbox());
  outbox_stored_ = !chunks.empty();
  const std::vector<std::string_view> views(chunks.begin(), chunks.end());
  if (recovery == Recovery::nothing_pending) {
    return Publisher::write_lines(options_.sinks, views);
  }
  ports_.logger.info("publish", "task {}: publishing commit {} of the last run", options_.name,
                     store_->head()->commit().sequence());
  publish(views, /*is_again=*/true);
  return await_publication();
}

}  // namespace weir::host
