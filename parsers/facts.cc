#include "parsers/facts.h"

namespace linger {

void Facts::append(const Item& item) noexcept {
  if (context_.direct != nullptr) return context_.direct->put(item);
  if (!reserve(kItemHeadBytes + item.value.size())) return leave_out();
  std::uint8_t head[kItemHeadBytes];
  put_item_head(head, item);
  copy(head);
  copy(item.value);
}

// Links all blocks that so many bytes more take, so that an item is whole or not there.
bool Facts::reserve(std::size_t bytes) noexcept {
  FactChain& chain = context_.chain;
  if (chain.bytes + bytes > kItemsBytesMax) return false;
  std::uint32_t there = 0;  // in the blocks from `last` on
  if (chain.first == kNoMemory) {
    chain.first = chain.last = context_.pool.take(kChainBytes);
    if (chain.first == kNoMemory) {
      chain.is_dry = true;
      return false;
    }
    std::memcpy(context_.pool.data(chain.first), &kNoMemory, kChainLinkBytes);
    there = kChainBytes;
  } else {
    there = chain.bytes % kChainBytes == 0 && chain.bytes != 0
                ? 0
                : kChainBytes - chain.bytes % kChainBytes;
  }
  BlockId tail = chain.last;
  for (BlockId next = tail;;) {  // what an item that found no memory has linked is there, too
    std::memcpy(&next, context_.pool.data(tail), kChainLinkBytes);
    if (next == kNoMemory) break;
    tail = next;
    there += kChainBytes;
  }
  while (there < bytes) {
    const BlockId next = context_.pool.take(kChainBytes);
    if (next == kNoMemory) {
      chain.is_dry = true;
      return false;
    }
    std::memcpy(context_.pool.data(next), &kNoMemory, kChainLinkBytes);
    std::memcpy(context_.pool.data(tail), &next, kChainLinkBytes);
    tail = next;
    there += kChainBytes;
  }
  return true;
}

void Facts::copy(Bytes bytes) noexcept {
  FactChain& chain = context_.chain;
  while (!bytes.empty()) {
    const std::uint32_t used = chain.bytes % kChainBytes;
    if (used == 0 && chain.bytes != 0)
      std::memcpy(&chain.last, context_.pool.data(chain.last), kChainLinkBytes);
    const std::size_t count = std::min<std::size_t>(bytes.size(), kChainBytes - used);
    std::memcpy(context_.pool.data(chain.last) + kChainLinkBytes + used, bytes.data(), count);
    chain.bytes += static_cast<std::uint32_t>(count);
    bytes = bytes.subspan(count);
  }
}

void copy_chain(ParserMemory& pool, const FactChain& chain, std::uint8_t* out) noexcept {
  BlockId id = chain.first;
  for (std::uint32_t left = chain.bytes; left != 0;) {
    const std::uint32_t count = std::min(left, kChainBytes);
    std::memcpy(out, pool.data(id) + kChainLinkBytes, count);
    std::memcpy(&id, pool.data(id), kChainLinkBytes);
    out += count;
    left -= count;
  }
}

void release_chain(ParserMemory& pool, FactChain& chain) noexcept {
  for (BlockId id = chain.first; id != kNoMemory;) {
    BlockId next;
    std::memcpy(&next, pool.data(id), kChainLinkBytes);
    pool.give_back(id);
    id = next;
  }
  chain.first = chain.last = kNoMemory;
}

}  // namespace linger
