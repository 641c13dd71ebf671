#include "engine/machine.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "engine/cores.h"
#include "engine/cost.h"
#include "engine/packet/packet.h"
#include "output/record_ring.h"
#include "tests/support/temporary_folder.h"

namespace linger {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// What /sys tells of a machine with two NUMA nodes.
class Machine {
 public:
  void has_pages(const std::string& of, const std::string& size, int there, int free) const {
    write(of + "/hugepages/hugepages-" + size + "/nr_hugepages", there);
    write(of + "/hugepages/hugepages-" + size + "/free_hugepages", free);
  }
  void has_card(const std::string& address, int node) const {
    write("bus/pci/devices/" + address + "/numa_node", node);
  }

  // As -T prints them; the folder is told as SYS.
  std::string findings(const std::vector<std::string>& interfaces, std::uint64_t bytes_each) const {
    std::string text = text_of(check_huge_pages(interfaces, bytes_each, folder_.file("")));
    for (std::size_t at; (at = text.find(folder_.file(""))) != std::string::npos;)
      text.replace(at, folder_.file("").size(), "SYS/");
    return text;
  }

 private:
  void write(const std::string& name, int number) const {
    const std::filesystem::path path = folder_.file(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << number << '\n';
  }

  TemporaryFolder folder_;
};

TEST(machine, huge_pages_are_counted_on_the_node_of_each_card) {
  const Machine machine;
  machine.has_card("0000:3b:00.0", 0);
  machine.has_card("0000:3b:00.1", 0);
  machine.has_card("0000:af:00.0", 1);
  machine.has_card("0000:d8:00.0", -1);  // as a machine of one node has it
  machine.has_pages("kernel/mm", "2048kB", 600, 500);
  machine.has_pages("kernel/mm", "1048576kB", 1, 1);
  machine.has_pages("devices/system/node/node0", "2048kB", 100, 0);
  machine.has_pages("devices/system/node/node0", "1048576kB", 1, 1);
  machine.has_pages("devices/system/node/node1", "2048kB", 500, 500);
  EXPECT_EQ(machine.findings({"dpdk:0000:3b:00.0,mprq_en=1", "dpdk:3b:00.1", "eth0",
                              "dpdk:pci:0000:af:00.0", "dpdk:0000:d8:00.0", "dpdk:net_null0"},
                             300 * kMiB),
            "ok        huge pages: 2024 MiB free, needed by dpdk:0000:3b:00.0,mprq_en=1, "
            "dpdk:3b:00.1, dpdk:pci:0000:af:00.0, dpdk:0000:d8:00.0, dpdk:net_null0: 1500 MiB\n"
            "ok        huge pages of node 0: 1024 MiB free, needed by "
            "dpdk:0000:3b:00.0,mprq_en=1, dpdk:3b:00.1: 600 MiB\n"
            "ok        huge pages of node 1: 1000 MiB free, needed by dpdk:pci:0000:af:00.0: "
            "300 MiB\n");
}

// What is said of the cores a process may use, whatever others the machine has.
TEST(machine, shards_that_are_given_every_core_leave_none_to_the_other_threads) {
  std::string text, unpinned;
  std::thread([&] {  // of which one core is all
    const int core = sched_getcpu();
    pin_to(core);
    Settings settings;
    unpinned = text_of(check_machine({}, settings));
    settings.shardCores = std::to_string(core);
    text = text_of(check_machine({}, settings));
  })
      .join();
  EXPECT_THAT(text, testing::HasSubstr("fail      cores: shardCores names every core"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("the other threads elsewhere")));
  EXPECT_THAT(unpinned, testing::HasSubstr("warn      cores: one for the shard and all other"));
}

TEST(machine, rings_are_of_the_memory_that_is_needed) {
  Settings settings;
  settings.packetThreads = 2;
  const auto added_by = [&, before = memory_needed(settings)](auto& setting, auto value) {
    const auto was = std::exchange(setting, value);
    const std::uint64_t with = memory_needed(settings);
    setting = was;
    return with - before;
  };
  const std::uint64_t bytes_each = sizeof(UsualFields) + RecordRing::kBytesMean;
  EXPECT_EQ(added_by(settings.recordQueue, settings.recordQueue + 1000), 2 * 1000 * bytes_each);
  EXPECT_EQ(added_by(settings.output, std::vector<std::string>{"-", "file:x"}),
            2 * settings.recordQueue * bytes_each);
  EXPECT_EQ(added_by(settings.maxPacketsInQueue, settings.maxPacketsInQueue + 1000),
            4 * 1000 * sizeof(Packet));
}

TEST(machine, memory_is_what_control_groups_allow) {
  const TemporaryFolder sys;
  const auto write = [&](const std::string& name, std::string_view text) {
    const std::filesystem::path path = sys.file(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  };
  const auto allowed = [&](std::string_view groups) {
    write("groups", groups);
    return memory_allowed(sys.file("groups"), sys.file("cgroup"));
  };
  EXPECT_EQ(memory_allowed(sys.file("none"), sys.file("cgroup")), memory_there());
  EXPECT_EQ(allowed("0::/a/b"), memory_there());
  write("cgroup/a/b/memory.max", "max");
  EXPECT_EQ(allowed("0::/a/b"), memory_there());
  write("cgroup/a/memory.max", "30000000");
  EXPECT_EQ(allowed("0::/a/b"), 30'000'000u);
  write("cgroup/a/b/memory.max", "20000000");
  EXPECT_EQ(allowed("0::/a/b"), 20'000'000u);
  EXPECT_EQ(allowed("0::/a"), 30'000'000u);
  write("cgroup/memory.max", "25000000");  // of a container, which sees no further
  EXPECT_EQ(allowed("0::/"), 25'000'000u);
  write("cgroup/memory/c/memory.limit_in_bytes", "15000000");
  write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(allowed("8:cpu:/a\n4:memory:/c\n"), 15'000'000u);
  EXPECT_EQ(allowed("4:memory:/d\n"), memory_there());
}

TEST(machine, tables_want_transparent_huge_pages) {
  const TemporaryFolder sys;
  const std::filesystem::path folder = sys.file("kernel/mm/transparent_hugepage");
  std::filesystem::create_directories(folder);
  const auto finding_of = [&](const std::string& modes) {
    std::ofstream(folder / "enabled") << modes << '\n';
    return check_transparent_pages(sys.file(""));
  };
  EXPECT_EQ(finding_of("always [madvise] never").finding, Finding::ok);
  EXPECT_EQ(finding_of("[always] madvise never").finding, Finding::ok);
  const MachineLine never = finding_of("always madvise [never]");
  EXPECT_EQ(never.finding, Finding::warn);
  EXPECT_THAT(never.text, testing::EndsWith("echo madvise > " + (folder / "enabled").string()));
}

TEST(machine, too_few_huge_pages_are_a_failure_with_the_mend) {
  const Machine machine;
  machine.has_card("0000:af:00.0", 1);
  machine.has_pages("kernel/mm", "2048kB", 600, 600);
  machine.has_pages("devices/system/node/node0", "2048kB", 500, 500);
  machine.has_pages("devices/system/node/node1", "2048kB", 100, 50);
  const char* mend =  // (300 - 100 + 16) / 2 more
      "SYS/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages\n";
  EXPECT_EQ(machine.findings({"dpdk:0000:af:00.0"}, 300 * kMiB),
            "ok        huge pages: 1200 MiB free, needed by dpdk:0000:af:00.0: 300 MiB\n"
            "fail      huge pages of node 1: 100 MiB free, needed by dpdk:0000:af:00.0: 300 MiB; "
            "echo 208 > " +
                std::string(mend));
}

TEST(machine, without_huge_pages_the_mend_names_how_many) {
  const Machine machine;
  EXPECT_EQ(machine.findings({"dpdk:net_null0"}, 84 * kMiB),
            "fail      huge pages: 0 MiB free, needed by dpdk:net_null0: 84 MiB; echo 50 > "
            "SYS/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages\n");
}

// Every line, the numbers of this machine left out.
std::string findings_of(const Settings& settings) {
  std::string text;
  for (const char c : text_of(check_machine({}, settings))) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit) text += c;
    if (is_digit && !text.ends_with('N')) text += 'N';
  }
  return text;
}

TEST(machine, what_a_run_would_lack_is_named_with_the_mend) {
  Settings settings;
  settings.packetThreads = 60'000;  // more cores than there are
  settings.maxStreams = 100'000'000;
  settings.parserMemory = std::uint64_t{1} << 40;
  settings.user = "nobody-of-that-name";
  settings.output = {"file:/nowhere/records"};
  EXPECT_EQ(
      findings_of(settings),
      "fail      memory: tables and rings need N MiB, N MiB are available; lower maxStreams, "
      "recordQueue or pcapBufferSize\n" +
          text_of({check_transparent_pages()}) +
          "warn      cores: N for N shards and the other threads; lower packetThreads to N\n"
          "fail      user: there is no user nobody-of-that-name; useradd --system "
          "nobody-of-that-name makes one\n"
          "fail      output 'file:/nowhere/records': cannot write '/nowhere/records': No such "
          "file or directory\n");
}

TEST(machine, shards_that_take_every_core_are_a_failure) {
  const int last = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) - 1;
  const auto all = parse_cores(fmt::format("0-{}", last));
  if (!all || last == 0) GTEST_SKIP() << "this process may not use every core, or there is one";
  Settings settings;
  settings.shardCores = fmt::format("0-{}", last);
  EXPECT_THAT(findings_of(settings), testing::HasSubstr("fail      cores: shardCores names every"));
  settings.shardCores = "0";
  EXPECT_THAT(findings_of(settings), testing::HasSubstr("ok        cores: shards on N, the other"));
  settings.shardCores = "";
  EXPECT_THAT(findings_of(settings), testing::HasSubstr("warn      cores: shards are not pinned"));
}

}  // namespace
}  // namespace linger
