// zcdp version
#include <fmt/core.h>

#include "src/modes/context.hpp"
#include "zcdp/base/json.hpp"
#include "zcdp_version.hpp"

namespace zcdp::modes {

void add_version(Command program, Action& action) {
    Command version = program.add_command("version", "print version and commit");
    auto json = std::make_shared<bool>(false);
    version.add_flag("--json", *json, "as one JSON object");
    version.on_parsed([json, &action] {
        action = [json](Context&) {
            if (*json)
                fmt::print("{}\n", JsonObject()
                                       .add("version", ZCDP_VERSION)
                                       .add("commit", ZCDP_COMMIT)
                                       .add("compiler", ZCDP_COMPILER)
                                       .str());
            else fmt::print("zcdp {} ({})\n", ZCDP_VERSION, ZCDP_COMMIT);
            return 0;
        };
    });
}

}  // namespace zcdp::modes
