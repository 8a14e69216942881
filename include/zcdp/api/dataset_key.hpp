// Which Dataset is meant: the text of a claim's or a pod's key looks the same, and is not one. Pure.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "zcdp/api/types.hpp"

namespace zcdp::api {

struct DatasetKey {
    std::string namespace_, name;
    auto operator<=>(const DatasetKey&) const = default;

    /// "NAMESPACE/NAME": what caches and queues have it under.
    std::string text() const { return namespace_ + "/" + name; }
    /// The inverse; nullopt for anything else.
    static std::optional<DatasetKey> parse(std::string_view text) {
        const size_t slash = text.find('/');
        if (slash == 0 || slash == text.npos || slash + 1 == text.size() || text.find('/', slash + 1) != text.npos)
            return std::nullopt;
        return DatasetKey{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
    }
};

/// Of the Dataset itself.
inline DatasetKey dataset_key(const Dataset& dataset) { return {dataset.metadata.namespace_, dataset.metadata.name}; }
/// Of the Dataset that a node's object is of.
inline DatasetKey dataset_key(const DatasetRef& dataset) { return {dataset.namespace_, dataset.name}; }
/// Of the Dataset that the claim names.
inline DatasetKey dataset_key(const DatasetClaim& claim) { return {claim.metadata.namespace_, claim.spec.dataset}; }

}  // namespace zcdp::api

template <>
struct std::hash<zcdp::api::DatasetKey> {
    size_t operator()(const zcdp::api::DatasetKey& key) const noexcept { return std::hash<std::string>()(key.text()); }
};
