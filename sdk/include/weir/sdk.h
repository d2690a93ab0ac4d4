#pragma once

/// Everything that the author of a C++ plugin needs:
///
///   UniqueIps count_ips(const Visit& visit, Ips& state);
///
///   WEIR_PLUGIN("unique_ips", "1.0.0",
///               weir::resolver<count_ips>("count_ips").key<&Visit::user_id>());
///
/// resolver.h says what a resolver may look like and has the chained words; record.h, context.h,
/// out.h and outcome.h have what resolvers take and return.

#include <weir/abi.h>
#include <weir/context.h>
#include <weir/detail/plugin.h>
#include <weir/out.h>
#include <weir/outcome.h>
#include <weir/record.h>
#include <weir/resolver.h>
#include <weir/version.h>

#include <string_view>
#include <tuple>

namespace weir {

/// What WEIR_PLUGIN collects.
template <class... Resolvers>
constexpr auto plugin(std::string_view name, std::string_view version, Resolvers... resolvers) {
  static_assert(
      sizeof...(Resolvers) > 0,
      "weir: WEIR_PLUGIN(name, version, weir::resolver<f>(\"name\"), ...) has at least one "
      "resolver");
  return detail::Declaration<Resolvers...>{name, version, std::tuple<Resolvers...>(resolvers...)};
}

}  // namespace weir

/// WEIR_PLUGIN("name", "version", weir::resolver<f>("name")..., ...): once in a plugin, in any
/// namespace. Emits the manifest, which the host reads before it runs any code of the file, and the
/// entry function, the only symbol that the file exports. The name is [a-z][a-z0-9_]*, at most 63
/// characters; apps write `use: <plugin>/<resolver>`.
#define WEIR_PLUGIN(plugin_name, plugin_version, ...)                                          \
  namespace {                                                                                  \
  constexpr auto weir_declaration_ = ::weir::plugin(plugin_name, plugin_version, __VA_ARGS__); \
  WEIR_SECTION(WEIR_MANIFEST_SECTION)                                                          \
  constexpr auto weir_manifest_ = ::weir::detail::PluginOf<weir_declaration_>::manifest();     \
  }                                                                                            \
  extern "C" __attribute__((visibility("default"))) const weir_plugin_table* weir_plugin(      \
      const weir_host* host);                                                                  \
  const weir_plugin_table* weir_plugin(const weir_host* host) {                                \
    return ::weir::detail::PluginOf<weir_declaration_>::enter(host);                           \
  }                                                                                            \
  static_assert(true, "")
