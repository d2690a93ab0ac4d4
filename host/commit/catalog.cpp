#include "commit/catalog.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include "commit/schema_check.hpp"
#include "commit/state_type.hpp"

namespace weir::host {
namespace {

// A State's header has 16 bits for its schema.
constexpr std::uint32_t schemas_max = std::numeric_limits<std::uint16_t>::max();

class Registrar {
 public:
  Registrar(const Catalog& stored, std::span<const ResolverSchema> resolvers,
            std::span<const v1::Input> started_at)
      : resolvers_(resolvers), started_at_(started_at) {
    out_.catalog = stored;
  }

  Result<Registration> run() {
    check_names();
    if (!conflicts_.empty()) return refusal();
    for (const ResolverSchema& resolver : resolvers_) {
      WEIR_TRY(const ResolverId id, add(resolver));
      out_.ids.push_back(id);
    }
    if (!conflicts_.empty()) return refusal();
    for (const auto& [name, entry] : out_.catalog.resolvers) {
      if (!entry.state_type().empty() && !names_.contains(name)) {
        out_.notes.push_back(fmt::format(
            "resolver {} is not in the app; its State stays until it is dropped", name));
      }
    }
    return std::move(out_);
  }

 private:
  void conflict(const ResolverSchema& resolver, const std::string& text) {
    conflicts_.push_back(fmt::format("resolver {}: {}", resolver.name, text));
  }

  Error refusal() const {
    std::string text = conflicts_.front();
    for (std::size_t i = 1; i < conflicts_.size(); ++i) text += "\n" + conflicts_[i];
    return Error{Errc::refused, std::move(text)};
  }

  void check_names() {
    for (const ResolverSchema& resolver : resolvers_) {
      if (!names_.insert(resolver.name).second) conflict(resolver, "the name occurs twice");
    }
    std::map<std::string, std::string> heirs;
    for (const ResolverSchema& resolver : resolvers_) {
      const std::string& from = resolver.renamed_from;
      if (from.empty() || from == resolver.name) continue;
      const auto [heir, first] = heirs.emplace(from, resolver.name);
      if (!first) {
        conflict(resolver, fmt::format("renamed_from {} is also claimed by {}; a State has one "
                                       "owner, remove one of the two",
                                       from, heir->second));
      } else if (names_.contains(from)) {
        conflict(resolver, fmt::format("renamed_from {} names a resolver that the app still has; "
                                       "remove renamed_from, or that resolver",
                                       from));
      } else if (out_.catalog.resolvers.contains(from) &&
                 out_.catalog.resolvers.contains(resolver.name)) {
        conflict(resolver, fmt::format("both it and {}, its renamed_from, have State already; "
                                       "remove renamed_from, or use a new name",
                                       from));
      }
    }
  }

  Result<ResolverId> add(const ResolverSchema& resolver) {
    auto& entries = out_.catalog.resolvers;
    if (const auto old = entries.find(resolver.renamed_from);
        old != entries.end() && resolver.renamed_from != resolver.name) {
      entries[resolver.name] = std::move(old->second);
      entries.erase(resolver.renamed_from);
      out_.notes.push_back(fmt::format("resolver {} goes on with the State of {}", resolver.name,
                                       resolver.renamed_from));
    }
    const auto [at, is_new] = entries.try_emplace(resolver.name);
    v1::ResolverEntry& entry = at->second;
    if (is_new) start(resolver, entry);

    const bool had_state = !entry.state_type().empty();
    if (resolver.state == nullptr) {
      if (had_state) {
        conflict(resolver,
                 fmt::format("it has State of type {}, and is stateless now: the State would miss "
                             "records from here on; give the stateless resolver a new name",
                             entry.state_type()));
      }
    } else {
      // A State that begins now has seen nothing of what its stateless predecessor saw.
      if (!had_state && !is_new) start(resolver, entry);
      WEIR_CHECK(add_state(resolver, entry));
    }
    entry.set_use(resolver.use);
    entry.set_plugin_version(resolver.plugin_version);
    return entry.id();
  }

