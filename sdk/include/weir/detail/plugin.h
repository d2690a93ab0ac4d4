#pragma once

#include <weir/abi.h>
#include <weir/detail/slots.h>
#include <weir/detail/type_name.h>
#include <weir/resolver.h>
#include <weir/version.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

/// From the words of WEIR_PLUGIN to the manifest and the tables of the ABI.
namespace weir::detail {

template <class... Resolvers>
struct Declaration {
  std::string_view name;
  std::string_view version;
  std::tuple<Resolvers...> resolvers;
};

constexpr bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 63 || text[0] < 'a' || text[0] > 'z') return false;
  for (const char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return true;
}

constexpr bool is_version(std::string_view text) {
  if (text.empty() || text.size() > 63) return false;
  for (const char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  return true;
}

template <std::size_t n>
constexpr bool all_differ(const std::array<std::string_view, n>& names, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (names[i] == names[j]) return false;
    }
  }
  return true;
}

constexpr bool all_names(const OutputNames& names) {
  for (std::size_t i = 0; i < names.count; ++i) {
    if (!is_name(names.names[i])) return false;
  }
  return true;
}

inline constexpr std::string_view default_output = "features";

/// A plugin with a resolver that was refused has no more to say.
struct BrokenPlugin {
  static constexpr std::array<char, 1> manifest() { return {}; }
  static const weir_plugin_table* enter(const weir_host*) noexcept { return nullptr; }
};

template <class... Resolvers>
constexpr bool is_broken(const std::tuple<Resolvers...>*) {
  return (... || std::is_same_v<Resolvers, BrokenResolver>);
}

/// Reads a declaration `D`, a constexpr object of static storage.
template <const auto& D>
class Plugin {
  static constexpr std::size_t count =
      std::tuple_size_v<std::remove_cvref_t<decltype(D.resolvers)>>;
  template <std::size_t I>
  using ResolverType = std::remove_cvref_t<decltype(std::get<I>(D.resolvers))>;
  template <std::size_t I>
  static constexpr const ResolverType<I>& resolver() {
    return std::get<I>(D.resolvers);
  }
  template <std::size_t I>
  static constexpr int state_version_of = resolver<I>().version == 0 ? 1 : resolver<I>().version;

  template <std::size_t I>
  static constexpr std::string_view output_name(std::size_t output) {
    const OutputNames& said = resolver<I>().output_names;
    return said.count == 0 ? default_output : said.names[output];
  }

  // One readable error for each thing that only shows when all words are known.
  template <std::size_t I>
  static constexpr bool check_resolver() {
    using R = ResolverType<I>;
    using Signature = typename R::Types;
    constexpr const OutputNames& names = resolver<I>().output_names;
    constexpr int version = resolver<I>().version;
    constexpr bool good_name = is_name(resolver<I>().name);
    static_assert(good_name, "weir: a resolver's name is [a-z][a-z0-9_]*, at most 63 characters");
    static_assert(!names.too_many, "weir: a resolver has at most 16 outputs");
    constexpr bool named = names.count != 0 || R::Outputs::count <= 1;
    static_assert(named,
                  "weir: several outputs need names: .outputs(\"first\", \"second\"), the returned "
                  "feature first, then each Out, then what only .on_notify emits");
    constexpr bool enough = names.count == 0 || names.count == R::Outputs::count;
    static_assert(enough,
                  "weir: .outputs() takes one name for each output: the returned feature first, "
                  "then each Out, then what only .on_notify emits");
    constexpr bool names_differ = all_differ(names.names, names.count);
    static_assert(names_differ, "weir: the outputs of a resolver have different names");
    constexpr bool good_names = all_names(names);
    static_assert(good_names, "weir: an output's name is [a-z][a-z0-9_]*, at most 63 characters");
    static_assert(version == 0 || Signature::has_state,
                  "weir: .state_version() is for resolvers with a State, a parameter S&");
    constexpr bool good_version = version >= 0 && version <= 65535;
    static_assert(good_version, "weir: .state_version() takes a number from 1 to 65535");
    static_assert(!R::template has<Word::migrate> || version >= 2,
                  "weir: .migrate<>() needs .state_version(n) with n above 1: the version that it "
                  "migrates to");
    constexpr int reader = resolver<I>().reader_version;
    static_assert(reader == 0 || (reader >= 1 && reader < (version == 0 ? 1 : version)),
                  "weir: .readable_by() takes a State version below the resolver's own "
                  ".state_version()");
    return good_name && !names.too_many && named && enough && names_differ && good_names;
  }

  static constexpr bool check() {
    constexpr bool good_name = is_name(D.name);
    static_assert(good_name, "weir: a plugin's name is [a-z][a-z0-9_]*, at most 63 characters");
    constexpr bool good_version = is_version(D.version);
    static_assert(good_version,
                  "weir: a plugin's version is printable ASCII without spaces, at most 63 "
                  "characters");
    constexpr bool names_differ = []<std::size_t... I>(std::index_sequence<I...>) {
      return all_differ(std::array<std::string_view, count>{resolver<I>().name...}, count);
    }
    (std::make_index_sequence<count>());
    static_assert(names_differ, "weir: the resolvers of a plugin have different names");
    // Not &&, so that every resolver is checked.
    constexpr bool good_resolvers = []<std::size_t... I>(std::index_sequence<I...>) {
      return (int{check_resolver<I>()} & ...) != 0;
    }
    (std::make_index_sequence<count>());
    return good_name && good_version && names_differ && good_resolvers;
  }

