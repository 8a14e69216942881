// A small certificate authority: zcdp's own, for its webhook and its servers (RFC 5280; ECDSA P-256).
// Thread rule: any thread; no state. Keys are PEM text in memory; whoever holds them decides where they go.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::net {

struct KeyPair {
    std::string certificate_pem, key_pem;
};

/// A self-signed CA, valid from an hour before `now_unix_s` (clocks differ) for `days`.
Result<KeyPair> make_ca(const std::string& common_name, int64_t now_unix_s, int days);
/// A server's certificate for these DNS names, signed by `ca`.
Result<KeyPair> issue_certificate(const KeyPair& ca, const std::string& common_name,
                                  const std::vector<std::string>& dns_names, int64_t now_unix_s, int days);
/// A client's certificate, which says who it is by its common name, signed by `ca`.
Result<KeyPair> issue_client_certificate(const KeyPair& ca, const std::string& common_name, int64_t now_unix_s,
                                         int days);

struct CertificateRequest {
    std::string request_pem, key_pem;
};
/// A new key (P-256), and the PKCS#10 request that has its public half.
Result<CertificateRequest> make_certificate_request(const std::string& common_name);
/// A certificate for the request's key, to be used as a server's and as a client's, signed by `ca` and valid for
/// `valid_s` seconds. Who it is for is what the caller says, never what the request says. Errors: refused: no request,
/// longer than 16 KiB, signed by another key than its own, a key that is no named P-256; usage: what is no DNS name.
Result<std::string> sign_certificate_request(const KeyPair& ca, const std::string& request_pem,
                                             const std::string& common_name, const std::vector<std::string>& dns_names,
                                             int64_t now_unix_s, int64_t valid_s);
/// Whether both can be read, and the key is the certificate's.
bool is_key_pair(const KeyPair& pair);
/// A server's own, from the files that people or Kubernetes put there. Errors: usage, naming the file.
Result<KeyPair> read_key_pair(Fs& fs, const std::string& certificate_file, const std::string& key_file);
/// When the first certificate of the PEM ends, in Unix seconds. Errors: refused: no certificate.
Result<int64_t> certificate_end(const std::string& certificate_pem);

}  // namespace zcdp::net
