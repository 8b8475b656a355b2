#include <curl/curl.h>

// curl_easy_setopt(3) and curl_easy_getinfo(3) are variadic, which Swift cannot call. Each option is set
// with the type that its manual page gives.
typedef size_t (*volt_curl_data)(char *bytes, size_t size, size_t count, void *context);
typedef int (*volt_curl_progress)(void *context, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
typedef int (*volt_curl_connected)(
    void *context, char *remote_address, char *local_address, int remote_port, int local_port);

static inline CURLcode volt_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode volt_curl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode volt_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode volt_curl_set_pointer(CURL *handle, CURLoption option, const void *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode volt_curl_set_headers(CURL *handle, struct curl_slist *list) {
    return curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list);
}
static inline CURLcode volt_curl_set_callbacks(
    CURL *handle, void *context, volt_curl_data header, volt_curl_data body, volt_curl_progress progress,
    volt_curl_connected connected) {
    CURLcode result = curl_easy_setopt(handle, CURLOPT_HEADERDATA, context);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_PREREQDATA, context);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, header);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, body);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, connected);
    return result;
}
// The body comes from a function that is called with the context.
static inline CURLcode volt_curl_set_upload(CURL *handle, void *context, volt_curl_data read, curl_off_t size) {
    CURLcode result = curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_READDATA, context);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_READFUNCTION, read);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, size);
    if (!result) result = curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
    return result;
}
// The bytes are copied.
static inline CURLcode volt_curl_set_certificates(CURL *handle, const void *bytes, size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
    return curl_easy_setopt(handle, CURLOPT_CAINFO_BLOB, &blob);
}
static inline CURLcode volt_curl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }
