#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "resolve/driven_resolver.hpp"
#include "resolve/plugin.hpp"
#include "resolve/plugin_checks.hpp"

namespace weir::host {

// What the checks of `weir plugin check` have in common, in the process that may die of them.

inline constexpr std::size_t check_records_count = 400;
inline constexpr int check_settings_tries = 64;

/// A seed of its own for each use, so that checks do not depend on each other.
std::uint64_t mixed(std::uint64_t seed, std::string_view use);

/// A plugin that is refused is a BrokenRule.
std::shared_ptr<Plugin> load_checked(const std::filesystem::path& path,
                                     const CheckSubject& subject);

/// An instance with the settings that were given, none, or the first random ones it takes. Null: it
/// takes none of them; `*reason` says why not the first. `guarded` as in DrivenResolver::create().
std::unique_ptr<DrivenResolver> create_checked(const std::shared_ptr<Plugin>& plugin,
                                               const Manifest::Resolver& resolver,
                                               const CheckSubject& subject, std::string* reason,
                                               bool guarded = false);

/// The first record of which two runs made different things.
std::optional<std::string> first_difference(std::span<const CheckOutcome> one,
                                            std::span<const CheckOutcome> other);

}  // namespace weir::host
