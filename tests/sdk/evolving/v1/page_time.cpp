#include <cmath>
#include <stdexcept>

#include <weir/sdk.h>

#include "page_time.pb.h"

namespace page_time {

constexpr double longest_visit = 86'400;  // seconds

Total add(const Visit& visit, PageTime& state) {
  if (!(visit.seconds() >= 0 && visit.seconds() <= longest_visit)) {
    throw std::invalid_argument("a visit takes 0 to 86,400 seconds");
  }
  state.set_seconds(state.seconds() + visit.seconds());
  Total total;
  total.set_user_id(visit.user_id());
  total.set_ms(std::llround(state.seconds() * 1000));
  return total;
}

WEIR_PLUGIN("page_time", "1.0.0", weir::resolver<add>("add").key<&Visit::user_id>());

}  // namespace page_time
