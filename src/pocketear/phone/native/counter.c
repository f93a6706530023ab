/* counter: a QEMU TCG plugin that counts executed arm64 instructions by kind between two marks.
 *
 * A mark is the system call getpriority with a magic first argument (see harness.c). Inside a marked
 * region a tick ends a part: the traced harness ticks whenever the profiler reads the clock. Writes to the file `counts.txt` of the current folder, one line a part:
 *
 *   PART multiply_add vector load store branch other     the counts since the last line
 *
 * Prototypes are our own, because distributions ship no plugin header.
 * source: QEMU docs/devel/tcg-plugins; Arm Architecture Reference Manual, C4.1 (A64 encodings)
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PLUGIN_VERSION
#define PLUGIN_VERSION 1 /* QEMU 5 to 8; from 9 on 3, where qemu_plugin_insn_data copies */
#endif

typedef uint64_t Id;
struct Block; /* qemu_plugin_tb */
struct Instruction; /* qemu_plugin_insn */

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_VERSION;
void qemu_plugin_register_vcpu_tb_trans_cb(Id, void (*)(Id, struct Block *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct Block *, void (*)(unsigned, void *), int, void *);
void qemu_plugin_register_vcpu_syscall_cb(Id, void (*)(Id, unsigned, int64_t, uint64_t, uint64_t,
                                                       uint64_t, uint64_t, uint64_t, uint64_t,
                                                       uint64_t, uint64_t));
size_t qemu_plugin_tb_n_insns(const struct Block *);
struct Instruction *qemu_plugin_tb_get_insn(const struct Block *, size_t);
#if PLUGIN_VERSION < 3
const void *qemu_plugin_insn_data(const struct Instruction *);
#else
size_t qemu_plugin_insn_data(const struct Instruction *, void *, size_t);
#endif

enum { NO_REGISTERS = 0, GETPRIORITY = 141 };
enum { BEGIN = 0x70656172, END = 0x70656173, TICK = 0x70656174 };
enum Kind { MULTIPLY_ADD, VECTOR, LOAD, STORE, BRANCH, OTHER, KINDS };

static uint64_t counts[KINDS];
static int counting;
static FILE *out;

static uint32_t bits(uint32_t word, int high, int low) {
  return word >> low & ((1u << (high - low + 1)) - 1);
}

/* An atomic read-modify-write and a prefetch count as loads. */
static enum Kind memory_kind(uint32_t w) {
  int one_register = bits(w, 29, 27) == 7, vector = bits(w, 26, 26) == 1;
  int literal = bits(w, 29, 27) == 3 && bits(w, 25, 24) == 0;
  int atomic = one_register && bits(w, 25, 24) == 0 && bits(w, 21, 21) && bits(w, 11, 10) == 0;
  int swap = bits(w, 29, 24) == 8 && bits(w, 23, 23) && bits(w, 21, 21); /* CAS */
  if (literal || atomic || swap) return LOAD;
  if (one_register && !vector) return bits(w, 23, 22) ? LOAD : STORE;
  return bits(w, 22, 22) ? LOAD : STORE;
}

/* Vector or floating-point: is it a multiply that accumulates? */
static int accumulates(uint32_t w) {
  uint32_t unsigned_ = bits(w, 29, 29), size = bits(w, 23, 22);
  if (bits(w, 30, 24) == 0x1f) return 1;                        /* FMADD, FMSUB, FNMADD, FNMSUB */
  if (bits(w, 28, 28) && !bits(w, 30, 30)) return 0;            /* other scalar floating point */
  if (bits(w, 28, 24) == 0x0e && bits(w, 21, 21) && bits(w, 10, 10)) {     /* three the same */
    uint32_t opcode = bits(w, 15, 11);
    return (opcode == 0x19 && !unsigned_) || opcode == 0x12;    /* FMLA FMLS; MLA MLS */
  }
  if (bits(w, 28, 24) == 0x0e && bits(w, 22, 21) == 2 && bits(w, 15, 14) == 0 && bits(w, 10, 10))
    return bits(w, 13, 11) == 1 && !unsigned_;                  /* FMLA, FMLS of halves */
  if (bits(w, 28, 24) == 0x0e && bits(w, 21, 21) && bits(w, 11, 10) == 0) { /* three different */
    uint32_t opcode = bits(w, 15, 12);
    return opcode == 8 || opcode == 10;                         /* SMLAL, SMLSL and unsigned */
  }
  if (bits(w, 28, 24) == 0x0e && !bits(w, 21, 21) && bits(w, 15, 15) && bits(w, 10, 10))
    return bits(w, 14, 11) == 2 || bits(w, 14, 11) == 4;        /* SDOT, UDOT; SMMLA */
  if ((bits(w, 28, 24) == 0x0f || bits(w, 28, 24) == 0x1f) && !bits(w, 10, 10)) { /* by element */
    uint32_t opcode = bits(w, 15, 12);
    if (!unsigned_ && size != 1 && (opcode == 1 || opcode == 5)) return 1; /* FMLA, FMLS */
    if (unsigned_ && (opcode == 0 || opcode == 4)) return 1;    /* MLA, MLS */
    return opcode == 2 || opcode == 6 || opcode == 14;          /* SMLAL, SMLSL, SDOT */
  }
  return 0;
}

static enum Kind kind_of(uint32_t w) {
  uint32_t group = bits(w, 28, 25);
  if ((group & 5) == 4) return memory_kind(w);
  if ((group & 7) == 7) return accumulates(w) ? MULTIPLY_ADD : VECTOR;
  if (group == 2) return VECTOR; /* SVE, which no phone class has */
  if ((group & 14) == 10 && bits(w, 31, 24) != 0xd4 && bits(w, 31, 22) != 0x354) return BRANCH;
  return OTHER;
}

static uint32_t word_of(const struct Instruction *instruction) {
  uint32_t word = 0;
#if PLUGIN_VERSION < 3
  memcpy(&word, qemu_plugin_insn_data(instruction), sizeof word);
#else
  qemu_plugin_insn_data(instruction, &word, sizeof word);
#endif
  return word;
}

static void executed(unsigned cpu, void *block) {
  (void)cpu;
  if (!counting) return;
  const uint32_t *of_block = block;
  for (int kind = 0; kind < KINDS; kind++) counts[kind] += of_block[kind];
}

static void translated(Id id, struct Block *block) {
  (void)id;
  uint32_t *of_block = calloc(KINDS, sizeof *of_block); /* lives as long as the code does */
  size_t length = qemu_plugin_tb_n_insns(block);
  for (size_t i = 0; i < length; i++)
    of_block[kind_of(word_of(qemu_plugin_tb_get_insn(block, i)))]++;
  qemu_plugin_register_vcpu_tb_exec_cb(block, executed, NO_REGISTERS, of_block);
}

static void end_part(const char *name) {
  fprintf(out, "%s", name);
  for (int kind = 0; kind < KINDS; kind++) fprintf(out, " %llu", (unsigned long long)counts[kind]);
  fprintf(out, "\n");
  memset(counts, 0, sizeof counts);
}

static void called(Id id, unsigned cpu, int64_t number, uint64_t first, uint64_t a2, uint64_t a3,
                   uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (number != GETPRIORITY) return;
  if (first == TICK && counting) {
    end_part("tick");
  } else if (first == BEGIN) {
    memset(counts, 0, sizeof counts);
    counting = 1;
  } else if (first == END) {
    counting = 0;
    end_part("end");
    fflush(out);
  }
}

__attribute__((visibility("default"))) int qemu_plugin_install(Id id, const void *info, int argc,
                                                               char **argv) {
  (void)info, (void)argc, (void)argv;
  out = fopen("counts.txt", "w");
  if (!out) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  return 0;
}
