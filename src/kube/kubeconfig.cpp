// Who speaks to which cluster: a kubeconfig
// (kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig), or the ServiceAccount of the pod that
// this runs in.
#include "src/kube/kubeconfig.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <optional>

#include "zcdp/base/base64.hpp"
#include "zcdp/base/process.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::kube {
namespace {

constexpr size_t kFileMax = 4u << 20;
constexpr const char* kAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount/";

std::string text(const YAML::Node& node, const char* name) {
    return node && node.IsMap() && node[name] && node[name].IsScalar() ? node[name].as<std::string>() : std::string();
}

/// The entry called `name` of a list of {name: …, KIND: {…}}.
YAML::Node entry(const YAML::Node& list, const std::string& name, const char* kind) {
    if (list && list.IsSequence())
        for (const YAML::Node& item : list)
            if (text(item, "name") == name) return item[kind];
    return {};
}

/// KEY-data (base64) or the file that KEY names.
Result<std::string> data_or_file(const YAML::Node& node, const std::string& key, const std::string& folder, Fs& fs) {
    if (const std::string data = text(node, (key + "-data").c_str()); !data.empty()) {
        auto bytes = from_base64(data);
        if (!bytes) return Error(ErrorKind::usage, "the kubeconfig's " + key + "-data is no base64");
        return std::move(*bytes);
    }
    std::string path = text(node, key.c_str());
    if (path.empty()) return std::string();
    if (path[0] != '/') path = folder + "/" + path;
    auto content = read_user_file(fs, path, kFileMax);
    if (!content) return system_error(content.error(), "reading", path);
    return std::move(*content);
}

/// Runs a credential plugin (client.authentication.k8s.io) and returns what it printed.
Result<std::string> run_plugin(const YAML::Node& exec, const RunPlugin& run) {
    std::vector<std::string> words{text(exec, "command")};
    if (exec["args"] && exec["args"].IsSequence())
        for (const YAML::Node& word : exec["args"]) words.push_back(word.as<std::string>());
    std::vector<std::string> variables;
    if (exec["env"] && exec["env"].IsSequence())
        for (const YAML::Node& pair : exec["env"]) variables.push_back(text(pair, "name") + "=" + text(pair, "value"));
    const std::string version = text(exec, "apiVersion");
    variables.push_back("KUBERNETES_EXEC_INFO={\"apiVersion\":\"" + version +
                        "\",\"kind\":\"ExecCredential\",\"spec\":{\"interactive\":false}}");
    return run(std::move(words), std::move(variables));
}

Result<> use_plugin(const YAML::Node& exec, const RunPlugin& run, Connection& connection) {
    ZCDP_TRY(const std::string printed, run_plugin(exec, run));
    boost::system::error_code code;
    const json::value answer = json::parse(printed, code);
    const json::value* status = !code && answer.is_object() ? answer.get_object().if_contains("status") : nullptr;
    if (!status || !status->is_object())
        return Error(ErrorKind::denied, "the credential plugin printed no ExecCredential", text(exec, "command"));
    const auto take = [&](const char* name, std::string& to) {
        if (const json::value* value = status->get_object().if_contains(name); value && value->is_string())
            to = std::string(value->get_string());
    };
    take("token", connection.token);
    take("clientCertificateData", connection.client_cert_pem);
    take("clientKeyData", connection.client_key_pem);
    return {};
}

Result<Connection> read_kubeconfig(const YAML::Node& root, const std::string& folder, std::string context, Fs& fs,
                                   std::string (*environment)(const char*), const RunPlugin& run) {
    if (context.empty()) context = text(root, "current-context");
    const YAML::Node chosen = entry(root["contexts"], context, "context");
    if (!chosen.IsMap())
        return Error(ErrorKind::usage, "has no context \"" + printable(context) + "\"", "the kubeconfig",
                     "name one with --context");
    const YAML::Node cluster = entry(root["clusters"], text(chosen, "cluster"), "cluster");
    if (!cluster.IsMap())
        return Error(ErrorKind::usage, "has no cluster \"" + printable(text(chosen, "cluster")) + "\"",
                     "the kubeconfig");
    Connection out;
    out.server = text(cluster, "server");
    out.tls_server_name = text(cluster, "tls-server-name");
    out.insecure_skip_tls_verify = text(cluster, "insecure-skip-tls-verify") == "true";
    if (const std::string url = text(cluster, "proxy-url"); !url.empty()) {
        ZCDP_TRY(net::Proxy proxy, net::Proxy::parse(url));
        out.proxies = net::Proxies::all_through(std::move(proxy));
    } else {
        ZCDP_TRY(out.proxies, net::Proxies::from_environment(environment));
    }
    if (const std::string ns = text(chosen, "namespace"); !ns.empty()) out.default_namespace = ns;
    ZCDP_TRY(out.ca_pem, data_or_file(cluster, "certificate-authority", folder, fs));
    const YAML::Node user = entry(root["users"], text(chosen, "user"), "user");
    if (!user.IsMap()) return out;
    ZCDP_TRY(out.client_cert_pem, data_or_file(user, "client-certificate", folder, fs));
    ZCDP_TRY(out.client_key_pem, data_or_file(user, "client-key", folder, fs));
    out.token = text(user, "token");
    out.token_file = text(user, "tokenFile");
    if (!out.token_file.empty() && out.token_file[0] != '/') out.token_file = folder + "/" + out.token_file;
    if (!text(user, "username").empty())
        return Error(ErrorKind::usage, "has a user with a password, which Kubernetes no longer takes",
                     "the kubeconfig");
    if (user["exec"]) ZCDP_CHECK(use_plugin(user["exec"], run, out));
    return out;
}

Result<Connection> in_cluster(Fs& fs, std::string (*environment)(const char*)) {
    Connection out;
    std::string host = environment("KUBERNETES_SERVICE_HOST");
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    out.server = "https://" + host + ":" + environment("KUBERNETES_SERVICE_PORT");
    out.token_file = std::string(kAccountFolder) + "token";
    out.ca_file = std::string(kAccountFolder) + "ca.crt";
    if (auto ns = read_user_file(fs, std::string(kAccountFolder) + "namespace", kFileMax)) out.default_namespace = *ns;
    out.described = "this pod's ServiceAccount";
    ZCDP_TRY(out.proxies, net::Proxies::from_environment(environment));
    return out;
}

}  // namespace

