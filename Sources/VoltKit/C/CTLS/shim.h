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

// Asks clients for a certificate; one that is shown must be of an authority of the file (PEM). 1 when the file was read.
static inline int volt_tls_ask_clients(SSL_CTX *context, const char *path) {
    if (SSL_CTX_load_verify_file(context, path) != 1) return 0;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (names) SSL_CTX_set_client_CA_list(context, names);
    static const unsigned char purpose[] = "volt";
    SSL_CTX_set_session_id_context(context, purpose, sizeof purpose - 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return 1;
}

// The common name of the client's certificate, which was verified. The bytes, or -1 for none; a name with a zero in it, or
// one that does not fit, is none.
static inline int volt_tls_client_name(const SSL *session, char *name, int size) {
    X509 *certificate = SSL_get1_peer_certificate(session);
    if (!certificate) return -1;
    int length = -1;
    if (SSL_get_verify_result(session) == X509_V_OK) {
        const X509_NAME *subject = X509_get_subject_name(certificate);
        int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        if (at >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, at) < 0) {
            unsigned char *text = NULL;
            int count = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
            if (count > 0 && count <= size && !memchr(text, 0, (size_t)count)) {
                memcpy(name, text, (size_t)count);
                length = count;
            }
            OPENSSL_free(text);
        }
    }
    X509_free(certificate);
    return length;
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
