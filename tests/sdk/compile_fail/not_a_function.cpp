// expect: weir: resolver<f>() takes a function
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

constexpr int f = 5;

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
