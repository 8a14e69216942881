#include "src/origin/s3/profile.hpp"

#include <algorithm>
#include <set>

#include "src/origin/remote/given.hpp"
#include "zcdp/base/ascii.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr std::string_view kDefaults = "DEFAULT";

/// The next line, whatever ends it.
std::string_view take_line(std::string_view& text) {
    const size_t end = text.find_first_of("\r\n");
    const std::string_view line = text.substr(0, end);
    const bool pair = end != text.npos && text.substr(end).starts_with("\r\n");
    text = end == text.npos ? std::string_view() : text.substr(end + (pair ? 2 : 1));
    return line;
}

/// How many characters of white space a line begins with.
size_t indent_of(std::string_view line) {
    size_t indent = 0;
    while (const size_t bytes = space_before(line)) line.remove_prefix(bytes), ++indent;
    return indent;
}

/// Name and value, between which the first '=' or ':' stands; nothing when there is no name.
std::optional<std::pair<std::string, std::string>> setting_of(std::string_view line, std::string_view delimiters) {
    const size_t at = line.find_first_of(delimiters);
    const std::string_view name = at == line.npos ? std::string_view() : without_space_around(line.substr(0, at));
    if (name.empty()) return std::nullopt;
    return std::pair{std::string(name), std::string(without_space_around(line.substr(at + 1)))};
}

/// One file, line by line.
class Parser {
  public:
    explicit Parser(const std::string& file) : file_(file) {}

    Result<> feed(std::string_view raw) {
        ++number_;
        const std::string_view line = without_space_around(raw);
        if (line.starts_with('#') || line.starts_with(';')) return {};
        if (line.empty()) {
            if (value_) *value_ += '\n';
            return {};
        }
        const size_t indent = indent_of(raw);
        if (value_ && indent > indent_) {
            value_->append("\n").append(line);
            return {};
        }
        indent_ = indent;
        const size_t end = line.starts_with('[') ? line.find(']') : line.npos;
        if (end != line.npos && end > 1) return begin_section(std::string(line.substr(1, end - 1)));
        return begin_setting(line);
    }

    Result<Sections> finish() {
        for (auto& [name, section] : sections_) {
            section.settings.insert(defaults_.settings.begin(), defaults_.settings.end());
            for (auto& [key, value] : section.settings) ZCDP_CHECK(finish_value(section, key, value));
        }
        return std::move(sections_);
    }

  private:
    Error wrong(const std::string& what) const {
        return Error(ErrorKind::usage, what + " in line " + std::to_string(number_), file_,
                     "mend the file, which the AWS command line cannot read either");
    }

    Result<> begin_section(const std::string& name) {
        value_ = nullptr;
        seen_.clear();
        if (name == kDefaults) {
            in_defaults_ = has_section_ = true;
            return {};
        }
        if (std::any_of(sections_.begin(), sections_.end(), [&](const auto& one) { return one.first == name; }))
            return wrong("has the section [" + printable(name) + "] a second time");
        sections_.emplace_back(name, Section());
        in_defaults_ = false, has_section_ = true;
        return {};
    }

    Result<> begin_setting(std::string_view line) {
        if (!has_section_) return wrong("has a setting before any [section]");
        auto setting = setting_of(line, "=:");
        if (!setting)
            return wrong("has neither a [section] nor NAME = VALUE");  // the line may hold a key: it is not shown
        const std::string name = to_lower(setting->first);
        if (!seen_.insert(name).second) return wrong("has the setting " + printable(name) + " a second time");
        std::string& value = (in_defaults_ ? defaults_ : sections_.back().second).settings[name];
        value = std::move(setting->second);
        value_ = &value;  // of a map's node, which stays where it is
        return {};
    }

    Result<> finish_value(Section& section, const std::string& key, std::string& value) {
        const bool is_block = value.starts_with('\n');
        while (!value.empty() && without_space_around(value.substr(value.size() - 1)).empty()) value.pop_back();
        if (!is_block || value.empty()) return {};
        Settings& block = section.blocks[key];
        for (std::string_view rest = value; !rest.empty();) {
            const std::string_view line = without_space_around(take_line(rest));
            if (line.empty()) continue;
            const size_t at = line.find('=');
            if (at == line.npos)
                return Error(ErrorKind::usage, "has a line that is no NAME = VALUE below " + printable(key), file_,
                             "mend the file, which the AWS command line cannot read either");
            block[std::string(without_space_around(line.substr(0, at)))] = without_space_around(line.substr(at + 1));
        }
        return {};
    }

