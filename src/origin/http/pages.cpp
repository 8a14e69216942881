#include "src/origin/http/pages.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/token.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::origin::http {
namespace {

namespace json = boost::json;

constexpr unsigned kDepthMax = 8;

Error refused(const std::string& what) { return Error(ErrorKind::refused, what); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_letters(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string raw_of_hex(std::string_view hex) {
    std::string raw;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : lower(c) - 'a' + 10; };
        raw.push_back(static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1])));
    }
    return raw;
}

bool is_sha256_hex(std::string_view text) {
    return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f'); });
}

/// A name as it may stand in a page: nothing that leads out of the folder. "" when it is none.
std::string name_within(std::string name) {
    const std::string_view bare = std::string_view(name).substr(0, name.size() - name.ends_with('/'));
    if (bare.empty() || bare == "." || bare == ".." || bare.find('/') != bare.npos || bare.find('\0') != bare.npos) return "";
    return name;
}

/// &amp; and the like, as servers write them in attributes.
std::string without_entities(std::string_view text) {
    static constexpr std::pair<std::string_view, char> kEntities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&#x27;", '\''}};
    std::string out;
    while (!text.empty()) {
        const auto found = std::find_if(std::begin(kEntities), std::end(kEntities), [&](const auto& one) { return text.starts_with(one.first); });
        if (found != std::end(kEntities)) {
            out += found->second;
            text.remove_prefix(found->first.size());
        } else {
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

/// Where a link of the page leads, if that is a file or folder right below it.
std::string name_of_link(std::string_view attribute, const std::string& folder_path) {
    std::string link = without_entities(attribute);
    if (link.starts_with("./")) link.erase(0, 2);
    if (link.starts_with('/') && !link.starts_with("//")) {
        if (!link.starts_with(folder_path)) return "";
        link.erase(0, folder_path.size());
    }
    if (link.find_first_of("?#") != link.npos) return "";  // sorting by column, anchors
    const size_t colon = link.find(':');
    if (colon != link.npos && link.find('/') > colon) return "";  // another scheme; in a name, servers encode the colon or put ./ before it
    if (!percent_decode(link, false)) return "";
    return name_within(std::move(link));
}

/// The value of the next href="…" at or after `at`; empty view at the end.
std::string_view next_href(std::string_view body, size_t& at) {
    while (at < body.size()) {
        const size_t tag = body.find('<', at);
        if (tag == body.npos) break;
        const size_t close = body.find('>', tag);
        if (close == body.npos) break;
        at = close + 1;
        const std::string_view inside = body.substr(tag + 1, close - tag - 1);
        if (inside.size() < 2 || lower(inside[0]) != 'a' || !(inside[1] == ' ' || inside[1] == '\n' || inside[1] == '\t')) continue;
        for (size_t i = 1; i + 6 < inside.size(); ++i) {
            if (!same_letters(inside.substr(i, 5), "href=")) continue;
            const char quote = inside[i + 5];
            if (quote != '"' && quote != '\'') break;
            const size_t end = inside.find(quote, i + 6);
            if (end == inside.npos) break;
            if (end > i + 6) return inside.substr(i + 6, end - i - 6);
            break;
        }
    }
    at = body.size();
    return {};
}

Result<std::vector<std::string>> names_of_html(std::string_view body, const std::string& folder_path) {
    std::vector<std::string> names;
    for (size_t at = 0; at < body.size();) {
        const std::string_view href = next_href(body, at);
        if (href.empty()) break;
        if (std::string name = name_of_link(href, folder_path); !name.empty()) names.push_back(std::move(name));
        if (names.size() > kNamesMax) return refused("the index has more than 1,000,000 names");
    }
    return names;
}

/// nginx: [{"name", "type": "file" | "directory"}]; Caddy: [{"name", "is_dir"}].
Result<std::vector<std::string>> names_of_json(std::string_view body) {
    boost::system::error_code code;
    json::parse_options options;
    options.max_depth = kDepthMax;
    const json::value page = json::parse(body, code, {}, options);
    if (code || !page.is_array()) return refused("the index is no JSON array");
    std::vector<std::string> names;
    if (page.get_array().size() > kNamesMax) return refused("the index has more than 1,000,000 names");
    for (const json::value& item : page.get_array()) {
        if (!item.is_object()) return refused("the index has an item that is no object");
        std::string name = text_of(item.get_object(), "name");
        const json::value* is_dir = item.get_object().if_contains("is_dir");
        const bool folder = text_of(item.get_object(), "type") == "directory" || (is_dir && is_dir->is_bool() && is_dir->get_bool());
        if (folder && !name.ends_with('/')) name += '/';
        name = name_within(std::move(name));
        if (name.empty()) return refused("the index has a name that is no file's: " + printable(text_of(item.get_object(), "name")));
        names.push_back(std::move(name));
    }
    return names;
}

/// coreutils escapes a newline, a return and a backslash, and then puts a backslash before the digest.
bool unescape(std::string& name) {
    std::string out;
    for (size_t i = 0; i < name.size(); ++i) {
        if (name[i] != '\\') {
            out += name[i];
            continue;
        }
        if (++i == name.size()) return false;
        if (name[i] == 'n') out += '\n';
        else if (name[i] == 'r') out += '\r';
        else if (name[i] == '\\') out += '\\';
        else return false;
    }
    name = std::move(out);
    return true;
}

bool parse_sum(std::string_view line, Sum& sum) {
    const bool escaped = line.starts_with('\\');
    if (escaped) line.remove_prefix(1);
    std::string_view hex;
    if (line.starts_with("SHA256 (")) {
        const size_t close = line.rfind(") = ");
        if (close == line.npos) return false;
        sum.path = line.substr(8, close - 8);
        hex = line.substr(close + 4);
    } else {
        if (line.size() < 67 || line[64] != ' ' || (line[65] != ' ' && line[65] != '*')) return false;
        hex = line.substr(0, 64);
        sum.path = line.substr(66);
    }
    if (!is_sha256_hex(hex) || (escaped && !unescape(sum.path))) return false;
    if (sum.path.starts_with("./")) sum.path.erase(0, 2);
    sum.sha256 = raw_of_hex(hex);
    return !sum.path.empty();
}

}  // namespace

Result<std::vector<std::string>> parse_index(std::string_view body, std::string_view content_type, const std::string& folder_path) {
    const bool is_json = content_type.starts_with("application/json");
    ZCDP_TRY(auto names, is_json ? names_of_json(body) : names_of_html(body, folder_path));
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

Result<std::vector<Sum>> parse_sums(std::string_view text) {
    std::vector<Sum> sums;
    size_t number = 0;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        std::string_view line = text.substr(begin, end - begin);
        begin = end + 1, ++number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.starts_with('#')) continue;
        Sum sum;
        if (!parse_sum(line, sum)) return refused("line " + std::to_string(number) + " is no line of sha256sum");
        if (sums.size() == kNamesMax) return refused("has more than 1,000,000 lines");
        sums.push_back(std::move(sum));
    }
    return sums;
}

bool is_sums_file(std::string_view name) {
    const auto ends = [&](std::string_view end) { return name.size() >= end.size() && same_letters(name.substr(name.size() - end.size()), end); };
    return ends("SHA256SUMS") || ends("SHA256SUM") || ends("SHA256SUMS.txt") || ends("SHA256SUM.txt") || ends(".sha256") || ends("checksums.txt");
}

Result<std::vector<TreeFile>> parse_tree(std::string_view body) {
    boost::system::error_code code;
    json::parse_options options;
    options.max_depth = kDepthMax;
    const json::value page = json::parse(body, code, {}, options);
    if (code || !page.is_array()) return refused("the tree is no JSON array");
    std::vector<TreeFile> files;
    for (const json::value& item : page.get_array()) {
        if (!item.is_object()) return refused("the tree has an item that is no object");
        const json::object& object = item.get_object();
        if (text_of(object, "type") != "file") continue;
        TreeFile file;
        file.entry.path = text_of(object, "path");
        file.entry.tag = text_of(object, "oid");
        if (file.entry.path.empty() || file.entry.tag.empty() || !number_of(object, "size", file.entry.size_bytes))
            return refused("the tree has a file without a path, an oid or a size");
        if (const json::value* lfs = object.if_contains("lfs"); lfs && lfs->is_object()) {
            const std::string oid = text_of(lfs->get_object(), "oid");
            if (!is_sha256_hex(oid)) return refused("the tree has an LFS file whose oid is no SHA-256: " + printable(file.entry.path));
            file.sha256 = raw_of_hex(oid);
            file.entry.tag = oid;
            if (!number_of(lfs->get_object(), "size", file.entry.size_bytes)) return refused("the tree has an LFS file without a size: " + printable(file.entry.path));
        }
        files.push_back(std::move(file));
    }
    return files;
}

std::string next_link(std::string_view header) {
    for (size_t begin = 0; begin < header.size();) {
        const size_t open = header.find('<', begin), close = header.find('>', begin);
        if (open == header.npos || close == header.npos || close < open) return "";
        const size_t end = std::min(header.find(',', close), header.size());
        const std::string_view parameters = header.substr(close + 1, end - close - 1);
        if (parameters.find("rel=\"next\"") != parameters.npos || parameters.find("rel=next") != parameters.npos) return std::string(header.substr(open + 1, close - open - 1));
        begin = end + 1;
    }
    return "";
}

}  // namespace zcdp::origin::http
