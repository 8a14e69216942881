#include "src/services/controller/decide/revision_source.hpp"

#include <fmt/format.h>

#include "src/services/backend/backend_access.hpp"

namespace zcdp::services::controller {

void record_source(api::DatasetVersion& version) {
    const size_t slash = version.source.find('/');
    if (!version.backend.empty() || slash == std::string::npos) return;
    version.backend = version.source.substr(0, slash);
    size_t begin = slash + 1, end = std::min(version.source.find('\n', begin), version.source.size());
    version.prefix = version.source.substr(begin, end - begin);
    for (begin = end + 1; begin < version.source.size(); begin = end + 1) {
        end = std::min(version.source.find('\n', begin), version.source.size());
        const std::string glob = version.source.substr(begin + 1, end - begin - 1);
        if (version.source[begin] == '+') version.include.push_back(glob);
        else if (version.source[begin] == '-') version.exclude.push_back(glob);
    }
}

const api::DatasetVersion* find_version(const api::DatasetStatus& status, const Revision& revision) {
    for (const api::DatasetVersion& version : status.history)
        if (version.revision == revision) return &version;
    return nullptr;
}

ResolvedSource resolve_version(const api::DatasetVersion& version, const std::string& ns,
                               const Objects<api::StorageBackend>& backends) {
    ResolvedSource out;
    out.prefix = version.prefix, out.include = version.include, out.exclude = version.exclude;
    for (const auto& backend : backends) {
        if (backend->metadata.name != version.backend) continue;
        if (backend::namespace_allowed(backend->spec, ns)) out.backend = backend;
        else
            out.reason = api::Reason::namespace_not_allowed,
            out.message = fmt::format("StorageBackend {} no longer allows namespace {}", version.backend, ns);
        return out;
    }
    out.reason = api::Reason::backend_not_found,
    out.message = fmt::format("there is no StorageBackend {} any more", version.backend);
    return out;
}

ResolvedSource source_of_revision(const api::Dataset& dataset, const Revision& revision,
                                  const Objects<api::NodeDataset>& held, const Objects<api::StorageBackend>& backends) {
    api::DatasetVersion version;
    if (const api::DatasetVersion* known = find_version(dataset.status, revision)) {
        version = *known;
        record_source(version);
    }
    for (const auto& one : held) {
        if (!version.backend.empty() || one->spec.revision != revision) continue;
        const api::NodeDatasetSource& from = one->spec.source;
        version.backend = from.backend, version.prefix = from.prefix, version.include = from.include,
        version.exclude = from.exclude;
    }
    if (version.backend.empty()) return resolve_source(dataset, backends);
    return resolve_version(version, dataset.metadata.namespace_, backends);
}

}  // namespace zcdp::services::controller
