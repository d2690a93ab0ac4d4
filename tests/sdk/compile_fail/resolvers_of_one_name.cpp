// expect: weir: the resolvers of a plugin have different names
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"), weir::resolver<f>("f"));
