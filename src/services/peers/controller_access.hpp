// Where the controllers are, and as whom an agent asks there. Thread rule: a value; its functions are called from any
// thread, and must not block for long.
#pragma once

#include <functional>
#include <string>

namespace zcdp::services::peers {

struct ControllerAccess {
    std::string url;  ///< https://HOST[:PORT], of the Service: each connection may reach another replica
    /// Asked anew for each connection and each request: both change under a running agent.
    std::function<std::string()> ca_pem, token;
};

}  // namespace zcdp::services::peers
