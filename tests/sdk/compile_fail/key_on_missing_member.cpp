// expect: is not a member of
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").key<&Item::nobody>());
