/* A plugin for qemu-aarch64: bytes that a program stores between `hint #112` and `hint #113`, by function.
 *
 *     cc -O2 -shared -fPIC -o count_stores.so count_stores.c
 *     qemu-aarch64 -cpu cortex-a76 -plugin ./count_stores.so,out=FILE PROGRAM
 *
 * FILE gets a line for each function, `BYTES NAME`; functions without a symbol are called `?`. Every access of
 * a store is counted with its own size, so that pairs and vectors are right. `dc zva` is no such access: it
 * clears 64 bytes. Emulate a CPU where it does, and without SVE, whose stores QEMU does not report.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of QEMU's plugin interface, version 1, for Debian has no package with its header. */
enum { NO_REGISTERS = 0, STORES = 2 };
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t, void (*)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int, void *);
void qemu_plugin_register_vcpu_mem_cb(
    struct qemu_plugin_insn *, void (*)(unsigned, uint32_t, uint64_t, void *), int, int, void *);
void qemu_plugin_register_atexit_cb(uint64_t, void (*)(uint64_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);
unsigned qemu_plugin_mem_size_shift(uint32_t);
bool qemu_plugin_mem_is_store(uint32_t);

int qemu_plugin_version = 1;

struct function {
    const char *name;
    uint64_t bytes;
    struct function *next;
};

static struct function *functions;
static bool counting;
static FILE *out;

static struct function *function(const char *name) {
    struct function *f = functions;
    while (f && strcmp(f->name, name))
        f = f->next;
    if (!f && (f = calloc(1, sizeof *f)) && (f->name = strdup(name))) {
        f->next = functions;
        functions = f;
    }
    return f;
}

static void mark(unsigned cpu, void *start) {
    (void)cpu;
    counting = start != NULL;
}

static void store(unsigned cpu, uint32_t access, uint64_t address, void *f) {
    (void)cpu, (void)address;
    /* QEMU 7.2 calls for loads as well. */
    if (counting && qemu_plugin_mem_is_store(access))
        ((struct function *)f)->bytes += 1u << qemu_plugin_mem_size_shift(access);
}

static void clear(unsigned cpu, void *f) {
    (void)cpu;
    if (counting)
        ((struct function *)f)->bytes += 64;
}

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        const char *name = qemu_plugin_insn_symbol(insn);
        struct function *f = function(name && *name ? name : "?");
        uint32_t code;
        memcpy(&code, qemu_plugin_insn_data(insn), sizeof code);
        if (code == 0xd5032e1f || code == 0xd5032e3f) /* hint #112 and #113 */
            qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, NO_REGISTERS, code == 0xd5032e1f ? insn : NULL);
        else if ((code & ~31u) == 0xd50b7420) /* dc zva */
            qemu_plugin_register_vcpu_insn_exec_cb(insn, clear, NO_REGISTERS, f);
        else
            qemu_plugin_register_vcpu_mem_cb(insn, store, NO_REGISTERS, STORES, f);
    }
}

static void report(uint64_t id, void *data) {
    (void)id, (void)data;
    for (struct function *f = functions; f; f = f->next)
        if (f->bytes)
            fprintf(out, "%" PRIu64 " %s\n", f->bytes, f->name);
    fclose(out);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) || !(out = fopen(argv[0] + 4, "w"))) {
        fprintf(stderr, "count_stores: expected out=FILE, a file that can be written\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, report, NULL);
    return 0;
}
