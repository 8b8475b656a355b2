#include <git2.h>
// Where libgit2 1.8 and newer declare git_error_set_str.
#if __has_include(<git2/sys/errors.h>)
#include <git2/sys/errors.h>
#endif

// git_libgit2_opts(3) is variadic, which Swift cannot call.
static inline int volt_git_set_search_path(int level, const char *path) {
    return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path);
}
static inline int volt_git_set_certificates(const char *file) {
    return git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file, NULL);
}
static inline int volt_git_set_user_agent(const char *text) {
    return git_libgit2_opts(GIT_OPT_SET_USER_AGENT, text);
}
static inline int volt_git_set_memory(ssize_t cache, size_t mapped) {
    int result = git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, cache);
    return result < 0 ? result : git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, mapped);
}
static inline int volt_git_set_owner_validation(int on) {
    return git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, on);
}
static inline int volt_git_set_pack_objects(size_t count) {
    return git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, count);
}
