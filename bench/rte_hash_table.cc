#include "bench/rte_hash_table.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <sched.h>
#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <stdexcept>
#include <string>

namespace linger::bench {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr const char* kHeap = "bench";
constexpr std::uint32_t kBytesOfV4 = 16;

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + rte_strerror(rte_errno));
}

void start_eal() {
  static const bool started = [] {
    cpu_set_t cpus;  // the EAL pins its caller; a benchmark goes where it is put
    sched_getaffinity(0, sizeof cpus, &cpus);
    std::array<std::string, 6> words = {"bench",       "--no-huge",      "--no-pci",
                                        "--no-shconf", "--no-telemetry", "--log-level=*:error"};
    std::array<char*, words.size()> arguments;
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) fail("EAL");
    sched_setaffinity(0, sizeof cpus, &cpus);
    return true;
  }();
  static_cast<void>(started);
}

}  // namespace

RteHashTable::Key RteHashTable::key_of(const FlowKey& key) noexcept {
  if (key.ip_version == 6) return std::bit_cast<Key>(key);
  Key packed;
  std::uint8_t* to = packed.bytes.data();
  for (const IpAddress& address : key.address) {
    std::memcpy(to, address.bytes.data(), 4);
    to += 4;
  }
  std::memcpy(to, key.port.data(), 4);
  to[4] = key.protocol;
  return packed;
}

RteHashTable::RteHashTable(std::uint32_t capacity, bool is_v6) {
  start_eal();
  // Two lines for a key and its bucket at the worst rounding, and DPDK's own books.
  bytes_ = (std::size_t{capacity} * 160 / kHugePage + 32) * kHugePage;
  memory_ = mmap(nullptr, bytes_ + kHugePage, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory_ == MAP_FAILED) fail("mmap");
  const std::size_t beyond = reinterpret_cast<std::uintptr_t>(memory_) % kHugePage;
  char* const aligned = static_cast<char*>(memory_) + (kHugePage - beyond) % kHugePage;
  madvise(aligned, bytes_, MADV_HUGEPAGE);
  if (rte_malloc_heap_create(kHeap) != 0 ||
      rte_malloc_heap_memory_add(kHeap, aligned, bytes_, nullptr,
                                 static_cast<unsigned>(bytes_ / kHugePage), kHugePage) != 0)
    fail("heap");
  rte_hash_parameters parameters{};
  parameters.name = "reference";
  parameters.entries = capacity;
  parameters.key_len = is_v6 ? sizeof(Key) : kBytesOfV4;
  parameters.hash_func = rte_hash_crc;
  parameters.socket_id = rte_malloc_heap_get_socket(kHeap);
  table_ = rte_hash_create(&parameters);
  if (table_ == nullptr) fail("rte_hash_create");
  memory_ = aligned;
}

RteHashTable::~RteHashTable() {
  rte_hash_free(table_);
  rte_malloc_heap_memory_remove(kHeap, memory_, bytes_);
  rte_malloc_heap_destroy(kHeap);
  munmap(memory_, bytes_);
}

bool RteHashTable::add(const Key& key, std::uint64_t value) noexcept {
  return rte_hash_add_key_data(table_, key.bytes.data(), reinterpret_cast<void*>(value)) == 0;
}

void RteHashTable::remove(const Key& key) noexcept { rte_hash_del_key(table_, key.bytes.data()); }

std::uint64_t RteHashTable::lookup(std::span<const Key> keys) noexcept {
  std::array<const void*, kLookupMax> pointers;
  for (std::size_t i = 0; i < keys.size(); ++i) pointers[i] = keys[i].bytes.data();
  std::uint64_t hits = 0;
  rte_hash_lookup_bulk_data(table_, pointers.data(), static_cast<std::uint32_t>(keys.size()), &hits,
                            values_.data());
  return hits;
}

}  // namespace linger::bench
