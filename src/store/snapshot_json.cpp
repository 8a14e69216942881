#include "zcdp/store/snapshot_json.hpp"

#include "zcdp/base/clock.hpp"
#include "zcdp/base/json.hpp"

namespace zcdp::store {

std::string_view name_of(SnapshotState state) {
    switch (state) {
        case SnapshotState::ready: return "ready";
        case SnapshotState::evicting: return "evicting";
        case SnapshotState::corrupt: return "corrupt";
    }
    return "?";
}

std::string to_json(const SnapshotInfo& info) {
    JsonObject out;
    out.add("snapshot", info.id.str()).add("state", name_of(info.state)).add("name", info.name);
    out.add("revision", info.revision.str()).add("path", info.tree_path).add("pinned", info.pinned);
    out.add("leases", uint64_t{info.leases}).add("files", info.files).add("directories", info.directories);
    out.add("symlinks", info.symlinks).add("bytes", info.bytes).add("created", iso8601(info.created_unix_s));
    out.add("last_use", iso8601(info.last_use_unix_s));
    return out.str();
}

}  // namespace zcdp::store
