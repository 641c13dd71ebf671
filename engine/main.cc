// linger: one record per session, from captures and from the wire.

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "engine/base/tell.h"
#include "engine/build_info.h"
#include "engine/engine.h"
#include "engine/machine.h"
#include "engine/options.h"
#include "engine/reference.h"
#include "output/schema.h"
#include "parsers/list.h"

namespace {

int fail(int code, const std::string& text) {
  linger::tell("linger: {}\n", text);
  return code;
}

// To standard output, which may be closed, or its disk full.
int print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return linger::kExitWell;
  return fail(linger::kExitFailed, fmt::format("standard output: {}", std::strerror(errno)));
}

std::string dumped(linger::Dump dump, const linger::Settings& settings) {
  switch (dump) {
    case linger::Dump::config:
      return linger::dump_config(settings);
    case linger::Dump::json_schema:
      return linger::json_schema(linger::kProtocols);
    case linger::Dump::index_template:
      return linger::index_template(linger::kProtocols);
    case linger::Dump::fields:
      return linger::fields_markdown(linger::kProtocols);
    case linger::Dump::settings:
      return linger::settings_markdown();
    case linger::Dump::counters:
      return linger::counters_markdown();
    case linger::Dump::none:
      break;
  }
  return {};
}

int run(int argc, char** argv) {
  const auto options = linger::parse_options(argc, argv);
  if (!options) {
    const auto& leave = options.error();
    if (leave.code == linger::kExitWell) return print(leave.text);
    linger::tell("{}", leave.text);
    return leave.code;
  }
  if (options->version) return print(linger::build_info());
  const auto settings = linger::settings_of(*options);
  if (!settings) return fail(linger::kExitUsage, settings.error());
  if (options->dump != linger::Dump::none) return print(dumped(options->dump, *settings));
  linger::Engine engine(*options, *settings);
  if (options->test) {
    if (const auto good = engine.check(); !good)
      return fail(good.error().exit_code, good.error().text);
    if (const auto good = engine.check_captures(); !good)
      return fail(good.error().exit_code, good.error().text);
    const auto cost = engine.cost();
    if (!cost) return fail(cost.error().exit_code, cost.error().text);
    const auto findings = options->interfaces.empty()
                              ? linger::check_outputs(*settings)
                              : linger::check_machine(options->interfaces, *settings);
    if (const int code = print(*cost + linger::text_of(findings)); code != linger::kExitWell)
      return code;
    const bool can_run = std::ranges::none_of(
        findings, [](const auto& line) { return line.finding == linger::Finding::fail; });
    return can_run ? linger::kExitWell : linger::kExitFailed;
  }
  if (const auto opened = engine.open(); !opened)
    return fail(opened.error().exit_code, opened.error().text);
  return engine.run();
}

// Where one of the three was closed, the next file to be opened would take its place, and what is
// told would go there. These cannot be read or written, as a closed one.
void keep_standard_places() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

// HUP and USR1 have an answer once the run goes on, and wait for it: they never end the program.
void hold_signals() {
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGHUP);
  sigaddset(&held, SIGUSR1);
  sigprocmask(SIG_BLOCK, &held, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  hold_signals();
  keep_standard_places();
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    return fail(linger::kExitFailed,
                "it does not get the memory it needs (ulimit -v says how much it may have); lower "
                "maxStreams, graveyardSize, parserMemory, maxFrags or recordQueue");
  } catch (const std::exception& error) {
    return fail(linger::kExitFailed, error.what());
  }
}
