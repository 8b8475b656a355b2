#define _GNU_SOURCE
#include "CVoltSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <signal.h>
#include <spawn.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

void volt_close_from(int first) { closefrom(first); }

int volt_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

void volt_close_on_exec(int first) {
    if (syscall(SYS_close_range, (unsigned)first, ~0u, CLOSE_RANGE_CLOEXEC) == 0) return;
    // Linux before 5.11.
    long limit = sysconf(_SC_OPEN_MAX);
    for (int descriptor = first; descriptor < limit; descriptor++) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

int volt_exec_read_only(const char *path, char *const argv[], char *const envp[]) {
    // A mount of nobody's namespace: no path leads there, so nobody can make it writable again.
    int program = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (program < 0) return errno;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (syscall(SYS_mount_setattr, program, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0) {
        volt_close_on_exec(3);
        syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
    }
    int number = errno;
    close(program);
    return number;
}

int volt_runs_read_only(void) {
    struct statvfs mount;
    return statvfs("/proc/self/exe", &mount) == 0 && (mount.f_flag & ST_RDONLY);
}

// Every signal to its default, except that SIGHUP, SIGINT and SIGQUIT stay ignored where they were: that
// is how nohup(1) and a shell's '&' ask for it. 'all' lists what to reset.
static void default_signals(sigset_t *all) {
    static const int kept[] = {SIGHUP, SIGINT, SIGQUIT};
    sigfillset(all);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        struct sigaction action;
        if (sigaction(kept[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN) sigdelset(all, kept[i]);
    }
    sigdelset(all, SIGKILL);
    sigdelset(all, SIGSTOP);
}

int volt_exec(
    const char *path, char *const argv[], char *const envp[], const int *inherited, size_t inherited_count
) {
    sigset_t all, none;
    struct sigaction action = {.sa_handler = SIG_DFL};
    default_signals(&all);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&all, number) == 1) sigaction(number, &action, NULL);
    }
    // glibc's posix_spawn leaves the two signals that glibc keeps for itself ignored in its children, and
    // its sigaction refuses them. All zeros are the default in the kernel's struct, whatever its layout.
    static const char none_of_it[64];
    for (int number = 32; number <= 33; number++) syscall(SYS_rt_sigaction, number, none_of_it, NULL, 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    volt_close_on_exec(3);
    for (size_t i = 0; i < inherited_count; i++) fcntl(inherited[i], F_SETFD, 0);
    execve(path, argv, envp);
    return errno;
}

int volt_spawn_captured(const char *path, char *const argv[], char *const envp[], pid_t *pid) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    // Of our end alone: the writer must find a pipe as any other.
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    default_signals(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    int failure = posix_spawn(pid, path, &actions, &attributes, argv, envp);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failure == 0) return ends[0];
    close(ends[0]);
    errno = failure;
    return -1;
}
