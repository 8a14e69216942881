#include "src/modes/server_flags.hpp"

#include "zcdp/services/health.hpp"

namespace zcdp::modes {

void add_certificate_flags(Command command, std::string& certificate_file, std::string& key_file) {
    Option certificate =
        command.add_option("--tls-cert", certificate_file, "PEM file: the certificate with its chain; https then")
            .type_name("FILE");
    Option key = command.add_option("--tls-key", key_file, "PEM file: its private key").type_name("FILE");
    certificate.needs(key), key.needs(certificate);
}

void add_metrics_flag(Command command, std::string& address) {
    command.add_option("--metrics", address, "address for /metrics, /healthz and /readyz").type_name("ADDRESS:PORT");
}

Result<std::unique_ptr<net::server::ControlServer>> open_metrics(const std::string& address, Context& context,
                                                                 Logger& log) {
    if (address.empty()) return std::unique_ptr<net::server::ControlServer>();
    return services::open_health_server(address, context.metrics, log, [] { return std::string(); });
}

}  // namespace zcdp::modes
