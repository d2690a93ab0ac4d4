#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commit/task_store.hpp"
#include "proto_text.hpp"
#include "support/temp_dir.hpp"

namespace weir::test {

/// `result`'s value, or a test failure that shows its error.
template <typename T>
T good(host::Result<T> result) {
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}
inline void good(host::Result<void> result) {
  if (!result) FAIL(result.error().message);
}

/// The error of `result`; a test failure if there is none.
template <typename T>
host::Error bad(host::Result<T> result) {
  if (result) FAIL("expected an error");
  return std::move(result).error();
}

inline host::TaskStore::Options options_in(const std::filesystem::path& directory) {
  host::TaskStore::Options options;
  options.directory = directory;
  options.app = "shop";
  options.task = "visits-0";
  options.map_bytes = std::uint64_t{1} << 30;
  return options;
}

inline const ProtoText& ips_proto() {
  static const ProtoText proto(R"(
    syntax = "proto3";
    package test;
    message Ips { map<string, bool> seen = 1; int64 total_count = 2; Kind kind = 3; }
    enum Kind { NONE = 0; GUEST = 1; }
    message Unrelated { string text = 1; }
  )");
  return proto;
}

inline host::ResolverSchema ips_resolver(const std::string& name = "count_ips") {
  host::ResolverSchema schema;
  schema.name = name;
  schema.use = "unique_ips/count_ips";
  schema.plugin_version = "1.0.0";
  schema.state = &ips_proto().type("test.Ips");
  schema.state_version = 1;
  return schema;
}

/// A store with one registered resolver, and commits in one line.
struct OneResolver {
  std::unique_ptr<host::TaskStore> store;
  host::ResolverId id = 0;

  explicit OneResolver(const host::TaskStore::Options& options, bool timers = false)
      : store(good(host::TaskStore::open(options))) {
    host::ResolverSchema resolver = ips_resolver();
    resolver.timers = timers;
    id = good(store->register_resolvers({&resolver, 1}, {})).at(0);
  }

  v1::Head next_head() const {
    v1::Head head;
    head.mutable_commit()->set_lineage(store->lineage());
    head.mutable_commit()->set_sequence(store->head() ? store->head()->commit().sequence() + 1 : 1);
    head.mutable_commit()->set_nonce(42);
    return head;
  }

  host::Result<void> commit(const std::vector<host::StateChange>& states,
                            const std::vector<std::string_view>& outbox = {}) {
    return store->commit({next_head(), states, outbox});
  }
  host::Result<void> put(std::string_view key, std::string_view bytes) {
    return commit({{id, key, bytes}});
  }
  std::optional<std::string> get(std::string_view key) {
    const auto state = good(store->get(id, key));
    if (!state) return std::nullopt;
    return std::string(state->bytes);
  }
};

}  // namespace weir::test
