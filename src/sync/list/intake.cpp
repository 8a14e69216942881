#include "src/sync/list/intake.hpp"

#include <cstring>

namespace zcdp::sync {
namespace {

constexpr size_t kNamedKeysMax = 100;

template <class T>
void put(std::string& out, T value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);  // little-endian, as every machine zcdp runs on
    out.append(bytes, sizeof bytes);
}

}  // namespace

void Refusals::add(const std::string& key, std::string_view reason) {
    ++count_;
    if (keys_.size() < kNamedKeysMax) keys_.push_back(printable(key) + " (" + std::string(reason) + ")");
}

bool Names::wanted(const origin::Entry& entry) {
    using origin::EntryKind;
    if (entry.path.empty() && entry.kind == EntryKind::directory && entry.size_bytes == 0)
        return false;  // the prefix's own marker
    if (entry.path.empty() && entry.kind == EntryKind::directory) {
        refusals_.add("", "the folder's own key, ends in '/' but has content");
        return false;
    }
    if (!filter_.wants(entry.path)) return false;  // first: what is left out is no error, whatever it is called
    PathProblem problem = check_path(entry.path);
    if (problem == PathProblem::none && entry.kind == EntryKind::symlink) {
        problem = check_symlink(entry.path, entry.symlink_target);
        refusals_.add_links(problem != PathProblem::none);
    }
    if (problem != PathProblem::none) {
        refusals_.add(entry.path, describe(problem));
        return false;
    }
    if (entry.kind == EntryKind::other) {
        refusals_.add(entry.path, "is neither a file, a folder nor a symlink");
        return false;
    }
    if (entry.kind == EntryKind::directory && entry.size_bytes != 0) {
        refusals_.add(entry.path, "ends in '/' but has content");
        return false;
    }
    return true;
}

void Tally::count(const origin::Entry& entry) {
    ++entries_;
    if (entry.kind == origin::EntryKind::file) ++files_, bytes_ += entry.size_bytes;
    const std::string& tag = entry.kind == origin::EntryKind::symlink ? entry.symlink_target : entry.tag.str();
    record_.clear();
    put(record_, static_cast<uint32_t>(entry.path.size()));
    record_ += entry.path;
    put(record_, entry.size_bytes);
    put(record_, static_cast<uint32_t>(tag.size()));
    record_ += tag;
    hash_.update(record_);
}

bool Intake::fits(const origin::Entry& entry) {
    const bool placeholder = placeholders_give_way_ && entry.kind == origin::EntryKind::file && entry.size_bytes == 0;
    // A folder that still waits is admitted before this entry, unless this entry is what it has in it.
    const bool folder_first = folder_ && !entry.path.starts_with(folder_->path);
    const PathProblem problem = order_.next(entry.path, tally_.entries() + folder_first, placeholder);
    if (problem != PathProblem::none) refusals_.add(entry.path, describe(problem));
    return problem == PathProblem::none;
}

}  // namespace zcdp::sync
