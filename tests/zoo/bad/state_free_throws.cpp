// Throws out of state_free(), which is not noexcept.
#include <stdexcept>

#include <weir/abi.h>

extern "C" void zoo_slot(weir_instance*, weir_state*) {
  throw std::runtime_error("thrown by state_free");
}
