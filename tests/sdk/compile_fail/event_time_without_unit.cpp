// expect: weir: an event time that is a number needs its unit
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").event_time<&Item::at>());
