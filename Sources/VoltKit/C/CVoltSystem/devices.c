#define _GNU_SOURCE
#include "VoltNamespaces.h"

#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// The character devices that every process may open. Minor -1 is each.
static const struct {
    int major, minor;
} devices[] = {
    {1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9},  // null, zero, full, random, urandom
    {5, 0}, {5, 2}, {136, -1},               // tty, ptmx and the terminals below /dev/pts
};

#define DEVICES (sizeof devices / sizeof devices[0])
#define LOAD(to, field) \
    (struct bpf_insn) {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = to, .src_reg = 1, .off = offsetof(struct bpf_cgroup_dev_ctx, field)}
#define SET(to, value) (struct bpf_insn) {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .imm = value}
#define COPY(to, from) (struct bpf_insn) {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from}
#define AND(to, value) (struct bpf_insn) {.code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = to, .imm = value}
// Goes on behind the next 'skip' instructions when the test is not met.
#define UNLESS_EQUAL(of, value, skip) \
    (struct bpf_insn) {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = of, .imm = value, .off = skip}
#define END (struct bpf_insn) {.code = BPF_JMP | BPF_EXIT}

static long call(int command, union bpf_attr *attributes) {
    return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

int volt_device_program(void) {
    struct bpf_insn program[10 + 4 * DEVICES + 2];
    size_t n = 0;
    program[n++] = LOAD(2, access_type);  // the kind of device below, what is done with it above
    program[n++] = LOAD(4, major);
    program[n++] = LOAD(5, minor);
    program[n++] = COPY(3, 2);
    program[n++] = AND(3, (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE) << 16);
    program[n++] = AND(2, 0xffff);
    // A node alone is of no use: tar and package managers make them.
    program[n++] = UNLESS_EQUAL(3, 0, 2);
    program[n++] = SET(0, 1);
    program[n++] = END;
    program[n++] = UNLESS_EQUAL(2, BPF_DEVCG_DEV_CHAR, (int)(4 * DEVICES));
    for (size_t i = 0; i < DEVICES; i++) {
        program[n++] = UNLESS_EQUAL(4, devices[i].major, 3);
        program[n++] = devices[i].minor < 0 ? COPY(5, 5) : UNLESS_EQUAL(5, devices[i].minor, 2);
        program[n++] = SET(0, 1);
        program[n++] = END;
    }
    program[n++] = SET(0, 0);
    program[n++] = END;
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = (uint64_t)(uintptr_t)program;
    attributes.insn_cnt = (uint32_t)n;
    attributes.license = (uint64_t)(uintptr_t)"";
    return (int)call(BPF_PROG_LOAD, &attributes);
}

static int change(int command, int program, int cgroup) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    // Beside those of systemd or another container manager above: what one of them refuses is refused.
    if (command == BPF_PROG_ATTACH) attributes.attach_flags = BPF_F_ALLOW_MULTI;
    return (int)call(command, &attributes);
}

int volt_device_attach(int program, int cgroup) { return change(BPF_PROG_ATTACH, program, cgroup); }
int volt_device_detach(int program, int cgroup) { return change(BPF_PROG_DETACH, program, cgroup); }
