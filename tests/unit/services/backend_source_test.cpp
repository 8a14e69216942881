// From a Dataset's source.uri and a StorageBackend to the SOURCE that is read: never another bucket than the backend's.
#include <yaml-cpp/yaml.h>

#include <regex>

#include "src/origin/http/web_source.hpp"
#include "src/origin/s3/location.hpp"
#include "src/services/backend/backend_source.hpp"
#include "src/services/controller/decide/decide_dataset.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::services {
namespace {

using namespace backend;
using namespace controller;

constexpr const char* kArn = "arn:aws:s3:us-west-2:123456789012:accesspoint/models";

api::StorageBackend backend_of(const std::string& type, const std::string& bucket) {
    api::StorageBackend out;
    out.metadata.name = "b";
    out.spec.type = type, out.spec.bucket = bucket;
    out.spec.allowed_namespaces = {"n"};
    return out;
}

ResolvedSource resolved(const api::StorageBackend& backend, const std::string& uri, const std::string& version = "") {
    api::Dataset dataset;
    dataset.metadata.namespace_ = "n";
    dataset.spec.source.uri = uri, dataset.spec.source.version = version;
    return resolve_source(dataset, {std::make_shared<const api::StorageBackend>(backend)});
}

/// What is read in the end; "" when nothing is.
std::string read_from(const api::StorageBackend& backend, const std::string& uri) {
    const ResolvedSource source = resolved(backend, uri);
    return source.backend ? source_of(*source.backend, source.prefix).value() : "";
}

}  // namespace

TEST_CASE("a uri with a versionId is that one version of that one object") {
    const auto backend = backend_of("s3", "b");
    const std::string uri = "s3://b/models/llama.bin?versionId=L4kqtJlcp+1=";
    REQUIRE(read_from(backend, uri) == uri);
    const auto where = origin::s3::parse_location(read_from(backend, uri)).value();
    CHECK(where.bucket == "b");
    CHECK(where.object == "models/llama.bin");
    CHECK(where.version == "L4kqtJlcp+1=");
    // A folder of such a name is written with its slash; another query is left to the origin to refuse, as on the
    // command line.
    CHECK(read_from(backend, "s3://b/q?a=b/") == "s3://b/q?a=b/");
    CHECK(origin::s3::parse_location(read_from(backend, "s3://b/q?a=b")).error().kind() == ErrorKind::usage);
    CHECK(read_from(backend, "s3://b/who?") == "s3://b/who?");
    // Only S3 has it.
    CHECK(read_from(backend_of("gcs", "b"), "gs://b/k?versionId=1") == "gs://b/k?versionId=1");
    CHECK(read_from(backend_of("oss", "b"), "oss://b/k?versionId=1") == "oss://b/k?versionId=1");
    const ResolvedSource below = resolved(backend, uri, "v2");
    CHECK_FALSE(below.backend);
    CHECK(below.reason == api::Reason::invalid_spec);
    CHECK(below.message.find("leave source.version out") != std::string::npos);
    CHECK(resolved(backend, "s3://b/q?a=b/", "v2").prefix == "q?a=b/v2/");
}

TEST_CASE("an access point's ARN can be a backend's bucket") {
    const auto backend = backend_of("s3", kArn);
    const std::string uri = std::string("s3://") + kArn + "/set";
    CHECK(read_from(backend, uri) == uri);
    const auto where = origin::s3::parse_location(source_of(backend, "set/").value()).value();
    CHECK(where.bucket == kArn);
    CHECK(where.access_point == "models-123456789012");
    CHECK(where.region == "us-west-2");
    CHECK(where.prefix == "set/");
    CHECK(read_from(backend, uri + "/k?versionId=V") == uri + "/k?versionId=V");
    CHECK(read_from(backend, std::string("s3://") + kArn) == std::string("s3://") + kArn + "/");
}

TEST_CASE("a version is a folder below what the source names") {
    const auto prefix = [](const std::string& type, api::DatasetSource source) {
        api::StorageBackend backend = backend_of(type, "b");
        if (type == "http") backend.spec.endpoint = "https://host";
        return prefix_of(backend.spec, source).value_or("none");
    };
    CHECK(prefix("s3", {"b", "a/b", "v2", "", {}, {}}) == "a/b/v2/");
    CHECK(prefix("s3", {"b", "a/b", "", "", {}, {}}) ==
          "a/b/");  // a backend's prefix is a folder with or without its slash
    CHECK(prefix("s3", {"b", "", "", "", {}, {}}).empty());
    CHECK(prefix("s3", {"", "", "v2", "s3://b/a", {}, {}}) == "a/v2/");
    CHECK(prefix("s3", {"", "", "", "s3://b/a/model.bin", {}, {}}) == "a/model.bin");  // a folder, or that one object
    CHECK(prefix("s3", {"", "", "", "s3://b", {}, {}}).empty());
    CHECK(prefix("s3", {"", "", "v2", "s3://b", {}, {}}) == "v2/");
    CHECK(prefix("s3", {"", "", "", "s3://bb/a", {}, {}}) == "none");
    CHECK(prefix("http", {"", "", "v2", "https://host/a", {}, {}}) == "a/v2/");
    CHECK(prefix("hf", {"", "", "v2", "hf://org/name", {}, {}}) == "org/name/v2/");
    // Without an ORG a folder would be read as the name, but not behind a revision.
    for (const std::string& repository : {"gpt2", "models/gpt2", "datasets/squad"}) {
        CHECK(prefix("hf", {"", "", "v2", "hf://" + repository, {}, {}}) == repository + "@main/v2/");
        CHECK(prefix("hf", {"b", repository, "v2", "", {}, {}}) == repository + "@main/v2/");
        CHECK(prefix("hf", {"b", repository + "@v1", "v2", "", {}, {}}) == repository + "@v1/v2/");
        CHECK(origin::http::parse_repository("hf://" + repository + "@main/v2/").value().folder == "v2/");
    }
}

