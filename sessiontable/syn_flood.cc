#include "sessiontable/syn_flood.h"

#include <algorithm>

#include "sessiontable/session_id.h"

namespace linger {

bool SynFlood::absorb(const Session& s, ClockNs when) noexcept {
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
  } else if (when - place.ended >= silence_) {
    tell(place);
  }
  place.ended = std::max(place.ended, when);
  if (++place.seen <= rate_) return false;
  if (place.sessions == 0) {
    ++waiting_;
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

void SynFlood::expire(ClockNs now) noexcept {
  if (waiting_ == 0) return;
  for (std::size_t i = 0; i < kPlacesEach; ++i) {
    FloodSecond& place = places_[next_++ % kPlaces];
    if (now - place.ended >= silence_ + kSweepLag) tell(place);
  }
}

void SynFlood::finish() noexcept {
  for (std::size_t i = 0; i < places_.size(); ++i) tell(places_[i]);
}

// What its second still brings is told in another record, but not one by one again.
void SynFlood::tell(FloodSecond& place) noexcept {
  if (place.sessions == 0) return;
  --waiting_;
  sink_.on_flood(place);
  place.sessions = place.packets = place.bytes = 0;
  place.last = {};
}

}  // namespace linger