Result<Connection> parse_kubeconfig(const std::string& content, const std::string& folder, const std::string& context,
                                    Fs& fs, std::string (*environment)(const char*), const RunPlugin& run) {
    try {
        return read_kubeconfig(YAML::Load(content), folder, context, fs, environment, run);
    } catch (const YAML::Exception& error) {
        return Error(ErrorKind::usage, std::string("is no valid YAML: ") + error.what(), "the kubeconfig");
    }
}

Result<Connection> connection_from_kubeconfig(const std::string& content, const std::string& folder,
                                              const std::string& context, Fs& fs,
                                              std::string (*environment)(const char*)) {
    return parse_kubeconfig(content, folder, context, fs, environment,
                            [](std::vector<std::string> words, std::vector<std::string> variables) {
                                return run_program(std::move(words), std::move(variables), kFileMax);
                            });
}

Result<Connection> find_connection(const std::string& kubeconfig_flag, const std::string& context, Fs& fs,
                                   std::string (*environment)(const char*)) {
    std::vector<std::string> candidates;
    if (!kubeconfig_flag.empty()) {
        candidates.push_back(kubeconfig_flag);
    } else {
        const std::string list = environment("KUBECONFIG");
        for (size_t begin = 0; begin < list.size();) {
            const size_t end = std::min(list.find(':', begin), list.size());
            if (end > begin) candidates.push_back(list.substr(begin, end - begin));
            begin = end + 1;
        }
        if (const std::string home = environment("HOME"); candidates.empty() && !home.empty())
            candidates.push_back(home + "/.kube/config");
    }
    for (const std::string& path : candidates) {
        auto content = read_user_file(fs, path, kFileMax);
        if (!content && content.error().value() == ENOENT && kubeconfig_flag.empty()) continue;
        if (!content) return system_error(content.error(), "reading", path);
        const size_t slash = path.rfind('/');
        auto out = connection_from_kubeconfig(*content, slash == std::string::npos ? "." : path.substr(0, slash),
                                              context, fs, environment);
        if (out) out->described = path;
        return out;
    }
    if (!environment("KUBERNETES_SERVICE_HOST").empty()) return in_cluster(fs, environment);
    return Error(ErrorKind::not_found, "there is no kubeconfig", candidates.empty() ? "~/.kube/config" : candidates[0],
                 "name one with --kubeconfig or $KUBECONFIG");
}

}  // namespace zcdp::kube
