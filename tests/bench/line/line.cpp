// The least that a resolver with State can do, so that what is measured is the host.
#include <weir/sdk.h>

#include "line.pb.h"

namespace line {

void count(const Click&, Clicks& state) { state.set_count(state.count() + 1); }

Counted count_and_tell(const Click& click, Clicks& state) {
  state.set_count(state.count() + 1);
  Counted counted;
  counted.set_user_id(click.user_id());
  counted.set_count(state.count());
  return counted;
}

}  // namespace line

WEIR_PLUGIN("line", "1.0.0", weir::resolver<line::count>("count"),
            weir::resolver<line::count_and_tell>("count_and_tell"));
