#include "CVoltSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

// Before main. A standard descriptor that is closed would be given to the next file that is opened, and what is printed
// would go into that file. As glibc does for setuid programs: /dev/null is opened the wrong way round, so that reading
// 0 and writing 1 and 2 go on failing with EBADF. open(2) takes the lowest number that is free.
__attribute__((constructor)) static void hold_standard_descriptors(void) {
    for (int descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0) continue;
        if (open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY) != descriptor) return;
    }
}

int volt_write_stdout(const void *bytes, size_t count) {
    const char *rest = bytes;
    while (count > 0) {
        ssize_t written = write(1, rest, count);
        if (written >= 0) {
            rest += written;
            count -= (size_t)written;
        } else if (errno == EAGAIN) {
            // Somebody who shares the pipe or the terminal made it non-blocking.
            struct pollfd ready = {.fd = 1, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (errno == EPIPE) {
            // Whatever the caller, or a server's code, did to the signal.
            sigset_t pipe;
            sigemptyset(&pipe);
            sigaddset(&pipe, SIGPIPE);
            signal(SIGPIPE, SIG_DFL);
            pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
            raise(SIGPIPE);
            return EPIPE;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}
