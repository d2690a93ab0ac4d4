// expect: weir: a resolver takes messages and settings as const M& and its State as S&
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally state);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").key<&Item::user>());
