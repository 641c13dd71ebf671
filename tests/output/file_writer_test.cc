#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <thread>

#include "engine/base/socket_headers.h"
#include "output/writer.h"
#include "tests/support/temporary_folder.h"

namespace linger {
namespace {

std::unique_ptr<Writer> writer_to(const std::string& uri, const WriterOptions& options = {}) {
  const auto parsed = parse_output_uri(uri);
  EXPECT_TRUE(parsed.has_value());
  return make_writer(*parsed, options);
}

// While it lives, files grow to at most this size, as on a full disk: a short write, then an error.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    was_set_ = setrlimit(RLIMIT_FSIZE, &limit) == 0;
    handler_ = signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }
  bool was_set() const { return was_set_; }

 private:
  rlimit before_{};
  bool was_set_ = false;
  sighandler_t handler_ = nullptr;
};

// While it lives, standard output is `fd`, which it closes.
class StandardOutput {
 public:
  explicit StandardOutput(int fd) : before_(dup(STDOUT_FILENO)) {
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    ::close(fd);
  }
  ~StandardOutput() {
    dup2(before_, STDOUT_FILENO);
    ::close(before_);
  }

 private:
  int before_;
};

TEST(file_writer, is_tried_without_a_change_to_the_file) {
  TemporaryFolder folder;
  const auto error_of = [&](const std::string& name) {
    const auto tried = try_output(*parse_output_uri("file:" + folder.file(name)));
    return tried ? "" : tried.error().substr(tried.error().rfind(": ") + 2);
  };
  std::ofstream(folder.file("x")) << "older";
  EXPECT_EQ(error_of("x"), "");
  EXPECT_EQ(std::filesystem::file_size(folder.file("x")), 5u);
  EXPECT_EQ(error_of("new"), "");
  EXPECT_FALSE(std::filesystem::exists(folder.file("new")));
  EXPECT_EQ(error_of(""), "Is a directory");
  EXPECT_EQ(error_of("none/new"), "No such file or directory");
  EXPECT_EQ(error_of("x/new"), "Not a directory");
  for (const char* to : {"none/new", "later", "round"}) {
    std::filesystem::create_symlink(to, folder.file("round"));
    EXPECT_EQ(error_of("round"), to[0] == 'n'   ? "No such file or directory"
                                 : to[0] == 'l' ? ""
                                                : "Too many levels of symbolic links");
    EXPECT_FALSE(std::filesystem::exists(folder.file("later")));
    std::filesystem::remove(folder.file("round"));
  }
  if (access("/proc/self", R_OK) == 0) {  // a folder that root may write to, and nobody can
    EXPECT_FALSE(try_output(*parse_output_uri("/proc/self/new")));
  }
}

TEST(file_writer, writes_what_it_was_given_and_replaces_what_was_there) {
  TemporaryFolder folder;
  std::ofstream(folder.file("x")) << "something older and longer";
  const auto writer = writer_to("file:" + folder.file("x"));
  ASSERT_TRUE(writer->open());
  writer->write("one\ntwo\n");
  writer->write("three\n");
  writer->close();
  EXPECT_EQ(content_of(folder.file("x")), "one\ntwo\nthree\n");
  EXPECT_EQ(writer->written(), 3u);
  EXPECT_EQ(writer->trouble(), "");
}

TEST(file_writer, a_live_run_goes_on_behind_the_last_whole_line) {
  TemporaryFolder folder;
  const std::string path = folder.file("x");
  for (const auto& [before, after] : {std::pair{"one\n{\"torn", "one\ntwo\n"},
                                      {"one\n", "one\ntwo\n"},
                                      {"torn", "two\n"},
                                      {"", "two\n"}}) {
    std::ofstream(path) << before;
    const auto writer = writer_to("file:" + path, {.is_live = true});
    ASSERT_TRUE(writer->open());
    writer->write("two\n");
    writer->close();
    EXPECT_EQ(content_of(path), after) << before;
    EXPECT_EQ(writer->written(), 1u);
  }
  const std::string foreign((16 << 20) + 1, 'x');
  std::ofstream(path) << foreign;
  EXPECT_FALSE(writer_to("file:" + path, {.is_live = true})->open());
  EXPECT_TRUE(content_of(path) == foreign);
}

// Some lines, `bytes` of them in all.
std::string lines_of(std::size_t bytes) {
  std::string lines;
  while (lines.size() < bytes) lines += std::to_string(lines.size()) + '\n';
  lines.resize(bytes - 1);
  return lines + '\n';
}

