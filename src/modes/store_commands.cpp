// zcdp store ls | show | path | verify | pin | unpin | evict | gc | du
#include <fmt/core.h>
#include <unistd.h>

#include "src/modes/context.hpp"
#include "src/modes/signals.hpp"
#include "src/modes/streams.hpp"
#include "zcdp/base/json.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/services/agent_client.hpp"
#include "zcdp/store/snapshot_json.hpp"
#include "zcdp/store/store.hpp"

namespace zcdp::modes {
namespace {

struct Flags {
    std::string store, id, lock_timeout = "10s", grace;
    bool json = false, files = false;
};

/// What a command does with an open store.
using Work = std::function<Result<>(store::Store&, const Flags&)>;

/// What to ask the agent for when one owns the store; "" for commands that only read.
using Remote = std::function<std::string(const Flags&)>;

int with_store(Context& context, const Flags& flags, store::StoreMode mode, const Work& work, const Remote& remote) {
    if (const auto socket = remote ? services::agent_socket(store_folder(flags.store), context.fs) : std::nullopt) {
        auto answer = services::ask_agent(*socket, remote(flags), "");
        if (!answer) return report(answer.error());
        if (flags.json || !answer->starts_with("{\"snapshot\"")) fmt::print("{}", *answer);
        return 0;
    }
    Logger log = context.logger();
    store::StoreOptions options;
    options.root = store_folder(flags.store);
    options.mode = mode;
    options.lock_timeout_ms = *parse_duration_ms(flags.lock_timeout);
    options.holder = fmt::format("zcdp store, pid {}", ::getpid());
    auto store = store::Store::open(options, context.fs, context.clock, context.random, log, context.metrics);
    if (!store) return report(store.error());
    if (auto done = work(**store, flags); !done) return report(done.error());
    return 0;
}

Result<> list(store::Store& store, const Flags& flags) {
    ZCDP_TRY(const auto all, store.list());
    if (flags.json) {
        std::string array;
        for (const auto& info : all) array += (array.empty() ? "" : ",") + store::to_json(info);
        fmt::print("[{}]\n", array);
        return {};
    }
    if (all.empty()) {
        say("the store {} holds no snapshot yet\n", store.root());
        return {};
    }
    fmt::print("{:<14}{:<9}{:>12}{:>11}  {:<21}{}\n", "SNAPSHOT", "STATE", "FILES", "SIZE", "LAST USE", "NAME");
    for (const auto& info : all)
        fmt::print("{:<14}{:<9}{:>12}{:>11}  {:<21}{}{}{}\n", info.id.str().substr(0, 12), name_of(info.state),
                   format_count(info.files), format_size(info.bytes), iso8601(info.last_use_unix_s),
                   printable(info.name), info.pinned ? " (pinned)" : "",
                   info.leases > 0 ? fmt::format(" ({} leases)", info.leases) : "");
    return {};
}

Result<> list_files(store::Store& store, const store::SnapshotInfo& info) {
    ZCDP_TRY(const auto manifest, store.manifest(info.id));
    while (true) {
        ZCDP_TRY(const auto entry, manifest->next());
        if (!entry) return {};
        const bool file = entry->kind == store::FileKind::file;
        fmt::print("{} {:>14}  {}{}\n",
                   file                                      ? entry->digest.str()
                   : entry->kind == store::FileKind::symlink ? "symlink"
                                                             : "folder",
                   file ? std::to_string(entry->size_bytes) : "-", printable(entry->path),
                   entry->symlink_target.empty() ? "" : " -> " + printable(entry->symlink_target));
    }
}

Result<> show(store::Store& store, const Flags& flags) {
    ZCDP_TRY(const auto info, store.find(flags.id));
    if (flags.json) {
        fmt::print("{}\n", store::to_json(info));
        return {};
    }
    fmt::print("snapshot  {}\nstate     {}\nname      {}\nrevision  {}\npath      {}\nfiles     {} ({}, {} bytes)\n",
               info.id.str(), name_of(info.state), printable(info.name), info.revision, info.tree_path,
               format_count(info.files), format_size(info.bytes), info.bytes);
    fmt::print("pinned    {}\nleases    {}\ncreated   {}\nlast use  {}\n", info.pinned ? "yes" : "no", info.leases,
               iso8601(info.created_unix_s), iso8601(info.last_use_unix_s));
    return flags.files ? list_files(store, info) : Result<>();
}

Result<> path(store::Store& store, const Flags& flags) {
    ZCDP_TRY(const auto info, store.find(flags.id));
    if (info.state != store::SnapshotState::ready)
        return Error(ErrorKind::corrupt, "is not ready", info.id.str(), "sync it again");
    fmt::print("{}\n", info.tree_path);
    return {};
}

Result<> verify(store::Store& store, const Flags& flags) {
    std::optional<store::SnapshotId> id;
    if (!flags.id.empty()) {
        ZCDP_TRY(const auto info, store.find(flags.id));
        id = info.id;
    }
    ZCDP_TRY(const auto report, store.verify(id, {}));
    if (flags.json) {
        fmt::print(
            "{}\n",
            JsonObject().add("files", report.files).add("bytes", report.bytes).add("problems", report.problems).str());
    } else {
        for (const std::string& problem : report.problems) fmt::print("{}\n", problem);
        say("read {} files, {}: {} problems\n", format_count(report.files), format_size(report.bytes),
            report.problems.size());
    }
    if (report.problems.empty()) return {};
    return Error(ErrorKind::corrupt, "is damaged: what was wrong is in quarantine/", store.root(),
                 "sync the snapshots again");
}

std::string json_of(const store::UnfinishedFile& file) {
    return JsonObject()
        .add("file", file.name)
        .add("object", file.object)
        .add("bytes", file.bytes)
        .add("last_write", iso8601(file.last_write_unix_s))
        .add("running", file.running)
        .str();
}

Result<> usage(store::Store& store, const Flags& flags) {
    ZCDP_TRY(const auto room, store.room());
    const store::StoreUsage& usage = room.usage;
    if (flags.json) {
        std::string unfinished;
        for (const auto& file : room.unfinished) unfinished += (unfinished.empty() ? "" : ",") + json_of(file);
        JsonObject out;
        out.add("store", store.root()).add("blobs", usage.blobs).add("blob_bytes", usage.blob_bytes);
        out.add("snapshots", usage.snapshots).add("snapshot_bytes", usage.snapshot_bytes);
        out.add("pinned_bytes", room.pinned_bytes)
            .add("leased_bytes", room.leased_bytes)
            .add("loose_bytes", room.loose_bytes);
        out.add("partial_bytes", usage.partial_bytes).raw("unfinished", "[" + unfinished + "]");
        out.add("quarantined", usage.quarantined)
            .add("quarantine_bytes", room.quarantine_bytes)
            .add("other_bytes", room.other_bytes);
        out.add("evictable_bytes", room.evictable_bytes)
            .add("free_bytes", usage.space.free_bytes)
            .add("total_bytes", usage.space.total_bytes);
        fmt::print("{}\n", out.str());
        return {};
    }
    fmt::print(
        "store       {}\nblobs       {} ({}), of no snapshot {}\nsnapshots   {} (of {} in all), pinned {}, in use {}\n",
        store.root(), format_count(usage.blobs), format_size(usage.blob_bytes), format_size(room.loose_bytes),
        format_count(usage.snapshots), format_size(usage.snapshot_bytes), format_size(room.pinned_bytes),
        format_size(room.leased_bytes));
    fmt::print("unfinished  {}\n", format_size(usage.partial_bytes));
    for (const auto& file : room.unfinished)
        fmt::print("            {} of {}, last written {}\n", format_size(file.bytes),
                   file.object.empty() ? file.name : printable(file.object), iso8601(file.last_write_unix_s));
    fmt::print("evictable   {}\nquarantine  {} files, {}\nothers      {}\nfree        {} of {}\n",
               format_size(room.evictable_bytes), usage.quarantined, format_size(room.quarantine_bytes),
               format_size(room.other_bytes), format_size(usage.space.free_bytes),
               format_size(usage.space.total_bytes));
    return {};
}

Result<> pin(store::Store& store, const Flags& flags, bool pinned) {
    ZCDP_TRY(const auto info, store.find(flags.id));
    return store.pin(info.id, pinned);
}

Result<> evict(store::Store& store, const Flags& flags) {
    ZCDP_TRY(const auto info, store.find(flags.id));
    return store.evict(info.id);
}

/// Without --grace: blobs that a sync may have brought just now stay, what it has left unfinished does not.
constexpr int64_t kBlobGraceS = 600;

int64_t grace_s(const Flags& flags, int64_t otherwise) {
    return flags.grace.empty() ? otherwise : static_cast<int64_t>(*parse_duration_ms(flags.grace) / 1000);
}

Result<> gc(store::Store& store, const Flags& flags) {
    ZCDP_TRY(const uint64_t freed, store.gc(grace_s(flags, kBlobGraceS), grace_s(flags, 0)));
    if (flags.json) fmt::print("{}\n", JsonObject().add("freed_bytes", freed).str());
    else fmt::print("freed {}\n", format_size(freed));
    return {};
}

enum class Takes { nothing, maybe_id, id };

void add(Command parent, Action& action, const std::shared_ptr<Flags>& flags, const char* name, const char* help,
         Takes takes, store::StoreMode mode, Work work, Remote remote = {}) {
    Command command = parent.add_command(name, help);
    if (takes != Takes::nothing) {
        Option id = command.add_option("ID", flags->id, "a snapshot's id, the beginning of one, or its name");
        if (takes == Takes::id) id.required();
    }
    command.add_flag("--json", flags->json, "as JSON on stdout");
    command.add_option("--store", flags->store, "the store (ZCDP_STORE)").type_name("DIR");
    if (mode == store::StoreMode::write)
        command.add_duration("--lock-timeout", flags->lock_timeout, "how long to wait for another writer of the store")
            .show_default();
    if (std::string_view(name) == "show") command.add_flag("--files", flags->files, "list every file with its digest");
    if (std::string_view(name) == "gc")
        command.add_duration(
            "--grace", flags->grace,
            "keep what is younger (default: 10m for files that came whole, none for unfinished downloads)");
    command.on_parsed([flags, &action, mode, work, remote] {
        action = [flags, mode, work, remote](Context& context) {
            return with_store(context, *flags, mode, work, remote);
        };
    });
}

}  // namespace

void add_store(Command program, Action& action) {
    using store::StoreMode;
    Command parent = program.add_command("store", "look at and look after the store");
    parent.require_command();
    auto flags = std::make_shared<Flags>();
    add(parent, action, flags, "ls", "list the snapshots", Takes::nothing, StoreMode::read, list);
    add(parent, action, flags, "show", "all about one snapshot", Takes::id, StoreMode::read, show);
    add(parent, action, flags, "path", "print the path of a snapshot's tree", Takes::id, StoreMode::read, path);
    add(parent, action, flags, "verify", "read everything again and compare digests", Takes::maybe_id, StoreMode::write,
        verify, [](const Flags& f) { return "/v1/verify?id=" + uri_encode(f.id, false); });
    add(
        parent, action, flags, "pin", "keep a snapshot from eviction", Takes::id, StoreMode::write,
        [](store::Store& store, const Flags& f) { return pin(store, f, true); },
        [](const Flags& f) { return "/v1/snapshots/" + uri_encode(f.id, false) + "/pin"; });
    add(
        parent, action, flags, "unpin", "take the pin away", Takes::id, StoreMode::write,
        [](store::Store& store, const Flags& f) { return pin(store, f, false); },
        [](const Flags& f) { return "/v1/snapshots/" + uri_encode(f.id, false) + "/unpin"; });
    add(parent, action, flags, "evict", "remove a snapshot, and the bytes that no other needs", Takes::id,
        StoreMode::write, evict, [](const Flags& f) { return "/v1/snapshots/" + uri_encode(f.id, false) + "/evict"; });
    add(parent, action, flags, "gc",
        "remove bytes that no snapshot needs, and unfinished downloads that nobody goes on with", Takes::nothing,
        StoreMode::write, gc, [](const Flags& f) {
            return fmt::format("/v1/gc?grace_s={}&unfinished_grace_s={}", grace_s(f, kBlobGraceS), grace_s(f, 0));
        });
    add(parent, action, flags, "du", "how much the store holds, who has the room, and how much is free", Takes::nothing,
        StoreMode::read, usage);
}

}  // namespace zcdp::modes
