#include "src/origin/s3/settings.hpp"

#include <fmt/ranges.h>

#include <cerrno>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/given.hpp"
#include "zcdp/base/ascii.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr size_t kNamesMax = 12;
constexpr uint64_t kAttemptsMax = 1000;

std::string value_of(const Settings& settings, const std::string& name) {
    const auto found = settings.find(name);
    return found == settings.end() ? "" : without_comment(found->second);
}

bool says_true(std::string_view text) { return equal_ignoring_case(text, "true"); }

std::string upper(std::string text) {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return text;
}

bool is_name(char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// ~ and $NAME, ${NAME} of a path, as botocore takes them. What is not set stays as it is.
std::string expanded(const std::string& path, const Machine& machine) {
    std::string out;
    for (size_t at = 0; at < path.size();) {
        const bool braced = path.compare(at, 2, "${") == 0;
        const size_t begin = at + (braced ? 2 : 1);
        size_t end = begin;
        while (end < path.size() && (braced ? path[end] != '}' : is_name(path[end]))) ++end;
        const std::string value = path[at] == '$' && end > begin && end - (braced ? 0 : 1) < path.size()
                                      ? machine.environment(path.substr(begin, end - begin).c_str())
                                      : "";
        if (value.empty()) out += path[at++];
        else out += value, at = end + (braced ? 1 : 0);
    }
    const bool home = out == "~" || out.starts_with("~/");
    return home ? machine.environment("HOME") + out.substr(1) : out;
}

/// One of the two files.
struct File {
    std::string variable, path, text;
    bool named = false;
    std::optional<Error> problem;  ///< why it could not be read
};

File read_one(const Machine& machine, const char* variable, const char* fallback) {
    File out{variable, std::string(without_space_around(machine.environment(variable))), "", false, std::nullopt};
    out.named = !out.path.empty();
    out.path = out.named ? expanded(out.path, machine) : machine.environment("HOME") + fallback;
    auto text = read_user_file(machine.fs, out.path, kFileBytesMax);
    if (text) out.text = std::move(*text);
    else if (out.named || text.error().value() == EFBIG)
        out.problem =
            Error(ErrorKind::usage, system_error(text.error(), "reading " + out.variable, "").what(), out.path);
    return out;
}

/// Whether somebody else than the files says who asks.
bool has_own_keys(const OriginOptions& options, const Machine& machine) {
    if (options.anonymous || options.credentials.contains("AWS_ACCESS_KEY_ID")) return true;
    return options.profile.empty() && !machine.environment("AWS_ACCESS_KEY_ID").empty();
}

Error no_such_profile(const std::string& name, const File& config, const File& credentials,
                      std::vector<std::string> names) {
    const std::string where = "is in neither " + config.path + " nor " + credentials.path;
    if (names.size() > kNamesMax) names.resize(kNamesMax), names.emplace_back("…");
    return Error(ErrorKind::usage, where, "profile " + name,
                 names.empty() ? "there are no profiles" : "there are: " + fmt::format("{}", fmt::join(names, ", ")));
}

}  // namespace

Result<std::shared_ptr<const AwsSettings>> AwsSettings::read(const OriginOptions& options, const Machine& machine) {
    auto out = std::make_shared<AwsSettings>();
    ZCDP_CHECK(out->load(options, machine));
    return std::shared_ptr<const AwsSettings>(std::move(out));
}

