#!/usr/bin/env python3
"""Every parser of outside bytes (docs/design.md section 10) has a fuzz target.

Looked at is each header that declares parse_WHAT() or TYPE::parse(). It has to stand in FUZZED, among parsers that are
called otherwise, and there the target has to include its header and call it, or call what is said to lead to it; or in
OWN, with the reason for which its bytes are not from outside. CSI's messages are taken apart by protobuf; what a pod
wrote into a volume's attributes is read here.
"""

import re
import sys

import kit

# header: {function: target, or (target, the function by which the target comes there)}
FUZZED = {
    "include/zcdp/api/dataset_key.hpp": {"DatasetKey::parse": "services_objects"},
    "include/zcdp/api/listing.hpp": {"parse_listing_line": "services_objects"},
    "include/zcdp/api/meta.hpp": {"parse_time": ("services_objects", "from_json")},
    "include/zcdp/api/word.hpp": {"E::parse": ("services_objects", "from_json")},
    "include/zcdp/api/resources.hpp": {"parse_quantity": ("services_objects", "from_json")},
    "include/zcdp/base/base64.hpp": {"from_base64": "base_texts", "from_base64url": "base_texts"},
    "include/zcdp/base/clock.hpp": {"parse_http_date": "base_texts", "parse_iso8601": "base_texts"},
    "include/zcdp/base/digest.hpp": {"Digest::parse": "base_texts"},
    "include/zcdp/base/json_parse.hpp": {"parse_json": ("origin_credentials", "parse_json_credentials")},
    "include/zcdp/base/paths.hpp": {"check_path": "base_path", "check_symlink": "base_path"},
    "include/zcdp/base/percent.hpp": {"percent_decode": "base_texts"},
    "include/zcdp/base/units.hpp": {
        "parse_size": "base_texts",
        "parse_rate": "base_texts",
        "parse_duration_ms": "base_texts",
    },
    "include/zcdp/datastore/key.hpp": {"parse_key": "datastore_records"},
    "include/zcdp/datastore/records.hpp": {"RecordReader": "datastore_records"},
    "include/zcdp/datastore/wire.hpp": {
        "parse_key_kind": ("datastore_records", "parse_item"),
        "parse_item": "datastore_records",
        "parse_item_page": "datastore_records",
        "parse_upload_intent": "datastore_records",
        "parse_upload_begun": "datastore_records",
        "parse_committed": "datastore_records",
        "parse_error": "datastore_records",
    },
    "include/zcdp/net/conditions.hpp": {
        "evaluate_conditions": "services_range",
        "evaluate_range": "services_range",
    },
    "include/zcdp/net/endpoint.hpp": {
        "Endpoint::parse": "net_response",
        "BaseUrl::parse": "origin_location",
        "Proxy::parse": ("kube_kubeconfig", "parse_kubeconfig"),
    },
    "include/zcdp/store/manifest.hpp": {"ManifestReader": "store_manifest"},
    "include/zcdp/swarm/have_map.hpp": {"HaveMap::decode": "swarm_have_map"},
    "include/zcdp/swarm/wire.hpp": {"News::decode": "swarm_news"},
    "src/datastore/server/many_files.hpp": {"parse_paths": "datastore_requests"},
    "src/datastore/server/tokens.hpp": {"bearer_of": "datastore_requests"},
    "src/kube/kubeconfig.hpp": {"parse_kubeconfig": "kube_kubeconfig"},
    "src/kube/reviews.hpp": {
        "bearer_token": "kube_reviews",
        "is_token": "kube_reviews",
        "jwt_expiry_s": "kube_reviews",
        "parse_token_review": "kube_reviews",
        "parse_access_review": "kube_reviews",
    },
    "src/net/client/chunked.hpp": {"ChunkedDecoder": "net_response"},
    "src/net/server/request.hpp": {"parse_head": "net_request"},
    "src/net/client/response_header.hpp": {
        "ResponseHeader": "net_response",
        "parse_status_line": ("net_response", "ResponseHeader"),
        "parse_fields": ("net_response", "ResponseHeader"),
    },
    "src/origin/azure/answers.hpp": {"ListParser": "origin_pages", "parse_error": "origin_pages"},
    "src/origin/azure/azure_protocol.hpp": {"parse_location": "origin_location"},
    "src/origin/gcs/answers.hpp": {
        "ListParser": "origin_pages",
        "parse_error": "origin_pages",
        "parse_object": "origin_pages",
    },
    "src/origin/gcs/credentials.hpp": {"parse_account": "origin_pages"},
    "src/origin/http/html.hpp": {"parse_html": ("origin_pages", "parse_index")},
    "src/origin/http/hub.hpp": {"parse_tree": "origin_pages"},
    "src/origin/http/index.hpp": {"parse_index": "origin_pages", "Place::parse": ("origin_pages", "at_base")},
    "src/origin/http/netrc.hpp": {"netrc_login": "origin_pages"},
    "src/origin/http/web_source.hpp": {"parse_repository": ("origin_location", "configure_repository")},
    "src/origin/http/sums.hpp": {"parse_sums": "origin_pages"},
    "src/origin/oss/credentials.hpp": {"parse_credentials": "origin_credentials"},
    "src/origin/remote/answers.hpp": {"parse_content_range": "services_range"},
    "src/origin/remote/token.hpp": {
        "parse_token": "origin_pages",
        "parse_json_object": ("origin_credentials", "parse_json_credentials"),
    },
    "src/origin/remote/xml.hpp": {"XmlReader": ("origin_list_xml", "ListParser")},
    "src/origin/s3/answers.hpp": {"parse_error": "origin_list_xml"},
    "src/origin/s3/credentials.hpp": {
        "parse_sts_answer": "origin_credentials",
        "parse_json_credentials": "origin_credentials",
    },
    "src/origin/s3/list_page.hpp": {"ListParser": "origin_list_xml"},
    "src/origin/s3/location.hpp": {"parse_location": "origin_location"},
    "src/origin/s3/profile.hpp": {"parse_sections": "origin_profile", "AwsFiles::parse": "origin_profile"},
    "src/origin/s3/profile_credentials.hpp": {"parse_sso_answer": "origin_credentials"},
    "src/services/agent/mount_table.hpp": {"data_mounts": "services_objects"},
    "src/services/backend/nested_mounts.hpp": {"read_below": "services_objects"},
    "src/services/controller/webhook/mutate_pod.hpp": {"mutate_pod": "services_objects"},
    "src/services/serve/signature.hpp": {"check_signature": "services_signature"},
    "src/services/serve/uri.hpp": {"parse_target": "services_target"},
}
# Not from outside: who writes these owns the process that reads them.
OWN = {
    ("include/zcdp/api/meta.hpp", "parse_labels"): "a flag: --nodes",
    ("include/zcdp/net/endpoint.hpp", "AddressRules::parse"): "a flag: --deny-address",
    ("include/zcdp/net/endpoint.hpp", "Proxies::parse"): "the environment: https_proxy and its like",
    ("include/zcdp/net/listen.hpp", "Listen::parse"): "a flag: --listen",
    ("include/zcdp/store/lock_holder.hpp", "parse_lock"): "the store's own lock file",
    ("include/zcdp/store/manifest.hpp", "SnapshotId::parse"): "64 hex digits, of a flag or an object's name",
    ("src/net/client/client_identity.hpp", "parse_client_identity"): "the user's own PEM files, read by OpenSSL",
    ("include/zcdp/store/blob_name.hpp", "parse_blob_name"): "names that the store made itself",
}

