// What a watch has seen of one kind, as typed objects that anybody may keep.
//
// Thread rule: any thread; one mutex, held for a lookup. Readers get shared_ptr<const T>: an object never changes, a
// new state is a new one. Keys are "NAMESPACE/NAME" or "NAME".
//
// An object that cannot be read as a T (of a newer version, or put past the schema) is there all the same: it stands in
// unreadable(), and get() goes on giving the last state that could be read. It is gone when it is gone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "zcdp/api/meta.hpp"
#include "zcdp/base/guarded.hpp"
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

    /// Takes away what nobody looks at, so that many objects stay small.
    using Trim = std::function<void(T&)>;

    explicit Cache(Index index = {}, Trim trim = {}) : index_(std::move(index)), trim_(std::move(trim)) {}
    void on_change(OnChange call) { on_change_ = std::move(call); }  ///< before anything feeds it
    /// Called when an object cannot be read, once for each error of it; set before anything feeds it.
    using OnUnreadable = std::function<void(const std::string& key, const std::string& error)>;
    void on_unreadable(OnUnreadable call) { on_unreadable_ = std::move(call); }

    Ptr get(const std::string& key) const {
        const MutexLock lock(mutex_);
        const auto at = objects_.find(key);
        return at == objects_.end() ? nullptr : at->second;
    }
    std::vector<Ptr> list() const {
        const MutexLock lock(mutex_);
        std::vector<Ptr> out;
        out.reserve(objects_.size());
        for (const auto& [key, object] : objects_) out.push_back(object);
        return out;
    }
    std::vector<Ptr> by_index(const std::string& value) const {
        const MutexLock lock(mutex_);
        std::vector<Ptr> out;
        if (const auto at = indexed_.find(value); at != indexed_.end())
            for (const std::string& key : at->second) out.push_back(objects_.at(key));
        return out;
    }
    size_t size() const {
        const MutexLock lock(mutex_);
        return objects_.size();
    }
    /// The objects that cannot be read now, by key, each with what is wrong with it.
    std::map<std::string, std::string> unreadable() const {
        const MutexLock lock(mutex_);
        return unreadable_;
    }
    bool is_unreadable(const std::string& key) const {
        const MutexLock lock(mutex_);
        return unreadable_.contains(key);
    }
    bool synced() const {
        const MutexLock lock(mutex_);
        return synced_;
    }

    void begin_replace() override {
        seen_.clear();
        replacing_ = true;
    }
    void put(json::object&& raw) override {
        const std::string key = key_of(raw);
        auto parsed = api::from_json<T>(json::value(std::move(raw)));
        if (!key.empty() && replacing_) seen_.insert(key);
        if (!parsed) return note_unreadable(key, parsed.error().what());
        if (trim_) trim_(*parsed);
        store(std::make_shared<const T>(std::move(*parsed)), replacing_);
    }
    /// The answer to a write, before the watch brings it: the next decision sees its own last one.
    void learn(const json::object& raw) {
        auto parsed = api::from_json<T>(json::value(raw));
        if (parsed && trim_) trim_(*parsed);
        if (parsed) store(std::make_shared<const T>(std::move(*parsed)), false);
    }
    void end_replace() override {
        std::vector<std::string> gone;
        {
            const MutexLock lock(mutex_);
            for (const auto& [key, object] : objects_)
                if (!seen_.contains(key)) gone.push_back(key);
            std::erase_if(unreadable_, [this](const auto& entry) { return !seen_.contains(entry.first); });
            synced_ = true;
        }
        for (const std::string& key : gone) drop(key);
        seen_.clear();
        replacing_ = false;
    }
    void erase(const json::object& raw) override {
        if (const std::string key = key_of(raw); !key.empty()) drop(key);
    }

  private:
    /// Of an object that may be anything: "" when it has no name.
    static std::string key_of(const json::object& raw) {
        const json::value* value = raw.if_contains("metadata");
        const json::object* metadata = value ? value->if_object() : nullptr;
        const auto text = [metadata](const char* name) {
            const json::value* member = metadata ? metadata->if_contains(name) : nullptr;
            return member && member->is_string() ? std::string(member->get_string()) : std::string();
        };
        api::ObjectMeta out;
        out.namespace_ = text("namespace"), out.name = text("name");
        return out.name.empty() ? "" : out.key();
    }
    void note_unreadable(const std::string& key, const std::string& error) {
        if (!key.empty()) {
            const MutexLock lock(mutex_);
            std::string& noted = unreadable_[key];
            if (noted == error) return;
            noted = error;
        }
        if (on_unreadable_) on_unreadable_(key, error);
    }
    /// A state older than the one that is known is passed over, unless a list says that this is how it is.
    void store(Ptr object, bool even_if_older) {
        const std::string key = object->metadata.key();
        Ptr before;
        {
            const MutexLock lock(mutex_);
            unreadable_.erase(key);
            Ptr& place = objects_[key];
            before = place;
            const bool same_object = before && before->metadata.uid == object->metadata.uid;
            if (same_object && before->metadata.resource_version == object->metadata.resource_version) return;
            if (same_object && !even_if_older &&
                is_older(object->metadata.resource_version, before->metadata.resource_version))
                return;
            place = object;
            unindex(key, before);
            if (index_)
                for (const std::string& value : index_(*object)) indexed_[value].insert(key);
        }
        if (on_change_) on_change_(key, before, object);
    }
    /// Resource versions are whole numbers that grow (Kubernetes 1.35 promises what was always so).
    static bool is_older(const std::string& a, const std::string& b) {
        return a.size() != b.size() ? a.size() < b.size() : a < b;
    }
    void drop(const std::string& key) {
        Ptr before;
        {
            const MutexLock lock(mutex_);
            unreadable_.erase(key);
            const auto at = objects_.find(key);
            if (at == objects_.end()) return;
            before = at->second;
            unindex(key, before);
            objects_.erase(at);
        }
        if (on_change_) on_change_(key, before, nullptr);
    }
    void unindex(const std::string& key, const Ptr& object) ZCDP_REQUIRES(mutex_) {
        if (!object || !index_) return;
        for (const std::string& value : index_(*object)) {
            const auto at = indexed_.find(value);
            if (at == indexed_.end()) continue;
            at->second.erase(key);
            if (at->second.empty()) indexed_.erase(at);
        }
    }
    mutable Mutex mutex_;
    std::map<std::string, Ptr> objects_ ZCDP_GUARDED_BY(mutex_);
    std::map<std::string, std::set<std::string>> indexed_ ZCDP_GUARDED_BY(mutex_);
    std::map<std::string, std::string> unreadable_ ZCDP_GUARDED_BY(mutex_);
    std::set<std::string> seen_;  ///< of the feeding thread, as is replacing_
    bool replacing_ = false;
    bool synced_ ZCDP_GUARDED_BY(mutex_) = false;
    Index index_;
    Trim trim_;
    OnChange on_change_;
    OnUnreadable on_unreadable_;
};

}  // namespace zcdp::kube
