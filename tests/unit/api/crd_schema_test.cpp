// The CRDs in manifests/crds/ and the C++ types have the same fields, of the same kinds: neither can drift from the
// other.
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>
#include <string>

#include "tests/support/doctest.hpp"
#include "zcdp/api/types.hpp"

#ifndef ZCDP_SOURCE_DIR
#error "the build says where the sources are"
#endif

namespace zcdp::api {
namespace {

using Fields = std::map<std::string, std::string>;  // "spec.source.backend" -> "string"

template <class T>
void describe(const std::string& path, Fields& out) {
    if constexpr (std::same_as<T, std::string> || IsWord<T>) out[path] = "string";
    else if constexpr (std::same_as<T, bool>) out[path] = "boolean";
    else if constexpr (std::integral<T>) out[path] = "integer";
    else if constexpr (std::same_as<T, IntOrString>) out[path] = "int-or-string";
    else if constexpr (requires { typename T::mapped_type; }) out[path] = "map";
    else if constexpr (Described<T>) {
        T value;
        T::fields(value, [&](const char* name, auto& member) {
            describe<std::remove_cvref_t<decltype(member)>>(path + "." + name, out);
        });
    } else if constexpr (requires(T t) { t.has_value(); }) {
        describe<typename T::value_type>(path, out);
    } else {
        describe<typename T::value_type>(path + "[]", out);
    }
}

void describe(const YAML::Node& schema, const std::string& path, Fields& out) {
    if (schema["x-kubernetes-int-or-string"]) {
        out[path] = "int-or-string";
    } else if (schema["additionalProperties"]) {
        out[path] = "map";
    } else if (const auto type = schema["type"].as<std::string>(); type == "object") {
        for (const auto& property : schema["properties"])
            describe(property.second, path + "." + property.first.as<std::string>(), out);
    } else if (type == "array") {
        describe(schema["items"], path + "[]", out);
    } else {
        out[path] = type;
    }
}

template <class T>
void compare(const std::string& file) {
    const YAML::Node crd = YAML::LoadFile(std::string(ZCDP_SOURCE_DIR) + "/manifests/crds/" + file);
    const YAML::Node version = crd["spec"]["versions"][0];
    CHECK(crd["spec"]["names"]["kind"].as<std::string>() == T::kind);
    CHECK(crd["spec"]["group"].as<std::string>() + "/" + version["name"].as<std::string>() == kApiVersion);
    CHECK(version["subresources"]["status"].IsDefined());
    Fields ours, theirs;
    describe<decltype(T::spec)>("spec", ours);
    describe<decltype(T::status)>("status", ours);
    for (const char* part : {"spec", "status"})
        describe(version["schema"]["openAPIV3Schema"]["properties"][part], part, theirs);
    for (const auto& [path, type] : ours) {
        INFO(path);
        REQUIRE(theirs.contains(path));
        CHECK(theirs.at(path) == type);
    }
    for (const auto& [path, type] : theirs) {
        INFO(path);
        CHECK(ours.contains(path));
    }
}

/// The words of a schema's enum are those of ours, "" apart.
template <class E>
void compare_words(const std::string& file, const std::string& part, const std::string& field) {
    INFO(file << " " << part << "." << field);
    const YAML::Node crd = YAML::LoadFile(std::string(ZCDP_SOURCE_DIR) + "/manifests/crds/" + file);
    std::set<std::string> theirs{""};
    const YAML::Node schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part];
    for (const auto& word : schema["properties"][field]["enum"]) theirs.insert(word.as<std::string>());
    CHECK(theirs == std::set<std::string>(std::begin(Spelling<E>::words), std::end(Spelling<E>::words)));
}

}  // namespace

TEST_CASE("the states that a CRD allows are those of the C++ enums") {
    compare_words<Wanted>("nodedatasets.yaml", "spec", "wanted");
    compare_words<Phase>("nodedatasets.yaml", "status", "phase");
    compare_words<ClaimPolicy>("datasetclaims.yaml", "spec", "policy");
}

TEST_CASE("every field of StorageBackend is in its CRD, and the other way round") {
    compare<StorageBackend>("storagebackends.yaml");
}
TEST_CASE("every field of Dataset is in its CRD, and the other way round") { compare<Dataset>("datasets.yaml"); }
TEST_CASE("every field of DatasetClaim is in its CRD, and the other way round") {
    compare<DatasetClaim>("datasetclaims.yaml");
}
TEST_CASE("every field of NodeDataset is in its CRD, and the other way round") {
    compare<NodeDataset>("nodedatasets.yaml");
}

}  // namespace zcdp::api
