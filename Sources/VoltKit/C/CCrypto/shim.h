#include <openssl/hmac.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

// A context for HMAC with SHA-256, or NULL. The parameters are built here because OSSL_PARAM
// wants pointers into a stack frame that Swift does not promise to keep.
static inline EVP_MAC_CTX *volt_hmac_sha256_new(EVP_MAC *mac, const void *key, size_t count) {
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    // A NULL key means "keep the old key", so an empty one needs an address.
    if (context && !EVP_MAC_init(context, count ? key : (const void *)"", count, parameters)) {
        EVP_MAC_CTX_free(context);
        return NULL;
    }
    return context;
}

// A new key on P-256, or NULL: EVP_PKEY_Q_keygen takes a variable number of arguments.
static inline EVP_PKEY *volt_new_p256(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"); }
