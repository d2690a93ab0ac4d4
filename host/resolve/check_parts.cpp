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

std::unique_ptr<DrivenResolver> create_checked(const std::shared_ptr<Plugin>& plugin,
                                               const Manifest::Resolver& resolver,
                                               const CheckSubject& subject, std::string* reason) {
  if (const auto given = subject.settings.find(resolver.name); given != subject.settings.end()) {
    return DrivenResolver::create(plugin, resolver, given->second, reason);
  }
  auto driven = DrivenResolver::create(plugin, resolver, "", reason);
  if (driven != nullptr || resolver.settings_type.empty()) return driven;
  RecordMaker maker(*plugin, resolver, mixed(subject.seed, "settings"));
  for (int i = 0; i < check_settings_tries && driven == nullptr; ++i) {
    std::string ignored;
    driven =
        DrivenResolver::create(plugin, resolver, maker.message(resolver.settings_type), &ignored);
  }
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
