// Answers kept under a digest until their time is over; the least recently used goes when there are too many.
//
// Thread rule: one thread at a time. Pure but for the clock that it is handed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::kube {

/// Over as soon as either is reached: `unix_s` is an end that others set, by the calendar.
struct Lifetime {
    int64_t monotonic_ns;
    int64_t unix_s = std::numeric_limits<int64_t>::max();
    bool over(const Clock& clock) const { return clock.monotonic_ns() >= monotonic_ns || clock.unix_s() >= unix_s; }
};

template <class Answer>
class AnswerCache {
  public:
    explicit AnswerCache(size_t entries_max) : entries_max_(std::max<size_t>(1, entries_max)) {}

    std::optional<Answer> find(const Sha256Bytes& key, const Clock& clock) {
        const auto at = index_.find(key);
        if (at == index_.end()) return std::nullopt;
        if (at->second->lifetime.over(clock)) {
            entries_.erase(at->second);
            index_.erase(at);
            return std::nullopt;
        }
        entries_.splice(entries_.begin(), entries_, at->second);
        return at->second->answer;
    }

    /// What is over already is not taken.
    void put(const Sha256Bytes& key, Answer answer, Lifetime lifetime, const Clock& clock) {
        if (const auto at = index_.find(key); at != index_.end()) {
            entries_.erase(at->second);
            index_.erase(at);
        }
        if (lifetime.over(clock)) return;
        if (entries_.size() == entries_max_) {
            index_.erase(entries_.back().key);
            entries_.pop_back();
        }
        entries_.push_front({key, std::move(answer), lifetime});
        index_.emplace(key, entries_.begin());
    }

    size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        Sha256Bytes key;
        Answer answer;
        Lifetime lifetime;
    };
    const size_t entries_max_;
    std::list<Entry> entries_;  ///< most recently used first
    std::map<Sha256Bytes, typename std::list<Entry>::iterator> index_;
};

}  // namespace zcdp::kube
