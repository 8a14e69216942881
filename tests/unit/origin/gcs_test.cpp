// Google Cloud Storage's pure parts: listing pages, errors, checksums, credentials files and tokens.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "src/origin/gcs/answers.hpp"
#include "src/origin/gcs/credentials.hpp"
#include "src/origin/gcs/gcs_protocol.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/random.hpp"

using namespace zcdp;
using namespace zcdp::origin;
using namespace zcdp::origin::gcs;

namespace {

Result<ListPage> page_of(std::string_view json, const std::string& after = "") {
    ListParser parser(after);
    // In two pieces, as a socket may give it.
    ZCDP_CHECK(parser.feed(json.substr(0, json.size() / 2)));
    ZCDP_CHECK(parser.feed(json.substr(json.size() / 2)));
    return parser.finish();
}

std::string rsa_key_pem() {
    EVP_PKEY* key = EVP_RSA_gen(2048);
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string pem(data, static_cast<size_t>(size));
    BIO_free(bio);
    EVP_PKEY_free(key);
    return pem;
}

/// What a reader of gs://b/p/ asks for, as the protocol says it.
struct Asks {
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    std::shared_ptr<gcs::GcsBucket> shared;
    std::unique_ptr<Protocol> protocol;

    Asks() {
        OriginOptions options;
        options.anonymous = true;
        const Machine machine{
            system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
        shared = std::make_shared<gcs::GcsBucket>("b", "p/", options, machine);
        REQUIRE(shared->configure());
        protocol = make_gcs_protocol(shared);
    }
    std::vector<Call> all() {
        return {protocol->page_call({"/", "p/a b", ""}), protocol->page_call({"", "", "t=1"}),
                protocol->head_call(ObjectKey("p/a b")),
                protocol->read_call(ObjectKey("p/a b"), {"a b", Tag("17"), 7, 0, 7}, false)};
    }
};

std::string header(const net::Request& request, std::string_view name) {
    for (const auto& [have, value] : request.headers)
        if (have == name) return value;
    return "";
}

}  // namespace

TEST_CASE("a page has its objects with size and generation, the one it starts at left out") {
    const auto page = page_of(R"({"kind":"storage#objects","nextPageToken":"T","prefixes":["p/d/"],"items":[
        {"name":"p/a","size":"5","generation":"17"},{"name":"p/b/","size":"0","generation":"18"},{"name":"p/c \u00e9\n","size":7,"generation":"19"}]})",
                              "p/a");
    REQUIRE(page);
    REQUIRE(page->entries.size() == 2);
    CHECK(page->entries[0].kind == EntryKind::directory);
    CHECK(page->entries[1].path == "p/c \xc3\xa9\n");
    CHECK(page->entries[1].size_bytes == 7);
    CHECK(page->entries[1].tag.str() == "19");
    CHECK(page->prefixes == std::vector<std::string>{"p/d/"});
    CHECK(page->truncated);
    CHECK(page->next_token == "T");
    CHECK(page_of("{}").value().entries.empty());
}

