#include "log/kafka/kafka_member.hpp"

#include <algorithm>
#include <utility>

#include "log/rules.hpp"

namespace weir::host {
namespace {

using namespace std::chrono_literals;

constexpr auto look_interval = 100ms;
constexpr auto upkeep_interval = 1s;
constexpr auto retry_wait = 500ms;
/// Who loses its place so often soon after it was taken has a twin that takes it back each time.
constexpr int fenced_in_a_row_max = 3;

/// The name under which the broker knows the app's only member.
std::string instance_of(std::string_view group) { return fmt::format("weir-{}", group); }

/// How hosts show themselves to each other in their group: this, and their state directories.
std::string client_prefix(std::string_view group) { return fmt::format("weir-{}-", group); }

}  // namespace

KafkaMember::KafkaMember(std::shared_ptr<KafkaContext> context, std::shared_ptr<KafkaAdmin> admin)
    : context_(std::move(context)), admin_(std::move(admin)) {}

KafkaMember::~KafkaMember() = default;

Result<std::shared_ptr<KafkaMember>> KafkaMember::join(std::shared_ptr<KafkaContext> context,
                                                       std::shared_ptr<KafkaAdmin> admin,
                                                       const Membership& membership) {
  WEIR_CHECK(check_name("the group", membership.group));
  WEIR_CHECK(check_name("the host", membership.host));
  std::shared_ptr<KafkaMember> self(new KafkaMember(std::move(context), std::move(admin)));
  self->group_ = membership.group;
  self->host_ = membership.host;
  self->topics_ = membership.topics;
  for (const std::string& topic : membership.topics) {
    WEIR_TRY(const auto info, self->admin_->topic(topic));
    if (!info) return no_such_topic(topic);
    for (std::int32_t i = 0; i < info->partition_count; ++i) {
      self->partitions_.push_back({topic, i});
    }
  }
  WEIR_CHECK(self->check_members());
  WEIR_CHECK(self->check_marks(membership));
  WEIR_TRY(self->consumer_, self->open_consumer({}));
  self->joined_at_ = std::chrono::steady_clock::now();
  self->thread_ = std::jthread([raw = self.get()](std::stop_token stop) { raw->run(stop); });
  return self;
}

/// Nobody else is alive in the group. A member of this very state directory is a dead predecessor:
/// the directory's lock is held.
Result<void> KafkaMember::check_members() const {
  const std::string prefix = client_prefix(group_);
  WEIR_TRY(const auto members, admin_->members(group_));
  for (const KafkaGroupMember& member : members) {
    if (member.client_id == prefix + host_) continue;
    if (member.client_id.starts_with(prefix)) {
      const auto session =
          std::chrono::duration_cast<std::chrono::seconds>(context_->options.session_timeout);
      return error(
          Errc::refused,
          "another host of app {} is in its group, with the state directory {} at {} (this "
          "one has {}); it runs, or has ended less than {} s ago, as the group keeps its "
          "place for so long: stop it, and try again after {} s",
          group_, member.client_id.substr(prefix.size()), member.address, host_, session.count(),
          session.count());
    }
    return error(Errc::refused,
                 "group '{}' has a member that is no host of this app (client.id '{}'); one host "
                 "owns every partition: end it, or give the app another name",
                 group_, member.client_id);
  }
  return {};
}

/// Asks for no more than is known already: what a killed predecessor left open would be waited for.
/// Only a host that looks as if it did not fit waits, as the newest mark may be in there.
Result<void> KafkaMember::check_marks(const Membership& membership) const {
  if (!membership.admit) return {};
  WEIR_TRY(const auto marks, admin_->decided_marks(group_, partitions_));
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    if (membership.admit(partitions_[i], marks[i])) continue;
    WEIR_TRY(const auto newest, admin_->committed(group_, partitions_[i]));
    WEIR_CHECK(membership.admit(partitions_[i], newest));
  }
  return {};
}

Result<std::shared_ptr<KafkaConsumer>> KafkaMember::open_consumer(std::stop_token stop) {
  Membership own{group_, client_prefix(group_) + host_, topics_};
  return KafkaConsumer::open_member(context_, own, instance_of(group_), partitions_,
                                    std::move(stop));
}

Result<std::shared_ptr<KafkaConsumer>> KafkaMember::consumer() const {
  const std::lock_guard lock(mutex_);
  if (error_) return *error_;
  return consumer_;
}

std::uint64_t KafkaMember::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_ + (consumer_ == nullptr ? 0 : consumer_->grant_count());
}

Result<void> KafkaMember::check_owner() const {
  WEIR_CHECK(consumer());
  WEIR_TRY(const auto members, admin_->members(group_));
  const auto found = std::find_if(members.begin(), members.end(), [&](const auto& member) {
    return member.instance == instance_of(group_);
  });
  const std::string prefix = client_prefix(group_);
  if (found == members.end() || found->client_id == prefix + host_) return {};
  return error(Errc::refused,
               "another host of app {} has taken over its group, with the state directory {} at {} "
               "(this one has {}); only one may run",
               group_,
               found->client_id.starts_with(prefix) ? found->client_id.substr(prefix.size())
                                                    : found->client_id,
               found->address, host_);
}

// ---------------------------------------------------------------------------------------------

void KafkaMember::run(std::stop_token stop) {
  auto next_upkeep = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    bool is_fenced = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, look_interval, [] { return false; });
      if (error_) return;
      is_fenced = consumer_->is_fenced();
    }
    if (is_fenced) replace(stop);
    if (std::chrono::steady_clock::now() >= next_upkeep) {
      context_->upkeep.run();
      next_upkeep = std::chrono::steady_clock::now() + upkeep_interval;
    }
  }
}

void KafkaMember::replace(std::stop_token stop) {
  const auto lasted = std::chrono::steady_clock::now() - joined_at_;
  fenced_in_a_row_ = lasted < context_->options.session_timeout ? fenced_in_a_row_ + 1 : 1;
  std::shared_ptr<KafkaConsumer> fenced;  // its end may take a while: not under the mutex
  {
    const std::lock_guard lock(mutex_);
    fenced = std::exchange(consumer_, nullptr);
    generation_ += fenced->grant_count();
  }
  if (context_->options.logger != nullptr) {
    context_->options.logger->warn(
        "log", "group {} gave the place of this host away; looking to whom", group_);
  }
  while (!stop.stop_requested()) {
    auto replaced = replace_once(stop);
    if (replaced) break;
    context_->health.bad(replaced.error().message);
    std::unique_lock lock(mutex_);
    if (replaced.error().code != Errc::unavailable) {
      error_ = std::move(replaced).error();
      break;
    }
    changed_.wait_for(lock, stop, retry_wait, [] { return false; });
  }
  context_->signal.notify();
}

Result<void> KafkaMember::replace_once(std::stop_token stop) {
  WEIR_CHECK(check_owner());
  if (fenced_in_a_row_ > fenced_in_a_row_max) {
    return error(Errc::refused,
                 "another host of app {} takes its group back each time, with a copy of this state "
                 "directory ({}); only one may run",
                 group_, host_);
  }
  WEIR_TRY(auto opened, open_consumer(std::move(stop)));
  joined_at_ = std::chrono::steady_clock::now();
  context_->health.good();
  if (context_->options.logger != nullptr) {
    context_->options.logger->info("log", "group {} has this host as its member again", group_);
  }
  const std::lock_guard lock(mutex_);
  consumer_ = std::move(opened);
  return {};
}

}  // namespace weir::host
