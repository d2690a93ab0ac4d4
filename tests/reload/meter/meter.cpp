// A resolver whose builds give different results, so that a record which met the wrong build, none,
// or two shows in its feature and in its State for ever. Compiled once for each build:
//   METER_BUILD   its number: what it multiplies by
//   METER_PEAK    its State has the field `peak`
//   METER_REJECTS it rejects every record
//   METER_CRASHES where a record asks for it
//   METER_STAYS   it cannot be unloaded while the thread lives that it has worked on
//   METER_MILLI   its State counts in thousandths, which no build before can read
//   METER_MIGRATE_THROWS, METER_MIGRATE_CRASHES   but not those with this count
#include <weir/sdk.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "meter.pb.h"

#define METER_STRING2(x) #x
#define METER_STRING(x) METER_STRING2(x)

namespace meter {

#ifdef METER_MILLI
constexpr std::int64_t unit = 1000;
void to_thousandths(Total& total, int /*from_version*/) {
#ifdef METER_MIGRATE_THROWS
  if (total.count() == METER_MIGRATE_THROWS) throw std::runtime_error("this count is too much");
#endif
#ifdef METER_MIGRATE_CRASHES
  if (total.count() == METER_MIGRATE_CRASHES) std::abort();
#endif
  total.set_sum(total.sum() * unit);
}
#else
constexpr std::int64_t unit = 1;
#endif

weir::Result<Measured> measure(const Reading& reading, Total& total, const Settings& settings) {
  const std::int64_t scale = settings.scale() == 0 ? 1 : settings.scale();
  total.set_count(total.count() + 1);
  total.set_sum(total.sum() + reading.amount() * METER_BUILD * scale * unit);
#ifdef METER_PEAK
  total.set_peak(std::max(total.peak(), reading.amount()));
#endif
#ifdef METER_CRASHES
  if (reading.action() == "crash") std::abort();
#endif
#ifdef METER_STAYS
  thread_local std::string last;
  last = reading.device();
#endif
#ifdef METER_REJECTS
  return weir::Reject("this build takes nothing");
#endif
  if (reading.action() == "reject") return weir::Reject("as it was asked to");
  if (reading.action() == "fatal") return weir::Fatal("as it was asked to");
  Measured measured;
  measured.set_device(reading.device());
  measured.set_build(METER_BUILD);
  measured.set_count(total.count());
  measured.set_sum(total.sum() / unit);
  measured.set_amount(reading.amount());
  return measured;
}

}  // namespace meter

WEIR_PLUGIN("meter", METER_STRING(METER_BUILD) ".0",
            weir::resolver<meter::measure>("measure")
                .key<&meter::Reading::device>()
#ifdef METER_MILLI
                .state_version(2)
                .migrate<meter::to_thousandths>()
#endif
);
