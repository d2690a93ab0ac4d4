#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "commit/catalog.hpp"
#include "commit/state_type.hpp"
#include "commit/task_store.hpp"
#include "store_fixture.hpp"

namespace weir::host {

using test::bad;
using test::good;
using test::ips_resolver;
using test::OneResolver;
using test::options_in;
using test::ProtoText;
using test::TempDir;

namespace {

/// A task whose store is opened, registered and closed again, as by one run of a host each.
struct Runs {
  TempDir dir;
  std::vector<std::string> notes;

  Result<std::vector<ResolverId>> run(const std::vector<ResolverSchema>& resolvers,
                                      const std::vector<v1::Input>& started_at = {}) {
    const auto store = good(TaskStore::open(options_in(dir / "task")));
    auto ids = store->register_resolvers(resolvers, started_at);
    notes = store->notes();
    return ids;
  }
  std::string refusal(const std::vector<ResolverSchema>& resolvers) {
    const Error error = bad(run(resolvers));
    CHECK(error.code == Errc::refused);
    return error.message;
  }
};

ResolverSchema resolver(const std::string& name, const ProtoText* proto,
                        std::uint32_t state_version = 1) {
  ResolverSchema out;
  out.name = name;
  out.use = "plugin/" + name;
  out.plugin_version = "1";
  if (proto != nullptr) out.state = &proto->type("t.S");
  out.state_version = state_version;
  return out;
}

ResolverSchema renamed(ResolverSchema schema, const std::string& from) {
  schema.renamed_from = from;
  return schema;
}

bool contains(const std::string& text, const std::string& part) {
  CAPTURE(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

ProtoText state(const std::string& fields) {
  return ProtoText("syntax = \"proto3\"; package t; message S { " + fields + " }");
}

const ProtoText a_proto = state("int32 a = 1;");
const ProtoText ab_proto = state("int32 a = 1; int32 b = 2;");
const ProtoText ac_proto = state("int32 a = 1; string c = 2;");
const ProtoText reserved_proto = state("reserved 2; int32 a = 1;");

}  // namespace

TEST_CASE("registration: ids stay with names and are never given twice") {
  Runs runs;
  CHECK(good(runs.run({resolver("x", &a_proto), resolver("none", nullptr)})) ==
        std::vector<ResolverId>{1, 0});
  CHECK(good(runs.run({resolver("y", &a_proto), resolver("x", &a_proto)})) ==
        std::vector<ResolverId>{2, 1});
  CHECK(good(runs.run({resolver("z", &ab_proto)})) == std::vector<ResolverId>{3});
  CHECK(good(runs.run({resolver("x", &a_proto)})) == std::vector<ResolverId>{1});
}

TEST_CASE("registration: a new resolver records where it started") {
  Runs runs;
  v1::Input input;
  input.set_topic("visits");
  input.set_partition(3);
  input.set_next_offset(17);
  good(runs.run({resolver("x", &a_proto)}, {input}));
  contains(runs.notes.at(0), "resolver x is new and starts at visits/3 offset 17");
  input.set_next_offset(99);

  good(runs.run({resolver("x", &a_proto), resolver("y", &a_proto)}, {input}));

  REQUIRE(runs.notes.size() == 1);
  contains(runs.notes.at(0), "resolver y is new and starts at visits/3 offset 99");
}

TEST_CASE("registration: a removed resolver keeps its State and finds it again") {
  const TempDir dir;
  {
    OneResolver one(options_in(dir / "task"));
    good(one.put("ana", "A"));
  }
  {
    const auto store = good(TaskStore::open(options_in(dir / "task")));
    const ResolverSchema other = resolver("other", &a_proto);
    good(store->register_resolvers({&other, 1}, {}));
    REQUIRE(store->notes().size() == 2);
    contains(store->notes().at(1), "resolver count_ips is not in the app; its State stays");
  }
  OneResolver again(options_in(dir / "task"));
  CHECK(again.get("ana") == "A");
}

TEST_CASE("registration: renamed_from keeps the State and may stay in the YAML") {
  const TempDir dir;
  {
    OneResolver one(options_in(dir / "task"));
    good(one.put("ana", "A"));
  }
  for (int run = 0; run < 2; ++run) {
    const auto store = good(TaskStore::open(options_in(dir / "task")));
    const ResolverSchema schema = renamed(ips_resolver("ips"), "count_ips");
    const auto ids = good(store->register_resolvers({&schema, 1}, {}));
    CHECK(good(store->get(ids.at(0), "ana"))->bytes == "A");
    CHECK(store->notes().size() == (run == 0 ? 1 : 0));
  }
}

TEST_CASE("registration: a name that was never there can be renamed_from in a new task") {
  Runs runs;
  CHECK(good(runs.run({renamed(resolver("x", &a_proto), "w")})) == std::vector<ResolverId>{1});
}

TEST_CASE("registration: a State has one owner") {
  Runs runs;
  good(runs.run({resolver("x", &a_proto)}));

  contains(
      runs.refusal({renamed(resolver("y", &a_proto), "x"), renamed(resolver("z", &a_proto), "x")}),
      "renamed_from x is also claimed by y");
  contains(runs.refusal({renamed(resolver("y", &a_proto), "x"), resolver("x", &a_proto)}),
           "names a resolver that the app still has");
  contains(runs.refusal({resolver("x", &a_proto), resolver("x", &a_proto)}), "occurs twice");
  good(runs.run({resolver("x", &a_proto), resolver("y", &a_proto)}));
  contains(runs.refusal({renamed(resolver("y", &a_proto), "x")}), "have State already");
}

TEST_CASE("registration: a State that would be misread is refused with everything to know") {
  Runs runs;
  good(runs.run({resolver("x", &ab_proto), resolver("y", &ab_proto)}));

  const std::string refusal = runs.refusal({resolver("x", &ac_proto), resolver("y", &a_proto)});

  contains(refusal,
           "task visits-0: resolver x: its State would be misread: t.S.b (field 2) was "
           "int32, is string");
  contains(refusal, "\nresolver y: its State would be misread: t.S.b (field 2) was int32, is gone");
  good(runs.run({resolver("x", &ab_proto), resolver("y", &ab_proto)}));
}

TEST_CASE("registration: every schema of the past counts and not only the last") {
  Runs runs;
  good(runs.run({resolver("x", &ab_proto)}));
  good(runs.run({resolver("x", &reserved_proto)}));

  const std::string refusal = runs.refusal({resolver("x", &ac_proto)});

  contains(refusal, "t.S.b (field 2) was int32, is string");
  contains(refusal, "t.S.c (field 2) uses a number that was reserved");
}

TEST_CASE("registration: a schema that was there before may come back") {
  Runs runs;
  good(runs.run({resolver("x", &a_proto)}));
  good(runs.run({resolver("x", &ab_proto)}));
  good(runs.run({resolver("x", &a_proto)}));

  contains(runs.refusal({resolver("x", &ac_proto)}), "t.S.b (field 2) was int32");
}

TEST_CASE("registration: a State keeps the version and the schema it was written with") {
  const TempDir dir;
  const auto open = [&](const ProtoText& proto, std::uint32_t version) {
    auto store = good(TaskStore::open(options_in(dir / "task")));
    const ResolverSchema schema = resolver("x", &proto, version);
    good(store->register_resolvers({&schema, 1}, {}));
    return store;
  };
  const auto put = [](TaskStore& store, std::string_view key) {
    v1::Head head;
    head.mutable_commit()->set_lineage(store.lineage());
    head.mutable_commit()->set_sequence(store.head() ? store.head()->commit().sequence() + 1 : 1);
    const StateChange change{1, key, "bytes"};
    good(store.commit({head, {&change, 1}, {}}));
  };
  put(*open(a_proto, 1), "one");
  const auto store = open(ab_proto, 5);
  put(*store, "five");

  CHECK(good(store->get(1, "one"))->state_version == 1);
  CHECK(good(store->get(1, "one"))->schema == 1);
  CHECK(good(store->get(1, "five"))->state_version == 5);
  CHECK(good(store->get(1, "five"))->schema == 2);
}

TEST_CASE("registration: an older State version is refused") {
  Runs runs;
  good(runs.run({resolver("x", &a_proto, 2)}));
  contains(runs.refusal({resolver("x", &a_proto, 1)}),
           "its State is of version 2, the plugin brings version 1");
  good(runs.run({resolver("x", &a_proto, 3)}));
}

TEST_CASE("registration: State that older code reads survives a rollback") {
  Runs runs;
  good(runs.run({resolver("x", &a_proto, 1)}));
  ResolverSchema readable = resolver("x", &a_proto, 3);
  readable.state_readable_by = 2;
  good(runs.run({readable}));

  contains(runs.refusal({resolver("x", &a_proto, 1)}), "use a plugin with version 2 or later");
  good(runs.run({resolver("x", &a_proto, 2)}));
  good(runs.run({readable}));
  good(runs.run({resolver("x", &a_proto, 3)}));
  contains(runs.refusal({resolver("x", &a_proto, 2)}), "use a plugin with version 3 or later");
}

TEST_CASE("registration: another State type under the same name is refused") {
  Runs runs;
  good(runs.run({resolver("x", &a_proto)}));
  const ProtoText other("syntax = \"proto3\"; package u; message S { int32 a = 1; }");
  ResolverSchema schema = resolver("x", &a_proto);
  schema.state = &other.type("u.S");

  contains(runs.refusal({schema}), "the State type was t.S, is u.S");
}

TEST_CASE("registration: State is not left behind by code without State") {
  Runs runs;
  good(runs.run({resolver("x", &a_proto)}));
  contains(runs.refusal({resolver("x", nullptr)}),
           "it has State of type t.S, and is stateless now");
}

TEST_CASE("registration: a stateless resolver may get State and starts where it does") {
  Runs runs;
  CHECK(good(runs.run({resolver("x", nullptr)})) == std::vector<ResolverId>{0});
  v1::Input input;
  input.set_topic("visits");
  input.set_next_offset(5);

  CHECK(good(runs.run({resolver("x", &a_proto)}, {input})) == std::vector<ResolverId>{1});

  contains(runs.notes.at(0), "starts at visits/0 offset 5");
}

TEST_CASE("registration: a refusal changes nothing") {
  Runs runs;
  good(runs.run({resolver("x", &a_proto)}));
  runs.refusal(
      {renamed(resolver("y", &a_proto), "x"), resolver("n", &a_proto), resolver("x", &a_proto)});

  CHECK(good(runs.run({resolver("x", &a_proto), resolver("m", &a_proto)})) ==
        std::vector<ResolverId>{1, 2});
}

TEST_CASE("state type: what the State does not reach makes no new schema") {
  const auto schema = [](const std::string& rest) {
    const ProtoText proto(R"(syntax = "proto3"; package t;
      message Outer { message S { repeated Outer.N n = 1; } message N { E e = 1; S s = 2; } )" +
                          rest);
    return make_schema(proto.type("t.Outer.S"), 1);
  };
  const v1::Schema before = schema("enum E { A = 0; } }");
  const v1::Schema after = schema(
      "string unrelated = 9; message Event { int32 x = 1; } enum E { /* none */ A = 0 "
      "[deprecated = true]; } enum F { B = 0; } } message Other { Outer o = 1; }");

  CHECK(before.digest() == after.digest());
  CHECK(before.digest().size() == 16);
  CHECK(before.file_descriptor_set().find("Event") == std::string::npos);
  CHECK(make_schema(a_proto.type("t.S"), 1).digest() !=
        make_schema(a_proto.type("t.S"), 2).digest());
  CHECK(make_schema(a_proto.type("t.S"), 1).digest() !=
        make_schema(ab_proto.type("t.S"), 1).digest());
}

TEST_CASE("state type: a type over several files lives again without the rest of them") {
  ProtoText proto;
  proto.add("deep.proto", "syntax = \"proto3\"; package d; message D { string d = 1; }");
  proto.add("gone.proto", "syntax = \"proto3\"; package g; message G { string g = 1; }");
  proto.add("public.proto", "syntax = \"proto3\"; import public \"deep.proto\";");
  proto.add("state.proto", R"(
    syntax = "proto3"; package t; import "public.proto"; import "gone.proto";
    message S { map<int64, d.D> parts = 1; optional bool flag = 2; bytes raw = 3; S next = 4;
                oneof which { int64 big = 5; double real = 6; } string odd_name = 7 [json_name = "x"]; }
    message Event { g.G g = 1; })");

  const v1::Schema schema = make_schema(proto.type("t.S"), 1);
  const auto type = good(StateType::load(schema));

  CHECK(schema.file_descriptor_set().find("gone.proto") == std::string::npos);
  CHECK(make_schema(type->descriptor(), 1).digest() == schema.digest());
  CHECK(good(type->to_json(std::string_view("\x0a\x07\x08\x05\x12\x03\x0a\x01"
                                            "d\x10\x00\x1a\x01\xff\x28\x07\x3a\x01"
                                            "o",
                                            19))) ==
        R"({"parts":{"5":{"d":"d"}},"flag":false,"raw":"/w==","big":"7","x":"o"})");
}

TEST_CASE("state type: descriptors that do not fit are corrupt and no crash") {
  v1::Schema schema = make_schema(a_proto.type("t.S"), 1);
  v1::Schema other = schema;
  other.set_type("t.Missing");
  CHECK(bad(StateType::load(other)).code == Errc::corrupt);
  other.set_file_descriptor_set("garbage");
  CHECK(bad(StateType::load(other)).code == Errc::corrupt);
  other.set_file_descriptor_set("");
  CHECK(bad(StateType::load(other)).code == Errc::corrupt);
}

}  // namespace weir::host
