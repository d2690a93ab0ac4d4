// expect: weir: an output is taken as weir::Out<F>&
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

void f(const Item&, weir::Out<Count> out);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
