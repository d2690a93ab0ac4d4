// expect: weir: .key<>() is said twice
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").key<&Item::user>().key<&Item::number>());
