// expect: weir: a resolver has one message and one settings message
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, const Settings& one, const Tally& two);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
