// Throws out of destroy(), which is not noexcept.
#include <stdexcept>

#include <weir/abi.h>

extern "C" void zoo_slot(weir_instance*) { throw std::runtime_error("thrown by destroy"); }