// The pages of a file that are in memory.
std::size_t cached_pages(const std::string& path) {
  const std::size_t bytes = std::filesystem::file_size(path);
  const int fd = open(path.c_str(), O_RDONLY);
  fsync(fd);
  void* mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  std::vector<unsigned char> is_cached((bytes + 4095) / 4096);
  EXPECT_EQ(mincore(mapped, bytes, is_cached.data()), 0);
  munmap(mapped, bytes);
  return std::ranges::count_if(is_cached, [](unsigned char c) { return (c & 1) != 0; });
}

bool can_leave_cache(const std::string& probe) {
  constexpr int kDontCache = 0x80;  // RWF_DONTCACHE
  const int fd = open(probe.c_str(), O_WRONLY | O_CREAT, 0600);
  char byte = 0;
  const iovec one{&byte, 1};
  const bool can = pwritev2(fd, &one, 1, -1, kDontCache) == 1;
  ::close(fd);
  return can;
}

TEST(file_writer, bulk_is_written_whole_whatever_becomes_of_the_page_cache) {
  TemporaryFolder folder;
  const std::string bulk = lines_of(1'000'003), few = "few\n";
  for (const bool file_cache : {false, true}) {
    const auto writer = writer_to("file:" + folder.file("x"), {.file_cache = file_cache});
    ASSERT_TRUE(writer->open());
    for (int i = 0; i < 3; ++i) {
      writer->write(bulk);
      writer->write(few);
    }
    writer->reopen();
    writer->write(bulk);
    writer->close();
    EXPECT_EQ(content_of(folder.file("x")), bulk + few + bulk + few + bulk + few + bulk);
    EXPECT_EQ(writer->trouble(), "");
  }
}

TEST(file_writer, bulk_that_meets_the_end_of_the_disk_keeps_whole_records) {
  TemporaryFolder folder;
  const std::string bulk = lines_of(1'000'003);
  const auto writer = writer_to("file:" + folder.file("x"));
  ASSERT_TRUE(writer->open());
  {
    FileSizeLimit limit(1'500'000);
    if (!limit.was_set()) GTEST_SKIP() << "SKIPPED: cannot set RLIMIT_FSIZE here";
    writer->write(bulk);
    writer->write(bulk);
  }
  writer->close();
  const std::string fits = (bulk + bulk).substr(0, 1'500'000);
  EXPECT_EQ(content_of(folder.file("x")), fits.substr(0, fits.rfind('\n') + 1));
  EXPECT_EQ(writer->written() + writer->dropped(DropReason::failed),
            static_cast<std::uint64_t>(2 * std::ranges::count(bulk, '\n')));
}

TEST(file_writer, bulk_leaves_the_page_cache_unless_it_shall_stay) {
  TemporaryFolder folder;
  const std::string bulk = lines_of(1'000'003);
  std::size_t cached[2];
  for (const bool file_cache : {false, true}) {
    const auto writer = writer_to("file:" + folder.file("x"), {.file_cache = file_cache});
    ASSERT_TRUE(writer->open());
    for (int i = 0; i < 8; ++i) writer->write(bulk);
    writer->close();
    cached[file_cache] = cached_pages(folder.file("x"));
  }
  constexpr std::size_t kPages = 8'000'024 / 4096 + 1;
  EXPECT_EQ(cached[true], kPages);
  if (!can_leave_cache(folder.file("probe")))
    GTEST_SKIP() << "SKIPPED: this kernel or file system does not know RWF_DONTCACHE";
  EXPECT_LT(cached[false], kPages / 8);
}

TEST(file_writer, a_file_that_cannot_be_made_is_an_error_at_start) {
  TemporaryFolder folder;
  const auto result = writer_to(folder.file("none/x"))->open();
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().find("none/x"), std::string::npos);
  EXPECT_NE(result.error().find("No such file or directory"), std::string::npos);
}

TEST(file_writer, a_full_file_keeps_whole_records_and_counts_the_rest_as_dropped) {
  TemporaryFolder folder;
  const auto writer = writer_to(folder.file("x"));
  ASSERT_TRUE(writer->open());
  {
    FileSizeLimit limit(20);
    if (!limit.was_set()) GTEST_SKIP() << "SKIPPED: cannot set RLIMIT_FSIZE here";
    writer->write("aaaaa\nbbbbb\n");     // 12 bytes
    writer->write("ccccc\nddddd\ne\n");  // 8 of 14 fit: ccccc and a torn line
  }
  writer->write("after\n");
  writer->close();
  EXPECT_EQ(content_of(folder.file("x")), "aaaaa\nbbbbb\nccccc\n");
  EXPECT_EQ(writer->written(), 3u);
  EXPECT_EQ(writer->dropped(DropReason::failed), 3u);
  EXPECT_NE(writer->trouble().find("File too large"), std::string::npos) << writer->trouble();
}