  // The manifest; its grammar is at the end of abi.h
  // ------------------------------------------------

  template <class Put>
  static constexpr void put_text(const Put& put, std::string_view text) {
    for (const char c : text) put(c);
  }
  template <class Put>
  static constexpr void put_number(const Put& put, std::uint64_t number) {
    if (number >= 10) put_number(put, number / 10);
    put(static_cast<char>('0' + number % 10));
  }
  template <class Put, std::size_t I, std::size_t output>
  static constexpr void put_feature(const Put& put) {
    put_text(put, "feature ");
    put_text(put, output_name<I>(output));
    put(' ');
    put_type_name<typename ResolverType<I>::Outputs::template Feature<output>>(put);
    put('\n');
  }

  template <class Put, std::size_t I>
  static constexpr void put_resolver(const Put& put) {
    using R = ResolverType<I>;
    using Signature = typename R::Types;
    put_text(put, "resolver ");
    put_text(put, resolver<I>().name);
    put('\n');
    if constexpr (Room<R>::has_input) {
      put_text(put, "message ");
      put_type_name<typename Room<R>::Input>(put);
      put('\n');
    }
    if constexpr (Signature::has_state) {
      put_text(put, "state ");
      put_type_name<typename Signature::State>(put);
      put(' ');
      put_number(put, static_cast<std::uint64_t>(state_version_of<I>));
      if constexpr (resolver<I>().reader_version != 0) {
        put(' ');
        put_number(put, static_cast<std::uint64_t>(resolver<I>().reader_version));
      }
      put('\n');
    }
    if constexpr (Signature::has_settings) {
      put_text(put, "settings ");
      put_type_name<typename Signature::Settings>(put);
      put('\n');
    }
    if constexpr (R::template has<Word::on_notify>) put_text(put, "timers arrival\n");
    [&]<std::size_t... O>(std::index_sequence<O...>) { (put_feature<Put, I, O>(put), ...); }
    (std::make_index_sequence<R::Outputs::count>());
  }

  template <class Put>
  static constexpr void put_manifest(const Put& put) {
    put_text(put, "weir.manifest/1\nabi ");
    put_number(put, WEIR_ABI_MAJOR);
    put('.');
    put_number(put, WEIR_ABI_MINOR);
    put_text(put, "\nsdk " WEIR_SDK_VERSION "\nprotobuf ");
    put_number(put, GOOGLE_PROTOBUF_VERSION);
    put_text(put, "\nplugin ");
    put_text(put, D.name);
    put(' ');
    put_text(put, D.version);
    put('\n');
    [&]<std::size_t... I>(std::index_sequence<I...>) { (put_resolver<Put, I>(put), ...); }
    (std::make_index_sequence<count>());
    put('\0');
  }

  static constexpr std::size_t manifest_size() {
    std::size_t size = 0;
    put_manifest([&size](char) { ++size; });
    return size;
  }

  // The tables -----------------------------------------------------------------------------------

  template <std::size_t I>
  static constexpr weir_resolver make_table() {
    using R = ResolverType<I>;
    using S = Slots<R, state_version_of<I>>;
    weir_resolver made{};
    made.struct_size = sizeof(weir_resolver);
    made.name = resolver<I>().name;
    made.create = &S::create;
    made.destroy = &S::destroy;
    made.prepare = &S::prepare;
    made.batch_free = &S::batch_free;
    if constexpr (R::Types::has_state) {
      made.state_load = &S::state_load;
      made.state_save = &S::state_save;
      made.state_free = &S::state_free;
    }
    made.resolve = &S::resolve;
    if constexpr (R::template has<Word::on_notify>) made.notify = &S::notify;
    return made;
  }

 public:
  static constexpr auto manifest() {
    if constexpr (check()) {
      std::array<char, manifest_size()> text{};
      std::size_t at = 0;
      put_manifest([&](char c) { text[at++] = c; });
      return text;
    } else {
      return std::array<char, 1>{};
    }
  }

  static const weir_plugin_table* enter(const weir_host* host) noexcept {
    static constexpr auto tables = []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<weir_resolver, count>{make_table<I>()...};
    }
    (std::make_index_sequence<count>());
    static constexpr auto pointers = []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<const weir_resolver*, count>{&tables[I]...};
    }
    (std::make_index_sequence<count>());
    static constexpr weir_plugin_table table{sizeof(weir_plugin_table),
                                             WEIR_ABI_MAJOR,
                                             WEIR_ABI_MINOR,
                                             static_cast<std::uint32_t>(count),
                                             pointers.data(),
                                             nullptr,
                                             nullptr};
    // A host that knows this minor says it, whatever its own is.
    const bool fits = host->abi_major == WEIR_ABI_MAJOR && host->abi_minor == WEIR_ABI_MINOR;
    return fits ? &table : nullptr;
  }
};

template <const auto& D>
using PluginOf = std::conditional_t<is_broken(static_cast<decltype(&D.resolvers)>(nullptr)),
                                    BrokenPlugin, Plugin<D>>;

}  // namespace weir::detail
