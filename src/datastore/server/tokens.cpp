#include "src/datastore/server/tokens.hpp"

#include "zcdp/base/ascii.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kFileBytesMax = 64 << 10;
constexpr std::string_view kScheme = "bearer ", kSpace = " \t\r";

std::string_view trimmed(std::string_view text) {
    const size_t begin = text.find_first_not_of(kSpace);
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// Looks at every byte, whatever it finds.
bool same(const Sha256Bytes& a, const Sha256Bytes& b) {
    volatile uint8_t differs = 0;
    for (size_t i = 0; i < a.size(); ++i) differs = differs | (a[i] ^ b[i]);
    return differs == 0;
}

}  // namespace

std::string_view bearer_of(std::string_view authorization) {
    if (authorization.size() < kScheme.size()) return {};
    for (size_t i = 0; i < kScheme.size(); ++i)
        if (to_lower(authorization[i]) != kScheme[i]) return {};
    return trimmed(authorization.substr(kScheme.size()));
}

Result<std::unique_ptr<Tokens>> Tokens::read(const std::string& path, Fs& fs) {
    auto tokens = std::unique_ptr<Tokens>(new Tokens(path, fs));
    ZCDP_CHECK(tokens->read_again());
    return tokens;
}

Result<> Tokens::read_again() {
    if (path_.empty()) return {};
    const auto text = read_user_file(fs_, path_, kFileBytesMax);
    if (!text) return system_error(text.error(), "reading the tokens", path_);
    std::vector<Sha256Bytes> digests;
    for (std::string_view rest = *text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (const std::string_view token = trimmed(line); !token.empty()) digests.push_back(Sha256::of(token));
    }
    if (digests.empty()) return Error(ErrorKind::usage, "has no token", path_, "write one a line");
    const MutexLock lock(mutex_);
    digests_ = std::move(digests);
    return {};
}

Tokens::Verdict Tokens::check(std::string_view authorization) const {
    if (path_.empty()) return Verdict::counts;
    const std::string_view token = bearer_of(authorization);
    if (token.empty()) return Verdict::missing;
    const Sha256Bytes digest = Sha256::of(token);
    bool counts = false;
    const MutexLock lock(mutex_);
    for (const Sha256Bytes& one : digests_) counts = same(digest, one) || counts;
    return counts ? Verdict::counts : Verdict::wrong;
}

}  // namespace zcdp::datastore
