#define _GNU_SOURCE
#include "VoltNamespaces.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "the filter of system calls is not written for this architecture"
#endif

// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of clone(2).
#define NEW_NAMESPACES 0x7e020000u

// A call that is refused with EPERM unless the container has the capability; -1: always refused.
struct rule {
    int number;
    int capability;
};

static const struct rule rules[] = {
    // Keys and asynchronous submission are not bound to a container, or have hidden holes before.
    {SYS_add_key, -1}, {SYS_request_key, -1}, {SYS_keyctl, -1}, {SYS_userfaultfd, -1},
    {SYS_io_uring_setup, -1}, {SYS_io_uring_enter, -1}, {SYS_io_uring_register, -1},
    {SYS_swapon, -1}, {SYS_swapoff, -1}, {SYS_nfsservctl, -1}, {SYS_personality, -1},
    // The machine as a whole.
    {SYS_kexec_load, CAP_SYS_BOOT}, {SYS_kexec_file_load, CAP_SYS_BOOT}, {SYS_reboot, CAP_SYS_BOOT},
    {SYS_init_module, CAP_SYS_MODULE}, {SYS_finit_module, CAP_SYS_MODULE}, {SYS_delete_module, CAP_SYS_MODULE},
    {SYS_settimeofday, CAP_SYS_TIME}, {SYS_clock_settime, CAP_SYS_TIME}, {SYS_adjtimex, CAP_SYS_TIME},
    {SYS_clock_adjtime, CAP_SYS_TIME},
    {SYS_acct, CAP_SYS_PACCT}, {SYS_vhangup, CAP_SYS_TTY_CONFIG}, {SYS_syslog, CAP_SYSLOG},
    // Mounts and namespaces.
    {SYS_mount, CAP_SYS_ADMIN}, {SYS_umount2, CAP_SYS_ADMIN}, {SYS_pivot_root, CAP_SYS_ADMIN},
    {SYS_open_tree, CAP_SYS_ADMIN}, {SYS_move_mount, CAP_SYS_ADMIN}, {SYS_fsopen, CAP_SYS_ADMIN},
    {SYS_fsconfig, CAP_SYS_ADMIN}, {SYS_fsmount, CAP_SYS_ADMIN}, {SYS_fspick, CAP_SYS_ADMIN},
    {442 /* mount_setattr */, CAP_SYS_ADMIN},
    {SYS_unshare, CAP_SYS_ADMIN}, {SYS_setns, CAP_SYS_ADMIN},
    {SYS_bpf, CAP_SYS_ADMIN}, {SYS_perf_event_open, CAP_SYS_ADMIN}, {SYS_fanotify_init, CAP_SYS_ADMIN},
    {SYS_lookup_dcookie, CAP_SYS_ADMIN}, {SYS_quotactl, CAP_SYS_ADMIN}, {443 /* quotactl_fd */, CAP_SYS_ADMIN},
    {SYS_sethostname, CAP_SYS_ADMIN}, {SYS_setdomainname, CAP_SYS_ADMIN},
    // Other processes and files outside.
    {SYS_open_by_handle_at, CAP_DAC_READ_SEARCH}, {SYS_process_vm_readv, CAP_SYS_PTRACE},
    {SYS_process_vm_writev, CAP_SYS_PTRACE}, {SYS_kcmp, CAP_SYS_PTRACE}, {SYS_pidfd_getfd, CAP_SYS_PTRACE},
    {SYS_process_madvise, CAP_SYS_PTRACE}, {SYS_chroot, CAP_SYS_CHROOT},
    // Placement of memory.
    {SYS_mbind, CAP_SYS_NICE}, {SYS_set_mempolicy, CAP_SYS_NICE}, {SYS_get_mempolicy, CAP_SYS_NICE},
    {SYS_migrate_pages, CAP_SYS_NICE}, {SYS_move_pages, CAP_SYS_NICE},
#if defined(__x86_64__)
    {SYS_iopl, CAP_SYS_RAWIO}, {SYS_ioperm, CAP_SYS_RAWIO}, {SYS_modify_ldt, -1}, {SYS_uselib, -1},
    {SYS_ustat, -1}, {SYS_sysfs, -1}, {SYS__sysctl, -1}, {SYS_create_module, CAP_SYS_MODULE},
    {SYS_get_kernel_syms, CAP_SYS_MODULE}, {SYS_query_module, CAP_SYS_MODULE},
#endif
};

#define RULES (sizeof rules / sizeof rules[0])
#define STATEMENT(code, k) (struct sock_filter) BPF_STMT(code, k)
#define JUMP(code, k, yes, no) (struct sock_filter) BPF_JUMP(code, k, yes, no)
#define REFUSE(number) STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (number))

static size_t build(struct sock_filter *program, uint64_t capabilities) {
    size_t n = 0;
    program[n++] = STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
    program[n++] = REFUSE(ENOSYS);  // 32-bit calls have numbers of their own
    program[n++] = STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
    program[n++] = JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
    program[n++] = REFUSE(ENOSYS);  // x32
#endif
    for (size_t i = 0; i < RULES; i++) {
        if (rules[i].capability >= 0 && (capabilities >> rules[i].capability & 1)) continue;
        program[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rules[i].number, 0, 1);
        program[n++] = REFUSE(EPERM);
    }
    if (!(capabilities >> CAP_SYS_ADMIN & 1)) {
        // The flags of clone3 lie in memory that a filter cannot read: ENOSYS makes libc use clone.
        program[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
        program[n++] = REFUSE(ENOSYS);
        program[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
        program[n++] = STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
        program[n++] = JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1);
        program[n++] = REFUSE(EPERM);
    }
    // TIOCSTI would type into the terminal of whoever runs 'exec -t'; the number is in the low half.
    program[n++] = STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    program[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3);
    program[n++] = STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]));
    program[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5412, 0, 1);
    program[n++] = REFUSE(EPERM);
    program[n++] = STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    return n;
}

size_t volt_filter_rules(uint64_t capabilities) {
    struct sock_filter program[2 * RULES + 32];
    return build(program, capabilities);
}

int volt_install_filter(uint64_t capabilities) {
    struct sock_filter program[2 * RULES + 32];
    struct sock_fprog filter = {.len = (unsigned short)build(program, capabilities), .filter = program};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}
