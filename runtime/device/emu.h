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
    void *arg;
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

/* What a sanitizer in the process must be told; nothing without one. */
bool fibre_sees_races(void);
void fibre_order_after(void *at);  /* what was ordered before `at` comes before what follows */
void fibre_order_before(void *at); /* what came before is ordered before `at` */
void fibre_poison(const void *from, size_t bytes);
void fibre_unpoison(const void *from, size_t bytes);

/* ---- emu_run.c: a grid ---- */

typedef struct {
    const char *name;
    const GxKernel *kernel;
    const GxModule *module;
    const void *args;
    DeviceGrid grid;
    EmuOptions options;
} EmuLaunch;

extern const GxEngine emu_engine;

/* Runs all blocks; false: text says why it ended before. */
bool emu_run(const EmuLaunch *launch, char *text, size_t size);

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
