// A kubeconfig's text, with everything that its reading touches handed in: what people write there and what their
// plugins print is outside text. Any thread; blocks for as long as a plugin runs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::kube {

/// Runs a credential plugin: its words, NAME=VALUE beside the environment; what it printed.
using RunPlugin =
    std::function<Result<std::string>(std::vector<std::string> words, std::vector<std::string> variables)>;

/// As connection_from_kubeconfig(), with plugins run by `run`. Errors: usage, denied, and what `run` answers.
Result<Connection> parse_kubeconfig(const std::string& content, const std::string& folder, const std::string& context,
                                    Fs& fs, std::string (*environment)(const char*), const RunPlugin& run);

}  // namespace zcdp::kube
