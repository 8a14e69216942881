#include "zcdp/swarm/pieces.hpp"

#include <algorithm>

#include "zcdp/base/assert.hpp"

namespace zcdp::swarm {

void PieceTable::add_file(uint64_t size_bytes) {
    const uint64_t entry = entries_++;
    size_bytes_ += size_bytes;
    if (size_bytes == 0) return;
    if (size_bytes > kPieceBytesMost) {
        end_run();
        groups_.push_back({pieces_, entry, entry, size_bytes, true});
        pieces_ += chunk_count(size_bytes);
        return;
    }
    if (run_ && (run_->size_bytes + size_bytes > kPieceBytesMost || run_files_ == kPieceFilesMost)) end_run();
    if (!run_) run_ = Group{pieces_, entry, entry, 0, false};
    run_->last_entry = entry, run_->size_bytes += size_bytes;
    ++run_files_;
}

void PieceTable::add_other() { ++entries_; }

void PieceTable::finish() {
    end_run();
    groups_.shrink_to_fit();
}

void PieceTable::end_run() {
    if (!run_) return;
    groups_.push_back(*run_);
    ++pieces_;
    run_.reset(), run_files_ = 0;
}

Piece PieceTable::at(uint64_t piece) const {
    ZCDP_ASSERT(piece < pieces_);
    const auto after = std::upper_bound(groups_.begin(), groups_.end(), piece,
                                        [](uint64_t wanted, const Group& group) { return wanted < group.first_piece; });
    const Group& group = *std::prev(after);
    if (!group.of_chunks) return {group.first_entry, group.last_entry, 0, group.size_bytes, false};
    const uint64_t chunk = piece - group.first_piece;
    const uint64_t bytes = std::min(kPieceBytesMost, group.size_bytes - chunk * kPieceBytesMost);
    return {group.first_entry, group.last_entry, chunk, bytes, true};
}

uint64_t PieceTable::of(uint64_t entry, uint64_t chunk) const {
    const auto after = std::upper_bound(groups_.begin(), groups_.end(), entry,
                                        [](uint64_t wanted, const Group& group) { return wanted < group.first_entry; });
    ZCDP_ASSERT(after != groups_.begin());
    const Group& group = *std::prev(after);
    ZCDP_ASSERT(entry <= group.last_entry && chunk < (group.of_chunks ? chunk_count(group.size_bytes) : 1));
    return group.first_piece + chunk;
}

}  // namespace zcdp::swarm
