// expect: weir: a resolver's first parameter is what it resolves
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f();

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
