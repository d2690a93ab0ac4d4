// expect: weir: Out<F> takes features, and a feature is a Protobuf message
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

void f(const Item&, weir::Out<int>& out);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
