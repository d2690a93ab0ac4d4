// expect: weir: the context is taken as weir::Context&
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, const weir::Context& ctx);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
