#include "commit/schema_check.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "proto_text.hpp"

namespace weir::host {
namespace {

using test::ProtoText;

std::vector<std::string> compare(const std::string& before, const std::string& now) {
  const ProtoText a("syntax = \"proto3\"; package t; " + before);
  const ProtoText b("syntax = \"proto3\"; package t; " + now);
  return state_schema_conflicts(a.type("t.S"), b.type("t.S"));
}

struct Case {
  const char* rule;
  const char* before;
  const char* now;
  const char* conflict;  // part of the only finding; null: fine
};

const char* const scalars[] = {"double",   "float",    "int32",  "int64",   "uint32",
                               "uint64",   "sint32",   "sint64", "fixed32", "fixed64",
                               "sfixed32", "sfixed64", "bool",   "string",  "bytes"};

void run(const std::vector<Case>& cases, const std::string& syntax) {
  for (const Case& one : cases) {
    const std::string rule = one.rule;
    CAPTURE(rule);
    const auto found =
        state_schema_conflicts(ProtoText(syntax + "package t; " + one.before).type("t.S"),
                               ProtoText(syntax + "package t; " + one.now).type("t.S"));
    std::string all;
    for (const std::string& text : found) all += text + "\n";
    CAPTURE(all);
    if (one.conflict == nullptr) {
      CHECK(found.empty());
    } else {
      REQUIRE(found.size() == 1);
      CHECK(found[0].find(one.conflict) != std::string::npos);
    }
  }
}

const std::string proto3 = "syntax = \"proto3\"; ";
const std::string proto2 = "syntax = \"proto2\"; ";

}  // namespace

TEST_CASE("schema check: what proto3 States may become and what not") {
  run(
      {
          {"the same", "message S { int32 a = 1; }", "message S { int32 a = 1; }", nullptr},
          {"add a field", "message S { int32 a = 1; }", "message S { int32 a = 1; string b = 2; }",
           nullptr},
          {"rename a field", "message S { int32 a = 1; }", "message S { int32 z = 1; }", nullptr},
          {"remove a field and reserve its number", "message S { int32 a = 1; int32 b = 2; }",
           "message S { reserved 2; int32 a = 1; }", nullptr},
          {"remove a field and reserve a range over it", "message S { int32 a = 1; int32 b = 7; }",
           "message S { reserved 5 to max; int32 a = 1; }", nullptr},
          {"remove a field", "message S { int32 a = 1; int32 b = 2; }",
           "message S { int32 a = 1; }", "add `reserved 2;` to t.S"},
          {"reserve only the name", "message S { int32 a = 1; int32 b = 2; }",
           "message S { reserved \"b\"; int32 a = 1; }", "add `reserved 2;`"},
          {"use a reserved number", "message S { reserved 2; int32 a = 1; }",
           "message S { int32 a = 1; int32 c = 2; }",
           "t.S.c (field 2) uses a number that was reserved"},
          {"use a number of a reserved range", "message S { reserved 2 to 9; int32 a = 1; }",
           "message S { int32 a = 1; int32 c = 9; }", "that was reserved"},
          {"reuse a number with another type", "message S { int32 a = 1; }",
           "message S { string b = 1; }", "t.S.a (field 1) was int32, is string"},
          {"two fields of one type change places", "message S { string a = 1; string b = 2; }",
           "message S { string a = 1; string c = 2; reserved 3; }", nullptr},
          {"a field moves to another's number", "message S { string a = 1; string b = 2; }",
           "message S { reserved 1; string a = 2; }", "t.S.a (field 2) holds what was field 1"},
          {"singular to repeated", "message S { int32 a = 1; }",
           "message S { repeated int32 a = 1; }", "was int32, is repeated int32"},
          {"repeated to singular", "message S { repeated string a = 1; }",
           "message S { string a = 1; }", "was repeated string, is string"},
          {"packed to unpacked", "message S { repeated int32 a = 1; }",
           "message S { repeated int32 a = 1 [packed = false]; }", nullptr},
          {"unpacked to packed", "message S { repeated int32 a = 1 [packed = false]; }",
           "message S { repeated int32 a = 1 [packed = true]; }", nullptr},
          {"presence begins", "message S { int32 a = 1; }", "message S { optional int32 a = 1; }",
           nullptr},
          {"presence ends", "message S { optional int32 a = 1; }", "message S { int32 a = 1; }",
           nullptr},
          {"comments and options", "message S { int64 a = 1; }",
           "message S { /* x */ int64 a = 1 [jstype = JS_STRING, deprecated = true]; }", nullptr},
          {"json name", "message S { int64 a = 1; }",
           "message S { int64 a = 1 [json_name = \"q\"]; }", nullptr},
          {"another order of declarations", "message S { int64 a = 1; string b = 2; }",
           "message S { string b = 2; int64 a = 1; }", nullptr},
          {"a new message type beside it", "message S { int64 a = 1; }",
           "message S { int64 a = 1; N n = 2; } message N { S s = 1; }", nullptr},
      },
      proto3);
}

TEST_CASE("schema check: no scalar type becomes another one") {
  for (const std::string before : scalars) {
    for (const std::string now : scalars) {
      CAPTURE(before);
      CAPTURE(now);
      const auto found = compare("message S { optional " + before + " a = 1; }",
                                 "message S { optional " + now + " a = 1; }");
      CHECK(found.size() == (before == now ? 0U : 1U));
    }
    const std::string with = "message S { optional " + before + " a = 1; } ";
    const std::string enumeration = "message S { optional E a = 1; } enum E { A = 0; }";
    const std::string message = "message S { optional M a = 1; } message M {}";
    CHECK(compare(with, enumeration).size() == 1);
    CHECK(compare(enumeration, with).size() == 1);
    CHECK(compare(with, message).size() == 1);
    CHECK(compare(message, with).size() == 1);
  }
}

TEST_CASE("schema check: maps") {
  run(
      {
          {"the same", "message S { map<string, int32> m = 1; }",
           "message S { map<string, int32> m = 1; }", nullptr},
          {"renamed", "message S { map<string, int32> m = 1; }",
           "message S { map<string, int32> by_name = 1; }", nullptr},
          {"key type", "message S { map<string, int32> m = 1; }",
           "message S { map<int32, int32> m = 1; }",
           "t.S.m (field 1) was map<string, int32>, is map<int32, int32>"},
          {"value type", "message S { map<string, int32> m = 1; }",
           "message S { map<string, int64> m = 1; }", "is map<string, int64>"},
          {"to a list of entries", "message S { map<string, int32> m = 1; }",
           "message S { repeated E m = 1; } message E { string key = 1; int32 value = 2; }",
           "was map<string, int32>, is repeated t.E"},
          {"from a list of entries",
           "message S { repeated E m = 1; } message E { string key = 1; int32 value = 2; }",
           "message S { map<string, int32> m = 1; }", "was repeated t.E, is map<string, int32>"},
          {"a message as value changes inside",
           "message S { map<string, V> m = 1; } message V { int32 a = 1; }",
           "message S { map<string, V> m = 1; } message V { int64 a = 1; }",
           "t.V.a (field 1) was int32, is int64"},
          {"an enum as value loses one",
           "message S { map<string, E> m = 1; } enum E { A = 0; B = 1; }",
           "message S { map<string, E> m = 1; } enum E { A = 0; }", "t.E.B (value 1) is gone"},
      },
      proto3);
}

TEST_CASE("schema check: nested and recursive messages") {
  run(
      {
          {"recursion ends", "message S { S next = 1; int32 a = 2; }",
           "message S { S next = 1; int32 a = 2; }", nullptr},
          {"a change deep in a recursion is said once",
           "message S { N n = 1; N m = 2; } message N { S s = 1; N n = 2; int32 a = 3; }",
           "message S { N n = 1; N m = 2; } message N { S s = 1; N n = 2; bool a = 3; }",
           "t.N.a (field 3) was int32, is bool"},
          {"a nested type under another name with the same fields",
           "message S { N n = 1; } message N { int32 a = 1; }",
           "message S { O n = 1; } message O { int32 a = 1; }", nullptr},
          {"a nested type under another name with other fields",
           "message S { N n = 1; } message N { int32 a = 1; }",
           "message S { O n = 1; } message O { string a = 1; }", "t.N.a (field 1) was int32"},
          {"a message that nothing of the State reaches",
           "message S { int32 a = 1; } message N { int32 a = 1; }",
           "message S { int32 a = 1; } message N { string a = 1; }", nullptr},
          {"removed inside a list", "message S { repeated N n = 1; } message N { int32 a = 1; }",
           "message S { repeated N n = 1; } message N { }", "add `reserved 1;` to t.N"},
      },
      proto3);
}

TEST_CASE("schema check: oneofs") {
  run(
      {
          {"the same", "message S { oneof o { int32 a = 1; int32 b = 2; } }",
           "message S { oneof o { int32 a = 1; int32 b = 2; } }", nullptr},
          {"renamed", "message S { oneof o { int32 a = 1; int32 b = 2; } }",
           "message S { oneof p { int32 a = 1; int32 b = 2; } }", nullptr},
          {"a new oneof of new fields", "message S { int32 c = 3; }",
           "message S { int32 c = 3; oneof o { int32 a = 1; int32 b = 2; } }", nullptr},
          {"a whole oneof removed and reserved",
           "message S { oneof o { int32 a = 1; int32 b = 2; } }", "message S { reserved 1, 2; }",
           nullptr},
          {"into", "message S { int32 a = 1; }", "message S { oneof o { int32 a = 1; } }",
           "t.S.a (field 1) was outside a oneof, is inside one now"},
          {"out of", "message S { oneof o { int32 a = 1; } }", "message S { int32 a = 1; }",
           "t.S.a (field 1) was inside a oneof, is outside one now"},
          {"into explicit presence only", "message S { oneof o { int32 a = 1; } }",
           "message S { optional int32 a = 1; }", "was inside a oneof"},
          {"split", "message S { oneof o { int32 a = 1; int32 b = 2; } }",
           "message S { oneof o { int32 a = 1; } oneof p { int32 b = 2; } }",
           "t.S.b (field 2) was in the oneof o, is in p"},
          {"merged", "message S { oneof o { int32 a = 1; } oneof p { int32 b = 2; } }",
           "message S { oneof o { int32 a = 1; int32 b = 2; } }",
           "t.S.b (field 2) was in the oneof p, is in o"},
          {"a new member", "message S { oneof o { int32 a = 1; } }",
           "message S { oneof o { int32 a = 1; int32 b = 2; } }",
           "t.S.b (field 2) is new in the oneof o"},
          {"a member removed and reserved", "message S { oneof o { int32 a = 1; int32 b = 2; } }",
           "message S { reserved 2; oneof o { int32 a = 1; } }",
           "t.S.b (field 2) left the oneof o"},
          {"a member's type", "message S { oneof o { int32 a = 1; int32 b = 2; } }",
           "message S { oneof o { int32 a = 1; string b = 2; } }", "was int32, is string"},
      },
      proto3);
}

TEST_CASE("schema check: enums of proto3 fields") {
  run(
      {
          {"a new value", "message S { E e = 1; } enum E { A = 0; }",
           "message S { E e = 1; } enum E { A = 0; B = 1; }", nullptr},
          {"a renamed value", "message S { E e = 1; } enum E { A = 0; B = 1; }",
           "message S { E e = 1; } enum E { A = 0; C = 1; }", nullptr},
          {"an enum under another name", "message S { E e = 1; } enum E { A = 0; B = 1; }",
           "message S { F e = 1; } enum F { A = 0; B = 1; }", nullptr},
          {"a value removed", "message S { E e = 1; } enum E { A = 0; B = 1; }",
           "message S { E e = 1; } enum E { A = 0; }", "add `reserved 1;` to t.E"},
          {"a value removed and reserved", "message S { E e = 1; } enum E { A = 0; B = 1; }",
           "message S { E e = 1; } enum E { reserved 1; A = 0; }", nullptr},
          {"a reserved value used", "message S { E e = 1; } enum E { reserved 1; A = 0; }",
           "message S { E e = 1; } enum E { A = 0; C = 1; }",
           "t.E.C (value 1) uses a number that was reserved"},
          {"renumbered", "message S { E e = 1; } enum E { A = 0; B = 1; }",
           "message S { E e = 1; } enum E { A = 0; B = 2; }",
           "t.E.B (value 1) is 2 now; give it back its number"},
          {"an alias", "message S { E e = 1; } enum E { A = 0; B = 1; }",
           "message S { E e = 1; } enum E { option allow_alias = true; A = 0; B = 1; BB = 1; }",
           nullptr},
      },
      proto3);
  CHECK(compare("message S { optional E e = 1; } enum E { A = 0; B = 1; C = 2; }",
                "message S { optional E e = 1; } enum E { A = 0; C = 1; B = 2; }")
            .size() == 2);
}

TEST_CASE("schema check: what only proto2 has") {
  run(
      {
          {"an optional field", "message S { optional int32 a = 1; }",
           "message S { optional int32 a = 1; optional int32 b = 2; }", nullptr},
          {"a new required field", "message S { optional int32 a = 1; }",
           "message S { optional int32 a = 1; required int32 b = 2; }",
           "t.S.b (field 2) is new and required"},
          {"a required field removed", "message S { required int32 a = 1; }",
           "message S { reserved 1; }", "t.S.a (field 1) was required, is gone"},
          {"optional to required", "message S { optional int32 a = 1; }",
           "message S { required int32 a = 1; }", "was int32, is required int32"},
          {"required to optional", "message S { required int32 a = 1; }",
           "message S { optional int32 a = 1; }", "was required int32, is int32"},
          {"another default", "message S { optional int32 a = 1 [default = 1]; }",
           "message S { optional int32 a = 1 [default = 2]; }", "has another default"},
          {"a default begins", "message S { optional string a = 1; }",
           "message S { optional string a = 1 [default = \"x\"]; }", "has another default"},
          {"the zero as default", "message S { optional double a = 1; }",
           "message S { optional double a = 1 [default = 0]; }", nullptr},
          {"another zero as default", "message S { optional double a = 1; }",
           "message S { optional double a = 1 [default = -0.0]; }", "has another default"},
          {"another first value of an enum",
           "message S { optional E e = 1; } enum E { A = 0; B = 1; }",
           "message S { optional E e = 1; } enum E { B = 1; A = 0; }", "has another default"},
          {"a new value of a closed enum", "message S { optional E e = 1; } enum E { A = 0; }",
           "message S { optional E e = 1; } enum E { A = 0; B = 1; }",
           "t.E.B (value 1) is new in an enum of a proto2 field"},
          {"a reserved value of a closed enum",
           "message S { optional E e = 1; } enum E { A = 0; B = 1; }",
           "message S { optional E e = 1; } enum E { reserved 1; A = 0; }",
           "t.E.B (value 1) is gone"},
          {"a group to a message", "message S { optional group G = 1 { optional int32 a = 1; } }",
           "message S { optional G g = 1; message G { optional int32 a = 1; } }",
           "was group t.S.G, is t.S.G"},
          {"inside a group", "message S { optional group G = 1 { optional int32 a = 1; } }",
           "message S { optional group G = 1 { optional bool a = 1; } }", "was int32, is bool"},
          {"a number of the extensions", "message S { extensions 100 to 199; }",
           "message S { optional int32 a = 100; }", "that was an extension's"},
      },
      proto2);
}

TEST_CASE("schema check: strings and enums do not change between proto2 and proto3") {
  const auto change = [](const std::string& fields) {
    return state_schema_conflicts(
        ProtoText("syntax = \"proto2\"; package t; message S { " + fields + " } enum E { A = 0; }")
            .type("t.S"),
        ProtoText("syntax = \"proto3\"; package t; message S { " + fields + " } enum E { A = 0; }")
            .type("t.S"));
  };
  CHECK(change("optional int64 a = 1; repeated double b = 2; optional bytes c = 3;").empty());
  CHECK(change("optional string a = 1;").size() == 1);
  CHECK(change("repeated E a = 1;").size() == 1);
  CHECK(change("map<string, int32> a = 1;").size() == 1);
}

TEST_CASE("schema check: the State type keeps its full name") {
  const ProtoText a("syntax = \"proto3\"; package shop; message Visits { int32 n = 1; }");
  const ProtoText b("syntax = \"proto3\"; package store; message Visits { int32 n = 1; }");

  const auto found = state_schema_conflicts(a.type("shop.Visits"), b.type("store.Visits"));

  REQUIRE(found.size() == 1);
  CHECK(found[0].find("was shop.Visits, is store.Visits") != std::string::npos);
}

TEST_CASE("schema check: every conflict is found in one go") {
  const auto found = compare(
      "message S { optional int32 a = 1; optional int32 b = 2; optional N n = 3; } "
      "message N { optional E e = 1; } enum E { A = 0; B = 1; }",
      "message S { optional int64 a = 1; optional N n = 3; } "
      "message N { optional E e = 1; repeated int32 x = 2; } enum E { A = 0; B = 5; }");
  CHECK(found.size() == 3);
}

}  // namespace weir::host
