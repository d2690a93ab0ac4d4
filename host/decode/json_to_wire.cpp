#include "decode/json_to_wire.hpp"

#include "decode/json_walk.hpp"

namespace weir::host {

JsonToWire::JsonToWire(PlanSet& plans, Options options)
    : walk_(std::make_unique<JsonWalk>(plans, options)) {}
JsonToWire::~JsonToWire() = default;

Result<std::string_view> JsonToWire::encode(std::string_view json) { return walk_->encode(json); }

}  // namespace weir::host
