#include "resolve/check_parts.hpp"

#include <fmt/format.h>

#include "resolve/record_maker.hpp"

namespace weir::host {

std::uint64_t mixed(std::uint64_t seed, std::string_view use) {
  for (const char c : use) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return seed;
}

std::shared_ptr<Plugin> load_checked(const std::filesystem::path& path,
                                     const CheckSubject& subject) {
  auto plugin = Plugin::load(path, subject.copy_directory);
  if (!plugin) throw BrokenRule(plugin.error().message);
  return *std::move(plugin);
}

namespace {

std::unique_ptr<DrivenResolver> create_some(const std::shared_ptr<Plugin>& plugin,
                                            const Manifest::Resolver& resolver,
                                            const CheckSubject& subject, std::string* reason,
                                            bool guarded) {
  if (const auto given = subject.settings.find(resolver.name); given != subject.settings.end()) {
    return DrivenResolver::create(plugin, resolver, given->second, reason, guarded);
  }
  auto driven = DrivenResolver::create(plugin, resolver, "", reason, guarded);
  if (driven != nullptr || resolver.settings_type.empty()) return driven;
  RecordMaker maker(*plugin, resolver, mixed(subject.seed, "settings"));
  for (int i = 0; i < check_settings_tries && driven == nullptr; ++i) {
    std::string ignored;
    driven = DrivenResolver::create(plugin, resolver, maker.message(resolver.settings_type),
                                    &ignored, guarded);
  }
  return driven;
}

}  // namespace

std::unique_ptr<DrivenResolver> create_checked(const std::shared_ptr<Plugin>& plugin,
                                               const Manifest::Resolver& resolver,
                                               const CheckSubject& subject, std::string* reason,
                                               bool guarded) {
  auto driven = create_some(plugin, resolver, subject, reason, guarded);
  // Half of a check's time: a slow one is told from one that does not come back.
  if (driven != nullptr) driven->set_time_max(subject.time_max / 2);
  return driven;
}

std::optional<std::string> first_difference(std::span<const CheckOutcome> one,
                                            std::span<const CheckOutcome> other) {
  for (std::size_t i = 0; i < one.size(); ++i) {
    if (!(one[i] == other[i])) {
      return fmt::format("record {} of {}: {}", i, one.size(), one[i].difference(other[i]));
    }
  }
  return {};
}

}  // namespace weir::host
