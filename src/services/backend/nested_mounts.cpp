#include "src/services/backend/nested_mounts.hpp"

#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "zcdp/api/codec.hpp"

namespace zcdp::services::backend {
namespace {

namespace json = boost::json;

constexpr size_t kToldMost = 16;  // CSI: a volume's attributes have 4 KiB

std::string text(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}
const json::object* object_at(const json::object& parent, std::string_view name) {
    const json::value* value = parent.if_contains(name);
    return value ? value->if_object() : nullptr;
}
const json::array& array_at(const json::object& parent, std::string_view name) {
    static const json::array kNone;
    const json::value* value = parent.if_contains(name);
    return value && value->is_array() ? value->get_array() : kNone;
}

std::string plain_path(const std::string& path) {
    std::string out = std::filesystem::path("/" + path).lexically_normal().string();
    while (out.size() > 1 && out.starts_with("//")) out.erase(0, 1);
    while (out.size() > 1 && out.back() == '/') out.pop_back();
    return out;
}

bool is_below(const std::string& path, const std::string& around) {
    return path.size() > around.size() && path.starts_with(around) &&
           (around.back() == '/' || path[around.size()] == '/');
}

struct Mount {
    std::string volume, sub_path;
};

/// The pod's volumes: our claims by the volume's name, and those that may be single files.
struct Volumes {
    std::map<std::string, std::string> claims;
    std::set<std::string> perhaps_files;
};

Volumes volumes_of(const json::object& spec) {
    Volumes out;
    for (const json::value& value : array_at(spec, "volumes")) {
        const json::object* volume = value.if_object();
        if (!volume) continue;
        if (volume->contains("hostPath")) out.perhaps_files.insert(text(*volume, "name"));
        const json::object* csi = object_at(*volume, "csi");
        const json::object* attributes =
            csi && text(*csi, "driver") == api::kDriver ? object_at(*csi, "volumeAttributes") : nullptr;
        if (attributes) out.claims[text(*volume, "name")] = text(*attributes, api::kClaimAttribute);
    }
    return out;
}

std::map<std::string, Mount> mounts_of(const json::object& container) {
    std::map<std::string, Mount> out;
    for (const json::value& value : array_at(container, "volumeMounts"))
        if (const json::object* mount = value.if_object())
            out[plain_path(text(*mount, "mountPath"))] = {text(*mount, "name"),
                                                          text(*mount, "subPath") + text(*mount, "subPathExpr")};
    const std::string log = text(container, "terminationMessagePath");
    for (const std::string& own :
         {std::string("/etc/hosts"), std::string("/etc/hostname"), std::string("/etc/resolv.conf"),
          log.empty() ? "/dev/termination-log" : plain_path(log)})
        out.try_emplace(own);
    return out;
}

void find_in(const json::object& container, const Volumes& volumes, std::vector<NestedMount>& out) {
    const auto mounts = mounts_of(container);
    for (const auto& [path, mount] : mounts) {
        const std::pair<const std::string, Mount>* around = nullptr;
        for (const auto& other : mounts)
            if (is_below(path, other.first) && (!around || other.first.size() > around->first.size())) around = &other;
        const auto claim = around ? volumes.claims.find(around->second.volume) : volumes.claims.end();
        if (claim == volumes.claims.end()) continue;
        const std::string inside = path.substr(around->first.size() + (around->first.back() == '/' ? 0 : 1));
        const std::string folder =
            around->second.sub_path.empty() ? inside : plain_path(around->second.sub_path).substr(1) + "/" + inside;
        const bool directory =
            !mount.volume.empty() && mount.sub_path.empty() && !volumes.perhaps_files.contains(mount.volume);
        out.push_back({text(container, "name"), path, mount.volume, claim->first, claim->second, around->first, folder,
                       directory});
    }
}

}  // namespace

std::string NestedMount::line() const {
    const std::string what = volume.empty()
                                 ? fmt::format("Kubernetes puts {} into container {}", path, container)
                                 : fmt::format("container {} mounts volume {} at {}", container, volume, path);
    return fmt::format("{}, inside {}, where claim {} shows a read-only dataset", what, claim_path, claim);
}

std::string NestedMount::remedy() const {
    const std::string move = volume.empty() ? fmt::format("show the claim elsewhere than at {}", claim_path)
                                            : fmt::format("mount {} elsewhere than below {}", volume, claim_path);
    return fmt::format("{}, or give the dataset a folder {} (one file in it is enough)", move, folder);
}

std::vector<NestedMount> nested_mounts(const json::object& pod) {
    std::vector<NestedMount> out;
    const json::object* spec = object_at(pod, "spec");
    if (!spec) return out;
    const Volumes volumes = volumes_of(*spec);
    if (volumes.claims.empty()) return out;
    for (const char* list : {"initContainers", "containers"})
        for (const json::value& value : array_at(*spec, list))
            if (const json::object* container = value.if_object()) find_in(*container, volumes, out);
    return out;
}

std::string below_attribute(const std::vector<NestedMount>& mounts, const std::string& claim_volume) {
    json::array out;
    for (const NestedMount& mount : mounts)
        if (mount.claim_volume == claim_volume && out.size() < kToldMost)
            out.push_back(json::object{{"container", mount.container},
                                       {"path", mount.path},
                                       {"volume", mount.volume},
                                       {"in", mount.claim_path},
                                       {"folder", mount.folder},
                                       {"directory", mount.directory}});
    return out.empty() ? "" : json::serialize(out);
}

std::vector<NestedMount> read_below(const std::string& attribute) {
    std::vector<NestedMount> out;
    boost::system::error_code code;
    const json::value parsed = json::parse(attribute, code);
    if (code || !parsed.is_array()) return out;
    for (const json::value& value : parsed.get_array()) {
        const json::object* one = value.if_object();
        if (!one || out.size() >= kToldMost) continue;
        const json::value* directory = one->if_contains("directory");
        out.push_back({text(*one, "container"), text(*one, "path"), text(*one, "volume"), "", "", text(*one, "in"),
                       text(*one, "folder"), directory && *directory == json::value(true)});
    }
    return out;
}

}  // namespace zcdp::services::backend
