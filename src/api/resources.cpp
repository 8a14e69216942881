#include "zcdp/api/resources.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "zcdp/api/core.hpp"

namespace zcdp::api {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;  // four of them can be added

/// What one of the unit is in thousandths; nullopt for no unit of Kubernetes.
std::optional<double> unit_of(std::string_view suffix) {
    static constexpr std::string_view kBinary = "KMGTPE", kDecimal = "kMGTPE";
    if (suffix.empty()) return 1e3;
    if (suffix == "m") return 1.0;
    if (suffix == "u") return 1e-3;
    if (suffix == "n") return 1e-6;
    if (suffix.size() == 2 && suffix[1] == 'i')
        if (const size_t at = kBinary.find(suffix[0]); at != std::string_view::npos)
            return 1e3 * std::pow(1024.0, static_cast<double>(at + 1));
    if (suffix.size() == 1)
        if (const size_t at = kDecimal.find(suffix[0]); at != std::string_view::npos)
            return 1e3 * std::pow(1000.0, static_cast<double>(at + 1));
    return std::nullopt;
}

Amounts::iterator place_of(Amounts& amounts, std::string_view resource) {
    return std::lower_bound(amounts.begin(), amounts.end(), resource,
                            [](const Amount& a, std::string_view name) { return a.resource < name; });
}

int64_t& amount_in(Amounts& amounts, const std::string& resource) {
    auto at = place_of(amounts, resource);
    if (at == amounts.end() || at->resource != resource) at = amounts.insert(at, {resource, 0});
    return at->thousandths;
}

}  // namespace

std::optional<int64_t> parse_quantity(std::string_view text) {
    double number = 0;
    const char* const end = text.data() + text.size();
    // "1E" is an exa and "1e3" a thousand: from_chars takes an exponent only where digits follow.
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
    const auto unit = unit_of({rest, static_cast<size_t>(end - rest)});
    if (!unit) return std::nullopt;
    const double exact = number * *unit;
    const double thousandths =
        std::ceil(exact - std::min(1e-6, exact * 1e-9));  // 0.1 is no binary fraction, and 100 thousandths all the same
    return thousandths >= static_cast<double>(kMost) ? kMost : static_cast<int64_t>(thousandths);
}

Amounts amounts_of(const Quantities& quantities) {
    Amounts out;
    for (const auto& [resource, quantity] : quantities)
        if (const auto amount = parse_quantity(quantity.text); amount && *amount > 0)
            out.push_back({resource, *amount});
    return out;
}

int64_t amount_of(const Amounts& amounts, std::string_view resource) {
    for (const Amount& amount : amounts)
        if (amount.resource == resource) return amount.thousandths;
    return 0;
}

void add(Amounts& to, const Amounts& more) {
    for (const Amount& amount : more) {
        int64_t& sum = amount_in(to, amount.resource);
        sum = std::min(kMost, sum + amount.thousandths);
    }
}

void raise_to(Amounts& to, const Amounts& other) {
    for (const Amount& amount : other) {
        int64_t& most = amount_in(to, amount.resource);
        most = std::max(most, amount.thousandths);
    }
}

bool covers(const Amounts& free, const Amounts& wanted) {
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const Amount& amount) { return amount_of(free, amount.resource) >= amount.thousandths; });
}

Amounts pod_requests(const Pod& pod) {
    Amounts beside, most;  // what runs beside an init container; the most that is needed at once while they run
    for (const Container& container : pod.spec.init_containers) {
        const Amounts own = amounts_of(container.resources.requests);
        Amounts now = beside;
        add(now, own);
        raise_to(most, now);
        if (container.restart_policy == "Always") beside = std::move(now);
    }
    for (const Container& container : pod.spec.containers) add(beside, amounts_of(container.resources.requests));
    raise_to(most, beside);
    // What the pod says as a whole stands for what its containers say.
    for (const Amount& amount : amounts_of(pod.spec.resources.requests))
        amount_in(most, amount.resource) = amount.thousandths;
    add(most, amounts_of(pod.spec.overhead));
    amount_in(most, "pods") = 1000;
    return most;
}

}  // namespace zcdp::api
