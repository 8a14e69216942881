#include "src/origin/http/index.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "src/origin/http/html.hpp"
#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/token.hpp"
#include "zcdp/base/ascii.hpp"
#include "zcdp/base/json_parse.hpp"

namespace zcdp::origin::http {
namespace {

namespace json = boost::json;

using Segments = std::vector<std::string>;

constexpr unsigned kDepthMax = 8;
constexpr size_t kNamesMax = 1'000'000;

Error refused(const std::string& what, const std::string& hint = "") {
    return Error(ErrorKind::refused, what, "", hint);
}

/// As servers decode what people link to: a '%' without two digits is one.
std::string decoded(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        std::string escape(text.substr(i, 3));
        if (text[i] == '%' && escape.size() == 3 && percent_decode(escape, false)) out += escape, i += 2;
        else out += text[i];
    }
    return out;
}

Segments segments_of(std::string_view path) {
    Segments out;
    for (size_t begin = 0; begin < path.size();) {
        const size_t end = std::min(path.find('/', begin), path.size());
        std::string segment = decoded(path.substr(begin, end - begin));
        begin = end + 1;
        if (segment == "..") {
            if (!out.empty()) out.pop_back();
        } else if (!segment.empty() && segment != ".") {
            out.push_back(std::move(segment));
        }
    }
    return out;
}

/// Of one machine: servers behind a door that speaks TLS for them write http:// in their links.
bool same_server(const net::Endpoint& a, const net::Endpoint& b) {
    const auto is_default = [](const net::Endpoint& one) { return one.port == (one.tls ? 443 : 80); };
    return a.host == b.host && (a.port == b.port || (is_default(a) && is_default(b)));
}

/// The scheme that a link begins with, in small letters (RFC 3986 3.1); "" when it has none.
std::string scheme_of(std::string_view link) {
    const size_t end = link.find_first_of(":/?#");
    if (end == link.npos || link[end] != ':' || end == 0) return "";
    std::string scheme = to_lower(link.substr(0, end));
    const bool plain = scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") == scheme.npos &&
                       scheme[0] >= 'a' && scheme[0] <= 'z';
    return plain ? scheme : "";
}

/// What a link leads to.
struct Target {
    net::Endpoint endpoint;
    std::string path, query;
};

/// As browsers resolve it. Nothing for what is of no web server. Errors: refused.
Result<std::optional<Target>> resolve(std::string link, const Place& base) {
    std::erase_if(link, [](char c) { return c == '\t' || c == '\r' || c == '\n'; });
    link.erase(0, std::min(link.find_first_not_of(' '), link.size()));
    link.erase(link.find_last_not_of(' ') + 1);
    link.resize(std::min(link.find('#'), link.size()));
    const std::string scheme = scheme_of(link);
    const bool is_url = scheme == "http" || scheme == "https";
    if (!scheme.empty() && !is_url) {
        if (link.compare(scheme.size(), 3, "://") == 0) return std::optional<Target>();
        for (const char* known : {"mailto", "javascript", "data", "tel", "sms", "about", "blob", "magnet", "news",
                                  "urn", "view-source", "vbscript", "callto", "skype", "geo", "xmpp"})
            if (scheme == known) return std::optional<Target>();
        return refused("has a link that is a name with a colon or an address of a kind that zcdp does not know: " +
                           printable(link),
                       "have the server write it as ./NAME");
    }
    Target out{base.endpoint, "", ""};
    if (const size_t query = link.find('?'); query != link.npos) {
        out.query = link.substr(query);
        link.resize(query);
    }
    if (is_url || link.starts_with("//")) {
        if (!is_url) link.insert(0, base.endpoint.tls ? "https:" : "http:");
        const size_t slash = link.find('/', link.find("//") + 2);
        auto endpoint = net::Endpoint::parse(link.substr(0, slash));
        if (!endpoint) return std::optional<Target>();  // no host of ours
        out.endpoint = std::move(*endpoint);
        out.path = slash == link.npos ? "/" : link.substr(slash);
    } else if (link.starts_with('/')) {
        out.path = std::move(link);
    } else if (link.empty()) {
        out.path = base.path;
    } else {
        out.path = base.path.substr(0, base.path.rfind('/') + 1) + link;
    }
    return std::optional(std::move(out));
}

bool is_folders(std::string_view path) {
    const std::string last = decoded(path.substr(path.rfind('/') + 1));
    return last.empty() || last == "." || last == "..";
}

/// Queries by which pages of one folder, or folders by one page, are told apart; others are orders and looks of the
/// same page.
bool leads_on(std::string_view query) {
    const std::string text = to_lower(query.substr(1));
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find_first_of("&;", begin), text.size());
        const std::string name = text.substr(begin, std::min(text.find('=', begin), end) - begin);
        for (const char* one : {"page", "offset", "start", "skip", "marker", "cursor", "after", "token",
                                "continuation-token", "dir", "directory", "folder", "path", "prefix"})
            if (name == one) return true;
        begin = end + 1;
    }
    return false;
}

