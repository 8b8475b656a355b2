#define _GNU_SOURCE
#include "CVoltSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

char *const *volt_environ(void) { return environ; }

static int open_resolved(int directory, const char *path, int flags, mode_t mode, uint64_t resolve) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = (flags & O_CREAT) ? mode : 0,
        .resolve = resolve | RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int volt_open_beneath(int directory, const char *path, int flags, mode_t mode) {
    return open_resolved(directory, path, flags, mode, 0);
}

int volt_open_on_mount(int directory, const char *path, int flags, mode_t mode) {
    return open_resolved(directory, path, flags, mode, RESOLVE_NO_XDEV);
}

// The name of an open file in /proc, for calls that take no O_PATH descriptor.
static void path_of(int file, char path[32]) { snprintf(path, 32, "/proc/self/fd/%d", file); }

int volt_link(int file, int directory, const char *name) {
    if (linkat(file, "", directory, name, AT_EMPTY_PATH) == 0) return 0;
    // Without CAP_DAC_READ_SEARCH.
    if (errno != ENOENT) return -1;
    char path[32];
    path_of(file, path);
    return linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW);
}

int volt_path_mode(int file, mode_t mode) {
    char path[32];
    path_of(file, path);
    return chmod(path, mode);
}

int volt_path_owner(int file, uid_t user, gid_t group) { return fchownat(file, "", user, group, AT_EMPTY_PATH); }

int volt_path_time(int file, int64_t seconds, int64_t nanoseconds) {
    struct timespec time = {.tv_sec = seconds, .tv_nsec = nanoseconds};
    struct timespec times[2] = {time, time};
    return utimensat(file, "", times, AT_EMPTY_PATH);
}

int volt_path_attribute(int file, const char *name, const void *value, size_t size) {
    char path[32];
    path_of(file, path);
    return setxattr(path, name, value, size, 0);
}

const int volt_o_path = O_PATH;

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

void volt_start_writeback(int descriptor, int64_t offset, int64_t count) {
    sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
}

int64_t volt_seek_data(int descriptor, int64_t offset, int data) {
    return lseek(descriptor, offset, data ? SEEK_DATA : SEEK_HOLE);
}

ssize_t volt_llistxattr(const char *path, char *names, size_t size) { return llistxattr(path, names, size); }

ssize_t volt_lgetxattr(const char *path, const char *name, void *value, size_t size) {
    return lgetxattr(path, name, value, size);
}

uint64_t volt_device(uint32_t major, uint32_t minor) { return makedev(major, minor); }
uint32_t volt_major(uint64_t device) { return major(device); }
uint32_t volt_minor(uint64_t device) { return minor(device); }

int volt_loop_attach(int file, char *path, size_t size) {
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) return -1;
    // Another process may be faster to take the free one.
    for (int tries = 0; tries < 64; tries++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0) break;
        snprintf(path, size, "/dev/loop%d", number);
        int device = open(path, O_RDONLY | O_CLOEXEC);
        if (device < 0) break;
        struct loop_config config = {
            .fd = (uint32_t)file, .block_size = 4096,
            .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
        };
        if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
            close(control);
            return device;
        }
        int error = errno;
        close(device);
        errno = error;
        if (error != EBUSY) break;
    }
    int error = errno;
    close(control);
    errno = error;
    return -1;
}

int volt_clone(int from, int to) { return ioctl(to, FICLONE, from); }

int volt_openat(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags | O_CLOEXEC, mode);
}

int volt_fremovexattr(int descriptor, const char *name) { return fremovexattr(descriptor, name); }

int volt_fsetxattr(int descriptor, const char *name, const void *value, size_t size) {
    return fsetxattr(descriptor, name, value, size, 0);
}

ssize_t volt_fgetxattr(int descriptor, const char *name, void *value, size_t size) {
    return fgetxattr(descriptor, name, value, size);
}

ssize_t volt_flistxattr(int descriptor, char *names, size_t size) { return flistxattr(descriptor, names, size); }

int volt_whiteout(int directory, const char *name) { return mknodat(directory, name, S_IFCHR | 0600, 0); }

ssize_t volt_copy_range(int from, int to, size_t size) { return copy_file_range(from, NULL, to, NULL, size, 0); }

int volt_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int volt_limit(int resource, uint64_t value) {
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0) return -1;
    if (limit.rlim_max > value) limit.rlim_max = value;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &limit);
}

int volt_forbid_dump(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int volt_pidfd_open(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

pid_t volt_spawn_bound(const char *path, char *const argv[], char *const envp[], int in, int out, int err) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0) return child;
    // Only async-signal-safe calls from here: another thread may have held a lock of libc.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(127);
    // No terminal: whatever would ask for a passphrase fails instead.
    setsid();
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(127);
    volt_close_on_exec(3);
    execve(path, argv, envp);
    _exit(127);
}