  void start(const ResolverSchema& resolver, v1::ResolverEntry& entry) {
    entry.mutable_started_at()->Assign(started_at_.begin(), started_at_.end());
    std::string where;
    for (const v1::Input& input : started_at_) {
      where += fmt::format("{}{}/{} offset {}", where.empty() ? "" : ", ", input.topic(),
                           input.partition(), input.next_offset());
    }
    out_.notes.push_back(fmt::format("resolver {} is new and starts at {}", resolver.name,
                                     where.empty() ? "the beginning" : where));
  }

  Result<void> add_state(const ResolverSchema& resolver, v1::ResolverEntry& entry) {
    const v1::Schema schema =
        make_schema(*resolver.state, resolver.state_version, resolver.state_readable_by);
    if (entry.id() == 0) {
      entry.set_id(next_id());
      entry.set_state_type(schema.type());
    }
    for (const std::uint32_t id : entry.schemas()) {
      const auto stored = out_.catalog.schemas.find(id);
      if (stored == out_.catalog.schemas.end()) {
        return error(Errc::corrupt, "resolver {}: its schema {} is missing", resolver.name, id);
      }
      const v1::Schema& known = stored->second;
      if (oldest_reader(known) > resolver.state_version) {
        conflict(
            resolver,
            fmt::format("its State is of version {}, the plugin brings version {}: newer State "
                        "is not readable by older code; use a plugin with version {} or later",
                        known.state_version(), resolver.state_version, oldest_reader(known)));
        return {};
      }
    }
    // A schema that was here before was compared with all of its time then, and all later ones
    // with it: a return to it needs no further check.
    for (const std::uint32_t id : entry.schemas()) {
      if (out_.catalog.schemas.at(id).digest() == schema.digest()) {
        entry.set_schema(id);
        return {};
      }
    }
    bool fits = true;
    std::set<std::string> said;
    for (const std::uint32_t id : entry.schemas()) {
      auto before = StateType::load(out_.catalog.schemas.at(id));
      if (!before) {
        return error(Errc::corrupt, "resolver {}: {}", resolver.name, before.error().message);
      }
      for (const std::string& text :
           state_schema_conflicts((*before)->descriptor(), *resolver.state)) {
        fits = false;
        if (said.insert(text).second) {
          conflict(resolver, fmt::format("its State would be misread: {}", text));
        }
      }
    }
    if (!fits) return {};
    WEIR_TRY(const std::uint32_t id, schema_id(schema));
    entry.add_schemas(id);
    entry.set_schema(id);
    return {};
  }

  // Ids and schema ids count from 1: 0 says "none".
  ResolverId next_id() const {
    ResolverId id = 0;
    for (const auto& [name, entry] : out_.catalog.resolvers) id = std::max(id, entry.id());
    return id + 1;
  }

  Result<std::uint32_t> schema_id(const v1::Schema& schema) {
    for (const auto& [id, stored] : out_.catalog.schemas) {
      if (stored.digest() == schema.digest()) return id;
    }
    const std::uint32_t id =
        out_.catalog.schemas.empty() ? 1 : out_.catalog.schemas.rbegin()->first + 1;
    if (id > schemas_max) {
      return error(Errc::full, "the task has had {} State schemas, which is the most it can name",
                   schemas_max);
    }
    out_.catalog.schemas[id] = schema;
    return id;
  }

  std::span<const ResolverSchema> resolvers_;
  std::span<const v1::Input> started_at_;
  std::set<std::string> names_;
  std::vector<std::string> conflicts_;
  Registration out_;
};

}  // namespace

Result<Registration> register_in(const Catalog& stored, std::span<const ResolverSchema> resolvers,
                                 std::span<const v1::Input> started_at) {
  return Registrar(stored, resolvers, started_at).run();
}

}  // namespace weir::host
