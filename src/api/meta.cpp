#include "zcdp/api/meta.hpp"

#include <algorithm>
#include <charconv>

#include "zcdp/base/clock.hpp"

namespace zcdp::api {
namespace {

std::optional<int64_t> number(const std::string& text) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

bool ObjectMeta::has_finalizer(std::string_view finalizer) const {
    return std::find(finalizers.begin(), finalizers.end(), finalizer) != finalizers.end();
}

std::string ObjectMeta::key() const { return namespace_.empty() ? name : namespace_ + "/" + name; }

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
    for (const Condition& condition : conditions)
        if (condition.type == type) return &condition;
    return nullptr;
}

bool set_condition(std::vector<Condition>& conditions, Condition wanted, const std::string& now) {
    for (Condition& have : conditions) {
        if (have.type != wanted.type) continue;
        wanted.last_transition_time = have.status == wanted.status ? have.last_transition_time : now;
        if (have == wanted) return false;
        have = std::move(wanted);
        return true;
    }
    wanted.last_transition_time = now;
    conditions.push_back(std::move(wanted));
    return true;
}

bool SelectorExpression::matches(const StringMap& labels) const {
    const auto at = labels.find(key);
    const bool there = at != labels.end();
    const bool listed = there && std::find(values.begin(), values.end(), at->second) != values.end();
    if (op == "In") return listed;
    if (op == "NotIn") return !listed;
    if (op == "Exists") return there;
    if (op == "DoesNotExist") return !there;
    if ((op == "Gt" || op == "Lt") && there && values.size() == 1) {
        const auto have = number(at->second), bound = number(values[0]);
        return have && bound && (op == "Gt" ? *have > *bound : *have < *bound);
    }
    return false;
}

bool LabelSelector::matches(const StringMap& labels) const {
    return has_labels(labels, match_labels) && std::all_of(match_expressions.begin(), match_expressions.end(),
                                                           [&](const auto& e) { return e.matches(labels); });
}

StringMap parse_labels(std::string_view text) {
    StringMap out;
    while (!text.empty()) {
        const size_t end = std::min(text.find(','), text.size());
        const std::string_view pair = text.substr(0, end);
        const size_t equals = std::min(pair.find('='), pair.size());
        if (!pair.empty())
            out[std::string(pair.substr(0, equals))] = std::string(pair.substr(std::min(equals + 1, pair.size())));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

int64_t parse_time(const std::string& text) { return std::max<int64_t>(0, parse_iso8601(text)); }

bool has_labels(const StringMap& labels, const StringMap& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
        const auto at = labels.find(pair.first);
        return at != labels.end() && at->second == pair.second;
    });
}

}  // namespace zcdp::api
