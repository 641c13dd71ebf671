#include "sessiontable/syn_flood.h"

#include <algorithm>

#include "sessiontable/session_id.h"

namespace linger {

bool SynFlood::absorb(const Session& s) noexcept {
  if (rate_ == 0) return false;
  const unsigned source = s.hot.originator();
  FlowKey destination = s.key();
  destination.address = {IpAddress{}, destination.address[source ^ 1]};
  destination.port = {0, destination.port[source ^ 1]};
  const std::int64_t second = s.cold.phase_clock / kSecond;
  FloodSecond& place =
      places_[(hash_of(destination, seed_) + static_cast<std::uint64_t>(second)) % kPlaces];
  if (!(place.destination == destination) || place.second != second) {
    tell(place);
    place = {};
    place.destination = destination;
    place.second = second;
  }
  if (++place.seen <= rate_) return false;
  if (place.sessions == 0) {
    place.id = make_session_id(s, id_seed_);
    place.first = s.cold.start;
  }
  place.first = std::min(place.first, s.cold.start.own());
  place.last = std::max(place.last, s.end());
  ++place.sessions;
  place.packets += s.hot.packets[source];
  place.bytes += s.hot.bytes[source];
  return true;
}

void SynFlood::finish() noexcept {
  for (std::size_t i = 0; i < places_.size(); ++i) tell(places_[i]);
}

void SynFlood::tell(FloodSecond& place) noexcept {
  if (place.sessions != 0) sink_.on_flood(place);
  place.sessions = 0;
}

}  // namespace linger
