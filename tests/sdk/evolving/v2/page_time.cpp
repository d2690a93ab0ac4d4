#include <cmath>
#include <stdexcept>

#include <weir/sdk.h>

#include "page_time.pb.h"

namespace page_time {

constexpr double longest_visit = 86'400;  // seconds

// [migrate]
// Called when a State of an older version is loaded: each key's at its first record.
void count_in_ms(PageTime& state, int from_version) {
  if (from_version < 2) state.set_total_ms(std::llround(state.seconds() * 1000));
}

Total add(const Visit& visit, PageTime& state) {
  if (!(visit.seconds() >= 0 && visit.seconds() <= longest_visit)) {
    throw std::invalid_argument("a visit takes 0 to 86,400 seconds");
  }
  state.set_total_ms(state.total_ms() + std::llround(visit.seconds() * 1000));
  state.set_seconds(static_cast<double>(state.total_ms()) / 1000);  // for 1.x, after a rollback
  Total total;
  total.set_user_id(visit.user_id());
  total.set_ms(state.total_ms());
  return total;
}

WEIR_PLUGIN("page_time", "2.0.0",
            weir::resolver<add>("add")
                .key<&Visit::user_id>()
                .state_version(2)
                .migrate<count_in_ms>()
                .readable_by(1));
// [migrate]

}  // namespace page_time
