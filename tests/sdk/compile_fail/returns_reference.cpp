// expect: weir: a resolver returns void, a feature F
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

const Count& f(const Item&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
