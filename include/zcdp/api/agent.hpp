// The JSON of the agent's socket (docs/design.md section 7). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/api/codec.hpp"
#include "zcdp/api/meta.hpp"
#include "zcdp/base/ids.hpp"

namespace zcdp::api {

/// POST /v1/sync and /v2/sync take this and answer with lines of SyncLine. What a member means, and what it is when it
/// is left out, stands at the option of its name: sync::SyncOptions, origin::OriginOptions.
///
/// /v1 passes over members that the agent does not know, which a person's wish must not be: all that came after the
/// members of kFirstSyncMembers is asked of /v2, which refuses what it does not know.
struct SyncRequest {
    std::string source, endpoint, region, profile;
    bool path_style = false, anonymous = false, skip_bad_keys = false;
    StringMap credentials;  ///< by the names of environment variables
    std::string sha256;
    std::vector<std::string> include, exclude;
    uint32_t connections = 0;
    uint64_t bytes_per_second = 0;
    // From here on /v2 only.
    bool dry_run = false, verify_parts = false;
    bool virtual_host = false, request_payer = false, dual_stack = false, follow_symlinks = false;
    std::string billing_project, sse_c_key_hex, source_address, ca_pem;
    std::string client_cert_pem, client_key_pem, client_cert_name, client_key_name;
    std::string proxy, proxy_user, proxy_password;
    Revision expected_revision;
    std::vector<std::string> denied_addresses;
    std::optional<uint32_t> retries;
    bool retries_are_given = false;
    std::optional<uint64_t> timeout_ms;
    uint64_t objects_max = 0;
    bool hold = false;  ///< the snapshot stays until this connection ends: the caller puts it somewhere
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("source", self.source), field("endpoint", self.endpoint), field("region", self.region),
            field("profile", self.profile);
        field("path_style", self.path_style), field("anonymous", self.anonymous),
            field("skip_bad_keys", self.skip_bad_keys);
        field("credentials", self.credentials), field("sha256", self.sha256);
        field("include", self.include), field("exclude", self.exclude), field("connections", self.connections);
        field("bytes_per_second", self.bytes_per_second);
        field("dry_run", self.dry_run), field("verify_parts", self.verify_parts);
        field("virtual_host", self.virtual_host), field("request_payer", self.request_payer),
            field("dual_stack", self.dual_stack), field("follow_symlinks", self.follow_symlinks);
        field("billing_project", self.billing_project), field("sse_c_key_hex", self.sse_c_key_hex),
            field("source_address", self.source_address), field("ca_pem", self.ca_pem);
        field("client_cert_pem", self.client_cert_pem), field("client_key_pem", self.client_key_pem),
            field("client_cert_name", self.client_cert_name), field("client_key_name", self.client_key_name);
        field("proxy", self.proxy), field("proxy_user", self.proxy_user), field("proxy_password", self.proxy_password),
            field("expected_revision", codec_text(self.expected_revision)),
            field("denied_addresses", self.denied_addresses);
        field("retries", self.retries), field("retries_are_given", self.retries_are_given),
            field("timeout_ms", self.timeout_ms), field("objects_max", self.objects_max), field("hold", self.hold);
    }
    bool operator==(const SyncRequest&) const = default;
};

/// The members that the first /v1/sync knew, and every agent knows.
inline constexpr std::string_view kFirstSyncMembers[] = {
    "source",      "endpoint", "region",  "profile", "path_style",  "anonymous",       "skip_bad_keys",
    "credentials", "sha256",   "include", "exclude", "connections", "bytes_per_second"};

struct LongFileProgress {
    std::string path;
    uint64_t bytes_done = 0, bytes_total = 0;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("path", self.path), field("bytes_done", self.bytes_done), field("bytes_total", self.bytes_total);
    }
    bool operator==(const LongFileProgress&) const = default;
};

/// sync::Progress.
struct SyncProgress {
    uint32_t phase = 0;  ///< sync::Phase
    uint64_t objects_listed = 0, objects_total = 0, objects_done = 0, bytes_total = 0, bytes_done = 0,
             objects_reused = 0, bytes_reused = 0;
    uint32_t connections = 0;
    uint64_t files_placed = 0, files_to_place = 0, bytes_placed = 0, bytes_to_place = 0;
    std::vector<LongFileProgress> long_files;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("phase", self.phase), field("objects_listed", self.objects_listed),
            field("objects_total", self.objects_total);
        field("objects_done", self.objects_done), field("bytes_total", self.bytes_total),
            field("bytes_done", self.bytes_done);
        field("objects_reused", self.objects_reused), field("bytes_reused", self.bytes_reused);
        field("connections", self.connections), field("files_placed", self.files_placed),
            field("files_to_place", self.files_to_place), field("bytes_placed", self.bytes_placed),
            field("bytes_to_place", self.bytes_to_place), field("long_files", self.long_files);
    }
    bool operator==(const SyncProgress&) const = default;
};

/// sync::SyncReport.
struct SyncResult {
    std::string snapshot;
    Revision revision;
    std::string path;
    uint64_t objects = 0, bytes = 0, objects_fetched = 0, bytes_fetched = 0, objects_received = 0, bytes_received = 0,
             objects_reused = 0, bytes_reused = 0, skipped = 0;
    std::vector<std::string> skipped_keys;
    uint64_t requests = 0, retries = 0, milliseconds = 0;
    uint64_t removed = 0, bytes_removed = 0;
    bool dry_run = false;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("snapshot", self.snapshot), field("revision", codec_text(self.revision)), field("path", self.path),
            field("objects", self.objects);
        field("bytes", self.bytes), field("objects_fetched", self.objects_fetched),
            field("bytes_fetched", self.bytes_fetched);
        field("objects_received", self.objects_received), field("bytes_received", self.bytes_received);
        field("objects_reused", self.objects_reused), field("bytes_reused", self.bytes_reused),
            field("skipped", self.skipped);
        field("skipped_keys", self.skipped_keys), field("requests", self.requests), field("retries", self.retries);
        field("milliseconds", self.milliseconds), field("removed", self.removed),
            field("bytes_removed", self.bytes_removed), field("dry_run", self.dry_run);
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
