// What all questions to a controller have in common, whatever they are about. Thread rule: functions, any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "src/services/peers/controller_access.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::services::peers {

/// Trusts `ca_pem` alone.
net::HttpClientOptions controller_client_options(const std::string& ca_pem);

/// Errors, of an answer that is not 200: not_found, denied, busy (503: another may know), failed; each with the first
/// line of what was said.
Result<> check_answer(int status, std::string_view said);

/// POSTs `body` as the agent; gives what a 200 says, at most kBodyBytesMost. Errors: as check_answer(), and as
/// net::HttpClient's.
Task<Result<std::string>> ask_controller(net::HttpClient& http, ControllerAccess access, std::string target,
                                         std::string body, Deadline deadline);

/// Makes a client, on a loop of its own, runs what `ask` makes of it, and waits for that. Blocks.
Result<> with_client(net::HttpClientOptions options, Machine machine,
                     const std::function<Task<Result<>>(net::HttpClient&)>& ask);

}  // namespace zcdp::services::peers
