#include "zcdp/api/names.hpp"

#include "zcdp/base/digest.hpp"

namespace zcdp::api {
namespace {

std::string short_hash(std::string_view text, size_t digits) { return to_hex(Sha256::of(text)).substr(0, digits); }

}  // namespace

std::string node_dataset_name(std::string_view node, std::string_view dataset_uid, const Revision& revision) {
    std::string text(node);
    text.append(1, '\0').append(dataset_uid).append(1, '\0').append(revision.str());
    return "nd-" + short_hash(text, 32);
}

std::string node_label_value(std::string_view node) { return short_hash(node, 16); }
std::string data_label(std::string_view dataset_uid) { return kDataLabelPrefix + short_hash(dataset_uid, 16); }
std::string volume_name(std::string_view claim) { return "zcdp-" + short_hash(claim, 10); }

Word<Reason> reason_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::refused: return Reason::key_refused;
        case ErrorKind::not_found: return Reason::not_found;
        case ErrorKind::denied: return Reason::access_denied;
        case ErrorKind::no_space: return Reason::no_space;
        case ErrorKind::source_changed: return Reason::source_changed;
        case ErrorKind::timeout:
        case ErrorKind::stalled:
        case ErrorKind::unreachable:
        case ErrorKind::throttled: return Reason::origin_unreachable;
        case ErrorKind::corrupt: return Reason::snapshot_mismatch;
        case ErrorKind::usage: return Reason::invalid_spec;
        case ErrorKind::failed:
        case ErrorKind::no_ranges:
        case ErrorKind::interrupted:
        case ErrorKind::busy: break;
    }
    return Reason::failed;
}

}  // namespace zcdp::api
