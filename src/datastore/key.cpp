#include "zcdp/datastore/key.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "zcdp/base/paths.hpp"

namespace zcdp::datastore {
namespace {

struct Versioned {
    std::string_view key;
    std::optional<uint64_t> version;
};

/// Takes "@N" off the end.
Versioned split_version(std::string_view written) {
    const size_t at = written.rfind('@');
    if (at == std::string_view::npos || at + 1 == written.size()) return {written, std::nullopt};
    const std::string_view digits = written.substr(at + 1);
    uint64_t version = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
    if (error != std::errc() || end != digits.data() + digits.size()) return {written, std::nullopt};
    return {written.substr(0, at), version};
}

std::string_view without_slashes(std::string_view text) {
    while (text.starts_with('/')) text.remove_prefix(1);
    while (text.ends_with('/')) text.remove_suffix(1);
    return text;
}

Error refused(std::string_view written, std::string_view why) {
    return Error(ErrorKind::refused, "is no key: it " + std::string(why), std::string(written),
                 "a key is a path such as team/model/v3");
}

}  // namespace

bool is_key(std::string_view key) {
    return !key.ends_with('/') && check_path(key) == PathProblem::none && !split_version(key).version;
}

std::string_view last_segment(std::string_view key) {
    const size_t slash = key.rfind('/');
    return slash == std::string_view::npos ? key : key.substr(slash + 1);
}

Result<KeyArgument> parse_key(std::string_view written) {
    const Versioned split = split_version(written);
    KeyArgument out;
    out.inside = written.ends_with('/');
    out.key = without_slashes(split.key);
    if (split.version) {
        if (*split.version == 0) return refused(written, "names version 0, and versions begin with 1");
        if (split.key.ends_with('/')) return refused(written, "names a version of what is below a key");
        out.version = *split.version;
    }
    if (out.key.empty()) {
        if (split.version) return refused(written, "has a version and no name");
        out.inside = true;
        return out;
    }
    if (const PathProblem problem = check_path(out.key); problem != PathProblem::none)
        return refused(written, describe(problem));
    if (split_version(out.key).version) return refused(written, "ends in '@' and a number, which is a version");
    return out;
}

Result<std::string> key_to_put(const KeyArgument& key, std::string_view source) {
    if (!key.inside) return key.key;
    while (source.size() > 1 && source.ends_with('/')) source.remove_suffix(1);
    const std::string_view name = source == "-" ? "" : last_segment(source);
    if (name.empty() || name == "." || name == "..")
        return Error(ErrorKind::usage, "has no name that could go inside a key that ends in '/'", std::string(source),
                     "name the whole key, without a slash at its end");
    const std::string whole = key.key.empty() ? std::string(name) : key.key + "/" + std::string(name);
    if (!is_key(whole)) return refused(whole, "cannot be one");
    return whole;
}

std::string path_to_get(std::string_view key, bool key_is_file, std::string_view dest, DestKind dest_kind) {
    const std::string name(last_segment(key));
    if (dest.empty()) return name;
    const bool inside = dest.ends_with('/') || (key_is_file && dest_kind == DestKind::directory);
    if (!inside) return std::string(dest);
    while (dest.size() > 1 && dest.ends_with('/')) dest.remove_suffix(1);
    return dest == "/" ? "/" + name : std::string(dest) + "/" + name;
}

}  // namespace zcdp::datastore
