#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "commit/catalog.hpp"
#include "lmdb/environment.hpp"

namespace google::protobuf {
class MessageLite;
}

namespace weir::host {

/// The framed rows of one task's environment, read and written through the caller's transaction.
/// Knows whose they are, so that an error names the row, the task and the file.
class Rows {
 public:
  /// `environment` outlives this.
  Rows(const Environment& environment, const std::string& task);

  Error corrupt(std::string_view row, std::string_view what) const;
  Error failed(int code) const;  ///< of an LMDB call that reads

  /// Checks a stored row and parses it; `name` is the row's in an error.
  Result<void> parse(std::string_view key, std::string_view stored,
                     google::protobuf::MessageLite* out, std::string_view name) const;

  /// The same for the row of `key`; false: there is none.
  Result<bool> get(MDB_txn* txn, MDB_dbi dbi, std::string_view key,
                   google::protobuf::MessageLite* out, std::string_view name) const;

  /// Calls `visit(key, stored)` for every row in the order of keys, until it fails.
  using Visit = std::function<Result<void>(std::string_view key, std::string_view stored)>;
  Result<void> each(MDB_txn* txn, MDB_dbi dbi, const Visit& visit) const;

  Result<Catalog> catalog(MDB_txn* txn, MDB_dbi resolvers, MDB_dbi schemas) const;

  /// Frames and puts; the result is LMDB's.
  static int put(MDB_txn* txn, MDB_dbi dbi, std::string_view key, std::string_view payload,
                 unsigned flags = 0);
  static int put(MDB_txn* txn, MDB_dbi dbi, std::string_view key,
                 const google::protobuf::MessageLite& message);

  /// Writes what differs between the two.
  static int put(MDB_txn* txn, MDB_dbi resolvers, MDB_dbi schemas, const Catalog& before,
                 const Catalog& after);

 private:
  const Environment& environment_;
  std::string task_;
};

}  // namespace weir::host
