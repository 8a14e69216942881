// An API server in memory for simulations: resource versions, conflicts, finalizers, uids, a status subresource,
// watches that lag, repeat and lose their history, and calls that fail before or after they took effect, all from a
// seed.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "zcdp/base/random.hpp"
#include "zcdp/kube/api.hpp"
#include "zcdp/kube/cache.hpp"

namespace zcdp::test {

namespace json = boost::json;
using kube::ApiError;
using kube::ApiErrorKind;
using kube::ApiResult;

struct SimEvent {
    bool deleted;
    json::object object;
};

/// What all clients share.
class SimServer {
  public:
    explicit SimServer(Clock& clock) : clock_(clock) {}
    std::map<std::string, std::map<std::string, json::object>> objects;  ///< plural -> key -> object
    std::map<std::string, std::vector<SimEvent>> log;                    ///< plural -> what watches will see
    uint64_t writes = 0;
    /// Called when an object is really gone.
    std::function<void(const std::string& plural, const json::object&)> on_gone;

    static std::string key_of(const json::object& object) {
        const json::object& meta = object.at("metadata").as_object();
        const json::value* ns = meta.if_contains("namespace");
        const std::string name(meta.at("name").as_string());
        return ns ? std::string(ns->as_string()) + "/" + name : name;
    }
    /// Looking changes nothing: several threads may look at once.
    json::object* find(const std::string& plural, const std::string& key) {
        const auto kind = objects.find(plural);
        if (kind == objects.end()) return nullptr;
        const auto at = kind->second.find(key);
        return at == kind->second.end() ? nullptr : &at->second;
    }
    /// Stores a changed object: a new version, an event; gone when it is deleting and has no finalizers left.
    json::object put(const std::string& plural, json::object object) {
        json::object& meta = object.at("metadata").as_object();
        meta["resourceVersion"] = std::to_string(++version_);
        ++writes;
        const std::string key = key_of(object);
        const json::value* finalizers = meta.if_contains("finalizers");
        const bool held = finalizers && finalizers->is_array() && !finalizers->get_array().empty();
        if (meta.contains("deletionTimestamp") && !held) {
            objects[plural].erase(key);
            log[plural].push_back({true, object});
            if (on_gone) on_gone(plural, object);
            return object;
        }
        objects[plural][key] = object;
        log[plural].push_back({false, object});
        return object;
    }
    json::object make(const std::string& plural, json::object object) {
        json::object& meta = object.at("metadata").as_object();
        meta["uid"] = "uid-" + std::to_string(++uids_);
        meta["generation"] = 1;
        meta["creationTimestamp"] = iso8601(clock_.unix_s());
        return put(plural, std::move(object));
    }
    void remove(const std::string& plural, const std::string& key) {
        json::object* found = find(plural, key);
        if (!found) return;
        json::object object = *found;
        json::object& meta = object.at("metadata").as_object();
        if (!meta.contains("deletionTimestamp")) meta["deletionTimestamp"] = iso8601(clock_.unix_s());
        put(plural, std::move(object));
    }
    std::string version() const { return std::to_string(version_); }

  private:
    Clock& clock_;
    uint64_t version_ = 0, uids_ = 0;
};

/// One client's connection, with its own luck.
class SimApi final : public kube::Api {
  public:
    SimApi(SimServer& server, Random& random) : server_(server), random_(random) {}
    double failure_rate = 0;
    std::function<void(const std::string& plural)> on_write;  ///< before each write that takes effect

