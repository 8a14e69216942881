// What pods ask nodes for: amounts of cpu, memory, devices, as Kubernetes writes and adds them. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/api/codec.hpp"

namespace zcdp::api {

/// "500m", "2", "1.5Gi", by the resource's name. The API server writes text; a number is taken, too.
using Quantities = std::map<std::string, IntOrString>;

/// In thousandths, rounded up (as the scheduler counts cpu); what is larger than fits is the largest that fits.
/// nullopt: no quantity.
std::optional<int64_t> parse_quantity(std::string_view text);

struct Amount {
    std::string resource;
    int64_t thousandths = 0;
    bool operator==(const Amount&) const = default;
};
/// Sorted by resource, each once. A list, for caches keep one a pod.
using Amounts = std::vector<Amount>;

/// What is no quantity counts as nothing.
Amounts amounts_of(const Quantities& quantities);
int64_t amount_of(const Amounts& amounts, std::string_view resource);
void add(Amounts& to, const Amounts& more);
/// Each resource is at least as much as in `other`.
void raise_to(Amounts& to, const Amounts& other);
/// Whether `free` has all of `wanted`: a resource that it does not name it has none of.
bool covers(const Amounts& free, const Amounts& wanted);

}  // namespace zcdp::api
