// expect: weir: a resolver's first parameter is its message
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(Tally& state, const Item&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
