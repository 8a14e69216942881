#include "src/origin/http/hub.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "src/origin/http/sums.hpp"
#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/token.hpp"
#include "zcdp/base/ascii.hpp"
#include "zcdp/base/json_parse.hpp"

namespace zcdp::origin::http {
namespace {

namespace json = boost::json;

constexpr unsigned kDepthMax = 8;
constexpr size_t kWordsMax = 300;
constexpr std::string_view kKinds[] = {"models", "datasets", "spaces"};

Error refused(const std::string& what) { return Error(ErrorKind::refused, what); }

/// The hub's own names.
bool is_public_hub(const std::string& host) {
    return host == "huggingface.co" || host == "www.huggingface.co" || host == "hf.co" || host == "www.hf.co";
}

std::vector<std::string> parts_of(std::string_view path) {
    std::vector<std::string> out;
    for (size_t begin = 0; begin < path.size();) {
        const size_t end = std::min(path.find('/', begin), path.size());
        if (end > begin) out.emplace_back(path.substr(begin, end - begin));
        begin = end + 1;
    }
    return out;
}

/// Whether a path is of the hub's API or of a file in a repository: there a mirror has the same below its own.
bool is_of_hub(std::string_view path) {
    const auto parts = parts_of(path);
    const auto resolve = static_cast<size_t>(std::find(parts.begin(), parts.end(), "resolve") - parts.begin());
    return path.starts_with("/api/") || (resolve > 0 && resolve < 4 && resolve < parts.size());
}

}  // namespace

Result<TreePage> parse_tree(std::string_view body) {
    const auto page = parse_json(body, kDepthMax);
    if (!page || !page->is_array()) return refused("the tree is no JSON array");
    TreePage out;
    for (const json::value& item : page->get_array()) {
        if (!item.is_object()) return refused("the tree has an item that is no object");
        const json::object& object = item.get_object();
        if (const std::string type = text_of(object, "type"); type == "directory") {
            ++out.folders;
            continue;
        } else if (type != "file") {
            return refused("the tree has what is neither file nor directory: " + printable(text_of(object, "path")) +
                           " (" + printable(type) + ")");
        }
        TreeFile file;
        file.entry.path = text_of(object, "path");
        file.entry.tag = Tag(text_of(object, "oid"));
        if (file.entry.path.empty() || file.entry.tag.empty() || !number_of(object, "size", file.entry.size_bytes))
            return refused("the tree has a file without a path, an oid or a size");
        if (const json::value* lfs = object.if_contains("lfs"); lfs && lfs->is_object()) {
            std::string oid = text_of(lfs->get_object(), "oid");
            if (oid.starts_with("sha256:")) oid.erase(0, 7);  // as LFS's own pointers write it
            if (!is_sha256_hex(oid))
                return refused("the tree has an LFS file whose oid is no SHA-256: " + printable(file.entry.path));
            file.sha256 = bytes_from_hex(oid);
            file.entry.tag = Tag(std::move(oid));
            if (!number_of(lfs->get_object(), "size", file.entry.size_bytes))
                return refused("the tree has an LFS file without a size: " + printable(file.entry.path));
        }
        out.files.push_back(std::move(file));
    }
    return out;
}

std::string next_link(std::string_view header) {
    for (size_t begin = 0; begin < header.size();) {
        const size_t open = header.find('<', begin), close = header.find('>', begin);
        if (open == header.npos || close == header.npos || close < open) return "";
        const size_t end = std::min(header.find(',', close), header.size());
        const std::string_view parameters = header.substr(close + 1, end - close - 1);
        if (parameters.find("rel=\"next\"") != parameters.npos || parameters.find("rel=next") != parameters.npos)
            return std::string(header.substr(open + 1, close - open - 1));
        begin = end + 1;
    }
    return "";
}

std::string at_base(const net::BaseUrl& base, const std::string& location) {
    const bool is_path = location.starts_with('/') && !location.starts_with("//");
    const std::string url = is_path                      ? base.endpoint.url() + location
                            : location.starts_with("//") ? "https:" + location
                                                         : location;
    const auto where = split_url(url);
    if (!where) return location;
    const std::string path = where->second.substr(0, where->second.find('?'));
    const bool own = where->first == base.endpoint;
    if (!own && !is_public_hub(where->first.host)) return location;
    if (own && !base.path.empty() && path.starts_with(base.path + "/")) return url;
    return is_of_hub(path) ? base.endpoint.url() + base.path + where->second : location;
}

std::string repository_of_page(const net::Endpoint& endpoint, const std::string& target,
                               const std::vector<net::BaseUrl>& hubs) {
    std::string path = target.substr(0, target.find('?'));
    const auto hub = std::find_if(hubs.begin(), hubs.end(), [&](const net::BaseUrl& one) {
        return one.endpoint == endpoint && path.starts_with(one.path + "/");
    });
    if (hub != hubs.end()) path.erase(0, hub->path.size());
    else if (!is_public_hub(endpoint.host)) return "";
    std::vector<std::string> parts = parts_of(path);
    std::string out = "hf://";
    if (!parts.empty() && std::find(std::begin(kKinds), std::end(kKinds), parts[0]) != std::end(kKinds)) {
        if (parts[0] != "models") out += parts[0] + "/";
        parts.erase(parts.begin());
    }
    const auto is_view = [&](size_t at) { return at < parts.size() && (parts[at] == "tree" || parts[at] == "blob"); };
    const size_t names = is_view(1) || parts.size() == 1 ? 1 : 2;
    const bool is_page = parts.size() == names || (parts.size() > names && is_view(names));
    if (!is_page || parts[0] == "api" || (names == 1 && hub != hubs.end() && !is_public_hub(endpoint.host))) return "";
    const bool is_file = parts.size() > names + 2 && parts[names] == "blob";
    for (size_t i = 0; i < names; ++i) out += (i > 0 ? "/" : "") + parts[i];
    if (parts.size() > names + 1) out += "@" + parts[names + 1];
    for (size_t i = names + 2; i < parts.size() - (is_file ? 1 : 0); ++i) out += "/" + parts[i];
    return out;
}

std::string words_of_refusal(std::string_view error_message, std::string_view body) {
    std::string words(error_message);
    if (words.empty())
        if (const auto object = parse_json_object(body, "", ErrorKind::denied)) words = text_of(*object, "error");
    for (char& c : words)
        if (static_cast<unsigned char>(c) < ' ') c = ' ';
    return printable(words.substr(0, kWordsMax));
}

}  // namespace zcdp::origin::http
