/* harness: one .tflite, single-threaded, on LiteRT's C API: sounds in, outputs, counts and times out.
 *
 *   harness MODEL INPUT OUTPUT WARM_UP PACE_MICROSECONDS PROFILE
 *
 * INPUT   raw float32 sounds (windows or chunks), one after the other; each is run once, in a region
 *         that the counting plugin sees between two marks. A state, where there is one, is zeros
 * OUTPUT  the raw scores of each; a last region is a look at as many zeros, which is what a listener
 *         does of a quiet chunk instead of running it
 * WARM_UP runs of the first window before anything is marked (the very first is the cold one)
 * PACE    0: back to back; else one window every so many microseconds, sleeping in between
 * PROFILE 1: LiteRT's profiler reads a clock at each op's end, which the plugin sees too; the names
 *         of the ops are printed in the same order
 *
 * Prints `key value` lines. Prototypes are our own, because the wheel holds no headers.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef void *Handle;
typedef struct { /* LiteRtRankedTensorType: bigger than any version of it, passed on unread */
  int32_t words[64];
} TensorType;
typedef struct { /* ProfiledEventData of litert_profiler_event.h */
  const char *tag;
  int32_t type;
  uint64_t start_us, elapsed_us;
  uint64_t memory[6]; /* tflite::profiling::memory::MemoryUsage, before and after */
  uint64_t metadata1, metadata2;
  int32_t source;
} Event;

int LiteRtCreateEnvironment(int count, const void *options, Handle *environment);
int LiteRtCreateModelFromFile(Handle environment, const char *path, Handle *model);
int LiteRtCreateOptions(Handle *options);
int LiteRtSetOptionsHardwareAccelerators(Handle options, int accelerators);
int LiteRtCreateOpaqueOptions(const char *name, void *payload, void (*release)(void *), Handle *made);
int LiteRtAddOpaqueOptions(Handle options, Handle opaque);
int LiteRtCreateCompiledModel(Handle environment, Handle model, Handle options, Handle *compiled);
int LiteRtGetModelSignature(Handle model, size_t index, Handle *signature);
int LiteRtGetNumSignatureInputs(Handle signature, size_t *count);
int LiteRtGetNumSignatureOutputs(Handle signature, size_t *count);
int LiteRtGetSignatureInputName(Handle signature, size_t index, const char **name);
int LiteRtGetSignatureOutputName(Handle signature, size_t index, const char **name);
int LiteRtGetSignatureInputTensorByIndex(Handle signature, size_t index, Handle *tensor);
int LiteRtGetSignatureOutputTensorByIndex(Handle signature, size_t index, Handle *tensor);
int LiteRtGetRankedTensorType(Handle tensor, TensorType *type);
int LiteRtGetCompiledModelInputBufferRequirements(Handle, size_t signature, size_t index, Handle *);
int LiteRtGetCompiledModelOutputBufferRequirements(Handle, size_t signature, size_t index, Handle *);
int LiteRtCreateManagedTensorBufferFromRequirements(Handle, const TensorType *, Handle, Handle *);
int LiteRtGetTensorBufferPackedSize(Handle buffer, size_t *bytes);
int LiteRtLockTensorBuffer(Handle buffer, void **address, int mode);
int LiteRtUnlockTensorBuffer(Handle buffer);
int LiteRtRunCompiledModel(Handle, size_t signature, size_t, Handle *inputs, size_t, Handle *outputs);
int LiteRtCompiledModelGetProfiler(Handle compiled, Handle *profiler);
int LiteRtStartProfiler(Handle profiler);
int LiteRtResetProfiler(Handle profiler);
int LiteRtStopProfiler(Handle profiler);
int LiteRtGetNumProfilerEvents(Handle profiler, int *count);
int LiteRtGetProfilerEvents(Handle profiler, int count, Event *events);

enum { CPU = 1, LOCK_READ = 0, LOCK_WRITE = 1, BEGIN = 0x70656172, END = 0x70656173, TICK = 0x70656174 };

static void check(int status, const char *call) {
  if (status == 0) return;
  printf("failed %.*s with status %d\n", (int)strcspn(call, "("), call, status);
  fflush(stdout);
  _exit(3);
}
#define CHECK(call) check(call, #call)

#ifdef TRACED
/* A second build of this file, for the profile and for memory: a clock that ticks once a call, so
 * that the profiler's times say which part of the plugin's output belongs to which op, and every
 * byte that is held. None of it is in the build whose instructions are counted. */
static uint64_t ticks;

int clock_gettime(clockid_t clock, struct timespec *now) {
  (void)clock;
  syscall(SYS_getpriority, TICK, 0);
  ticks++;
  now->tv_sec = (time_t)(ticks / 1000000);
  now->tv_nsec = (long)(ticks % 1000000 * 1000);
  return 0;
}