/// The links of one page, sorted into what they are.
class Links {
  public:
    explicit Links(const Place& folder) : above_(folder.segments()), folder_(folder) {}

    Result<> add(const std::string& link, std::string_view text, const Place& base) {
        ZCDP_TRY(const auto target, resolve(link, base));
        if (!target || !same_server(target->endpoint, folder_.endpoint)) return elsewhere();
        const Segments to = segments_of(target->path);
        if (to.size() <= above_.size() || !std::equal(above_.begin(), above_.end(), to.begin())) {
            const bool above = to.size() <= above_.size() && std::equal(to.begin(), to.end(), above_.begin());
            if (to.size() == above_.size() && above && !target->query.empty() && leads_on(target->query))
                return refused("has more of the folder behind " + printable(link) + ", where zcdp does not follow",
                               "have the server list a folder on one page, or name a SHA256SUMS");
            const bool up = above && to.size() + 1 == above_.size() && is_way_up(link, text);
            leads_up_ = leads_up_ || up;
            has_slashes_ = has_slashes_ || (up && target->path.ends_with('/'));
            return elsewhere();
        }
        std::string name;
        for (size_t i = above_.size(); i < to.size(); ++i) {
            if (to[i].find('/') != to[i].npos || to[i].find('\0') != to[i].npos)
                return refused("has a link to a name that no file can have: " + printable(link));
            name += to[i] + (i + 1 < to.size() || is_folders(target->path) ? "/" : "");
        }
        has_slashes_ = has_slashes_ || name.ends_with('/');
        (target->query.empty() ? names_ : queried_).push_back(std::move(name));
        if (names_.size() + queried_.size() > kNamesMax) return refused("the index has more than 1,000,000 names");
        return {};
    }

    /// Errors: refused: a name has only links with queries.
    Result<Index> finish() {
        sort(names_);
        for (const std::string& name : queried_) {
            const std::string bare = name.substr(0, name.size() - name.ends_with('/'));
            if (!std::binary_search(names_.begin(), names_.end(), bare) &&
                !std::binary_search(names_.begin(), names_.end(), bare + "/"))
                return refused("has only a link with a query to " + printable(name),
                               "name the file itself, or a SHA256SUMS");
            ++elsewhere_;
        }
        // What lies in a folder that the page names is found there.
        std::string within;
        std::erase_if(names_, [&](const std::string& name) {
            if (!within.empty() && name.starts_with(within)) return true;
            if (name.ends_with('/')) within = name;
            return false;
        });
        Index out;
        out.names = std::move(names_), out.elsewhere = elsewhere_, out.says_so = leads_up_,
        out.has_slashes = has_slashes_;
        return out;
    }

  private:
    Result<> elsewhere() {
        ++elsewhere_;
        return {};
    }
    static void sort(std::vector<std::string>& names) {
        std::sort(names.begin(), names.end());
        names.erase(std::unique(names.begin(), names.end()), names.end());
    }
    static bool is_way_up(std::string_view link, std::string_view text) {
        if (link == ".." || link.starts_with("../") || link == "./..") return true;
        const std::string word = to_lower(text.substr(0, text.find("</")));
        return word.find("..") != word.npos || word.find("parent") != word.npos || word.find("up") != word.npos;
    }

    const Segments above_;
    const Place& folder_;
    std::vector<std::string> names_, queried_;
    size_t elsewhere_ = 0;
    bool leads_up_ = false, has_slashes_ = false;
};

bool heads_an_index(std::string_view heading) {
    for (const std::string_view words :
         {"index of", "directory", "listing", "folder", "files within", "contents of", "files in"})
        if (heading.find(words) != heading.npos) return true;
    return false;
}

