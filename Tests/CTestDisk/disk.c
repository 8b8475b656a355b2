#include "CTestDisk.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

// linux/fs.h has them only since Linux 6.14; they are those of XFS_IOC_GOINGDOWN.
#define TEST_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define TEST_SHUTDOWN_NOLOGFLUSH 2

int test_cut_power(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    uint32_t flags = TEST_SHUTDOWN_NOLOGFLUSH;
    int result = ioctl(file, TEST_IOC_SHUTDOWN, &flags);
    close(file);
    return result;
}
