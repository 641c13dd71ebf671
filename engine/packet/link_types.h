// Readers of link types that have a file of their own. Internal to decode.
#pragma once

#include "engine/packet/link_type.h"
#include "engine/packet/walk.h"

namespace linger {

// What follows is a frame of this link type.
inline void follow_link(Walk& walk, LinkType link_type) noexcept {
  walk.link_type = link_type;
  walk.next = Header::link;
}

// Behind the control field of LLC or Frame Relay: the number of a network layer (ISO/IEC TR 9577).
void read_network_layer_id(Walk& walk) noexcept;

// link_devices.cc
void read_symantec(Walk& walk) noexcept;
void read_docsis(Walk& walk) noexcept;
void read_erf(Walk& walk) noexcept;
void read_juniper(Walk& walk) noexcept;
void read_exported_pdu(Walk& walk) noexcept;
void read_atm_payload(Walk& walk) noexcept;

}  // namespace linger
