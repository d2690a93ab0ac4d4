// Throws out of state_load(), which is not noexcept.
#include <stdexcept>

#include <weir/abi.h>

extern "C" weir_status zoo_slot(weir_instance*, weir_bytes, std::uint32_t, weir_state**,
                                weir_call*) {
  throw std::runtime_error("thrown by state_load");
}
