#include "src/origin/http/pages.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <optional>

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

/// "&#43;" or "&#x2b;" at the beginning of `text`, of ASCII: the character, and the bytes it takes; 0 when there is none.
/// Caddy's templates (Go's html/template) write '+' so.
std::pair<char, size_t> numeric_entity(std::string_view text) {
    const bool hex = text.starts_with("&#x") || text.starts_with("&#X");
    const size_t begin = hex ? 3 : 2, end = text.find(';');
    unsigned value = 0;
    if (!text.starts_with("&#") || end == text.npos) return {};
    const auto [at, error] = std::from_chars(text.data() + begin, text.data() + end, value, hex ? 16 : 10);
    if (error != std::errc() || at != text.data() + end || value == 0 || value > 127) return {};
    return {static_cast<char>(value), end + 1};
}

/// &amp; and the like, as servers write them in attributes.
std::string without_entities(std::string_view text) {
    static constexpr std::pair<std::string_view, char> kEntities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}};
    std::string out;
    while (!text.empty()) {
        const auto found = std::find_if(std::begin(kEntities), std::end(kEntities), [&](const auto& one) { return text.starts_with(one.first); });
        if (found != std::end(kEntities)) {
            out += found->second;
            text.remove_prefix(found->first.size());
        } else if (const auto [c, bytes] = numeric_entity(text); bytes > 0) {
            out += c;
            text.remove_prefix(bytes);
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

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// The value of a tag's href, in quotes or bare; empty view when there is none.
std::string_view href_of(std::string_view tag) {
    for (size_t i = 1; i + 5 < tag.size(); ++i) {
        if (!is_blank(tag[i - 1]) || !same_letters(tag.substr(i, 5), "href=")) continue;
        const char quote = tag[i + 5];
        const bool quoted = quote == '"' || quote == '\'';
        const size_t begin = i + 5 + quoted;
        const size_t end = quoted ? tag.find(quote, begin) : std::min(tag.find_first_of(" \t\r\n", begin), tag.size());
        return end == tag.npos ? std::string_view() : tag.substr(begin, end - begin);
    }
    return {};
}

/// The value of the next link's href at or after `at`; empty view at the end.
std::string_view next_href(std::string_view body, size_t& at) {
    while (at < body.size()) {
        const size_t tag = body.find('<', at);
        if (tag == body.npos) break;
        const size_t close = body.find('>', tag);
        if (close == body.npos) break;
        at = close + 1;
        const std::string_view inside = body.substr(tag + 1, close - tag - 1);
        if (inside.size() < 2 || lower(inside[0]) != 'a' || !is_blank(inside[1])) continue;
        if (const std::string_view href = href_of(inside); !href.empty()) return href;
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

/// "SHA256 (name) = HEX" of BSD, "SHA256(name)= HEX" and "SHA2-256(name)= HEX" of OpenSSL: what follows the bracket.
std::string_view after_tag(std::string_view line) {
    for (const std::string_view tag : {"SHA256 (", "SHA256(", "SHA2-256("})
        if (line.starts_with(tag)) return line.substr(tag.size());
    return {};
}

/// "HEX  name" and "HEX *name" of coreutils, "HEX name" of BSD's -r, "HEX" alone. The name; nullopt when it is none of them.
std::optional<std::string_view> name_after_hex(std::string_view line) {
    if (line.size() == 64) return std::string_view();
    if (line.size() < 66 || (line[64] != ' ' && line[64] != '\t')) return std::nullopt;
    return line.substr(line[65] == ' ' || line[65] == '*' ? 66 : 65);
}

bool parse_sum(std::string_view line, const std::string& own_name, Sum& sum) {
    const bool escaped = line.starts_with('\\');
    if (escaped) line.remove_prefix(1);
    std::string_view hex = line.substr(0, 64);
    if (const std::string_view rest = after_tag(line); !rest.empty()) {
        const size_t close = rest.rfind(')'), equals = rest.find_first_not_of(' ', close + 1);
        if (close == rest.npos || equals == rest.npos || rest[equals] != '=') return false;
        sum.path = rest.substr(0, close);
        hex = rest.substr(std::min(rest.find_first_not_of(' ', equals + 1), rest.size()));
    } else {
        const auto name = name_after_hex(line);
        if (!name) return false;
        sum.path = name->empty() || *name == "-" ? std::string_view(own_name) : *name;
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

Result<std::vector<Sum>> parse_sums(std::string_view text, const std::string& own_name) {
    std::vector<Sum> sums;
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // as some editors begin a file
    size_t number = 0;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        std::string_view line = text.substr(begin, end - begin);
        begin = end + 1, ++number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.starts_with('#')) continue;
        Sum sum;
        if (!parse_sum(line, own_name, sum))
            return Error(ErrorKind::refused, "line " + std::to_string(number) + " is no line of sha256sum", "", "write HEX, two blanks and the name");
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
