// Throws out of shutdown().
#include <stdexcept>

#include <weir/abi.h>

extern "C" void zoo_shutdown() { throw std::runtime_error("thrown by shutdown"); }