static size_t live_bytes, peak_bytes; /* held by heap or mapping, now and at most */

static void held(size_t bytes) {
  live_bytes += bytes;
  if (live_bytes > peak_bytes) peak_bytes = live_bytes;
}

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static void *counted(void *block) {
  if (block) held(malloc_usable_size(block));
  return block;
}
void *malloc(size_t bytes) { return counted(__libc_malloc(bytes)); }
void *calloc(size_t count, size_t bytes) { return counted(__libc_calloc(count, bytes)); }
void *memalign(size_t alignment, size_t bytes) { return counted(__libc_memalign(alignment, bytes)); }
void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void **block, size_t alignment, size_t bytes) {
  *block = memalign(alignment, bytes);
  return *block ? 0 : 12;
}
void *realloc(void *block, size_t bytes) {
  live_bytes -= block ? malloc_usable_size(block) : 0;
  return counted(__libc_realloc(block, bytes));
}
void free(void *block) {
  live_bytes -= block ? malloc_usable_size(block) : 0;
  __libc_free(block);
}
void *mmap(void *wish, size_t bytes, int protection, int flags, int file, off_t offset) {
  void *address = (void *)syscall(SYS_mmap, wish, bytes, protection, flags, file, offset);
  if (address != MAP_FAILED) held(bytes);
  return address;
}
int munmap(void *address, size_t bytes) {
  int status = (int)syscall(SYS_munmap, address, bytes);
  if (status == 0) live_bytes -= bytes;
  return status;
}
#endif

/* XNNPACK chooses its kernels by the core that /proc/cpuinfo names. Under emulation that is the phone
 * class's own file, whatever the emulator would say; on a phone there is no such file. */
int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  int mode = va_arg(rest, int);
  va_end(rest);
  const char *own = "/phone-class-cpuinfo";
  if (strcmp(path, "/proc/cpuinfo") == 0 && access(own, R_OK) == 0) path = own;
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void mark(int which) {
#ifdef TRACED
  if (which == BEGIN) printf("begin_tick %llu\n", (unsigned long long)ticks);
#endif
  syscall(SYS_getpriority, which, 0);
#ifdef TRACED
  struct timespec now; /* between these two lies nothing but what reading the clock costs */
  if (which == BEGIN) clock_gettime(CLOCK_MONOTONIC, &now), clock_gettime(CLOCK_MONOTONIC, &now);
#endif
}

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void sleep_until(double when_us) {
  double left = when_us - now_us();
  if (left > 0) usleep((useconds_t)left);
}

static Handle tensor_buffer(Handle environment, Handle tensor, Handle requirements) {
  TensorType type;
  Handle buffer;
  CHECK(LiteRtGetRankedTensorType(tensor, &type));
  CHECK(LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, requirements, &buffer));
  return buffer;
}

enum { MOST_TENSORS = 2 }; /* the sound or its scores, and a state */
typedef int Count(Handle, size_t *);
typedef int Name(Handle, size_t, const char **);

/* How many inputs or outputs, and in `which` the one called `wanted`; the first, if none is. */
static size_t tensors(Handle signature, Count *count, Name *name, const char *wanted, size_t *which) {
  size_t found;
  CHECK(count(signature, &found));
  if (found > MOST_TENSORS) check(-1, "too many inputs or outputs(");
  *which = 0;
  for (size_t i = 0; i < found; i++) {
    const char *own;
    CHECK(name(signature, i, &own));
    if (strcmp(own, wanted) == 0) *which = i;
  }
  return found;
}

static void fill_zero(Handle buffer) {
  size_t bytes;
  void *address;
  CHECK(LiteRtGetTensorBufferPackedSize(buffer, &bytes));
  CHECK(LiteRtLockTensorBuffer(buffer, &address, LOCK_WRITE));
  memset(address, 0, bytes);
  CHECK(LiteRtUnlockTensorBuffer(buffer));
}

/* The listener's look at a chunk: whether no sample is beyond the peak. */
static int is_quiet(const float *samples, size_t count, float peak) {
  for (size_t i = 0; i < count; i++)
    if (!(__builtin_fabsf(samples[i]) <= peak)) return 0;
  return 1;
}

static void look_at_silence(size_t count) {
  float *samples = calloc(count, sizeof *samples);
  volatile float peak = 1e-4f;
  mark(BEGIN);
  volatile int quiet = is_quiet(samples, count, peak);
  mark(END);
  (void)quiet;
  free(samples);
}

