#include "src/services/agent/mount_table.hpp"

namespace zcdp::services::agent {
namespace {

/// mountinfo writes space, tab, newline and backslash as \OOO.
std::string unescaped(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool octal =
            text[i] == '\\' && i + 3 < text.size() && text.substr(i + 1, 3).find_first_not_of("01234567") == text.npos;
        if (octal) {
            out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string_view next_field(std::string_view& line) {
    const size_t end = std::min(line.find(' '), line.size());
    const std::string_view field = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return field;
}

std::optional<DataMount> parse_line(std::string_view line) {
    for (int skipped = 0; skipped < 3; ++skipped) next_field(line);  // ids and device
    const std::string root = unescaped(next_field(line));
    DataMount out;
    out.target = unescaped(next_field(line));
    const std::string options(next_field(line));
    constexpr std::string_view kFolder = "/snapshots/";
    const size_t at = root.rfind(kFolder);
    if (at == std::string::npos) return std::nullopt;
    const std::string_view rest = std::string_view(root).substr(at + kFolder.size());
    constexpr std::string_view kTree = "/tree";
    if (rest.size() < 64 + kTree.size() || rest.substr(64, kTree.size()) != kTree) return std::nullopt;
    const auto id = store::SnapshotId::parse(rest.substr(0, 64));
    const std::string_view below = rest.substr(64 + kTree.size());
    if (!id || (!below.empty() && below[0] != '/')) return std::nullopt;
    out.snapshot = *id;
    out.sub_path = below.empty() ? "" : std::string(below.substr(1));
    out.read_only = options == "ro" || options.starts_with("ro,");
    out.pod_uid = pod_uid_of(out.target);
    return out;
}

}  // namespace

std::string pod_uid_of(std::string_view target) {
    constexpr std::string_view kPods = "/pods/", kVolumes = "/volumes/kubernetes.io~csi/";
    const size_t volumes = target.find(kVolumes);
    if (volumes == target.npos) return "";
    const size_t pods = target.rfind(kPods, volumes);
    if (pods == target.npos) return "";
    const std::string_view uid = target.substr(pods + kPods.size(), volumes - pods - kPods.size());
    return uid.find('/') == uid.npos ? std::string(uid) : "";
}

std::vector<DataMount> data_mounts(std::string_view mountinfo) {
    std::vector<DataMount> out;
    while (!mountinfo.empty()) {
        const size_t end = std::min(mountinfo.find('\n'), mountinfo.size());
        if (auto mount = parse_line(mountinfo.substr(0, end))) out.push_back(std::move(*mount));
        mountinfo.remove_prefix(std::min(end + 1, mountinfo.size()));
    }
    return out;
}

}  // namespace zcdp::services::agent
