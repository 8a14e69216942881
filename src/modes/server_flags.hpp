// What commands that serve take beside their own flags: a certificate, and an address for metrics and health.
#pragma once

#include <memory>
#include <string>

#include "src/modes/context.hpp"
#include "zcdp/net/control.hpp"

namespace zcdp::modes {

/// --tls-cert and --tls-key, both or none.
void add_certificate_flags(Command command, std::string& certificate_file, std::string& key_file);
/// --metrics
void add_metrics_flag(Command command, std::string& address);
/// Answers there for as long as it is held; null where no address was given. Errors: usage, what the system says.
Result<std::unique_ptr<net::server::ControlServer>> open_metrics(const std::string& address, Context& context,
                                                                 Logger& log);

}  // namespace zcdp::modes
