#pragma once

#include <weir/sdk.h>

#include "transactions.pb.h"

namespace transactions {

weir::Result<Transaction> map_transaction(const StreamMessage& message);

}  // namespace transactions