    ApiResult<json::object> get(const kube::Resource& resource, const std::string& ns,
                                const std::string& name) override {
        if (unlucky()) return lost();
        if (const json::object* found = server_.find(resource.plural, key(ns, name))) return *found;
        return ApiError(ApiErrorKind::not_found, 404, "not found");
    }
    ApiResult<std::string> list(const kube::Resource& resource, const kube::ListOptions&,
                                const std::function<void(json::object&&)>& each) override {
        if (unlucky()) return lost();
        const auto kind = server_.objects.find(resource.plural);
        if (kind != server_.objects.end())
            for (const auto& [name, object] : kind->second) each(json::object(object));
        return server_.version();
    }
    ApiResult<> watch(const kube::Resource&, const kube::WatchOptions&, const std::function<void(kube::WatchEvent&&)>&,
                      std::stop_token) override {
        return ApiError(ApiErrorKind::invalid, 400, "simulations feed caches themselves");
    }
    ApiResult<json::object> create(const kube::Resource& resource, const std::string&, const json::object& object,
                                   const char*, const std::string&) override {
        if (std::string_view(resource.plural) == "events") return object;
        if (unlucky()) return lost();
        if (server_.find(resource.plural, SimServer::key_of(object)))
            return ApiError(ApiErrorKind::already_exists, 409, "already exists");
        return wrote(resource, [&] { return server_.make(resource.plural, object); });
    }
    ApiResult<json::object> replace(const kube::Resource& resource, const json::object& object,
                                    const char* subresource) override {
        if (unlucky()) return lost();
        const json::object* found = server_.find(resource.plural, SimServer::key_of(object));
        if (!found) return ApiError(ApiErrorKind::not_found, 404, "not found");
        const json::object& meta = object.at("metadata").as_object();
        const json::object& have = found->at("metadata").as_object();
        if (meta.contains("resourceVersion") && meta.at("resourceVersion") != have.at("resourceVersion"))
            return ApiError(ApiErrorKind::conflict, 409, "modified");
        if (meta.contains("uid") && meta.at("uid") != have.at("uid"))
            return ApiError(ApiErrorKind::conflict, 409, "another object");
        json::object next = *found;
        if (std::string_view(subresource) == "status") {
            if (const json::value* status = object.if_contains("status")) next["status"] = *status;
            else next.erase("status");
        } else {
            for (const auto& member : object)
                if (member.key() != "metadata") next[member.key()] = member.value();
        }
        if (next == *found) return next;
        return wrote(resource, [&] { return server_.put(resource.plural, std::move(next)); });
    }
    ApiResult<json::object> patch(const kube::Resource& resource, const std::string& ns, const std::string& name,
                                  kube::PatchKind kind, const json::value& body, const char*) override {
        if (unlucky()) return lost();
        const json::object* found = server_.find(resource.plural, key(ns, name));
        if (!found && kind == kube::PatchKind::apply)
            return wrote(resource, [&] { return server_.make(resource.plural, body.as_object()); });
        if (!found) return ApiError(ApiErrorKind::not_found, 404, "not found");
        json::value next = *found;
        if (kind == kube::PatchKind::json_patch) {
            if (!apply_json_patch(next, body.as_array()))
                return ApiError(ApiErrorKind::invalid, 422, "a test of the patch failed");
        } else {
            const json::value* version = body.as_object().contains("metadata")
                                             ? body.at("metadata").as_object().if_contains("resourceVersion")
                                             : nullptr;
            if (version && *version != found->at("metadata").at("resourceVersion"))
                return ApiError(ApiErrorKind::conflict, 409, "modified");
            const json::value* uid =
                body.as_object().contains("metadata") ? body.at("metadata").as_object().if_contains("uid") : nullptr;
            if (uid && *uid != found->at("metadata").at("uid"))
                return ApiError(ApiErrorKind::conflict, 409, "another object");
            if (kind == kube::PatchKind::strategic) merge_conditions(next, body);
            else merge(next, body);
        }
        if (next == json::value(*found)) return next.as_object();
        return wrote(resource, [&] { return server_.put(resource.plural, std::move(next.as_object())); });
    }
    ApiResult<> remove(const kube::Resource& resource, const std::string& ns, const std::string& name,
                       const std::string& uid) override {
        if (unlucky()) return lost();
        const json::object* found = server_.find(resource.plural, key(ns, name));
        if (!found) return ApiError(ApiErrorKind::not_found, 404, "not found");
        if (!uid.empty() && found->at("metadata").at("uid") != json::value(uid))
            return ApiError(ApiErrorKind::conflict, 409, "another object");
        if (on_write) on_write(resource.plural);
        server_.remove(resource.plural, key(ns, name));
        return {};
    }
    ApiResult<std::string> raw_get(const std::string&) override { return std::string("{}"); }

