// expect: weir: a resolver returns void, a feature F
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

int f(const Item&) { return 1; }

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
