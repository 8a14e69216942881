#include "zcdp/api/names.hpp"

#include "zcdp/base/digest.hpp"

namespace zcdp::api {
namespace {

std::string short_hash(std::string_view text, size_t digits) { return to_hex(Sha256::of(text)).substr(0, digits); }

}  // namespace

std::string node_dataset_name(std::string_view node, std::string_view dataset_uid, std::string_view revision) {
    std::string text(node);
    text.append(1, '\0').append(dataset_uid).append(1, '\0').append(revision);
    return "nd-" + short_hash(text, 32);
}

std::string node_label_value(std::string_view node) { return short_hash(node, 16); }
std::string data_label(std::string_view dataset_uid) { return kDataLabelPrefix + short_hash(dataset_uid, 16); }
std::string volume_name(std::string_view claim) { return "zcdp-" + short_hash(claim, 10); }

std::string reason_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::refused: return "KeyRefused";
        case ErrorKind::not_found: return "NotFound";
        case ErrorKind::denied: return "AccessDenied";
        case ErrorKind::no_space: return "NoSpace";
        case ErrorKind::source_changed: return "SourceChanged";
        case ErrorKind::timeout:
        case ErrorKind::stalled:
        case ErrorKind::unreachable:
        case ErrorKind::throttled: return "OriginUnreachable";
        case ErrorKind::corrupt: return "SnapshotMismatch";
        case ErrorKind::usage: return "InvalidSpec";
        case ErrorKind::failed:
        case ErrorKind::no_ranges:
        case ErrorKind::interrupted:
        case ErrorKind::busy: break;
    }
    return "Failed";
}

}  // namespace zcdp::api
