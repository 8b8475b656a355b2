#define _GNU_SOURCE
#include "VoltNamespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int volt_fork(void) { return fork(); }

int volt_fork_into(int cgroup) {
    struct clone_args arguments = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cgroup,
    };
    return (int)syscall(SYS_clone3, &arguments, sizeof arguments);
}
int volt_unshare_mounts(void) { return unshare(CLONE_NEWNS); }
int volt_unshare_network(void) { return unshare(CLONE_NEWNET); }
int volt_setns(int descriptor) { return setns(descriptor, 0); }

int volt_setns_process(int pidfd) {
    return setns(pidfd, CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC);
}
int volt_setns_cgroup(int pidfd) { return setns(pidfd, CLONE_NEWCGROUP); }

int volt_loopback_up(void) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    struct ifreq request = {.ifr_name = "lo"};
    int result = ioctl(descriptor, SIOCGIFFLAGS, &request);
    if (result == 0) {
        request.ifr_flags |= IFF_UP;
        result = ioctl(descriptor, SIOCSIFFLAGS, &request);
    }
    close(descriptor);
    return result;
}

int volt_mounts_enslave(void) { return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL); }

int volt_mount(const char *source, const char *target, const char *type, const char *data) {
    // The kernel cuts longer options off without a word, and would mount something else.
    if (strlen(data) >= (size_t)sysconf(_SC_PAGESIZE)) {
        errno = E2BIG;
        return -1;
    }
    // A loop device that is read-only is refused for anything else.
    unsigned long flags = (strcmp(type, "tmpfs") == 0 ? MS_NOSUID : 0) | (strcmp(type, "erofs") == 0 ? MS_RDONLY : 0);
    return mount(source, target, type, flags, data);
}

int volt_bind(const char *source, const char *target, uint64_t flags) {
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) != 0) return -1;
    if (flags == 0) return 0;
    // Not a remount, which would take away what the mount of the source forbids. The structure is mount_attr, which
    // older headers do not have.
    struct {
        uint64_t set, clear, propagation, user_namespace;
    } attributes = {.set = flags};
    return (int)syscall(
        442 /* mount_setattr */, AT_FDCWD, target, 0x8000 /* AT_RECURSIVE */ | AT_SYMLINK_NOFOLLOW, &attributes,
        sizeof attributes);
}

int volt_cgroups_read_only(const char *target) {
    return mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

int volt_umount_detach(const char *target) { return umount2(target, MNT_DETACH); }
int volt_mknod_char(const char *path, mode_t mode) { return mknod(path, S_IFCHR | mode, makedev(0, 0)); }
int volt_mknod_block(const char *path, mode_t mode) { return mknod(path, S_IFBLK | mode, makedev(0, 0)); }

int volt_open_in_root(int root, const char *path, int flags, mode_t mode) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = (flags & O_CREAT) ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

int volt_enter(const char *path) {
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    int directory = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (directory < 0) return -1;
    int result = fchdir(directory);
    int saved = errno;
    close(directory);
    errno = saved;
    return result;
}

static int is_null(const struct stat *status) {
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

// The null device of this mount namespace, or -1: a payload may have put something else there, such as a device that
// opening does something to, or a pipe.
static int open_null(void) {
    struct stat status;
    if (lstat("/dev/null", &status) != 0 || !is_null(&status)) return -1;
    int descriptor = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) return -1;
    if (fstat(descriptor, &status) == 0 && is_null(&status)) {
        fcntl(descriptor, F_SETFL, 0);
        return descriptor;
    }
    close(descriptor);
    return -1;
}

int volt_own_null(void) {
    for (int number = 0; number <= 2; number++) {
        struct stat status;
        if (fstat(number, &status) != 0 || !is_null(&status)) continue;
        int own = open_null();
        if (own < 0) {
            // Nothing is read from it, and nothing can be written to it.
            own = memfd_create("null", MFD_CLOEXEC | MFD_ALLOW_SEALING);
            if (own < 0 || fcntl(own, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_WRITE) != 0) return -1;
        }
        dup2(own, number);
        close(own);
    }
    return 0;
}

int volt_exists_in_root(int root, const char *path) {
    int descriptor = volt_open_in_root(root, path, O_PATH, 0);
    if (descriptor >= 0) close(descriptor);
    return descriptor >= 0;
}

int volt_die_with_parent(void) { return prctl(PR_SET_PDEATHSIG, 9); }
int volt_set_dumpable(int on) { return prctl(PR_SET_DUMPABLE, on); }
int volt_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int volt_limit_bounding(uint64_t keep) {
    for (int number = 0; number < 64; number++) {
        if (keep >> number & 1) continue;
        int held = prctl(PR_CAPBSET_READ, number);
        if (held < 0) break;  // a number the kernel does not know: the last one is behind us
        if (held && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) return -1;
    }
    return 0;
}

int volt_set_capabilities(uint64_t mask) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int half = 0; half < 2; half++) {
        uint32_t bits = (uint32_t)(mask >> (32 * half));
        data[half].effective = data[half].permitted = data[half].inheritable = bits;
    }
    return (int)syscall(SYS_capset, &header, data);
}

int volt_raise_ambient(uint64_t mask) {
    for (int number = 0; number < 64; number++)
        if ((mask >> number & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0) return -1;
    return 0;
}

int volt_keep_capabilities(int on) { return prctl(PR_SET_KEEPCAPS, on, 0, 0, 0); }

int volt_set_user(uid_t user, gid_t group, const gid_t *groups, size_t count) {
    // For the kernel -1 is "as it is", which is root here.
    if (user > INT32_MAX || group > INT32_MAX) return errno = EINVAL, -1;
    if (setgroups(count, groups) != 0) return -1;
    if (setresgid(group, group, group) != 0) return -1;
    return setresuid(user, user, user);
}

int volt_memfd(const char *name) { return memfd_create(name, MFD_CLOEXEC); }