  private:
    static std::string key(const std::string& ns, const std::string& name) {
        return ns.empty() ? name : ns + "/" + name;
    }
    static ApiError lost() { return ApiError(ApiErrorKind::unreachable, 0, "the simulated network lost it"); }
    bool unlucky() { return failure_rate > 0 && random_.unit() < failure_rate; }
    /// Takes effect; the answer may get lost all the same.
    ApiResult<json::object> wrote(const kube::Resource& resource, const std::function<json::object()>& act) {
        if (on_write) on_write(resource.plural);
        json::object out = act();
        if (unlucky()) return lost();
        return out;
    }
    static void merge(json::value& target, const json::value& patch) {
        if (!patch.is_object()) {
            target = patch;
            return;
        }
        if (!target.is_object()) target = json::object();
        for (const auto& member : patch.get_object()) {
            if (member.value().is_null()) target.get_object().erase(member.key());
            else merge(target.get_object()[member.key()], member.value());
        }
    }
    /// A strategic patch, as far as it is used: conditions of the status, each found by its type.
    static void merge_conditions(json::value& target, const json::value& patch) {
        json::value& have = target.as_object()["status"];
        if (!have.is_object()) have = json::object();
        json::value& list = have.as_object()["conditions"];
        if (!list.is_array()) list = json::array();
        for (const json::value& wanted : patch.at("status").at("conditions").as_array()) {
            auto& conditions = list.get_array();
            const auto same = std::find_if(conditions.begin(), conditions.end(),
                                           [&](const json::value& one) { return one.at("type") == wanted.at("type"); });
            if (same == conditions.end()) conditions.push_back(wanted);
            else merge(*same, wanted);
        }
    }
    static bool apply_json_patch(json::value& target, const json::array& patch) {
        for (const json::value& step : patch) {
            const std::string op(step.at("op").as_string()), path(step.at("path").as_string());
            boost::system::error_code code;
            if (op == "test") {
                const json::value* found = target.find_pointer(path, code);
                if (!found || *found != step.at("value")) return false;
            } else if (op == "remove") {
                const size_t slash = path.rfind('/');
                json::value* parent = target.find_pointer(path.substr(0, slash), code);
                if (!parent || !parent->is_array()) return false;
                parent->get_array().erase(parent->get_array().begin() + std::stol(path.substr(slash + 1)));
            } else {
                const size_t slash = path.rfind('/');
                json::value* parent = target.find_pointer(path.substr(0, slash), code);
                if (!parent || !parent->is_object()) return false;
                parent->get_object()[path.substr(slash + 1)] = step.at("value");
            }
        }
        return true;
    }
    SimServer& server_;
    Random& random_;
};

/// One cache's watch: delivers what the server logged, late, at times twice, at times from a new list.
class SimWatch {
  public:
    SimWatch(SimServer& server, const char* plural, kube::CacheSink& sink)
        : server_(server), plural_(plural), sink_(sink) {}
    void relist() {
        sink_.begin_replace();
        for (const auto& [key, object] : server_.objects[plural_]) sink_.put(json::object(object));
        sink_.end_replace();
        position_ = server_.log[plural_].size();
    }
    /// Delivers up to `count` events; repeats the last one if `twice`. True when something came.
    bool pump(size_t count, bool twice) {
        const auto& log = server_.log[plural_];
        const size_t end = std::min(log.size(), position_ + count);
        if (twice && position_ > 0 && !log[position_ - 1].deleted) sink_.put(json::object(log[position_ - 1].object));
        const bool any = position_ < end;
        for (; position_ < end; ++position_) {
            if (log[position_].deleted) sink_.erase(log[position_].object);
            else sink_.put(json::object(log[position_].object));
        }
        return any;
    }
    bool caught_up() const { return position_ == server_.log[plural_].size(); }

  private:
    SimServer& server_;
    const std::string plural_;
    kube::CacheSink& sink_;
    size_t position_ = 0;
};

}  // namespace zcdp::test
