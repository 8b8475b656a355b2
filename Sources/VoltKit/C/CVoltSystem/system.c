#define _GNU_SOURCE
#include "CVoltSystem.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

char *const *volt_environ(void) { return environ; }

int volt_open_beneath(int directory, const char *path, int flags, mode_t mode) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = (flags & O_CREAT) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int volt_open(const char *path, int flags, mode_t mode) { return open(path, flags | O_CLOEXEC, mode); }

int volt_terminal_columns(int descriptor) {
    struct winsize size;
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int volt_at_secure(void) { return getauxval(AT_SECURE) != 0; }

int volt_exited(int status) { return WIFEXITED(status); }
int volt_exit_status(int status) { return WEXITSTATUS(status); }
int volt_term_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

int volt_set_cloexec(int descriptor, int on) { return fcntl(descriptor, F_SETFD, on ? FD_CLOEXEC : 0); }

int volt_syncfs(int descriptor) { return syncfs(descriptor); }
