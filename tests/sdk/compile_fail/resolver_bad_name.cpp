// expect: weir: a resolver's name is [a-z][a-z0-9_]*
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("Count-It"));
