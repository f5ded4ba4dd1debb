// A TLS server that the test has made up, and clients that trust it or do not.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl/context.hpp>
#include <memory>

namespace plait::test {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// A server that calls itself localhost, and a certificate that says so.
class Identity {
 public:
  // What a client may call it: as OpenSSL writes it.
  explicit Identity(const char* alternative_names = "DNS:localhost")
      : key_(::EVP_EC_gen("P-256"), ::EVP_PKEY_free), certificate_(::X509_new(), ::X509_free) {
    X509* const certificate = certificate_.get();
    ::X509_set_version(certificate, X509_VERSION_3);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), 1);
    ::X509_gmtime_adj(::X509_getm_notBefore(certificate), -3600);
    ::X509_gmtime_adj(::X509_getm_notAfter(certificate), 3600);
    X509_NAME* const name = ::X509_get_subject_name(certificate);
    const auto* const text = reinterpret_cast<const unsigned char*>("localhost");  // SAFETY: bytes
    ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
    ::X509_set_issuer_name(certificate, name);
    ::X509_set_pubkey(certificate, key_.get());
    X509_EXTENSION* const names =
        ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_names);
    ::X509_add_ext(certificate, names, -1);
    ::X509_EXTENSION_free(names);
    ::X509_sign(certificate, key_.get(), ::EVP_sha256());
  }

  TlsContext server() const {
    auto context =
        std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
    ::SSL_CTX_use_certificate(context->native_handle(), certificate_.get());
    ::SSL_CTX_use_PrivateKey(context->native_handle(), key_.get());
    return context;
  }
  TlsContext client_that_trusts_it() const {
    auto context = client_that_trusts_nobody();
    ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(context->native_handle()), certificate_.get());
    return context;
  }
  static TlsContext client_that_trusts_nobody() {
    auto context =
        std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
    context->set_verify_mode(boost::asio::ssl::verify_peer);
    return context;
  }

 private:
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
  std::unique_ptr<X509, void (*)(X509*)> certificate_;
};

}  // namespace plait::test
