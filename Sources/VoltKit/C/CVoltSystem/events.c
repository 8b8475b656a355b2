#define _GNU_SOURCE
#include "VoltNamespaces.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

int volt_signals(const int *numbers, size_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) sigaddset(&set, numbers[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int volt_next_signal(int descriptor) {
    struct signalfd_siginfo information;
    return read(descriptor, &information, sizeof information) == sizeof information ? (int)information.ssi_signo : 0;
}

int volt_block_all_signals(void) {
    sigset_t set;
    sigfillset(&set);
    return sigprocmask(SIG_SETMASK, &set, NULL);
}

int volt_reset_signals(void) {
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    return sigprocmask(SIG_SETMASK, &set, NULL);
}

int volt_wait_signal(int64_t milliseconds) {
    sigset_t set;
    sigfillset(&set);
    struct timespec limit = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    int result = sigtimedwait(&set, NULL, milliseconds < 0 ? NULL : &limit);
    return result < 0 ? (errno == EAGAIN || errno == EINTR ? 0 : -1) : result;
}

int volt_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

int volt_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(epoll, operation, descriptor, &event);
}

int volt_epoll_wait(int epoll, struct volt_event *events, int capacity, int milliseconds) {
    struct epoll_event buffer[64];
    int count = epoll_wait(epoll, buffer, capacity < 64 ? capacity : 64, milliseconds);
    for (int i = 0; i < count; i++) events[i] = (struct volt_event){buffer[i].events, buffer[i].data.u64};
    return count;
}

int volt_accept(int descriptor) { return accept4(descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

static int no_delay(int descriptor) {
    int on = 1;
    return setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int volt_listen(const char *address, uint16_t port, int ipv6) {
    int descriptor = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -1;
    int on = 1, result;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    no_delay(descriptor);
    if (ipv6) {
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        result = inet_pton(AF_INET6, address, &name.sin6_addr) == 1
            ? bind(descriptor, (struct sockaddr *)&name, sizeof name) : (errno = EINVAL, -1);
    } else {
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
        result = inet_pton(AF_INET, address, &name.sin_addr) == 1
            ? bind(descriptor, (struct sockaddr *)&name, sizeof name) : (errno = EINVAL, -1);
    }
    if (result == 0) result = listen(descriptor, 4096);
    if (result == 0) return descriptor;
    int saved = errno;
    close(descriptor);
    errno = saved;
    return -1;
}

int volt_connect_loopback(uint16_t port, int ipv6, int *pending) {
    int descriptor = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -1;
    no_delay(descriptor);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int result = ipv6 ? connect(descriptor, (struct sockaddr *)&six, sizeof six)
                      : connect(descriptor, (struct sockaddr *)&four, sizeof four);
    *pending = result != 0 && errno == EINPROGRESS;
    if (result == 0 || *pending) return descriptor;
    int saved = errno;
    close(descriptor);
    errno = saved;
    return -1;
}

int volt_socket_error(int descriptor) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &size) == 0 ? value : errno;
}

// A path longer than sun_path is reached through the descriptor of its directory.
static int unix_name(const char *path, struct sockaddr_un *name, int *directory) {
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    *directory = -1;
    if (strlen(path) < sizeof name->sun_path) {
        strcpy(name->sun_path, path);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    if (!slash || strlen(slash) > 60) return errno = ENAMETOOLONG, -1;
    char *parent = strndup(path, (size_t)(slash - path));
    if (!parent) return -1;
    *directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(parent);
    if (*directory < 0) return -1;
    strcpy(name->sun_path, "/proc/self/fd/");
    char digits[12];
    int value = *directory, i = 11;
    digits[i] = 0;
    do digits[--i] = (char)('0' + value % 10); while (value /= 10);
    strcat(name->sun_path, digits + i);
    strcat(name->sun_path, slash);
    return 0;
}

static int unix_listen(const char *path, int type) {
    struct sockaddr_un name;
    int directory;
    if (unix_name(path, &name, &directory) != 0) return -1;
    unlink(path);
    int descriptor = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    int result = descriptor < 0 ? -1 : bind(descriptor, (struct sockaddr *)&name, sizeof name);
    if (result == 0) result = listen(descriptor, 64);
    if (directory >= 0) close(directory);
    if (result == 0) return descriptor;
    int saved = errno;
    if (descriptor >= 0) close(descriptor);
    errno = saved;
    return -1;
}

int volt_unix_listen(const char *path) { return unix_listen(path, SOCK_SEQPACKET | SOCK_NONBLOCK); }

int volt_unix_stream_listen(const char *path) {
    // Nobody else may connect, from the first moment on.
    mode_t before = umask(0177);
    int descriptor = unix_listen(path, SOCK_STREAM);
    umask(before);
    return descriptor;
}

static int unix_connect(const char *path, int seconds, int type) {
    struct sockaddr_un name;
    int directory;
    if (unix_name(path, &name, &directory) != 0) return -1;
    int descriptor = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = seconds};
    if (descriptor >= 0) {
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    int result = descriptor < 0 ? -1 : connect(descriptor, (struct sockaddr *)&name, sizeof name);
    if (directory >= 0) close(directory);
    if (result == 0) return descriptor;
    int saved = errno;
    if (descriptor >= 0) close(descriptor);
    errno = saved;
    return -1;
}

int volt_unix_connect(const char *path, int seconds) { return unix_connect(path, seconds, SOCK_SEQPACKET); }

int volt_unix_stream_connect(const char *path) { return unix_connect(path, 0, SOCK_STREAM); }

int volt_stream_pair(int pair[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair); }

int volt_stream_accept(int descriptor) { return accept4(descriptor, NULL, NULL, SOCK_CLOEXEC); }

int volt_make_terminal(void) { return ioctl(0, TIOCSCTTY, 0); }

int volt_pty(int *slave) {
    int directory = open("/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) return -1;
    struct statfs system;
    struct open_how how = {
        .flags = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
    };
    int master = -1, unlocked = 0;
    if (fstatfs(directory, &system) == 0 && system.f_type != DEVPTS_SUPER_MAGIC) errno = ENODEV;
    else master = (int)syscall(SYS_openat2, directory, "ptmx", &how, sizeof how);
    int failure = errno;
    close(directory);
    errno = failure;
    if (master < 0) return -1;
    if (ioctl(master, TIOCSPTLCK, &unlocked) == 0) {
        *slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (*slave >= 0) return master;
    }
    failure = errno;
    close(master);
    errno = failure;
    return -1;
}

int volt_terminal_size_copy(int from, int to) {
    struct winsize size;
    return ioctl(from, TIOCGWINSZ, &size) == 0 ? ioctl(to, TIOCSWINSZ, &size) : -1;
}

int volt_terminal_raw(int descriptor, void *saved) {
    struct termios mode;
    if (tcgetattr(descriptor, &mode) != 0) return -1;
    memcpy(saved, &mode, sizeof mode);
    cfmakeraw(&mode);
    return tcsetattr(descriptor, TCSANOW, &mode);
}

int volt_terminal_restore(int descriptor, const void *saved) {
    struct termios mode;
    memcpy(&mode, saved, sizeof mode);
    return tcsetattr(descriptor, TCSANOW, &mode);
}