TEST_CASE("what is no page is refused") {
    for (const char* bad :
         {"", "[]", "{", R"({"items":[7]})", R"({"items":[{"size":"1","generation":"1"}]})",
          R"({"items":[{"name":"a","generation":"1"}]})", R"({"items":[{"name":"a","size":"-1","generation":"1"}]})",
          R"({"items":[{"name":"a","size":"1"}]})", R"({"items":[{"name":"a","size":"1x","generation":"1"}]})"}) {
        CAPTURE(bad);
        const auto page = page_of(bad);
        REQUIRE(!page);
        CHECK(page.error().kind() == ErrorKind::refused);
    }
    CHECK(!page_of(std::string(100'000, '[')));
}

TEST_CASE("each error has its kind and its action") {
    using Action = RetryDecision::Action;
    const auto error = [](int status, const char* reason) { return gcs::ErrorAnswer{status, reason, "m"}; };
    CHECK(action_of(error(429, "")) == Action::slow_down);
    CHECK(action_of(error(403, "rateLimitExceeded")) == Action::slow_down);
    CHECK(action_of(error(500, "backendError")) == Action::retry);
    CHECK(action_of(error(501, "")) == Action::none);
    CHECK(error_of(error(403, "rateLimitExceeded"), "gs://b/k").kind() == ErrorKind::throttled);
    CHECK(error_of(error(403, "forbidden"), "gs://b/k").kind() == ErrorKind::denied);
    CHECK(error_of(error(404, "notFound"), "gs://b/k").kind() == ErrorKind::not_found);
    CHECK(error_of(error(412, "conditionNotMet"), "gs://b/k").kind() == ErrorKind::source_changed);
    const gcs::ErrorAnswer unpaid =
        gcs::parse_error(400, R"({"error":{"code":400,"errors":[{"reason":"required"}],)"
                              R"("message":"Bucket is a requester pays bucket but no user project provided."}})");
    CHECK(error_of(unpaid, "gs://b").kind() == ErrorKind::denied);
    CHECK(error_of(unpaid, "gs://b").hint() == "give --billing-project PROJECT");
    CHECK(error_of(error(400, "invalid"), "gs://b").kind() == ErrorKind::failed);
    const auto parsed =
        gcs::parse_error(404, R"({"error":{"code":404,"message":"No such object","errors":[{"reason":"notFound"}]}})");
    CHECK(parsed.reason == "notFound");
    CHECK(parsed.message == "No such object");
    CHECK(gcs::parse_error(502, "<html>").message.empty());
}

TEST_CASE("checksums: CRC32C before MD5, and nothing that is malformed") {
    using Kind = ObjectChecksum::Kind;
    CHECK(gcs::checksum_of("md5=1B2M2Y8AsgTpgAmY7PhCfg==, crc32c=AAAAAA==").kind == Kind::crc32c);
    CHECK(gcs::checksum_of("md5=1B2M2Y8AsgTpgAmY7PhCfg==").kind == Kind::md5);
    CHECK(gcs::checksum_of("crc32c=AAAA").kind == Kind::none);
    CHECK(gcs::checksum_of("").kind == Kind::none);
    const auto info = parse_object(R"({"size":"3","generation":"9","crc32c":"AAAAAA=="})");
    REQUIRE(info);
    CHECK(info->checksum.raw == std::string(4, '\0'));
    CHECK(!parse_object(R"({"size":"3"})"));
}

TEST_CASE("listing, metadata and media are asked for by these URLs, each with the project that is billed") {
    Asks asks;
    const std::vector<std::string> targets{
        "/storage/v1/b/b/"
        "o?delimiter=%2F&fields=items%28name%2Csize%2Cgeneration%29%2Cprefixes%2CnextPageToken&maxResults=1000&prefix="
        "p%2F&startOffset=p%2Fa%20b",
        "/storage/v1/b/b/"
        "o?fields=items%28name%2Csize%2Cgeneration%29%2Cprefixes%2CnextPageToken&maxResults=1000&pageToken=t%3D1&"
        "prefix=p%2F",
        "/storage/v1/b/b/o/p%2Fa%20b?fields=size%2Cgeneration%2Ccrc32c%2Cmd5Hash",
        "/storage/v1/b/b/o/p%2Fa%20b?alt=media&ifGenerationMatch=17"};
    const auto calls = asks.all();
    for (size_t i = 0; i < calls.size(); ++i) {
        const auto plain = request_of("b", calls[i], "", "");
        CHECK(plain.target == targets[i]);
        CHECK(header(plain, "x-goog-user-project") == "");
        const auto billed = request_of("b", calls[i], "example.com:me-1", "quota");
        CHECK(billed.target == targets[i] + "&userProject=example.com%3Ame-1");
        CHECK(header(billed, "x-goog-user-project") == "");
        const auto quota = request_of("b", calls[i], "", "quota");
        CHECK(quota.target == targets[i]);
        CHECK(header(quota, "x-goog-user-project") == "quota");
    }
    CHECK(request_of("b", {}, "me", "").target == "/storage/v1/b/b/o?userProject=me");
    for (const char* wrong : {"", "me&a=b", "a b", "a/b", "a\r\nX: y", "ME"}) CHECK_FALSE(is_project(wrong));
}

TEST_CASE("credentials files: the three kinds, and what is missing is said") {
    const auto user =
        parse_account(R"({"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"})");
    REQUIRE(user);
    CHECK(user->quota_project == "");
    CHECK(parse_account(R"({"type":"authorized_user","client_id":"c","refresh_token":"r","quota_project_id":"me-1"})")
              ->quota_project == "me-1");
    CHECK(user->token_url == "https://oauth2.googleapis.com/token");
    const auto external = parse_account(
        R"({"type":"external_account","audience":"a","subject_token_type":"t","token_url":"https://sts.googleapis.com/v1/token",
        "credential_source":{"file":"/t","format":{"type":"json","subject_token_field_name":"token"}}})");
    REQUIRE(external);
    CHECK(external->subject_field == "token");
    for (const char* bad :
         {"", "{}", R"({"type":"gdch_service_account"})", R"({"type":"service_account","client_email":"e"})",
          R"({"type":"external_account","audience":"a","credential_source":{"executable":{}}})",
          R"({"type":"authorized_user","client_id":"c","refresh_token":"r","quota_project_id":"a\r\nX: y"})"})
        CHECK(!parse_account(bad));
}

TEST_CASE("a service account's assertion is signed by its key, for the token service, for an hour") {
    Account account;
    account.email = "me@project", account.private_key_pem = rsa_key_pem(), account.token_url = "https://token";
    const std::string jwt = service_account_jwt(account, 1000).value();
    const size_t first = jwt.find('.'), second = jwt.rfind('.');
    const std::string claims = from_base64url(jwt.substr(first + 1, second - first - 1)).value();
    CHECK(
        claims ==
        R"({"iss":"me@project","scope":"https://www.googleapis.com/auth/devstorage.read_only","aud":"https://token","iat":1000,"exp":4600})");
    BIO* bio = BIO_new_mem_buf(account.private_key_pem.data(), -1);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    const std::string signature = from_base64url(jwt.substr(second + 1)).value();
    REQUIRE(EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key) == 1);
    CHECK(EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                           reinterpret_cast<const unsigned char*>(jwt.data()), second) == 1);
    EVP_MD_CTX_free(context), EVP_PKEY_free(key), BIO_free(bio);
    account.private_key_pem = "no key";
    CHECK(!service_account_jwt(account, 1000));
}

TEST_CASE("tokens come with their end; what has none is refused") {
    CHECK(parse_token(R"({"access_token":"T","expires_in":100})", 1000).value().expires_unix_s == 1100);
    CHECK(parse_token(R"({"accessToken":"T","expireTime":"2026-01-02T03:04:05Z"})", 1000).value().expires_unix_s ==
          parse_iso8601("2026-01-02T03:04:05Z"));
    for (const char* bad : {"", "{}", R"({"access_token":""})", R"({"access_token":"a\r\nX: y"})"})
        CHECK(!parse_token(bad, 0));
}
