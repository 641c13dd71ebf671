// What a record tells of QUIC: the hellos of its CRYPTO frames, as fields of `tls`, and the
// client's transport parameters (RFC 9000 §18). Thread: the output's, but for tell_quic_version().
#pragma once

#include "output/record_protocol.h"
#include "parsers/quic.h"

namespace linger {

// Protocol::derive of QUIC.
void derive_quic(std::uint8_t protocol, ItemReader items, ItemWriter& more);

void tell_quic_version(QuicField field, std::uint32_t version, Facts& facts) noexcept;

}  // namespace linger
