// transactions.cpp: one message in, one feature out, and nothing to remember.
#include "transactions.h"

namespace transactions {

// [resolver]
weir::Result<Transaction> map_transaction(const StreamMessage& message) {
  if (message.transaction_id().empty()) return weir::Reject("transaction_id is empty");
  if (message.status() == "test") return weir::Skip();
  Transaction feature;
  feature.set_uuid(message.transaction_id());
  feature.set_status(message.status());
  return feature;
}

WEIR_PLUGIN("transactions", "1.0.0", weir::resolver<map_transaction>("map_transaction"));
// [resolver]

}  // namespace transactions
