// expect: weir: .initial<>() is for resolvers with a State
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);
Tally make();

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").initial<make>());
