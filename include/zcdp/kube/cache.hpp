// What a watch has seen of one kind, as typed objects that anybody may keep.
//
// Thread rule: any thread; one mutex, held for a lookup. Readers get shared_ptr<const T>: an object never changes, a new
// state is a new one. Keys are "NAMESPACE/NAME" or "NAME".
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "zcdp/api/meta.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::kube {

/// What feeds a cache: the informer in production, a simulated watch in tests.
class CacheSink {
  public:
    virtual ~CacheSink() = default;
    /// The whole collection anew: begin, every object, end. What was not named is gone.
    virtual void begin_replace() = 0;
    virtual void put(json::object&& object) = 0;
    virtual void end_replace() = 0;
    virtual void erase(const json::object& object) = 0;
};

template <class T>
class Cache final : public CacheSink {
  public:
    using Ptr = std::shared_ptr<const T>;
    /// Called after each change, with the object before and after it (null: it was or is not there).
    using OnChange = std::function<void(const std::string& key, const Ptr& before, const Ptr& after)>;
    /// The values by which objects are found again with by_index().
    using Index = std::function<std::vector<std::string>(const T&)>;

    explicit Cache(Index index = {}) : index_(std::move(index)) {}
    void on_change(OnChange call) { on_change_ = std::move(call); }  ///< before anything feeds it

    Ptr get(const std::string& key) const {
        const std::scoped_lock lock(mutex_);
        const auto at = objects_.find(key);
        return at == objects_.end() ? nullptr : at->second;
    }
    std::vector<Ptr> list() const {
        const std::scoped_lock lock(mutex_);
        std::vector<Ptr> out;
        out.reserve(objects_.size());
        for (const auto& [key, object] : objects_) out.push_back(object);
        return out;
    }
    std::vector<Ptr> by_index(const std::string& value) const {
        const std::scoped_lock lock(mutex_);
        std::vector<Ptr> out;
        if (const auto at = indexed_.find(value); at != indexed_.end())
            for (const std::string& key : at->second) out.push_back(objects_.at(key));
        return out;
    }
    size_t size() const {
        const std::scoped_lock lock(mutex_);
        return objects_.size();
    }
    bool synced() const {
        const std::scoped_lock lock(mutex_);
        return synced_;
    }

    void begin_replace() override { seen_.clear(); }
    void put(json::object&& raw) override {
        auto parsed = api::from_json<T>(json::value(std::move(raw)));
        if (!parsed) return;  // the schema forbids it; an object that cannot be read is as if it were not there
        store(std::make_shared<const T>(std::move(*parsed)));
    }
    void end_replace() override {
        std::vector<std::string> gone;
        {
            const std::scoped_lock lock(mutex_);
            for (const auto& [key, object] : objects_)
                if (!seen_.contains(key)) gone.push_back(key);
            synced_ = true;
        }
        for (const std::string& key : gone) drop(key);
        seen_.clear();
    }
    void erase(const json::object& raw) override {
        api::ObjectMeta metadata;
        api::JsonReader reader;
        if (const json::value* value = raw.if_contains("metadata"); value && reader.read(*value, metadata)) drop(metadata.key());
    }
    /// As put(), with the object made already.
    void store(Ptr object) {
        const std::string key = object->metadata.key();
        seen_.insert(key);
        Ptr before;
        {
            const std::scoped_lock lock(mutex_);
            Ptr& place = objects_[key];
            before = place;
            place = object;
            unindex(key, before);
            if (index_)
                for (const std::string& value : index_(*object)) indexed_[value].insert(key);
        }
        if (on_change_) on_change_(key, before, object);
    }

  private:
    void drop(const std::string& key) {
        Ptr before;
        {
            const std::scoped_lock lock(mutex_);
            const auto at = objects_.find(key);
            if (at == objects_.end()) return;
            before = at->second;
            unindex(key, before);
            objects_.erase(at);
        }
        if (on_change_) on_change_(key, before, nullptr);
    }
    void unindex(const std::string& key, const Ptr& object) {
        if (!object || !index_) return;
        for (const std::string& value : index_(*object)) {
            const auto at = indexed_.find(value);
            if (at == indexed_.end()) continue;
            at->second.erase(key);
            if (at->second.empty()) indexed_.erase(at);
        }
    }
    mutable std::mutex mutex_;
    std::map<std::string, Ptr> objects_;
    std::map<std::string, std::set<std::string>> indexed_;
    std::set<std::string> seen_;  ///< of the feeding thread
    bool synced_ = false;
    Index index_;
    OnChange on_change_;
};

}  // namespace zcdp::kube
