// expect: weir: .state_version() is for resolvers with a State
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").state_version(2));
