// Namespaces, mounts, credentials and event calls of Linux, for the static single-threaded helpers.
// Every function that returns int gives 0 or a descriptor, or -1 with errno, unless it says otherwise.
#ifndef VOLT_NAMESPACES_H
#define VOLT_NAMESPACES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// fork(2); only for programs without threads.
int volt_fork(void);
// The same, with the child in a cgroup of version 2 from its first moment (a descriptor of its directory):
// to move a process there later waits for every processor. ENOSYS or EPERM where that is not possible.
int volt_fork_into(int cgroup);
int volt_unshare_mounts(void);
int volt_unshare_network(void);
// setns(2) with any kind of namespace.
int volt_setns(int descriptor);
// The kinds of namespace of a pidfd: mount, network, pid, uts and ipc; that of its cgroups by itself, since
// a process has to be in the cgroups first.
int volt_setns_process(int pidfd);
int volt_setns_cgroup(int pidfd);
// Brings the loopback interface of the current network namespace up.
int volt_loopback_up(void);

// Makes every mount a slave of the one it was copied from, so that nothing done here is seen outside.
int volt_mounts_enslave(void);
// E2BIG when the options do not fit into the page that the kernel reads of them.
int volt_mount(const char *source, const char *target, const char *type, const char *data);
// Makes a mount of cgroups read-only where it is.
int volt_cgroups_read_only(const char *target);
// What a mount forbids: the MOUNT_ATTR_ flags of mount_setattr(2).
#define VOLT_MOUNT_READ_ONLY 1
#define VOLT_MOUNT_NO_SETUID 2
#define VOLT_MOUNT_NO_DEVICES 4
// A recursive bind mount. It forbids what the mounts of the source forbid, and the flags besides.
int volt_bind(const char *source, const char *target, uint64_t flags);
int volt_umount_detach(const char *target);
int volt_mknod_char(const char *path, mode_t mode);
int volt_mknod_block(const char *path, mode_t mode);
// Opens a path as seen from a root directory: absolute links and '..' stay inside (openat2 RESOLVE_IN_ROOT).
int volt_open_in_root(int root, const char *path, int flags, mode_t mode);
// Whether there is anything, which is not opened.
int volt_exists_in_root(int root, const char *path);

// chdir(2) that follows no link of /proc to an open file: those lead to what this process holds, and not to what
// the path says.
int volt_enter(const char *path);
// Opens /dev/null anew for those of descriptors 0 to 2 that are one, or an empty file in memory where there is none. In
// a container it is the container's own: with that of the host a payload could change the mode of the host's.
int volt_own_null(void);

// The parent's death kills this process with SIGKILL.
int volt_die_with_parent(void);
int volt_set_dumpable(int on);
int volt_no_new_privileges(void);
// Removes every capability that is not in the mask from the bounding set.
int volt_limit_bounding(uint64_t keep);
int volt_set_capabilities(uint64_t mask);
int volt_raise_ambient(uint64_t mask);
int volt_keep_capabilities(int on);
int volt_set_user(uid_t user, gid_t group, const gid_t *groups, size_t count);
// Installs the filter of system calls; the capabilities in the mask lift the rules that belong to them.
int volt_install_filter(uint64_t capabilities);
// The number of rules of the filter, for tests.
size_t volt_filter_rules(uint64_t capabilities);

// A program for cgroups of version 2 (BPF_PROG_TYPE_CGROUP_DEVICE): processes make any node and open null, zero,
// full, random, urandom, tty, ptmx and terminals of their own, and no other device. Returns a descriptor.
int volt_device_program(void);
int volt_device_attach(int program, int cgroup);
int volt_device_detach(int program, int cgroup);

int volt_signals(const int *numbers, size_t count);
// The next signal of a signalfd, 0 when there is none.
int volt_next_signal(int descriptor);
int volt_block_all_signals(void);
int volt_reset_signals(void);
// Waits for one of all signals; 0 when the time is over. Milliseconds; -1 is for ever.
int volt_wait_signal(int64_t milliseconds);

int volt_epoll(void);
// operation: 1 add, 2 delete, 3 modify (EPOLL_CTL_*).
int volt_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data);
struct volt_event { uint32_t events; uint64_t data; };
int volt_epoll_wait(int epoll, struct volt_event *events, int capacity, int milliseconds);
// accept4(2), non-blocking and close-on-exec.
int volt_accept(int descriptor);
// A listening TCP socket; an IPv6 one takes IPv6 only.
int volt_listen(const char *address, uint16_t port, int ipv6);
// A TCP socket that connects without blocking: 0 in *pending when it is connected already.
int volt_connect_loopback(uint16_t port, int ipv6, int *pending);
int volt_socket_error(int descriptor);
int volt_unix_listen(const char *path);
int volt_unix_connect(const char *path, int seconds);
// The same for streams; the socket that is listened on is for its owner alone.
int volt_unix_stream_listen(const char *path);
int volt_unix_stream_connect(const char *path);
int volt_stream_pair(int pair[2]);
int volt_stream_accept(int descriptor);
int volt_make_terminal(void);
int volt_memfd(const char *name);
// A terminal of the devpts that is mounted on /dev/pts: any other name below /dev is the container's to give.
int volt_pty(int *slave);
int volt_terminal_size_copy(int from, int to);
// Puts a terminal into raw mode; saves the old mode in a buffer of at least 128 bytes.
int volt_terminal_raw(int descriptor, void *saved);
int volt_terminal_restore(int descriptor, const void *saved);

#endif
