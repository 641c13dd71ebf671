// The settings of a run: built-in defaults, then a YAML file, then --set, then checks across them.
//
// settings_list.h declares each of them once; the struct, loading, range checks, help, the
// annotated YAML and the reference page all come from that line. Every error is one line that names
// the place (file:line or --set), the key, the value, what is allowed, and for an unknown key the
// nearest one. Thread: the control thread, before any shard starts; shards get a const reference.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/setting_kinds.h"
#include "engine/base/settings_list.h"
#include "engine/base/time.h"
#include "engine/base/tunnel.h"
#include "engine/base/units.h"

namespace linger {

inline constexpr std::uint64_t kStreamsPerThreadMin = 64;  // a table works from here on

struct Settings {
  // Not inline: there are some seventy members.
  Settings();
  Settings(const Settings&);
  Settings(Settings&&) noexcept;
  Settings& operator=(const Settings&);
  Settings& operator=(Settings&&) noexcept;
  ~Settings();

#define LINGER_SETTING_MEMBER(kind, name, default_value, min, max, help) \
  setting_kind::kind::Value name = default_value;
  LINGER_SETTINGS(LINGER_SETTING_MEMBER)
#undef LINGER_SETTING_MEMBER

  // By name, where each was set that was: file:line, or --set.
  std::map<std::string_view, std::string> places;
  // Begins a message: that place and ": "; empty for a default.
  std::string where(std::string_view name) const;

  // The values that 0 stands for.
  std::uint64_t graveyard_size() const noexcept {
    return graveyardSize != 0 ? graveyardSize : 4 * maxStreams;
  }
  std::uint64_t extension_pool() const noexcept {
    return extensionPool != 0 ? extensionPool : maxStreams / 4;
  }
  std::uint64_t rtt_pool() const noexcept { return rttPool != 0 ? rttPool : maxStreams / 4; }

  std::uint64_t read_sessions() const noexcept {
    return readSessions != 0 ? readSessions : maxStreams / 2;
  }

  struct TunnelPorts {
    std::string_view name;
    TunnelKind kind;
    const setting_kind::PortList::Value& ports;
  };
  std::array<TunnelPorts, 13> tunnel_ports() const noexcept {
    return {{{"vxlanPorts", TunnelKind::vxlan, vxlanPorts},
             {"vxlanGpePorts", TunnelKind::vxlan_gpe, vxlanGpePorts},
             {"genevePorts", TunnelKind::geneve, genevePorts},
             {"gtpPorts", TunnelKind::gtp, gtpPorts},
             {"teredoPorts", TunnelKind::teredo, teredoPorts},
             {"l2tpPorts", TunnelKind::l2tp, l2tpPorts},
             {"grePorts", TunnelKind::gre, grePorts},
             {"mplsPorts", TunnelKind::mpls, mplsPorts},
             {"capwapPorts", TunnelKind::capwap, capwapPorts},
             {"ayiyaPorts", TunnelKind::ayiya, ayiyaPorts},
             {"lispPorts", TunnelKind::lisp, lispPorts},
             {"tzspPorts", TunnelKind::tzsp, tzspPorts},
             {"guePorts", TunnelKind::gue, guePorts}}};
  }

  bool operator==(const Settings&) const;  // wherever they were set
};

using SettingsResult = tl::expected<void, std::string>;

// Everything in one call: defaults, the file (empty path: none), each "key=value" (a list as "a,b",
// in place of what it held), check_settings().
tl::expected<Settings, std::string> load_settings(const std::string& path,
                                                  const std::vector<std::string>& assignments = {});

// Steps of it. `place` names the text in messages; after an error `settings` may be half changed.
SettingsResult read_settings(const std::string& yaml, const std::string& place, Settings& settings);
// Every range again (for settings made in code), and what no single line can say.
SettingsResult check_settings(const Settings& settings);

// Annotated YAML; of the defaults it is conf/linger.yaml. Reading it back gives equal settings.
std::string dump_config(const Settings& settings);
std::string settings_markdown();  // docs/settings.md
std::string settings_help();      // each setting with its help, default and range, for a terminal
std::string settings_summary();   // name and default of each, a line of help's end

}  // namespace linger