TEST_CASE("a hub's repository, with an ORG or without") {
    const auto backend = backend_of("hf", "");
    for (const auto& [uri, id] :
         std::vector<std::pair<std::string, std::string>>{{"hf://org/name@v1/a", "models/org/name"},
                                                          {"hf://gpt2", "models/gpt2"},
                                                          {"hf://datasets/squad@v1", "datasets/squad"}}) {
        INFO(uri);
        CHECK(read_from(backend, uri) == uri + "/");
        CHECK(origin::http::parse_repository(read_from(backend, uri)).value().id == id);
        CHECK(origin::http::parse_repository(source_of(backend, uri.substr(5)).value()).value().id == id);
    }
}

TEST_CASE("no uri leads out of the backend's bucket") {
    const std::vector<std::string> rests{"",
                                         "/",
                                         "/k",
                                         "x/k",
                                         "-x/k",
                                         ":k",
                                         "/../other/k",
                                         "/a/../../other/k",
                                         "/..",
                                         "/./k",
                                         "/..?versionId=1",
                                         "/../other/k?versionId=1",
                                         "?versionId=1",
                                         "/?versionId=1",
                                         "/k?versionId=",
                                         "/k?versionId=1&x=2",
                                         "/arn:aws:s3:us-west-2:1:accesspoint/other/k",
                                         "//k",
                                         "@other/k",
                                         "#/k"};
    for (const std::string bucket : {"b", "arn", kArn}) {
        const auto backend = backend_of("s3", bucket);
        for (const std::string other :
             {"b", "arn", "other", kArn, "arn:aws:s3:us-west-2:123456789012:accesspoint/model"})
            for (const std::string& rest : rests) {
                const std::string uri = "s3://" + other + rest;
                INFO(bucket << " " << uri);
                const std::string source = read_from(backend, uri);
                if (source.empty()) continue;
                CHECK(other == bucket);
                CHECK(rest.find("..") == std::string::npos);
                if (const auto where = origin::s3::parse_location(source)) CHECK(where->bucket == bucket);
            }
    }
    api::StorageBackend web = backend_of("http", "");
    web.spec.endpoint = "https://host";
    CHECK(read_from(web, "https://host/a/b.bin") == "https://host/a/b.bin");
    for (const char* uri :
         {"https://host/a/../b", "https://host/a/%2e%2E/b", "https://host/..", "https://host/a%2f..%2fb"}) {
        const ResolvedSource source = resolved(web, uri);
        INFO(uri);
        CHECK_FALSE(source.backend);
        CHECK(source.reason == api::Reason::invalid_spec);
    }
    CHECK(resolved(backend_of("s3", "b"), "s3://b/../c/k").message.find(". or ..") != std::string::npos);
}

TEST_CASE("what the API server takes as a bucket is one bucket or one access point") {
    const YAML::Node crd = YAML::LoadFile(std::string(ZCDP_SOURCE_DIR) + "/manifests/crds/storagebackends.yaml");
    const YAML::Node bucket =
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["bucket"];
    const std::regex pattern(bucket["pattern"].as<std::string>());
    for (const std::string good : {"b", "My_bucket.1", "my-alias-s3alias", "n--usw2-az1--x-s3", kArn,
                                   "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/a"}) {
        INFO(good);
        CHECK(std::regex_match(good, pattern));
        const auto where = origin::s3::parse_location(source_of(backend_of("s3", good), "p/").value()).value();
        CHECK(where.bucket == good);
        CHECK(where.prefix == "p/");
    }
    for (const std::string wrong :
         {"", ".b", "a/b", "a:b", "arn:aws:s3:::b", "arn:aws:s3:us-west-2:1:accesspoint/a",
          "arn:aws:s3:us-west-2:123456789012:accesspoint/a/b", "arn:aws:s3::123456789012:accesspoint/a.mrap",
          "arn:aws:s3-outposts:us-west-2:123456789012:accesspoint/a",
          "arn:aws:s3:us-west-2:123456789012:accesspoint/a?b"}) {
        INFO(wrong);
        CHECK_FALSE(std::regex_match(wrong, pattern));
    }
}

}  // namespace zcdp::services
