/* The parts of the emulated device: fibres, the engine that runs a grid on them, memory, and the
   compiler of the system. emu.c joins them to a DeviceTable. */
#ifndef GACT_EMU_H
#define GACT_EMU_H

#include "device.h"
#include "emu_abi.h"

/* What the environment asks for; see docs in emu.c. */
typedef struct {
    uint64_t seed;      /* 0: threads run in order */
    int32_t threads;    /* OS threads a launch is spread over */
    const char *sanitizer; /* address, undefined, thread, or NULL */
} EmuOptions;

/* ---- emu_fibre.c: stacks that are switched by hand ---- */

typedef struct Fibre Fibre;

/* The fibres of one OS thread; all of them run body(arg) again and again, from fibre_enter to
   fibre_leave. */
typedef struct {
    void (*body)(void *arg);
    void (*trapped)(void *arg); /* what a fibre goes on with after a signal (emu_trap.c) */
    void *arg;
    int trap_signal;
    void *trap_address;
    Fibre *idle, *all;
    Fibre *current; /* NULL on the OS thread's own stack */
    void *stack_pointer; /* of the OS thread while a fibre runs */
    void *context;       /* the same where the switch is the system's */
    void *race_context, *fake_stack;
    const void *stack_low;
    size_t stack_size;
} FibreHost;

void fibre_host_open(FibreHost *host, void (*body)(void *arg), void *arg);
void fibre_host_close(FibreHost *host);
/* A fibre at the start of the body; NULL: no memory. */
Fibre *fibre_take(FibreHost *host);
/* Gives back a fibre whose body is at its end. */
void fibre_give(FibreHost *host, Fibre *f);
/* Runs f until it leaves. */
void fibre_enter(FibreHost *host, Fibre *f);
void fibre_leave(FibreHost *host);
void *fibre_stack_top(const Fibre *f);
/* Whether address is in the page that traps under the stack. */
bool fibre_is_below_stack(const Fibre *f, const void *address);

/* What a sanitizer in the process must be told; nothing without one. */
bool fibre_sees_races(void);
bool fibre_sees_errors(void); /* of memory */
void fibre_order_after(void *at);  /* what was ordered before `at` comes before what follows */
void fibre_order_before(void *at); /* what came before is ordered before `at` */
void fibre_poison(const void *from, size_t bytes);
void fibre_unpoison(const void *from, size_t bytes);

/* ---- emu_trap.c: signals of device code ---- */

/* Around a launch. */
void emu_traps_open(void);
void emu_traps_close(void);
/* This OS thread runs host's fibres from now on; NULL: no longer. */
void emu_traps_watch(FibreHost *host);

/* ---- emu_shared.c: the shared memory of a block ---- */

typedef struct EmuShared EmuShared;
enum { EMU_SHARED_BYTES = 99 << 10 }; /* of a block, as the smallest of today's GPUs have */

/* From those that the owner keeps, or fresh; NULL: no memory. */
EmuShared *emu_shared_take(EmuShared **kept);
/* Back to them; false: what lies outside of what was declared has been written. */
bool emu_shared_give(EmuShared *s, EmuShared **kept);
void emu_shared_drop(EmuShared *kept);
/* NULL: not declared yet. */
void *emu_shared_find(EmuShared *s, const void *key);
/* NULL: too much. No key: dynamic memory. */
void *emu_shared_add(EmuShared *s, const void *key, int64_t bytes, int64_t align);

/* ---- emu_run.c: a grid ---- */

typedef struct {
    const char *name;
    const GxKernel *kernel;
    const GxModule *module;
    const void *args;
    const struct EmuMemory *memory;
    DeviceGrid grid;
    EmuOptions options;
} EmuLaunch;

extern const GxEngine emu_engine;

/* Runs all blocks; false: text says why it ended before. */
bool emu_run(const EmuLaunch *launch, char *text, size_t size);

/* ---- emu_work.c: streams ---- */

/* A piece of work; the fields that its kind needs are set. */
typedef struct EmuWork {
    struct EmuWork *next;
    enum { EMU_COPY_OUT, EMU_COPY, EMU_FILL, EMU_MARK, EMU_LAUNCH } kind;
    int32_t mark;
    uint8_t byte;
    DevicePtr to, from;
    void *out;
    int64_t bytes;
    EmuLaunch launch; /* its args are those below */
    alignas(16) char args[];
} EmuWork;

typedef struct EmuStreams EmuStreams;

EmuStreams *emu_streams_new(uint64_t seed);
void emu_streams_free(EmuStreams *s);
/* A copy of work, with its arguments, behind what the stream was given; false: no memory. */
bool emu_streams_give(EmuStreams *s, int32_t stream, const EmuWork *work, const void *args,
                      size_t bytes);
/* Does what a stream, or every one, was given. */
void emu_streams_wait(EmuStreams *s, int32_t stream);
void emu_streams_wait_all(EmuStreams *s);
int64_t emu_streams_between(const EmuStreams *s, int32_t from, int32_t to);
/* Keeps the first text of a failure until emu_streams_failed asks for it. */
void emu_streams_fail(EmuStreams *s, const char *text);
bool emu_streams_failed(EmuStreams *s, char *text, size_t size);

/* ---- emu_memory.c: the device's memory ---- */

typedef struct EmuMemory EmuMemory;

EmuMemory *emu_memory_new(int64_t limit);
void emu_memory_free(EmuMemory *m);
int64_t emu_memory_left(const EmuMemory *m);
/* 256-byte aligned, filled with 0xC7; 0: no memory. */
DevicePtr emu_memory_alloc(EmuMemory *m, int64_t bytes);
/* False: there is no such block, or text says who wrote around it. */
bool emu_memory_release(EmuMemory *m, DevicePtr p, char *text, size_t size);
/* Whether [p, p + bytes) lies in one block. */
bool emu_memory_has(const EmuMemory *m, DevicePtr p, int64_t bytes);
/* What address is to the nearest block: "8 bytes after a block of 64 bytes". */
void emu_memory_describe(const EmuMemory *m, const void *address, char *text, size_t size);

/* ---- emu_compile.c: the system's compiler ---- */

/* The text that stands before every unit. */
extern const char emu_host_text[];

/* The command, found once; NULL: there is none, and why says what was looked for. */
const char *emu_compiler(GactError *why);
/* A key of the compiler's program, its options and the header. */
const char *emu_compile_key(const EmuOptions *options);
/* A shared object made of text in *code (from malloc), the compiler's messages in *log. */
bool emu_compile(const EmuOptions *options, const char *text, size_t len, void **code,
                 size_t *code_len, char **log);

#endif
