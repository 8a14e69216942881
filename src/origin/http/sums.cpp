#include "src/origin/http/sums.hpp"

#include <algorithm>
#include <optional>

#include "zcdp/base/ascii.hpp"

namespace zcdp::origin::http {
namespace {

constexpr size_t kLinesMax = 1'000'000;
constexpr std::string_view kSigned = "-----BEGIN PGP SIGNED MESSAGE-----", kSignature = "-----BEGIN PGP SIGNATURE-----",
                           kSignatureEnd = "-----END PGP SIGNATURE-----";

Error refused(const std::string& what, const std::string& hint = "") {
    return Error(ErrorKind::refused, what, "", hint);
}

bool is_hex(char c) { return hex_digit(c) >= 0; }
size_t hex_digits(std::string_view text) {
    return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_hex) - text.begin());
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() &&
           std::equal(end.begin(), end.end(), text.end() - static_cast<ptrdiff_t>(end.size()),
                      [](char a, char b) { return a == to_lower(b); });
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

/// A line of a list: which digest of which file.
struct Line {
    std::string_view kind;  ///< "" for SHA-256, else what it is called
    std::string_view hex;
    std::string name;
};

constexpr std::pair<size_t, std::string_view> kKinds[] = {{32, "MD5"}, {40, "SHA-1"},   {56, "SHA-224"},
                                                          {64, ""},    {96, "SHA-384"}, {128, "SHA-512"}};

/// "SHA256 (name) = HEX" of BSD, "SHA256(name)= HEX" and "SHA2-256(name)= HEX" of OpenSSL, with whatever algorithm.
std::optional<Line> tagged(std::string_view line) {
    const size_t open = line.find('('), close = line.rfind(')');
    if (open == line.npos || close == line.npos || close < open) return std::nullopt;
    std::string_view tag = line.substr(0, open);
    if (tag.ends_with(' ')) tag.remove_suffix(1);
    const bool known = tag.starts_with("SHA") || tag.starts_with("MD") || tag.starts_with("BLAKE") ||
                       tag.starts_with("RMD") || tag.starts_with("RIPEMD") || tag.starts_with("SM3") ||
                       tag.starts_with("WHIRLPOOL");
    if (!known || tag.find(' ') != tag.npos) return std::nullopt;
    Line out{tag == "SHA256" || tag == "SHA2-256" ? "" : tag, {}, std::string(line.substr(open + 1, close - open - 1))};
    const size_t equals = line.find_first_not_of(' ', close + 1);
    if (equals != line.npos && line[equals] == '=')
        out.hex = line.substr(std::min(line.find_first_not_of(' ', equals + 1), line.size()));
    return out;
}

/// "HEX  name" and "HEX *name" of coreutils, "HEX name" of BSD's -r, "HEX" alone. The kind is told by the length.
std::optional<Line> untagged(std::string_view line) {
    const size_t digits = hex_digits(line);
    if (digits < 32) return std::nullopt;
    Line out{"unknown", line.substr(0, digits), ""};
    for (const auto& [length, kind] : kKinds)
        if (digits == length) out.kind = kind;
    if (digits == line.size()) return out;
    const bool parted = line[digits] == ' ' || line[digits] == '\t';
    if (!parted || digits + 1 == line.size()) return Line{"unknown", out.hex, ""};
    out.name = line.substr(digits + (line[digits + 1] == ' ' || line[digits + 1] == '*' ? 2 : 1));
    if (out.name.empty()) out.kind = "unknown";
    return out;
}

/// Whether a line that is of no known form may be prose: a digest that is mangled is not.
bool may_be_prose(std::string_view line) {
    for (size_t at = 0; at < line.size(); ++at) {
        const size_t digits = hex_digits(line.substr(at));
        if (digits >= 32) return false;
        at += digits;
    }
    return true;
}

/// The lines that count: comments, and all of a clear signature but what is signed, are left out.
class Lines {
  public:
    explicit Lines(std::string_view text) : rest_(text) {
        if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);  // as some editors begin a file
    }
    std::optional<std::string_view> next() {
        while (!rest_.empty()) {
            std::string_view line = take();
            if (line.starts_with(kSigned)) {
                is_signed_ = in_header_ = true;
            } else if (in_header_) {
                in_header_ = !line.empty();
            } else if (line.starts_with(kSignature)) {
                while (!rest_.empty() && !take().starts_with(kSignatureEnd)) continue;
                is_signed_ = false;
            } else {
                if (is_signed_ && line.starts_with("- ")) line.remove_prefix(2);
                line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
                if (!line.empty() && line[0] != '#') return line;
            }
        }
        return std::nullopt;
    }
    size_t number() const { return number_; }

