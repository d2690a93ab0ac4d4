// expect: weir: a plugin's version is printable ASCII without spaces
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);

WEIR_PLUGIN("p", "1 beta", weir::resolver<f>("f"));
