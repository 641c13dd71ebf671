// Link types of captures by number, and their readers that have a file of their own. Internal to
// decode.
#pragma once

#include "engine/packet/walk.h"

namespace linger {

enum LinkType : std::uint16_t {
  kNull = 0,
  kEthernet = 1,
  kTokenRing = 6,
  kSlip = 8,
  kPpp = 9,
  kFddi = 10,
  kAtmRfc1483Bsd = 11,
  kRawOpenBsd = 12,
  kRawBsd = 14,
  kPppHdlc = 50,
  kPppEther = 51,
  kSymantec = 99,
  kAtmRfc1483 = 100,
  kRaw = 101,
  kCiscoHdlc = 104,
  kIeee80211 = 105,
  kAtmClip = 106,
  kFrameRelay = 107,
  kLoop = 108,
  kEnc = 109,
  kLinuxCooked = 113,
  kPflog = 117,
  kPrism = 119,
  kIpOverFibreChannel = 122,
  kSunAtm = 123,
  kRadiotap = 127,
  kLinuxArcnet = 129,
  kJuniperMlppp = 130,
  kJuniperAtm2 = 135,
  kJuniperAtm1 = 137,
  kIpOverFireWire = 138,
  kDocsis = 143,
  kUser2 = 149,
  kAvs = 163,
  kPppPppd = 166,
  kJuniperPppoe = 167,
  kJuniperPppoeAtm = 168,
  kJuniperEther = 178,
  kJuniperPpp = 179,
  kJuniperFrameRelay = 180,
  kJuniperCiscoHdlc = 181,
  kMultilinkFrameRelay = 182,
  kPpi = 192,
  kErf = 197,
  kPppWithDirection = 204,
  kCiscoHdlcWithDirection = 205,
  kFrameRelayWithDirection = 206,
  kMpls = 219,
  kIpnet = 226,
  kIpv4 = 228,
  kIpv6 = 229,
  kNflog = 239,
  kNetAnalyzer = 240,
  kNetAnalyzerTransparent = 241,
  kIpOverInfiniband = 242,
  kExportedPdu = 252,
  kPktap = 258,
  kMpacket = 274,
  kLinuxCookedV2 = 276,
  kDsaBroadcom = 281,
  kDsaBroadcomBefore = 282,
  kDsaMarvell = 284,
  kEdsaMarvell = 285,
};

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
