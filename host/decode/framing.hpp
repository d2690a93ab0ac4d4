#pragma once

#include <memory>

#include "decode/decoder.hpp"

namespace weir::host {

/// Takes the frame of `format` off a value before `decoder` sees it. The frame is Confluent's
/// ("Wire format" in the documentation of its Schema Registry): a byte 0, the schema's id as four
/// bytes, highest first; for Protobuf then the place of the message in the schema's file, as
/// zigzag varints: how many, then each, or a single 0 for the first message of the file.
///
/// Without a registry nobody can say what an id means: ids are skipped, or held against
/// Format::schema_ids.
std::unique_ptr<Decoder> make_framed_decoder(std::unique_ptr<Decoder> decoder,
                                             const Format& format);

}  // namespace weir::host
