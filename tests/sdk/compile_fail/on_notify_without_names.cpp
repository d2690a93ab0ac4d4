// expect: weir: several outputs need names
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&);
Tally g(Tally&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").on_notify<g>());
