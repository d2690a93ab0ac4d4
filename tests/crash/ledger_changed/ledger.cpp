// The ledger after a careless edit: its State would misread what is stored.
#include <weir/sdk.h>

#include "ledger.pb.h"

namespace ledger {

void post(const Posting& posting, Account& account, weir::Out<Entry>& entries,
          weir::Out<Entry>& lines) {
  account.set_count(account.count() + 1);
  Entry entry;
  entry.set_id(posting.id());
  entries.emit(entry);
  lines.emit(entry);
}

}  // namespace ledger

WEIR_PLUGIN("ledger", "2.0.0",
            weir::resolver<ledger::post>("post").key<&ledger::Posting::account>().outputs("entries",
                                                                                          "lines"));
