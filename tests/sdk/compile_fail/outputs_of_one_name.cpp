// expect: weir: the outputs of a resolver have different names
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, weir::Out<Tally>&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").outputs("same", "same"));
