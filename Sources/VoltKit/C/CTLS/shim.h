#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

// Takes http/1.1 of what the client offers (RFC 7301); an offer without it ends the handshake, as the
// RFC has it. A client that offers nothing is served.
static inline int volt_tls_alpn(
    SSL *session, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
    unsigned int count, void *unused) {
    (void)session;
    (void)unused;
    static const unsigned char name[] = "http/1.1";
    for (unsigned int at = 0; at < count; at += 1u + offered[at]) {
        if (at + 1u + offered[at] > count) break;
        if (offered[at] == sizeof name - 1 && memcmp(offered + at + 1, name, sizeof name - 1) == 0) {
            *chosen = offered + at + 1;
            *length = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Never asks for a passphrase on the terminal.
static inline int volt_tls_no_passphrase(char *buffer, int size, int writing, void *asked) {
    (void)buffer;
    (void)size;
    (void)writing;
    if (asked) *(int *)asked = 1;
    return -1;
}

// A context for servers: TLS 1.2 with forward secrecy and authenticated ciphers, and TLS 1.3; no compression,
// no renegotiation, no session cache (tickets keep nothing here), HTTP/1.1. NULL when memory is short.
static inline SSL_CTX *volt_tls_server(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) return NULL;
    SSL_CTX_set_options(
        context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE
                     | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, volt_tls_alpn, NULL);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1
        || SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

// Adds a certificate of the chain; takes it over when it gives 1.
static inline int volt_tls_add_chain(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add0_chain_cert(context, certificate);
}

// Whether the last error of this thread is the end of a PEM file, which is none.
static inline int volt_tls_is_end(void) {
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

// When a certificate ends, in seconds since 1970; 0 when it says nothing that can be read.
static inline int64_t volt_tls_end(const X509 *certificate) {
    struct tm parts;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return 0;
    return (int64_t)timegm(&parts);
}
