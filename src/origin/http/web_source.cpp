#include "src/origin/http/web_source.hpp"

#include "src/origin/http/hub.hpp"
#include "src/origin/http/netrc.hpp"
#include "src/origin/http/sums.hpp"
#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/given.hpp"
#include "src/origin/remote/token.hpp"
#include "zcdp/base/ascii.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::origin::http {
namespace {

constexpr const char* kForms = "write https://HOST/FOLDER/, https://HOST/PATH/FILE or https://HOST/PATH/SHA256SUMS";

/// Where the revision that begins at `at` ends. One with slashes is written with %2F, but refs/pr/N and
/// refs/convert/NAME also as they are, as huggingface_hub's HfFileSystem reads them.
size_t revision_end(const std::string& text, size_t at) {
    for (const std::string ref : {"refs/pr/", "refs/convert/"})
        if (text.compare(at, ref.size(), ref) == 0) return std::min(text.find('/', at + ref.size()), text.size());
    return std::min(text.find('/', at), text.size());
}

}  // namespace

// Without an ORG only what can be nothing else is taken, as huggingface_hub does before it asks the hub: NAME/FOLDER
// would be an ORG/NAME.
Result<Repository> parse_repository(const std::string& text) {
    std::string rest = text.substr(5), type = "models";
    for (const std::string one : {"datasets", "models", "spaces"})
        if (rest == one || rest.starts_with(one + "/")) {
            type = one, rest.erase(0, one.size() + 1);
            break;
        }
    size_t end = std::min(rest.find_first_of("/@"), rest.size());
    const bool alone = end + 1 >= rest.size() || rest[end] == '@';
    if (!alone) end = std::min(rest.find_first_of("/@", end + 1), rest.size());
    const std::string id = rest.substr(0, end);
    Repository out{type + "/" + id, "main", ""};
    size_t next = end;
    if (next < rest.size() && rest[next] == '@') {
        next = revision_end(rest, end + 1);
        out.revision = rest.substr(end + 1, next - end - 1);
    }
    if (next < rest.size()) out.folder = rest.substr(next + 1);
    if (!out.folder.empty() && out.folder.back() != '/') out.folder += '/';
    const bool plain =
        id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/") == id.npos &&
        id.find("..") == id.npos;
    const bool named = !id.empty() && id.front() != '/' && id.back() != '/' && id != "." &&
                       !(alone && type == "spaces");  // a space has an owner
    if (!named || !plain || out.revision.empty() || !percent_decode(out.revision, false))
        return Error(ErrorKind::usage, "names no repository", text,
                     "write hf://ORG/NAME@REVISION/FOLDER/, hf://datasets/ORG/NAME, or without an ORG "
                     "hf://NAME@REVISION/FOLDER/");
    return out;
}

Result<> WebSource::authorize_url() {
    if (options.anonymous) return {};
    ZCDP_TRY(const std::string token, credential(options, machine, "ZCDP_HTTP_TOKEN"));
    ZCDP_TRY(const std::string user, credential(options, machine, "ZCDP_HTTP_USER"));
    ZCDP_TRY(const std::string password, credential(options, machine, "ZCDP_HTTP_PASSWORD"));
    if (user.empty() && !password.empty() && token.empty())
        return Error(ErrorKind::usage, "is set without ZCDP_HTTP_USER", "ZCDP_HTTP_PASSWORD");
    if (!token.empty()) authorization = "Bearer " + token;
    else if (!user.empty()) authorization = "Basic " + to_base64(user + ":" + password);
    else if (options.credentials.empty()) return authorize_by_netrc();
    return {};
}

// curl -n does so over http as well; a password in the clear is sent to this machine alone.
Result<> WebSource::authorize_by_netrc() {
    if (!endpoint.tls && !endpoint.is_loopback()) return {};
    const std::string named = machine.environment("NETRC"), home = machine.environment("HOME");
    if (named.empty() && home.empty()) return {};
    const std::string path = named.empty() ? home + "/.netrc" : named;
    auto text = read_user_file(machine.fs, path, 1 << 20);
    if (!text && named.empty()) return {};
    if (!text)
        return Error(ErrorKind::usage, "cannot be read: " + text.error().message(), path,
                     "NETRC names it; unset NETRC, or name another file");
    const auto login = netrc_login(*text, endpoint.host);
    if (login) authorization = "Basic " + to_base64(login->user + ":" + login->password);
    return {};
}