static void print_ops(Handle profiler) {
  int count;
  CHECK(LiteRtStopProfiler(profiler));
  CHECK(LiteRtGetNumProfilerEvents(profiler, &count));
  Event *events = malloc((size_t)count * sizeof *events);
  CHECK(LiteRtGetProfilerEvents(profiler, count, events));
  for (int i = 0; i < count; i++)
    printf("op %d %llu %llu %s\n", events[i].type,
           (unsigned long long)events[i].start_us, (unsigned long long)events[i].elapsed_us,
           events[i].tag);
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
#ifdef TRACED
  size_t before = live_bytes;
#endif
  int warm_up = atoi(argv[4]), profile = atoi(argv[6]);
  double pace_us = atof(argv[5]);
  Handle environment, model, options, compiled, signature, tensor, requirements, profiler = NULL;

  double started = now_us();
  CHECK(LiteRtCreateEnvironment(0, NULL, &environment));
  CHECK(LiteRtCreateModelFromFile(environment, argv[1], &model));
  CHECK(LiteRtCreateOptions(&options));
  CHECK(LiteRtSetOptionsHardwareAccelerators(options, CPU));
  if (profile) {
    Handle opaque;
    char *payload = strdup("enable_profiling = true\n");
    CHECK(LiteRtCreateOpaqueOptions("runtime_options_string", payload, free, &opaque));
    CHECK(LiteRtAddOpaqueOptions(options, opaque));
  }
  CHECK(LiteRtCreateCompiledModel(environment, model, options, &compiled));
  CHECK(LiteRtGetModelSignature(model, 0, &signature));
  Handle sources[MOST_TENSORS], sinks[MOST_TENSORS];
  size_t sound, scores;
  size_t inputs = tensors(
      signature, LiteRtGetNumSignatureInputs, LiteRtGetSignatureInputName, "waveform", &sound);
  size_t outputs = tensors(
      signature, LiteRtGetNumSignatureOutputs, LiteRtGetSignatureOutputName, "scores", &scores);
  for (size_t i = 0; i < inputs; i++) {
    CHECK(LiteRtGetSignatureInputTensorByIndex(signature, i, &tensor));
    CHECK(LiteRtGetCompiledModelInputBufferRequirements(compiled, 0, i, &requirements));
    sources[i] = tensor_buffer(environment, tensor, requirements);
    fill_zero(sources[i]);
  }
  for (size_t i = 0; i < outputs; i++) {
    CHECK(LiteRtGetSignatureOutputTensorByIndex(signature, i, &tensor));
    CHECK(LiteRtGetCompiledModelOutputBufferRequirements(compiled, 0, i, &requirements));
    sinks[i] = tensor_buffer(environment, tensor, requirements);
  }
  Handle input = sources[sound], output = sinks[scores];
  printf("load_us %.0f\n", now_us() - started);

  size_t input_bytes, output_bytes;
  void *address;
  CHECK(LiteRtGetTensorBufferPackedSize(input, &input_bytes));
  CHECK(LiteRtGetTensorBufferPackedSize(output, &output_bytes));
  FILE *windows = fopen(argv[2], "rb"), *results = fopen(argv[3], "wb");
  if (!windows || !results) return 2;
  if (profile) {
    CHECK(LiteRtCompiledModelGetProfiler(compiled, &profiler));
    CHECK(LiteRtStartProfiler(profiler));
  }
  for (int run = -warm_up;; run++) {
    if (run <= 0) rewind(windows);
    CHECK(LiteRtLockTensorBuffer(input, &address, LOCK_WRITE));
    size_t read = fread(address, 1, input_bytes, windows);
    CHECK(LiteRtUnlockTensorBuffer(input));
    if (read != input_bytes) break;
    if (profile && run == 0) {
      CHECK(LiteRtResetProfiler(profiler));
      CHECK(LiteRtStartProfiler(profiler));
    }
    if (pace_us > 0) sleep_until(started += pace_us);
    double begun = now_us();
    if (run >= 0) mark(BEGIN);
    int status = LiteRtRunCompiledModel(compiled, 0, inputs, sources, outputs, sinks);
    if (run >= 0) mark(END);
    double took = now_us() - begun;
    check(status, "LiteRtRunCompiledModel");
    printf("%s %.1f\n", run == -warm_up ? "cold_us" : run < 0 ? "warm_up_us" : "run_us", took);
    if (run < 0) continue;
    CHECK(LiteRtLockTensorBuffer(output, &address, LOCK_READ));
    fwrite(address, 1, output_bytes, results);
    CHECK(LiteRtUnlockTensorBuffer(output));
  }
  look_at_silence(input_bytes / sizeof(float));
  if (profile) print_ops(profiler);
  printf("output_bytes %zu\n", output_bytes);
#ifdef TRACED
  printf("peak_bytes %zu\n", peak_bytes - before);
#endif
  fclose(results);
  fflush(stdout);
  _exit(0); /* LiteRT's global destructors are not ours to wait for */
}
