// System calls and C macros that Swift cannot reach: variadic functions, calls without a glibc
// wrapper, and the global variables that Swift 6 refuses.
#ifndef CVOLTSYSTEM_H
#define CVOLTSYSTEM_H

#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "VoltNamespaces.h"

// The environment of the process, as main's third argument.
char *const *volt_environ(void);

// Writes all bytes to stdout. Returns 0, or the errno. A reader that is gone ends the process by SIGPIPE, also where that
// signal is ignored or blocked.
int volt_write_stdout(const void *bytes, size_t count);

// openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS.
// Returns a descriptor, or -1 with errno.
int volt_open_beneath(int directory, const char *path, int flags, mode_t mode);

// The same with RESOLVE_NO_XDEV: EXDEV where something is mounted on the way or at the end, also of the same file system.
int volt_open_on_mount(int directory, const char *path, int flags, mode_t mode);

// Gives an open file, also one that was opened with O_PATH, another name (linkat(2)). Returns 0, or -1 with errno.
int volt_link(int file, int directory, const char *name);

// Mode, owner, time and an extended attribute of what was opened with O_PATH; a link has no mode and no attribute. Returns 0,
// or -1 with errno.
int volt_path_mode(int file, mode_t mode);
int volt_path_owner(int file, uid_t user, gid_t group);
int volt_path_time(int file, int64_t seconds, int64_t nanoseconds);
int volt_path_attribute(int file, const char *name, const void *value, size_t size);

// O_PATH of open(2), which the headers have for GNU sources only.
extern const int volt_o_path;

// open(2) with a mode.
int volt_open(const char *path, int flags, mode_t mode);

// ioctl(TIOCGWINSZ): the number of columns of a terminal, or 0.
int volt_terminal_columns(int descriptor);

// Sets or clears FD_CLOEXEC. Returns 0, or -1 with errno.
int volt_set_cloexec(int descriptor, int on);

// syncfs(2). Returns 0, or -1 with errno.
int volt_syncfs(int descriptor);

// sync_file_range(2): starts to write these bytes to the disk and does not wait. What fails is told by fsync(2).
void volt_start_writeback(int descriptor, int64_t offset, int64_t count);

// lseek(2) with SEEK_DATA (1) or SEEK_HOLE (0). Returns the offset, or -1 with errno.
int64_t volt_seek_data(int descriptor, int64_t offset, int data);

// Extended attributes of a path, links not followed (llistxattr(2), lgetxattr(2)).
ssize_t volt_llistxattr(const char *path, char *names, size_t size);
ssize_t volt_lgetxattr(const char *path, const char *name, void *value, size_t size);

// makedev(3), major(3) and minor(3).
uint64_t volt_device(uint32_t major, uint32_t minor);
uint32_t volt_major(uint64_t device);
uint32_t volt_minor(uint64_t device);

// Attaches a file to a free loop device, for reading, until it is unmounted, and writes the path of the device.
// Returns a descriptor that has to be open until the device is mounted, or -1 with errno.
int volt_loop_attach(int file, char *path, size_t size);

// ioctl(FICLONE): shares the blocks of a whole file. Returns 0, or -1 with errno.
int volt_clone(int from, int to);

// openat(2) with O_CLOEXEC and a mode.
int volt_openat(int directory, const char *path, int flags, mode_t mode);

// Extended attributes of an open file (fsetxattr(2), fgetxattr(2), flistxattr(2), fremovexattr(2)).
int volt_fsetxattr(int descriptor, const char *name, const void *value, size_t size);
ssize_t volt_fgetxattr(int descriptor, const char *name, void *value, size_t size);
ssize_t volt_flistxattr(int descriptor, char *names, size_t size);
int volt_fremovexattr(int descriptor, const char *name);

// Makes a device node of number 0:0, which overlayfs reads as "removed here".
int volt_whiteout(int directory, const char *name);

// copy_file_range(2) of up to `size` bytes between the files' own offsets.
ssize_t volt_copy_range(int from, int to, size_t size);

// pipe2(2) with O_CLOEXEC. Returns 0, or -1 with errno.
int volt_pipe(int ends[2]);

// getauxval(AT_SECURE).
int volt_at_secure(void);

// W* macros of wait(2).
int volt_exited(int status);
int volt_exit_status(int status);
int volt_term_signal(int status);

// execve(2) as the extension contract wants it: signals at their defaults (SIGHUP, SIGINT and SIGQUIT stay
// ignored where they were), no signal blocked, every descriptor above 2 closed but the 'inherited'.
// Returns only when it fails, the errno.
int volt_exec(
    const char *path, char *const argv[], char *const envp[], const int *inherited, size_t inherited_count);

// Starts a program in a process group of its own with '/' as its directory, /dev/null as stdin and stderr,
// and stdout into a pipe. Returns the non-blocking end to read, or -1 with errno.
int volt_spawn_captured(const char *path, char *const argv[], char *const envp[], pid_t *pid);

// closefrom(3), now and as an action of posix_spawn(3).
void volt_close_from(int first);
int volt_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

// Marks every descriptor from this one on as close-on-exec. May be called between fork and exec.
void volt_close_on_exec(int first);

// execve(2) of a program that is on a read-only mount of its own then: nothing that meets the process, as through
// /proc/PID/exe, can write to the program's file or change its mode. Closes every descriptor above 2.
// Returns only when it fails, the errno.
int volt_exec_read_only(const char *path, char *const argv[], char *const envp[]);

// Whether this process was started so.
int volt_runs_read_only(void);

// setrlimit(2): the soft and the hard limit are the value, or a lower hard limit that holds already. Returns 0, or -1 with errno.
int volt_limit(int resource, uint64_t value);

// prctl(PR_SET_DUMPABLE, 0): no core dump, no ptrace(2) by the same user.
int volt_forbid_dump(void);

// pidfd_open(2). Returns a descriptor that is readable when the process has ended, or -1 with errno.
int volt_pidfd_open(pid_t process);

// Starts a program that gets SIGKILL when the calling thread ends, with these descriptors as its stdin,
// stdout and stderr, and no other descriptor. Returns its process id, or -1 with errno.
pid_t volt_spawn_bound(const char *path, char *const argv[], char *const envp[], int in, int out, int err);

#endif
