// Frames in memory, and a DPDK port to send them to or receive from: the generator and the bare
// receive loop that live figures are measured with.
//
// send() copies each frame into an mbuf and gives it to the port, 32 at a time. What the port
// refuses is offered again, so that the port sets the pace and nothing is lost, or given up and
// counted. receive() takes and frees, and does nothing else: what any program on that port costs.
// Thread: one. Memory: the frames, 1,088 mbufs for each queue.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace linger::bench {

class FrameStore {
 public:
  struct Place {
    std::uint64_t offset : 40;
    std::uint64_t bytes : 16;
    std::uint64_t is_from_server : 1;
  };

  void add(std::span<const std::uint8_t> frame, bool is_from_server) {
    places_.push_back({bytes_.size(), frame.size(), is_from_server ? 1u : 0u});
    bytes_.insert(bytes_.end(), frame.begin(), frame.end());
  }
  std::size_t size() const noexcept { return places_.size(); }
  Place place(std::size_t i) const noexcept { return places_[i]; }
  std::uint8_t* at(Place place) noexcept { return bytes_.data() + place.offset; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<Place> places_;
};

struct SendOptions {
  std::string devargs;
  std::uint16_t queues = 1;
  bool is_apart = false;      // the directions on different queues, else packets in turn
  bool gives_up = false;      // what is refused is not offered again
  std::uint64_t packets = 0;  // all frames, again and again, until so many; 0: once
  // All frames are segments of this much payload: the sequence number moves on each time, so that
  // none is a retransmission. 0: as they are.
  std::uint32_t payload_bytes = 0;
};

struct PortFigures {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t refused = 0;
  double seconds = 0;  // from the first to the last packet
};

tl::expected<PortFigures, std::string> send(FrameStore& frames, const SendOptions& options);

// Until no packet came for `idle_seconds`, once one came.
tl::expected<PortFigures, std::string> receive(const std::string& devargs, double idle_seconds);

}  // namespace linger::bench
