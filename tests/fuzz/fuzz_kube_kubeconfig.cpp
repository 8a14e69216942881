// Any bytes as a kubeconfig, or as what its plugin prints: a connection or an error, no program is run and no file is
// opened but by name; and whatever server, token, namespace and plugin somebody may have comes back as it was written.
#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "src/kube/kubeconfig.hpp"
#include "tests/support/forwarding_fs.hpp"

namespace {

using namespace zcdp;

void require(bool holds) {
    if (!holds) std::abort();
}

/// No file is there.
class EmptyFs final : public test::ForwardingFs {
  public:
    using test::ForwardingFs::ForwardingFs;
    SysResult<Fd> open_following(int, const char*, int) override {
        return boost::system::error_code(ENOENT, boost::system::system_category());
    }
};

std::string no_environment(const char*) { return {}; }

struct Run {
    std::vector<std::string> words;
    Result<kube::Connection> connection;
};

Run parsed(const std::string& text, const std::string& printed) {
    EmptyFs fs(system_fs());
    std::vector<std::string> words;
    const auto run = [&](std::vector<std::string> asked, std::vector<std::string>) -> Result<std::string> {
        words = std::move(asked);
        return printed;
    };
    auto connection = kube::parse_kubeconfig(text, "/folder", "", fs, no_environment, run);
    return {std::move(words), std::move(connection)};
}

/// Any bytes: a token's file is named from the root, and an error says on whom it lies.
void anything(const std::string& text) {
    const Run run = parsed(text, text);
    if (run.connection) {
        const std::string& file = run.connection->token_file;
        require((file.empty() || file[0] == '/') && run.connection->described.empty());
    } else {
        require(run.connection.error().kind() != ErrorKind::failed);
    }
}

/// As YAML 1.2 7.3.1 writes any ASCII between double quotes.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        constexpr char kHex[] = "0123456789abcdef";
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') out += c;
        else out.append("\\x").append(1, kHex[(c >> 4) & 7]).append(1, kHex[c & 15]);
    }
    return out + "\"";
}

void written(std::string text) {
    for (char& c : text) c &= 0x7f;
    const size_t third = text.size() / 3;
    const std::string server = text.substr(0, third), token = text.substr(third, third), word = text.substr(2 * third);
    const Run run =
        parsed("current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u, namespace: " + quoted(word) +
                   "}}]\nclusters: [{name: k, cluster: {server: " + quoted(server) +
                   "}}]\nusers: [{name: u, user: {token: " + quoted(token) + ", exec: {command: run, args: [" +
                   quoted(word) + "]}}}]\n",
               "{\"status\":{\"clientKeyData\":\"key\"}}");
    require(run.connection.has_value());
    const kube::Connection& it = *run.connection;
    require(it.server == server && it.token == token && it.client_key_pem == "key");
    require(it.default_namespace == (word.empty() ? "default" : word));
    require(run.words == std::vector<std::string>{"run", word});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    anything(text);
    written(text);
    // The same as a plugin's output.
    (void)parsed(
        "{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}], "
        "clusters: [{name: k, cluster: {server: s}}], users: [{name: u, user: {exec: {command: run}}}]}",
        text);
    return 0;
}