Result<> AwsSettings::load(const OriginOptions& options, const Machine& machine) {
    environment_ = machine.environment;
    if (options.credentials.contains("AWS_ACCESS_KEY_ID")) return {};  // then no file is asked
    std::string name = options.profile;
    profile_is_a_flag = !name.empty();
    for (const char* which : {"AWS_DEFAULT_PROFILE", "AWS_PROFILE"})  // in botocore's order
        if (name.empty()) name = variable(which);
    profile_is_named = !name.empty();
    if (profile_is_named) profile_name = name;
    const File config = read_one(machine, "AWS_CONFIG_FILE", "/.aws/config"),
               credentials = read_one(machine, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
    for (const File* file : {&config, &credentials}) {
        if (!file->problem) continue;
        if (!has_own_keys(options, machine)) return *file->problem;
        machine.log.warn("a file that is named cannot be read", {{"variable", file->variable}, {"file", file->path}});
    }
    ZCDP_TRY(files, AwsFiles::parse(config.text, config.path, credentials.text, credentials.path));
    if (profile_is_named && !files.has(profile_name))
        return no_such_profile(profile_name, config, credentials, files.names());
    profile_ = files.profile(profile_name);
    return {};
}

std::string AwsSettings::variable(const char* name) const {
    return std::string(without_space_around(environment_(name)));
}

std::string AwsSettings::setting(const std::string& name) const { return value_of(profile_.settings, name); }

std::string AwsSettings::value(const char* name, const std::string& of_profile) const {
    std::string out = variable(name);
    return out.empty() ? setting(of_profile) : out;
}

bool AwsSettings::is_true(const char* name, const std::string& of_profile) const {
    return says_true(value(name, of_profile));
}

std::string AwsSettings::region() const {
    const std::string given = variable("AWS_REGION");
    return given.empty() ? value("AWS_DEFAULT_REGION", "region") : given;
}

Result<std::string> AwsSettings::services_url(const std::string& service) const {
    const auto named = profile_.settings.find("services");
    if (named == profile_.settings.end()) return std::string();
    const Section* services = files.services(named->second);
    if (!services)
        return Error(ErrorKind::usage, "names a section [services " + printable(named->second) + "] that there is not",
                     "profile " + profile_name);
    const auto block = services->blocks.find(service);
    if (block != services->blocks.end()) return value_of(block->second, "endpoint_url");
    if (!value_of(services->settings, service).empty())
        return Error(ErrorKind::usage, "has " + service + " = with something behind it",
                     "[services " + named->second + "]", "write endpoint_url = URL on an indented line below");
    return std::string();
}

Result<std::string> AwsSettings::endpoint_url(const std::string& service) const {
    if (is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")) return std::string();
    const bool global = service != "sso";  // a store's URL is no place for a login's token
    std::string url = variable(("AWS_ENDPOINT_URL_" + upper(service)).c_str());
    if (url.empty() && global) url = variable("AWS_ENDPOINT_URL");
    if (url.empty()) {
        ZCDP_TRY(url, services_url(service));
    }
    if (url.empty() && global) url = setting("endpoint_url");
    return url;
}

Result<std::string> AwsSettings::addressing_style() const {
    const auto block = profile_.blocks.find("s3");
    const std::string style = block == profile_.blocks.end() ? "" : value_of(block->second, "addressing_style");
    if (style.empty() || style == "auto" || style == "path" || style == "virtual")
        return style.empty() ? "auto" : style;
    return Error(ErrorKind::usage, "has an addressing_style that is none: " + printable(style),
                 "profile " + profile_name, "auto, path or virtual");
}

bool AwsSettings::dual_stack() const {
    const auto block = profile_.blocks.find("s3");
    const std::string own = block == profile_.blocks.end() ? "" : value_of(block->second, "use_dualstack_endpoint");
    return own.empty() ? is_true("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint") : says_true(own);
}

Result<std::optional<uint32_t>> AwsSettings::max_attempts() const {
    const std::string text = value("AWS_MAX_ATTEMPTS", "max_attempts");
    if (text.empty()) return std::optional<uint32_t>();
    uint64_t attempts = 0;
    if (!to_number(text, attempts) || attempts == 0 || attempts > kAttemptsMax)
        return Error(
            ErrorKind::usage, "is no number of attempts: " + printable(text),
            variable("AWS_MAX_ATTEMPTS").empty() ? "max_attempts of the profile " + profile_name : "AWS_MAX_ATTEMPTS",
            "from 1 to 1000");
    return std::optional(static_cast<uint32_t>(attempts));
}

}  // namespace zcdp::origin::s3
