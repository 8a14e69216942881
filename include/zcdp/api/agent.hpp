// The JSON of the agent's socket (docs/design.md section 7). Pure.
#pragma once

#include <string>
#include <vector>

#include "zcdp/api/meta.hpp"

#include "zcdp/api/codec.hpp"

namespace zcdp::api {

/// POST /v1/sync takes this and answers with lines of SyncLine.
struct SyncRequest {
    std::string source, endpoint, region, profile;
    bool path_style = false, anonymous = false, skip_bad_keys = false;
    StringMap credentials;  ///< by the names of environment variables
    std::string sha256;
    std::vector<std::string> include, exclude;
    uint32_t connections = 0;
    uint64_t bytes_per_second = 0;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("source", self.source), field("endpoint", self.endpoint), field("region", self.region),
            field("profile", self.profile);
        field("path_style", self.path_style), field("anonymous", self.anonymous),
            field("skip_bad_keys", self.skip_bad_keys);
        field("credentials", self.credentials), field("sha256", self.sha256);
        field("include", self.include), field("exclude", self.exclude), field("connections", self.connections);
        field("bytes_per_second", self.bytes_per_second);
    }
    bool operator==(const SyncRequest&) const = default;
};

struct SyncProgress {
    uint32_t phase = 0;  ///< sync::Phase
    uint64_t objects_listed = 0, objects_total = 0, objects_done = 0, bytes_total = 0, bytes_done = 0,
             objects_reused = 0, bytes_reused = 0;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("phase", self.phase), field("objects_listed", self.objects_listed),
            field("objects_total", self.objects_total);
        field("objects_done", self.objects_done), field("bytes_total", self.bytes_total),
            field("bytes_done", self.bytes_done);
        field("objects_reused", self.objects_reused), field("bytes_reused", self.bytes_reused);
    }
    bool operator==(const SyncProgress&) const = default;
};

struct SyncResult {
    std::string snapshot, revision, path;
    uint64_t objects = 0, bytes = 0, objects_fetched = 0, bytes_fetched = 0, objects_reused = 0, bytes_reused = 0,
             skipped = 0;
    std::vector<std::string> skipped_keys;
    uint64_t requests = 0, retries = 0, milliseconds = 0;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("snapshot", self.snapshot), field("revision", self.revision), field("path", self.path),
            field("objects", self.objects);
        field("bytes", self.bytes), field("objects_fetched", self.objects_fetched),
            field("bytes_fetched", self.bytes_fetched);
        field("objects_reused", self.objects_reused), field("bytes_reused", self.bytes_reused),
            field("skipped", self.skipped);
        field("skipped_keys", self.skipped_keys), field("requests", self.requests), field("retries", self.retries);
        field("milliseconds", self.milliseconds);
    }
    bool operator==(const SyncResult&) const = default;
};

struct WireError {
    std::string kind, what, object, hint;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("kind", self.kind), field("what", self.what), field("object", self.object), field("hint", self.hint);
    }
    bool operator==(const WireError&) const = default;
};

/// One line: exactly one of the three is set; result or error is the last.
struct SyncLine {
    std::optional<SyncProgress> progress;
    std::optional<SyncResult> result;
    std::optional<WireError> error;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("progress", self.progress), field("result", self.result), field("error", self.error);
    }
    bool operator==(const SyncLine&) const = default;
};

/// An Error as it travels, and back: the kind as its word; one that is not known here is `failed`.
WireError to_wire(const Error& error);
Error from_wire(const WireError& wire);

}  // namespace zcdp::api
