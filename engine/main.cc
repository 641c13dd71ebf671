// linger: one record per session, from captures and from the wire.

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "engine/build_info.h"
#include "engine/engine.h"
#include "engine/machine.h"
#include "engine/options.h"
#include "engine/reference.h"
#include "output/schema.h"
#include "parsers/list.h"

namespace {

int fail(int code, const std::string& text) {
  fmt::print(stderr, "linger: {}\n", text);
  return code;
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
    fmt::print(leave.code == linger::kExitWell ? stdout : stderr, "{}", leave.text);
    return leave.code;
  }
  if (options->version) {
    fmt::print("{}", linger::build_info());
    return linger::kExitWell;
  }
  const auto settings = linger::settings_of(*options);
  if (!settings) return fail(linger::kExitUsage, settings.error());
  if (options->dump != linger::Dump::none) {
    fmt::print("{}", dumped(options->dump, *settings));
    return linger::kExitWell;
  }
  linger::Engine engine(*options, *settings);
  if (options->test) {
    if (const auto good = engine.check(); !good)
      return fail(good.error().exit_code, good.error().text);
    const auto cost = engine.cost();
    if (!cost) return fail(cost.error().exit_code, cost.error().text);
    fmt::print("{}", *cost);
    if (options->interfaces.empty()) return linger::kExitWell;
    const auto findings = linger::check_machine(options->interfaces, *settings);
    fmt::print("{}", linger::text_of(findings));
    const bool can_run = std::ranges::none_of(
        findings, [](const auto& line) { return line.finding == linger::Finding::fail; });
    return can_run ? linger::kExitWell : linger::kExitFailed;
  }
  if (const auto opened = engine.open(); !opened)
    return fail(opened.error().exit_code, opened.error().text);
  return engine.run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    return fail(linger::kExitFailed, error.what());
  }
}