DECLARED = re.compile(r"\b(parse_\w+)\s*\(|\bstatic\s[^;{}()]*?\s(parse)\s*\(")
CLASS = re.compile(r"\b(?:class|struct)\s+(\w+)[^;{(]*\{")


def declared(code: str):
    """(line, function) of each parser that this header declares."""
    for match in DECLARED.finditer(code):
        name = match[1]
        if not name:
            name = [m[1] for m in CLASS.finditer(code, 0, match.start())][-1] + "::parse"
        yield code.count("\n", 0, match.start()) + 1, name


def gap(top, header: str, function: str, where) -> str | None:
    """What is missing of this row."""
    target, caller = where if isinstance(where, tuple) else (where, function)
    if not (top / header).exists():
        return f"{header}:1: is not there, but stands in FUZZED"
    if not re.search(rf"\b{function.split('::')[0]}\b", (top / header).read_text()):
        return f"{header}:1: has no {function}, which stands in FUZZED"
    path = f"tests/fuzz/fuzz_{target}.cpp"
    text = kit.without_comments((top / path).read_text()) if (top / path).exists() else ""
    included = not isinstance(where, str) or f'#include "{header.removeprefix("include/")}"' in text
    if not included or not re.search(rf"\b{caller}\b", text):
        return f"{header}:1: {function} is not fuzzed: {path} does not call {caller} of it"
    return None


def main() -> int:
    top, looked_at = kit.root(), 0
    found = [gap(top, header, name, where) for header, row in FUZZED.items() for name, where in row.items()]
    seen = set()
    for header in kit.sources(top, "include", "src"):
        if not header.endswith(".hpp"):
            continue
        for line, name in declared(kit.code_of((top / header).read_text())):
            looked_at += 1
            seen.add((header, name))
            if name not in FUZZED.get(header, ()) and (header, name) not in OWN:
                found.append(f"{header}:{line}: {name} has no fuzz target (tests/tidy/fuzzed.py)")
    found += [f"{header}:1: has no {name}, which stands in OWN" for header, name in OWN.keys() - seen]
    return kit.report(looked_at, [line for line in found if line], "fuzzed")


if __name__ == "__main__":
    sys.exit(main())
