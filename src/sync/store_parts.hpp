// What a sync needs of a store. References: the store outlives the sync.
#pragma once

#include <string>

#include "zcdp/store/content.hpp"
#include "zcdp/store/ingest.hpp"
#include "zcdp/store/origin_memory.hpp"
#include "zcdp/store/snapshots.hpp"

namespace zcdp::sync {

struct StoreParts {
    std::string root;
    store::Content& content;
    store::Ingest& ingest;
    store::Snapshots& snapshots;
    store::OriginMemory& memory;
};

/// Of one that is all of these.
template <class Store>
StoreParts parts_of(Store& store) {
    return {store.root(), store, store, store, store};
}

}  // namespace zcdp::sync
