#ifndef CTESTDISK_H
#define CTESTDISK_H

// FS_IOC_SHUTDOWN without a flush of the log: the file system stops at once, and what was not synced is lost, as
// when the power fails. Returns 0, or -1 with errno.
int test_cut_power(const char *path);

#endif
