// Throws out of prepare(), which is not noexcept.
#include <stdexcept>

#include <weir/abi.h>

extern "C" weir_status zoo_slot(weir_instance*, const weir_records*, weir_prepared*, std::size_t,
                                weir_batch**, weir_call*) {
  throw std::runtime_error("thrown by prepare");
}
