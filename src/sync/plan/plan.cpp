#include "src/sync/plan/plan.hpp"

#include <algorithm>
#include <charconv>

#include "src/sync/fetch/feeder.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kPageRows = 2048;

constexpr size_t kMd5Digits = 32;
constexpr uint64_t kPartsMax = 10'000;

bool is_md5(std::string_view text) {
    return text.size() == kMd5Digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

TagKind kind_of_tag(const Tag& of, uint64_t size_bytes) {
    const std::string_view tag = of.str();
    if (is_md5(tag)) return TagKind::md5;
    if (tag.size() < kMd5Digits + 2 || tag[kMd5Digits] != '-' || !is_md5(tag.substr(0, kMd5Digits)))
        return TagKind::opaque;
    const std::string_view number = tag.substr(kMd5Digits + 1);
    uint64_t parts = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), parts);
    const bool whole = error == std::errc() && end == number.data() + number.size() && number[0] != '0';
    // Each part but a lone one has a byte.
    return whole && parts <= kPartsMax && (parts == 1 || parts <= size_bytes) ? TagKind::of_parts : TagKind::opaque;
}

Result<> TagWalker::next_page() {
    // Just above the last key: no key lies between K and K followed by a zero byte.
    const std::string from = begun_ ? page_.back().key + std::string(1, '\0') : prefix_;
    begun_ = true;
    page_.clear();
    at_ = 0;
    const auto take = [this](const store::TagRow& row) {
        page_.push_back(row);
        return page_.size() < kPageRows;
    };
    ZCDP_CHECK(memory_.for_each_tag(scope_, prefix_, from, take));
    ended_ = page_.empty();
    return {};
}

Result<const store::TagRow*> TagWalker::find(std::string_view path) {
    while (!ended_) {
        for (; at_ < page_.size(); ++at_) {
            const auto known = std::string_view(page_[at_].key).substr(prefix_.size());
            if (known < path) continue;
            return known == path ? &page_[at_] : nullptr;
        }
        ZCDP_CHECK(next_page());
    }
    return nullptr;
}

Planner::Planner(store::OriginMemory& memory, store::Ingest& ingest, store::TagScope scope,
                 const origin::OriginIdentity& identity, store::Hold& hold)
    : memory_(memory),
      ingest_(ingest),
      scope_(std::move(scope)),
      prefix_(identity.prefix),
      tags_of_parts_(identity.tags_of_parts),
      hold_(hold),
      known_(memory, scope_, prefix_) {}

Result<bool> Planner::look_for_candidate(SpoolEntry& record) {
    ZCDP_TRY(const auto rows, memory_.tags_like(scope_, record.entry.tag, record.entry.size_bytes));
    const std::string key = prefix_ + record.entry.path;
    const TagKind kind = kind_of_tag(record.entry.tag, record.entry.size_bytes);
    const bool of_content = kind == TagKind::md5 || (kind == TagKind::of_parts && tags_of_parts_);
    for (const auto& row : rows) {
        record.same_key = row.key == key;
        if (!record.same_key && !of_content) continue;
        record.digest = row.digest;
        if (ingest_.hold_blob(hold_, {row.digest, row.size_bytes, record.entry.executable})) return true;
    }
    record.same_key = false;
    return false;
}

Result<SpoolEntry> Planner::judge(const origin::Entry& entry) {
    SpoolEntry record;
    record.entry = entry;
    if (entry.kind != origin::EntryKind::file) return record;
    ZCDP_TRY(const store::TagRow* row, known_.find(entry.path));
    if (row && row->tag == entry.tag && row->size_bytes == entry.size_bytes) {
        record.digest = row->digest;
        if (ingest_.hold_blob(hold_, {row->digest, row->size_bytes, entry.executable})) {
            record.knowledge = Knowledge::present;
            return record;
        }
    }
    if (!others_asked_) {
        others_asked_ = true;
        ZCDP_TRY(others_, memory_.any_tags(scope_));
    }
    if (others_ && entry.size_bytes > 0) {
        ZCDP_TRY(const bool found, look_for_candidate(record));
        if (found) record.knowledge = Knowledge::candidate;
    }
    // The HEAD that a file of several chunks needs anyway may state a sum.
    if (others_ && record.knowledge == Knowledge::none && chunk_count(entry.size_bytes) > 1) {
        ZCDP_TRY(const bool any, memory_.any_sums(scope_, entry.size_bytes));
        if (any) record.knowledge = Knowledge::same_size;
    }
    return record;
}

void Planner::count(const SpoolEntry& record) {
    const origin::Entry& entry = record.entry;
    const auto add = [&](uint64_t& files, uint64_t& bytes) { ++files, bytes += entry.size_bytes; };
    switch (record.knowledge) {
        case Knowledge::present: return add(totals_.reuse_files, totals_.reuse_bytes);
        case Knowledge::candidate: return add(totals_.candidate_files, totals_.candidate_bytes);
        case Knowledge::same_size: return add(totals_.same_size_files, totals_.same_size_bytes);
        case Knowledge::none: add(totals_.fetch_files, totals_.fetch_bytes);
    }
}

Result<> Planner::add(const origin::Entry& entry, SpoolWriter& plan) {
    ZCDP_TRY(const SpoolEntry record, judge(entry));
    ++totals_.entries;
    if (entry.kind == origin::EntryKind::file) {
        count(record);
        if (record.knowledge != Knowledge::present && entry.size_bytes > kSmallFileBytesMax) {
            const uint64_t there =
                ingest_.hold_partial(hold_, store::ByTag{scope_, prefix_ + entry.path, entry.tag}, entry.size_bytes);
            if (record.knowledge == Knowledge::none) totals_.partial_bytes += there;
        }
    }
    return plan.add(record);
}

}  // namespace zcdp::sync
