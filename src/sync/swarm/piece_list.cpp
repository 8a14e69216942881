#include "src/sync/swarm/piece_list.hpp"
#include "zcdp/base/scratch.hpp"

#include <algorithm>
#include <utility>

namespace zcdp::sync {
namespace {

constexpr size_t kReadBytes = 64 << 10;

bool has_content(const origin::Entry& entry) { return entry.kind == origin::EntryKind::file && entry.size_bytes > 0; }

Result<> check_stop(const std::stop_token& stop) {
    if (!stop.stop_requested()) return {};
    return Error(ErrorKind::interrupted, "stopped while planning", "", "run the same command again");
}

}  // namespace

Result<PieceList> PieceList::make(const EntryList& plan, Fs& fs, const std::string& scratch_folder, Random& random,
                                  const std::stop_token& stop) {
    PieceList list(fs);
    SpoolReader reader = plan.read(fs);
    SpoolEntry record;
    while (true) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) break;
        ZCDP_CHECK(check_stop(stop));
        if (record.entry.kind == origin::EntryKind::file) list.table_.add_file(record.entry.size_bytes);
        else list.table_.add_other();
    }
    list.table_.finish();
    ZCDP_TRY(list.file_, open_scratch(fs, scratch_folder, random));
    ZCDP_CHECK(list.copy(plan, stop));
    return list;
}

/// Each run, and each long file, as a spool of its own, so that it can be read alone.
Result<> PieceList::copy(const EntryList& plan, const std::stop_token& stop) {
    present_ = swarm::HaveMap(table_.pieces());
    SpoolReader reader = plan.read(*fs_);
    SpoolEntry record;
    uint64_t entry = 0, offset_bytes = 0;
    for (uint64_t piece = 0; piece < table_.pieces();) {
        ZCDP_CHECK(check_stop(stop));
        const swarm::Piece what = table_.at(piece);
        SpoolWriter writer(*fs_, file_.get(), offset_bytes);
        bool is_present = true;
        for (; entry <= what.last_entry; ++entry) {
            ZCDP_TRY(const bool more, reader.next(record));
            if (!more) return Error(ErrorKind::corrupt, "the list of objects ends early", "scratch file of the store");
            if (entry < what.first_entry) continue;
            if (has_content(record.entry)) is_present &= record.knowledge == Knowledge::present;
            ZCDP_CHECK(writer.add(record));
        }
        ZCDP_CHECK(writer.finish());
        groups_.push_back({what.first_entry, what.last_entry - what.first_entry + 1, offset_bytes});
        offset_bytes = writer.end_bytes();
        const uint64_t chunks = what.is_chunk ? chunk_count(record.entry.size_bytes) : 1;
        for (uint64_t i = 0; i < chunks; ++i, ++piece)
            if (is_present) present_.set(piece);
    }
    return {};
}

Result<std::vector<PieceFile>> PieceList::files_of(uint64_t piece) const {
    const swarm::Piece what = table_.at(piece);
    const auto after = std::upper_bound(groups_.begin(), groups_.end(), what.first_entry,
                                        [](uint64_t entry, const Group& group) { return entry < group.first_entry; });
    const Group& group = *std::prev(after);
    SpoolReader reader(*fs_, file_.get(), group.entries, group.offset_bytes, kReadBytes);
    std::vector<PieceFile> files;
    SpoolEntry record;
    for (uint64_t entry = group.first_entry;; ++entry) {
        ZCDP_TRY(const bool more, reader.next(record));
        if (!more) return files;
        if (has_content(record.entry)) files.push_back({entry, record});
    }
}

}  // namespace zcdp::sync