Result<Index> read_html(std::string_view body, std::string_view content_type, const Place& folder, bool cut) {
    ZCDP_TRY(const HtmlPage page, parse_html(body, cut));
    const std::string stated = charset_of(content_type), charset = stated.empty() ? page.charset : stated;
    Place base = folder;
    if (!page.base.empty()) {
        ZCDP_TRY(auto moved, resolve(attribute_text(page.base, charset), folder));
        if (moved) base = {std::move(moved->endpoint), std::move(moved->path)};
    }
    Links links(folder);
    for (const HtmlLink& link : page.links) ZCDP_CHECK(links.add(attribute_text(link.href, charset), link.text, base));
    ZCDP_TRY(Index out, links.finish());
    const Segments at = folder.segments();
    const bool empty_of_go = page.has_pre && !page.has_text && page.links.empty();
    out.asks_for_password = page.has_password;
    out.says_so = (out.says_so || heads_an_index(page.heading) || empty_of_go) && !page.has_password;
    out.bare_folders = !out.has_slashes && page.heading.find("listing directory") != std::string::npos;  // Express
    const std::string name = at.empty() ? "" : to_lower(at.back());
    out.names_itself = !at.empty() && (page.heading.find("/" + name) != std::string::npos ||
                                       page.heading.find(name + "/") != std::string::npos);
    return out;
}

/// nginx: [{"name", "type": "file" | "directory"}]; Caddy: [{"name", "is_dir"}].
Result<Index> read_json(std::string_view body) {
    const auto page = parse_json(body, kDepthMax);
    if (!page || !page->is_array()) return refused("the index is no JSON array");
    Index out;
    out.says_so = out.has_slashes = true;
    if (page->get_array().size() > kNamesMax) return refused("the index has more than 1,000,000 names");
    for (const json::value& item : page->get_array()) {
        if (!item.is_object()) return refused("the index has an item that is no object");
        std::string name = text_of(item.get_object(), "name");
        const json::value* is_dir = item.get_object().if_contains("is_dir");
        const bool folder =
            text_of(item.get_object(), "type") == "directory" || (is_dir && is_dir->is_bool() && is_dir->get_bool());
        const std::string bare = name.substr(0, name.size() - name.ends_with('/'));
        if (bare.empty() || bare == "." || bare == ".." || bare.find('/') != bare.npos || bare.find('\0') != bare.npos)
            return refused("the index has a name that is no file's: " + printable(name));
        out.names.push_back(folder ? bare + "/" : std::move(name));
    }
    std::sort(out.names.begin(), out.names.end());
    out.names.erase(std::unique(out.names.begin(), out.names.end()), out.names.end());
    return out;
}

std::string media_type(std::string_view content_type) {
    const std::string type = to_lower(content_type.substr(0, content_type.find(';')));
    const size_t begin = std::min(type.find_first_not_of(" \t"), type.size());
    return type.substr(begin, type.find_last_not_of(" \t") + 1 - begin);
}

}  // namespace

Result<Place> Place::parse(const std::string& url) {
    ZCDP_TRY(auto where, split_url(url));
    return Place{std::move(where.first), where.second.substr(0, where.second.find('?'))};
}

std::vector<std::string> Place::segments() const { return segments_of(path); }

bool is_folder_of(const std::string& url, const std::string& of) {
    const auto to = Place::parse(url), from = Place::parse(of);
    return to && from && to->path.ends_with('/') && !from->path.ends_with('/') && to->segments() == from->segments();
}

Result<Index> parse_index(std::string_view body, std::string_view content_type, const Place& folder, bool cut) {
    const size_t first = body.find_first_not_of(" \t\r\n");
    const bool is_json = media_type(content_type) == "application/json" ||
                         (!is_html(content_type) && first != body.npos && body[first] == '[');
    return is_json ? read_json(body) : read_html(body, content_type, folder, cut);
}

bool is_html(std::string_view content_type) {
    const std::string type = media_type(content_type);
    return type == "text/html" || type == "application/xhtml+xml";
}

bool is_html_or_json(std::string_view content_type) {
    return is_html(content_type) || media_type(content_type) == "application/json";
}

bool is_named_as_page(std::string_view name) {
    const std::string small = to_lower(name);
    for (const std::string_view end : {".html", ".htm", ".xhtml", ".shtml", ".mhtml", ".php", ".asp", ".aspx", ".jsp"})
        if (small.ends_with(end)) return true;
    return false;
}

}  // namespace zcdp::origin::http