TEST(file_writer, standard_output_that_is_a_file_is_cut_back_behind_what_was_there_before) {
  TemporaryFolder folder;
  std::ofstream(folder.file("x")) << "before\n";
  const auto writer = writer_to("-");
  {
    StandardOutput output(open(folder.file("x").c_str(), O_WRONLY | O_APPEND));
    ASSERT_TRUE(writer->open());
    FileSizeLimit limit(12);
    if (!limit.was_set()) GTEST_SKIP() << "SKIPPED: cannot set RLIMIT_FSIZE here";
    writer->write("aa\nbbbbbb\n");
    writer->close();
  }
  EXPECT_EQ(content_of(folder.file("x")), "before\naa\n");
  EXPECT_EQ(writer->written(), 1u);
  EXPECT_EQ(writer->dropped(DropReason::failed), 1u);
  EXPECT_FALSE(writer->is_broken_pipe());
}

TEST(file_writer, a_full_device_says_so) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "SKIPPED: there is no /dev/full here";
  const auto writer = writer_to("/dev/full");
  ASSERT_TRUE(writer->open());
  writer->write("one\ntwo\n");
  writer->close();
  EXPECT_EQ(writer->written(), 0u);
  EXPECT_EQ(writer->dropped(DropReason::failed), 2u);
  EXPECT_NE(writer->trouble().find("No space left on device"), std::string::npos);
}

TEST(file_writer, a_live_run_says_at_once_what_goes_wrong) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "SKIPPED: there is no /dev/full here";
  TemporaryFolder folder;
  const auto full = writer_to("file:/dev/full", {.is_live = true});
  const auto gone = writer_to("file:" + folder.file("folder/x"), {.is_live = true});
  std::filesystem::create_directory(folder.file("folder"));
  ASSERT_TRUE(full->open());
  ASSERT_TRUE(gone->open());
  std::filesystem::remove_all(folder.file("folder"));
  testing::internal::CaptureStderr();
  full->write("one\n");
  full->write("two\n");
  gone->reopen();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(said, '\n'), 2) << said;
  EXPECT_NE(said.find("/dev/full': No space left"), std::string::npos) << said;
  EXPECT_NE(said.find("cannot reopen"), std::string::npos) << said;
}

TEST(file_writer, a_file_that_was_reopened_at_last_is_no_trouble) {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("folder"));
  const auto writer = writer_to("file:" + folder.file("folder/x"));
  ASSERT_TRUE(writer->open());
  std::filesystem::remove_all(folder.file("folder"));
  testing::internal::CaptureStderr();
  writer->reopen();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("cannot reopen"), std::string::npos);
  std::filesystem::create_directory(folder.file("folder"));
  writer->reopen();
  writer->write("one\n");
  writer->close();
  EXPECT_EQ(content_of(folder.file("folder/x")), "one\n");
  EXPECT_EQ(writer->trouble(), "");
}

// Does `work` in a thread whose system call of this number fails like that. False: no filter of
// system calls can be set here.
bool with_failing(unsigned number, unsigned error, const std::function<void()>& work) {
  bool was_set = false;
  std::thread([&] {  // the filter is the thread's, and ends with it
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{4, code};
    was_set = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
              prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    if (was_set) work();
  })
      .join();
  return was_set;
}

TEST(file_writer, a_live_run_goes_on_when_a_full_disk_has_room_again) {
  TemporaryFolder folder;
  for (const bool is_live : {true, false}) {
    const auto writer = writer_to("file:" + folder.file("x"), {.is_live = is_live});
    ASSERT_TRUE(writer->open());
    writer->write("one\n");
    const bool was_set = with_failing(SYS_write, ENOSPC, [&] {
      writer->write("two\n");
      writer->write("three\n");
    });
    if (!was_set) GTEST_SKIP() << "SKIPPED: no filter of system calls can be set here";
    testing::internal::CaptureStderr();
    writer->write("four\n");
    writer->close();
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.find("there is room again; 2 records were dropped") != std::string::npos,
              is_live)
        << said;
    EXPECT_EQ(content_of(folder.file("x")), is_live ? "one\nfour\n" : "one\n");
    EXPECT_EQ(writer->dropped(DropReason::failed), is_live ? 2u : 3u);
    EXPECT_NE(writer->trouble().find("No space left"), std::string::npos);
    std::filesystem::remove(folder.file("x"));
  }
}

