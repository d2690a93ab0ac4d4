#include "commit/rows.hpp"

#include <google/protobuf/message_lite.h>

#include <cstring>

#include "commit/names.hpp"
#include "commit/row.hpp"

namespace weir::host {

Rows::Rows(const Environment& environment, const std::string& task)
    : environment_(environment), task_("task " + task) {}

Error Rows::corrupt(std::string_view row, std::string_view what) const {
  return error(Errc::corrupt, "{}: {} in {} {}; restore the task from a backup", task_, row,
               environment_.options().directory.string(), what);
}

Error Rows::failed(int code) const { return environment_.error(code, "reading " + task_); }

Result<void> Rows::parse(std::string_view key, std::string_view stored,
                         google::protobuf::MessageLite* out, std::string_view name) const {
  Row row;
  if (const RowFault fault = read_row(key, stored, row); fault != RowFault::none) {
    return corrupt(name, describe(fault, stored));
  }
  if (!out->ParseFromArray(row.payload.data(), static_cast<int>(row.payload.size()))) {
    return corrupt(name, "does not parse");
  }
  return {};
}

Result<bool> Rows::get(MDB_txn* txn, MDB_dbi dbi, std::string_view key,
                       google::protobuf::MessageLite* out, std::string_view name) const {
  MDB_val k = to_val(key);
  MDB_val v{};
  const int code = mdb_get(txn, dbi, &k, &v);
  if (code == MDB_NOTFOUND) return false;
  if (code != 0) return failed(code);
  WEIR_CHECK(parse(key, to_view(v), out, name));
  return true;
}

Result<void> Rows::each(MDB_txn* txn, MDB_dbi dbi, const Visit& visit) const {
  Cursor cursor;
  int code = cursor.open(txn, dbi);
  MDB_val key{};
  MDB_val value{};
  while (code == 0 && (code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) == 0) {
    WEIR_CHECK(visit(to_view(key), to_view(value)));
  }
  if (code != MDB_NOTFOUND) return failed(code);
  return {};
}

Result<Catalog> Rows::catalog(MDB_txn* txn, MDB_dbi resolvers, MDB_dbi schemas) const {
  Catalog out;
  WEIR_CHECK(each(txn, resolvers, [&](std::string_view key, std::string_view stored) {
    const std::string name(key);
    return parse(key, stored, &out.resolvers[name], "resolver " + name);
  }));
  WEIR_CHECK(each(txn, schemas, [&](std::string_view key, std::string_view stored) -> Result<void> {
    const auto id = names::schema_id(key);
    if (!id) return corrupt("a schema's key", "is not 4 bytes of a number from 1 to 65535");
    return parse(key, stored, &out.schemas[*id], fmt::format("schema {}", *id));
  }));
  return out;
}

int Rows::put(MDB_txn* txn, MDB_dbi dbi, std::string_view key, std::string_view payload,
              unsigned flags) {
  MDB_val k = to_val(key);
  MDB_val v{row_header_bytes + payload.size(), nullptr};
  if (const int code = mdb_put(txn, dbi, &k, &v, flags | MDB_RESERVE); code != 0) return code;
  auto* row = static_cast<char*>(v.mv_data);
  if (!payload.empty()) std::memcpy(row + row_header_bytes, payload.data(), payload.size());
  write_row_header(row, key, 0, payload);
  return 0;
}

int Rows::put(MDB_txn* txn, MDB_dbi dbi, std::string_view key,
              const google::protobuf::MessageLite& message) {
  return put(txn, dbi, key, message.SerializeAsString());
}

int Rows::put(MDB_txn* txn, MDB_dbi resolvers, MDB_dbi schemas, const Catalog& before,
              const Catalog& after) {
  int code = 0;
  for (const auto& [name, entry] : before.resolvers) {
    if (after.resolvers.contains(name)) continue;
    MDB_val key = to_val(name);
    if (code = mdb_del(txn, resolvers, &key, nullptr); code != 0) return code;
  }
  for (const auto& [name, entry] : after.resolvers) {
    const auto old = before.resolvers.find(name);
    const bool same = old != before.resolvers.end() &&
                      old->second.SerializeAsString() == entry.SerializeAsString();
    if (same) continue;
    if (code = put(txn, resolvers, name, entry); code != 0) return code;
  }
  for (const auto& [id, schema] : after.schemas) {
    if (before.schemas.contains(id)) continue;
    if (code = put(txn, schemas, names::schema_key(id), schema); code != 0) return code;
  }
  return 0;
}

}  // namespace weir::host
