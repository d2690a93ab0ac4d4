// expect: weir: weir::Context& is a resolver's last parameter
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, weir::Context& ctx, Tally& state);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