TEST(file_writer, reopen_leaves_a_file_alone_that_was_not_moved) {
  TemporaryFolder folder;
  const auto writer = writer_to("file:" + folder.file("x"));
  ASSERT_TRUE(writer->open());
  writer->write("one\n");
  const bool was_set = with_failing(SYS_openat, EACCES, [&] { writer->reopen(); });
  if (!was_set) GTEST_SKIP() << "SKIPPED: no filter of system calls can be set here";
  writer->write("two\n");
  writer->close();
  EXPECT_EQ(writer->trouble(), "");
  EXPECT_EQ(content_of(folder.file("x")), "one\ntwo\n");
}

TEST(file_writer, reopen_does_not_wait_for_somebody_to_read_a_pipe) {
  TemporaryFolder folder;
  const std::string path = folder.file("pipe");
  const auto writer = writer_to("file:" + path);
  ASSERT_TRUE(writer->open());
  std::filesystem::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  testing::internal::CaptureStderr();
  writer->reopen();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("No such device"), std::string::npos) << said;
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  writer->reopen();
  writer->write("one\n");
  char taken[8];
  EXPECT_EQ(read(reader, taken, sizeof taken), 4);
  writer->close();
  ::close(reader);
}

TEST(file_writer, a_live_run_goes_on_when_somebody_reads_its_pipe_again) {
  signal(SIGPIPE, SIG_IGN);
  TemporaryFolder folder;
  const std::string path = folder.file("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const auto come = [&] { return open(path.c_str(), O_RDONLY | O_NONBLOCK); };
  int reader = come();
  const auto writer = writer_to("file:" + path, {.is_live = true});
  ASSERT_TRUE(writer->open());
  fcntl(reader, F_SETPIPE_SZ, 4'096);
  std::thread others([&] {  // the reader takes a part of the record, and leaves
    char part[1'000];
    pollfd waiting{reader, POLLIN, 0};
    poll(&waiting, 1, -1);
    EXPECT_EQ(read(reader, part, sizeof part), std::ssize(part));
    ::close(reader);
  });
  const std::string record = std::string(300'000, 'a') + "\n";
  testing::internal::CaptureStderr();
  writer->write(record + "lost\n");
  others.join();
  writer->write("lost\n");
  EXPECT_EQ(writer->dropped(DropReason::failed), 2u);
  reader = come();
  std::string taken;
  std::thread again([&] {
    char part[4'096];
    pollfd waiting{reader, POLLIN, 0};
    while (taken.find("good\n") == std::string::npos && poll(&waiting, 1, -1) > 0) {
      const ssize_t n = read(reader, part, sizeof part);
      if (n > 0) taken.append(part, static_cast<std::size_t>(n));
    }
  });
  writer->write("good\n");
  again.join();
  EXPECT_EQ(taken, record.substr(1'000) + "good\n");
  EXPECT_EQ(writer->written(), 2u);
  ::close(reader);
  writer->write(record);
  writer->close();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("it is read again; 2 records were dropped"), std::string::npos) << said;
  EXPECT_EQ(writer->dropped(DropReason::failed), 3u);
}

TEST(file_writer, a_reader_of_standard_output_that_leaves_ends_it_quietly) {
  signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto writer = writer_to("-");
  {
    StandardOutput output(ends[1]);
    ASSERT_TRUE(writer->open());
    writer->write("one\n");
    char taken[8];
    EXPECT_EQ(read(ends[0], taken, sizeof taken), 4);
    ::close(ends[0]);
    writer->write("two\n");
    writer->write("three\n");
    writer->close();
  }
  EXPECT_TRUE(writer->is_broken_pipe());
  EXPECT_EQ(writer->written(), 1u);
  EXPECT_EQ(writer->dropped(DropReason::reader_gone), 2u);
  EXPECT_EQ(writer->trouble(), "");
}

// All of `bulk`, four times, through standard output that is `ends[1]`, to a reader that takes a
// little at a time.
void expect_bulk_through(const int (&ends)[2], const std::string& bulk) {
  std::string taken;
  std::thread reader([&] {
    char some[10'000];
    for (ssize_t n = 0; (n = read(ends[0], some, sizeof some)) > 0;) {
      taken.append(some, static_cast<std::size_t>(n));
      if (taken.size() < 1'000'000) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  const auto writer = writer_to("-");
  {
    StandardOutput output(ends[1]);
    EXPECT_TRUE(writer->open());
    for (int i = 0; i < 4; ++i) writer->write(bulk);
    writer->close();
  }
  reader.join();
  ::close(ends[0]);
  EXPECT_EQ(taken, bulk + bulk + bulk + bulk);
  EXPECT_EQ(writer->written(), static_cast<std::uint64_t>(4 * std::ranges::count(bulk, '\n')));
}

TEST(file_writer, a_slow_reader_of_standard_output_gets_all) {
  const std::string bulk = lines_of(1'000'003);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  expect_bulk_through(ends, bulk);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  expect_bulk_through(ends, bulk);
}

TEST(file_writer, what_a_slow_reader_has_taken_is_written_by_then) {
  const std::string bulk = lines_of(4'000'003);  // more than it takes here and a pipe holds
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto writer = writer_to("-", {.is_live = true});
  std::uint64_t written_by_then = 0;
  {
    StandardOutput output(ends[1]);
    ASSERT_TRUE(writer->open());
    std::thread writing([&] { writer->write(bulk); });
    std::string taken(2'000'000, '\0');
    for (std::size_t n = 0; n < taken.size();)
      n += static_cast<std::size_t>(read(ends[0], taken.data() + n, taken.size() - n));
    written_by_then = writer->written();
    writer->abandon();
    writing.join();
  }
  ::close(ends[0]);
  EXPECT_GT(written_by_then, 0u);
  const auto count = static_cast<std::uint64_t>(std::ranges::count(bulk, '\n'));
  EXPECT_EQ(writer->written() + writer->dropped(DropReason::abandoned), count);
}

TEST(file_writer, an_older_kernel_gets_files_and_pipes_written_too) {
  TemporaryFolder folder;
  const std::string bulk = lines_of(1'000'003);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  // The kernel refuses pwritev2, as one does that does not know its flags.
  const bool was_set = with_failing(SYS_pwritev2, EOPNOTSUPP, [&] {
    const auto writer = writer_to("file:" + folder.file("x"));
    EXPECT_TRUE(writer->open());
    writer->write(bulk);
    writer->write(bulk);
    writer->close();
    EXPECT_EQ(content_of(folder.file("x")), bulk + bulk);
    EXPECT_EQ(writer->trouble(), "");
    expect_bulk_through(ends, bulk);
  });
  if (!was_set) GTEST_SKIP() << "SKIPPED: no filter of system calls can be set here";
}

TEST(file_writer, an_abandoned_pipe_that_nobody_reads_is_given_up) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto writer = writer_to("-");
  {
    StandardOutput output(ends[1]);
    ASSERT_TRUE(writer->open());
    writer->abandon();
    writer->write(std::string(1 << 20, 'x') + "\n");  // more than a pipe holds
    writer->close();
  }
  ::close(ends[0]);
  EXPECT_EQ(writer->dropped(DropReason::abandoned), 1u);
}

TEST(file_writer, a_terminal_that_does_not_block_and_that_nobody_reads_is_waited_for_and_given_up) {
  const int reader = posix_openpt(O_RDWR | O_NOCTTY);
  if (reader < 0) GTEST_SKIP() << "SKIPPED: there are no terminals here";
  ASSERT_EQ(grantpt(reader) | unlockpt(reader), 0);
  const int terminal = open(ptsname(reader), O_RDWR | O_NOCTTY | O_NONBLOCK);
  const auto writer = writer_to("-");
  {
    StandardOutput output(terminal);
    ASSERT_TRUE(writer->open());
    writer->abandon();
    writer->write(std::string(1 << 20, 'x') + "\n");  // more than a terminal holds
    writer->close();
  }
  ::close(reader);
  EXPECT_EQ(writer->dropped(DropReason::abandoned), 1u);
}

TEST(file_writer, a_pipe_that_nobody_reads_is_given_up_at_the_end_of_a_live_run) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto writer = writer_to("-", {.is_live = true, .give_up_after = kMillisecond});
  {
    StandardOutput output(ends[1]);
    ASSERT_TRUE(writer->open());
    writer->finish_soon();
    writer->write(std::string(1 << 20, 'x') + "\n");  // more than a pipe holds
    writer->close();
  }
  ::close(ends[0]);
  EXPECT_EQ(writer->dropped(DropReason::abandoned), 1u);
}

TEST(file_writer, reopen_writes_on_in_a_new_file_after_the_old_was_moved_away) {
  TemporaryFolder folder;
  const auto writer = writer_to(folder.file("x"));
  ASSERT_TRUE(writer->open());
  writer->write("one\n");
  std::filesystem::rename(folder.file("x"), folder.file("y"));
  writer->reopen();
  writer->write("two\n");
  writer->reopen();  // nothing was moved: it goes on behind what is there
  writer->write("three\n");
  writer->close();
  EXPECT_EQ(content_of(folder.file("y")), "one\n");
  EXPECT_EQ(content_of(folder.file("x")), "two\nthree\n");
  EXPECT_EQ(writer->written(), 3u);
}

}  // namespace
}  // namespace linger
