// What the numbers of TLS are called, by the registries of IANA (TLS Parameters): cipher suites,
// named groups, versions, alerts. A number that has no name here is told as four hexadecimal
// digits.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace linger {

// Holds the text of a number without a name.
class TlsName {
 public:
  static TlsName of_cipher(std::uint16_t number) noexcept;
  static TlsName of_group(std::uint16_t number) noexcept;
  static TlsName of_alert(std::uint8_t number) noexcept;

  std::string_view prefix() const noexcept { return prefix_; }
  std::string_view text() const noexcept {
    return name_.empty() ? std::string_view(digits_.data(), digits_.size()) : name_;
  }

 private:
  TlsName(std::string_view name, std::uint16_t number, std::string_view prefix = {}) noexcept;

  std::string_view prefix_;  // what all names of its kind begin with, in front of text()
  std::string_view name_;
  std::array<char, 6> digits_;
};

// ECS has the number and the protocol apart: 1.2 and tls, 3.0 and ssl, 1.2 and dtls.
std::string_view tls_version_of(std::uint16_t version) noexcept;  // empty: there is none
std::string_view tls_protocol_of(std::uint16_t version) noexcept;

}  // namespace linger
