// [resolver]
// unique_ips.cpp: how many addresses has each user been seen from?
#include "unique_ips.h"

#include <weir/sdk.h>

namespace unique_ips {

UniqueIps count_ips(const Visit& visit, Ips& state) {
  (*state.mutable_seen())[visit.ip()] = true;
  UniqueIps feature;
  feature.set_user_id(visit.user_id());
  feature.set_unique_ips(state.seen_size());
  return feature;
}

WEIR_PLUGIN("unique_ips", "1.0.0", weir::resolver<count_ips>("count_ips").key<&Visit::user_id>());

}  // namespace unique_ips
// [resolver]