  private:
    std::string_view take() {
        const size_t end = std::min(rest_.find('\n'), rest_.size());
        std::string_view line = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        ++number_;
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }
    std::string_view rest_;
    size_t number_ = 0;
    bool is_signed_ = false, in_header_ = false;
};

/// What is wrong with a list, and where.
Error at_line(size_t number, const std::string& what) {
    return refused("line " + std::to_string(number) + " " + what, "write HEX, two blanks and the name");
}

struct Other {
    std::string path;
    std::string kind;
    size_t number;
};

Result<> check_twice(Sums& sums) {
    std::sort(sums.files.begin(), sums.files.end(),
              [](const Sum& a, const Sum& b) { return a.path != b.path ? a.path < b.path : a.sha256 < b.sha256; });
    sums.files.erase(std::unique(sums.files.begin(), sums.files.end(),
                                 [](const Sum& a, const Sum& b) { return a.path == b.path && a.sha256 == b.sha256; }),
                     sums.files.end());
    const auto twice = std::adjacent_find(sums.files.begin(), sums.files.end(),
                                          [](const Sum& a, const Sum& b) { return a.path == b.path; });
    if (twice != sums.files.end()) return refused("names a file twice, with two digests: " + printable(twice->path));
    return {};
}

/// A digest of another kind does for a file that has a SHA-256 as well.
Result<> check_others(const Sums& sums, const std::vector<Other>& others) {
    for (const Other& one : others) {
        const auto same = std::lower_bound(sums.files.begin(), sums.files.end(), one.path,
                                           [](const Sum& a, const std::string& path) { return a.path < path; });
        if (same != sums.files.end() && same->path == one.path) continue;
        return refused("line " + std::to_string(one.number) + " has a digest of another kind (" + one.kind +
                           "), and there is no SHA-256 of " + printable(one.path),
                       "name a list of SHA-256");
    }
    return {};
}

}  // namespace

Result<Sums> parse_sums(std::string_view text, const std::string& own_name) {
    Sums sums;
    std::vector<Other> others;
    Lines lines(text);
    while (auto next = lines.next()) {
        std::string_view line = *next;
        const bool escaped = line.starts_with('\\');
        if (escaped) line.remove_prefix(1);
        auto found = tagged(line);
        if (!found) found = untagged(line);
        if (!found && may_be_prose(line)) {
            ++sums.other_lines;
            continue;
        }
        if (!found || found->kind == "unknown") return at_line(lines.number(), "is no line of sha256sum");
        if (found->kind.empty() && !is_sha256_hex(found->hex))
            return at_line(lines.number(), "has no SHA-256 where one belongs");
        if (found->name.empty() || found->name == "-") found->name = own_name;
        if (found->name.empty() || (escaped && !unescape(found->name))) return at_line(lines.number(), "names no file");
        if (found->name.starts_with("./")) found->name.erase(0, 2);
        if (sums.files.size() + others.size() == kLinesMax) return refused("has more than 1,000,000 lines");
        if (found->kind.empty()) sums.files.push_back({std::move(found->name), bytes_from_hex(found->hex)});
        else others.push_back({std::move(found->name), printable(found->kind), lines.number()});
    }
    ZCDP_CHECK(check_twice(sums));
    ZCDP_CHECK(check_others(sums, others));
    return sums;
}

bool is_sums_file(std::string_view name) {
    for (const std::string_view end :
         {"sha256sums", "sha256sum", "sha256sums.txt", "sha256sum.txt", ".sha256", ".sha256.txt", "checksums.txt"})
        if (ends_with(name, end)) return true;
    return false;
}

std::string sidecar_of(std::string_view list_name) {
    for (const std::string_view ending : {".sha256", ".sha256sum", ".sha256.txt"})
        if (ends_with(list_name, ending)) return std::string(list_name.substr(0, list_name.size() - ending.size()));
    return "";
}

bool is_sha256_hex(std::string_view text) { return text.size() == 64 && hex_digits(text) == 64; }

}  // namespace zcdp::origin::http
