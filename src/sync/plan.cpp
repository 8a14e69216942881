#include "src/sync/plan.hpp"

#include <algorithm>

namespace zcdp::sync {
namespace {

constexpr size_t kPageRows = 2048;

/// An ETag that can be the MD5 of the content: only such an object is worth a comparison with bytes under another key.
bool may_be_md5(std::string_view tag) {
    return tag.size() == 32 && tag.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

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
    ZCDP_CHECK(store_.for_each_tag(scope_, prefix_, from, take));
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

Planner::Planner(store::Store& store, store::TagScope scope, std::string prefix)
    : store_(store), scope_(std::move(scope)), prefix_(std::move(prefix)), known_(store, scope_, prefix_) {}

Result<bool> Planner::look_for_candidate(SpoolEntry& record) {
    ZCDP_TRY(const auto rows, store_.tags_like(scope_, record.entry.tag, record.entry.size_bytes));
    const std::string key = prefix_ + record.entry.path;
    for (const auto& row : rows) {
        record.same_key = row.key == key;
        if (!record.same_key && !may_be_md5(row.tag)) continue;
        record.digest = row.digest;
        if (store_.has_blob({row.digest, row.size_bytes, record.entry.executable})) return true;
    }
    return false;
}

Result<SpoolEntry> Planner::judge(const origin::Entry& entry) {
    SpoolEntry record;
    record.entry = entry;
    if (entry.kind != origin::EntryKind::file) return record;
    ZCDP_TRY(const store::TagRow* row, known_.find(entry.path));
    if (row && row->tag == entry.tag && row->size_bytes == entry.size_bytes) {
        record.digest = row->digest;
        if (store_.has_blob({row->digest, row->size_bytes, entry.executable})) {
            record.knowledge = Knowledge::present;
            return record;
        }
    }
    if (!others_asked_) {
        others_asked_ = true;
        ZCDP_TRY(others_, store_.any_tags(scope_));
    }
    if (others_ && entry.size_bytes > 0) {
        ZCDP_TRY(const bool found, look_for_candidate(record));
        if (found) record.knowledge = Knowledge::candidate;
    }
    return record;
}

Result<> Planner::add(const origin::Entry& entry, SpoolWriter& plan) {
    ZCDP_TRY(const SpoolEntry record, judge(entry));
    ++totals_.entries;
    if (entry.kind == origin::EntryKind::file) {
        const bool reuse = record.knowledge == Knowledge::present, check = record.knowledge == Knowledge::candidate;
        ++(reuse ? totals_.reuse_files : check ? totals_.candidate_files : totals_.fetch_files);
        (reuse ? totals_.reuse_bytes : check ? totals_.candidate_bytes : totals_.fetch_bytes) += entry.size_bytes;
    }
    return plan.add(record);
}

}  // namespace zcdp::sync