    const std::string file_;
    Sections sections_;
    Section defaults_;
    bool in_defaults_ = false, has_section_ = false;
    std::set<std::string> seen_;
    std::string* value_ = nullptr;
    size_t indent_ = 0, number_ = 0;
};

/// The words of a section's name as a shell has them: quotes and backslashes. Nothing when a quote does not end.
std::optional<std::vector<std::string>> shell_words(std::string_view text) {
    std::vector<std::string> words;
    bool inside = false;
    char quote = 0;
    for (size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        const bool escapes = c == '\\' && quote != '\'';
        if (!quote && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
            inside = false;
            continue;
        }
        if (!inside) words.emplace_back(), inside = true;
        if (escapes && at + 1 == text.size()) return std::nullopt;
        if (escapes && (!quote || text[at + 1] == '"' || text[at + 1] == '\\')) words.back() += text[++at];
        else if (c == quote) quote = 0;
        else if (!quote && (c == '\'' || c == '"')) quote = c;
        else words.back() += c;
    }
    if (quote) return std::nullopt;
    return words;
}

/// NAME of a section "KIND NAME"; whatever begins with KIND will do, as it does for botocore.
std::optional<std::string> name_after(std::string_view kind, const std::string& section) {
    if (!section.starts_with(kind)) return std::nullopt;
    auto words = shell_words(section);
    if (!words || words->size() != 2) return std::nullopt;
    return std::move((*words)[1]);
}

const Section* find(const std::map<std::string, Section>& all, const std::string& name) {
    const auto found = all.find(name);
    return found == all.end() ? nullptr : &found->second;
}

}  // namespace

Result<Sections> parse_sections(std::string_view text, const std::string& file) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // which Windows' editor writes, and botocore refuses
    Parser parser(file);
    while (!text.empty()) ZCDP_CHECK(parser.feed(take_line(text)));
    return parser.finish();
}

std::string without_comment(const std::string& value) {
    size_t end = value.size();
    for (const char* mark : {" #", " ;", "\t#", "\t;"}) end = std::min(end, value.find(mark));
    return std::string(without_space_around(std::string_view(value).substr(0, end)));
}

Result<AwsFiles> AwsFiles::parse(std::string_view config, const std::string& config_name, std::string_view credentials,
                                 const std::string& credentials_name) {
    AwsFiles out;
    ZCDP_TRY(Sections sections, parse_sections(config, config_name));
    for (auto& [name, section] : sections) {
        if (const auto profile = name_after("profile", name)) out.config_[*profile] = std::move(section);
        else if (const auto session = name_after("sso-session", name)) out.sso_sessions_[*session] = std::move(section);
        else if (const auto services = name_after("services", name)) out.services_[*services] = std::move(section);
        else if (name == "default")
            out.config_[name] = std::move(section);  // after a [profile default] it stands in its place
    }
    ZCDP_TRY(sections, parse_sections(credentials, credentials_name));
    for (auto& [name, section] : sections) out.credentials_[name] = std::move(section);
    return out;
}

bool AwsFiles::has(const std::string& profile) const {
    return config_.contains(profile) || credentials_.contains(profile);
}

std::vector<std::string> AwsFiles::names() const {
    std::set<std::string> out;
    for (const ByName* some : {&config_, &credentials_})
        for (const auto& [name, section] : *some) out.insert(name);
    return {out.begin(), out.end()};
}

Section AwsFiles::profile(const std::string& name) const {
    Section out;
    for (const ByName* some : {&config_, &credentials_})
        if (const Section* section = find(*some, name))
            for (const auto& [key, value] : section->settings) {
                out.settings[key] = value;
                out.blocks.erase(key);
                if (const auto block = section->blocks.find(key); block != section->blocks.end())
                    out.blocks[key] = block->second;
            }
    return out;
}

Settings AwsFiles::in_config(const std::string& profile) const {
    const Section* section = find(config_, profile);
    return section ? section->settings : Settings();
}

Settings AwsFiles::in_credentials(const std::string& profile) const {
    const Section* section = find(credentials_, profile);
    return section ? section->settings : Settings();
}

const Section* AwsFiles::services(const std::string& name) const { return find(services_, name); }
const Section* AwsFiles::sso_session(const std::string& name) const { return find(sso_sessions_, name); }

}  // namespace zcdp::origin::s3
