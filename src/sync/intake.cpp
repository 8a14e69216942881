#include "src/sync/intake.hpp"

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

bool Intake::wanted(const origin::Entry& entry) {
    using origin::EntryKind;
    if (entry.path.empty() && entry.kind == EntryKind::directory) return false;  // the prefix's own marker
    if (!filter_.wants(entry.path)) return false;  // first: what is left out is no error, whatever it is called
    PathProblem problem = check_path(entry.path);
    if (problem == PathProblem::none) problem = order_.next(entry.path);
    if (problem == PathProblem::none && entry.kind == EntryKind::symlink) {
        problem = check_symlink(entry.path, entry.symlink_target);
        refused_links_ += problem != PathProblem::none;
    }
    if (problem != PathProblem::none) {
        refuse(entry.path, describe(problem));
        return false;
    }
    if (entry.kind == EntryKind::directory && entry.size_bytes != 0) {
        refuse(entry.path, "ends in '/' but has content");
        return false;
    }
    return true;
}

void Intake::refuse(const std::string& key, std::string_view reason) {
    ++refused_;
    if (refused_keys_.size() < kNamedKeysMax) refused_keys_.push_back(printable(key) + " (" + std::string(reason) + ")");
}

void Intake::count(const origin::Entry& entry) {
    ++entries_;
    if (entry.kind == origin::EntryKind::file) ++files_, bytes_ += entry.size_bytes;
    const std::string& tag = entry.kind == origin::EntryKind::symlink ? entry.symlink_target : entry.tag;
    record_.clear();
    put(record_, static_cast<uint32_t>(entry.path.size()));
    record_ += entry.path;
    put(record_, entry.size_bytes);
    put(record_, static_cast<uint32_t>(tag.size()));
    record_ += tag;
    hash_.update(record_);
}

}  // namespace zcdp::sync
