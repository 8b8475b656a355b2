#define _GNU_SOURCE
#include "CTestTerminal.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

int test_spawn_on_terminal(const char *path, char *const argv[], char *const envp[], pid_t *pid) {
    int own, other;
    struct winsize size = {.ws_row = 24, .ws_col = 200};
    if (openpty(&own, &other, NULL, NULL, &size) != 0) return -1;
    *pid = fork();
    if (*pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
        setsid();
        ioctl(other, TIOCSCTTY, 0);
        for (int descriptor = 0; descriptor < 3; descriptor++) dup2(other, descriptor);
        close_range(3, ~0u, 0);
        execve(path, argv, envp);
        _exit(127);
    }
    close(other);
    if (*pid > 0) {
        fcntl(own, F_SETFD, FD_CLOEXEC);
        return own;
    }
    close(own);
    return -1;
}

pid_t test_spawn_in_disorder(const char *path, char *const argv[], char *const envp[], int output) {
    pid_t pid = fork();
    if (pid != 0) return pid;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    dup2(output, 1);
    close_range(3, ~0u, 0);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 7);
    dup2(null, 9);
    close(null);
    execve(path, argv, envp);
    _exit(127);
}
