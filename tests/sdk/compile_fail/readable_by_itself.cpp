// expect: weir: .readable_by() takes a State version below
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").state_version(2).readable_by(2));
