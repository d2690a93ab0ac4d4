// expect: weir: .state_version() takes a number from 1 to 65535
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").state_version(65536));