Result<> WebSource::authorize_repository() {
    if (options.anonymous) return {};
    std::string token;
    for (const char* variable : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {  // the second is the older name
        if (!token.empty()) break;
        ZCDP_TRY(token, credential(options, machine, variable));
    }
    if (token.empty() && options.credentials.empty()) {
        const std::string named = machine.environment("HF_TOKEN_PATH");
        std::string home = machine.environment("HF_HOME"), cache = machine.environment("XDG_CACHE_HOME");
        if (home.empty()) home = (cache.empty() ? machine.environment("HOME") + "/.cache" : cache) + "/huggingface";
        const auto file = read_user_file(machine.fs, named.empty() ? home + "/token" : named, 64 << 10);
        if (!file && !named.empty())
            return Error(ErrorKind::usage, "cannot be read: " + file.error().message(), named,
                         "HF_TOKEN_PATH names it; unset HF_TOKEN_PATH, or name another file");
        if (file) {
            ZCDP_TRY(token, clean_header_secret(file->substr(0, file->find_first_of("\r\n")),
                                                named.empty() ? home + "/token" : named));
        }
    }
    if (!token.empty()) authorization = "Bearer " + token;
    return {};
}

Result<> WebSource::configure_url(const std::string& url) {
    source = url.substr(0, url.find('?'));
    if (const size_t host = url.find("://") + 3;
        url.substr(host, url.find_first_of("/?", host) - host).find('@') != url.npos)
        return Error(ErrorKind::usage, "has a user or password in it", "the source's URL",
                     "set ZCDP_HTTP_USER and ZCDP_HTTP_PASSWORD");
    ZCDP_TRY(const auto where, split_url(url));
    endpoint = where.first;
    file_target_ = where.second;
    std::vector<net::BaseUrl> hubs;
    if (auto hub = net::BaseUrl::parse(machine.environment("HF_ENDPOINT"))) hubs.push_back(std::move(*hub));
    if (const std::string page = repository_of_page(endpoint, file_target_, hubs); !page.empty())
        return Error(ErrorKind::usage, "is a page about a repository, not its files", source, "write " + page);
    const std::string path = where.second.substr(0, where.second.find('?'));
    const bool has_query = path.size() != where.second.size();
    base_path_ = path.substr(0, path.rfind('/') + 1);
    name = path.substr(base_path_.size());
    if (!percent_decode(name, false))
        return Error(ErrorKind::usage, "is not URL-encoded", source, std::string("write % as %25; ") + kForms);
    if (path == "/" && !source.ends_with('/')) source += '/';  // "https://host"
    kind = name.empty() ? Kind::index : is_sums_file(name) && !has_query ? Kind::sums : Kind::file;
    if (kind == Kind::index && has_query) return Error(ErrorKind::usage, "is a folder with a query", source, kForms);
    if (!options.sha256.empty()) {
        if (kind != Kind::file)
            return Error(ErrorKind::usage, "is no single file, of which a digest could be given", source);
        const auto digest = sha256_from_hex(to_lower(options.sha256));  // some tools print capitals
        if (!digest) return Error(ErrorKind::usage, "is no SHA-256 in hex", options.sha256);
        set_claims({{name, {std::string(digest->begin(), digest->end()), {}}}});
    }
    ZCDP_CHECK(configure_network());
    return authorize_url();
}

Result<> WebSource::configure_repository(const std::string& text) {
    kind = Kind::tree;
    source = text;
    if (!source.ends_with('/')) source += '/';
    ZCDP_TRY(Repository named, parse_repository(text));
    repository = std::move(named.id), revision = std::move(named.revision), folder = std::move(named.folder);
    std::string url = options.endpoint.empty() ? machine.environment("HF_ENDPOINT") : options.endpoint;
    if (url.empty()) url = "https://huggingface.co";
    ZCDP_TRY(net::BaseUrl hub, net::BaseUrl::parse(url));
    endpoint = std::move(hub.endpoint), base = std::move(hub.path);
    ZCDP_CHECK(configure_network());
    return authorize_repository();
}

std::string WebSource::target_of(const std::string& key) const {
    if (kind == Kind::file) return file_target_;
    if (kind != Kind::tree) return base_path_ + uri_encode(key, true);
    // Models lie at the root, all else below its kind.
    const std::string at = repository.starts_with("models/") ? repository.substr(7) : repository;
    return base + "/" + at + "/resolve/" + uri_encode(commit(), false) + "/" + uri_encode(folder + key, true);
}

std::string WebSource::commit() const {
    const MutexLock lock(mutex_);
    return commit_;
}

void WebSource::set_commit(std::string commit) {
    const MutexLock lock(mutex_);
    commit_ = std::move(commit);
}

void WebSource::set_claims(Claims claims) {
    const MutexLock lock(mutex_);
    claims_ = std::move(claims);
    has_claims_ = true;
}

bool WebSource::has_claims() const {
    const MutexLock lock(mutex_);
    return has_claims_;
}

Claim WebSource::claim_of(const std::string& key) const {
    const MutexLock lock(mutex_);
    const auto found = claims_.find(key);
    return found == claims_.end() ? Claim() : found->second;
}

}  // namespace zcdp::origin::http
