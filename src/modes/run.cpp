#include "zcdp/modes/run.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "zcdp_version.hpp"

namespace zcdp::modes {

int run(int argc, char** argv) {
    CLI::App app{"zcdp: the Zero Copy Data Plane"};
    app.require_subcommand(1);
    auto* version = app.add_subcommand("version", "print version and commit");
    bool json = false;
    version->add_flag("--json", json, "as one JSON object");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? 0 : 2;
    }
    if (json) {
        fmt::print("{{\"version\":\"{}\",\"commit\":\"{}\",\"compiler\":\"{}\"}}\n", ZCDP_VERSION, ZCDP_COMMIT, ZCDP_COMPILER);
    } else {
        fmt::print("zcdp {} ({})\n", ZCDP_VERSION, ZCDP_COMMIT);
    }
    return 0;
}

}  // namespace zcdp::modes
