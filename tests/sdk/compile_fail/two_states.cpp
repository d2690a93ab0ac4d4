// expect: weir: a resolver has one State
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally& one, Count& two);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
