#include "earthquakes.h"

namespace earthquakes {

WEIR_PLUGIN("earthquakes", "1.0.0",
            weir::resolver<follow>("follow")
                .key<&Earthquake::net>()
                .event_time<&Earthquake::time, weir::milliseconds>());

}  // namespace earthquakes
