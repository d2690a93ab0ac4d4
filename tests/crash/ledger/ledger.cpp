// A resolver whose State and features show every lost, repeated or exchanged record.
#include <weir/sdk.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>

#include "ledger.pb.h"

namespace ledger {

std::uint64_t chained(std::uint64_t chain, std::string_view id) {
  for (const char c : id) chain = (chain ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return chain * 0x9e3779b97f4a7c15u + 1;
}

constexpr std::int64_t year_ms = std::int64_t{365} * 24 * 3600 * 1000;

/// Hostile records bring amounts of any size.
std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// Whether `later` is over for this id: nobody knows when, but once it is, it stays so in this
/// process.
bool has_come(const std::string& id) {
  static std::mutex mutex;
  static std::unordered_set<std::string> come;
  static std::minstd_rand random{std::random_device()()};
  const std::lock_guard lock(mutex);
  if (!come.contains(id) && random() % 3 != 0) return false;
  come.insert(id);
  return true;
}

/// Changes the State before it refuses, so that a trace of a failed call would show.
weir::Result<void> post(const Posting& posting, Account& account, weir::Out<Entry>& entries,
                        weir::Out<Entry>& lines, weir::Context& context) {
  const std::string& action = posting.action();
  if (action == "skip") return weir::Skip();
  account.set_count(account.count() + 1);
  account.set_sum(wrapping_sum(account.sum(), posting.amount()));
  account.set_chain(chained(account.chain(), posting.id()));
  if (action == "pad") {
    account.mutable_padding()->append(static_cast<std::size_t>(posting.pad()), 'x');
  }

  if (posting.timer_ms() != 0) {
    context.notify_at(context.arrival_time() +
                      std::chrono::milliseconds(std::clamp(posting.timer_ms(), -year_ms, year_ms)));
  }

  Entry entry;
  entry.set_id(posting.id());
  entry.set_account(posting.account());
  entry.set_count(account.count());
  entry.set_sum(account.sum());
  entry.set_chain(account.chain());
  entries.emit(entry);
  lines.emit(entry);

  if (action == "later" && !has_come(posting.id())) {
    return weir::RetryAfter(std::chrono::milliseconds(10), "later");
  }
  if (action == "file" && !std::filesystem::exists(posting.id())) {
    return weir::RetryAfter(std::chrono::hours(1), "there is no file " + posting.id());
  }
  if (action == "never") return weir::RetryAfter(std::chrono::hours(1), "never");
  if (action == "reject") return weir::Reject("rejected " + posting.id());
  if (action == "throw") throw std::runtime_error("threw at " + posting.id());
  if (action == "fatal") return weir::Fatal("fatal at " + posting.id());
  if (action == "wait") {
    std::ofstream(posting.id()) << "waiting";  // tells the test that the call has begun
    std::this_thread::sleep_for(std::chrono::seconds(posting.amount()));
  }
  return {};
}

/// A timer is an entry of its own, named after the time that it was set to.
void chime(Account& account, weir::Out<Entry>& entries, weir::Out<Entry>& lines,
           weir::Context& context) {
  const std::string id = "t" + std::to_string(context.event_time().time_since_epoch().count());
  account.set_count(account.count() + 1);
  account.set_chain(chained(account.chain(), id));
  Entry entry;
  entry.set_id(id);
  entry.set_account(std::string(context.key()));
  entry.set_count(account.count());
  entry.set_sum(account.sum());
  entry.set_chain(account.chain());
  entries.emit(entry);
  lines.emit(entry);
}

/// Takes the record's bytes as they are.
Entry note(const weir::Record& record, Account& account) {
  account.set_count(account.count() + 1);
  Entry entry;
  entry.set_id(std::to_string(record.offset()));
  entry.set_count(account.count());
  return entry;
}

}  // namespace ledger

WEIR_PLUGIN("ledger", "1.0.0",
            weir::resolver<ledger::post>("post")
                .key<&ledger::Posting::account>()
                .on_notify<ledger::chime>()
                .outputs("entries", "lines"),
            weir::resolver<ledger::note>("note"));
