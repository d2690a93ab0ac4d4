// The meter after careless edits: each leaves out or changes one thing that the app needs.
#include <weir/sdk.h>

#include "meter.pb.h"

namespace meter {

#ifdef METER_CHANGED_STATE
Measured measure(const Reading& reading, Total& total) {
  total.set_count(total.count() + 1);
#else
Measured measure(const Reading& reading) {
#endif
  Measured measured;
  measured.set_device(reading.device());
  return measured;
}

}  // namespace meter

WEIR_PLUGIN(METER_PLUGIN, "9.0",
            weir::resolver<meter::measure>(METER_RESOLVER).key<&meter::Reading::device>());
