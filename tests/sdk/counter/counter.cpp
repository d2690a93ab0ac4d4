// One plugin in two builds that are loaded side by side.
#include <weir/sdk.h>

#include "counter.pb.h"

namespace {

// A static that the builds must not share.
inline int& calls() {
  static int count = 0;
  return count;
}

counter::State count(std::string_view, counter::State& state) {
  ++calls();
#if BUILD == 1
  state.set_count(state.count() + 1);
#else
  state.set_count(state.count() + 1);
  state.set_doubled(2 * state.count());
#endif
  counter::State feature = state;
  feature.set_count(calls());
  return feature;
}

WEIR_PLUGIN("counter", BUILD == 1 ? "1.0.0" : "2.0.0", weir::resolver<count>("count"));

}  // namespace
