#include "src/sync/place/tree.hpp"

#include "src/sync/fetch/job.hpp"
#include "src/sync/list/file_kind.hpp"
#include "src/sync/plan/plan.hpp"

namespace zcdp::sync {
namespace {

Result<Digest> digest_of(const SpoolEntry& record, TagWalker& known, const origin::OriginIdentity& identity,
                         const std::string& source) {
    if (record.knowledge == Knowledge::present) return record.digest;
    ZCDP_TRY(const store::TagRow* row, known.find(record.entry.path));
    if (row && row->tag == record.entry.tag && row->size_bytes == record.entry.size_bytes) return row->digest;
    return Error(ErrorKind::failed, "was fetched, but the index does not know it",
                 object_name(source, identity, record.entry.path), "is another process writing to this store?");
}

}  // namespace

Result<store::SnapshotInfo> build_tree(const EntryList& plan, const origin::OriginIdentity& identity,
                                       const store::TagScope& scope, const std::string& name, const Revision& revision,
                                       store::Snapshots& snapshots, store::OriginMemory& memory, Fs& fs,
                                       Progress& progress, const std::stop_token& stop) {
    progress.files_to_place = plan.count;
    progress.files_placed = 0;
    progress.phase = Phase::building;
    ZCDP_TRY(const auto builder, snapshots.build_snapshot());
    TagWalker known(memory, scope, identity.prefix);
    SpoolReader reader = plan.read(fs);
    SpoolEntry record;
    store::ManifestEntry entry;
    while (true) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) break;
        if (stop.stop_requested())
            return Error(ErrorKind::interrupted, "stopped", name, "run the same command again to go on");
        entry.path = record.entry.path;
        entry.kind = file_kind(record.entry.kind);
        entry.executable = record.entry.executable;
        entry.size_bytes = 0;
        entry.symlink_target.clear();
        if (entry.kind == store::FileKind::file) {
            entry.size_bytes = record.entry.size_bytes;
            ZCDP_TRY(entry.digest, digest_of(record, known, identity, name));
        } else if (entry.kind == store::FileKind::symlink) {
            entry.symlink_target = record.entry.symlink_target;
        }
        ZCDP_CHECK(builder->add(entry));
        ++progress.files_placed;
    }
    return builder->commit(name, revision);
}

}  // namespace zcdp::sync
