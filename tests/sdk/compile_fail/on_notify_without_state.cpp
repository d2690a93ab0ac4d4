// expect: weir: .on_notify<>() is for resolvers with a State
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);
void g(Tally&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").on_notify<g>());
