/* A device: what runs kernels of CUDA text and has memory of its own, behind one table of functions.
   There are two: `cuda`, a GPU through libcuda, and `emu`, which compiles the same text as C++ for
   this machine's processor and so tests everything but the GPU itself.

   A device is used by the thread that runs the entry; only the functions of code may be called from
   several threads at once. Work of one stream is done in order; copies and launches return before
   they are done. Addresses of a device's memory never mix with those of the host, even where the
   device could read them. */
#ifndef GACT_DEVICE_H
#define GACT_DEVICE_H

#include "../runtime.h"

typedef uint64_t DevicePtr; /* an address in the device's memory; 0: none */

typedef enum {
    DEVICE_OK,
    DEVICE_NO_MEMORY, /* the device's memory is exhausted; nothing has changed */
    DEVICE_FAILED     /* the call failed; error has the call and the driver's own words */
} DeviceStatus;

enum { DEVICE_STREAMS = 2, DEVICE_MARKS = 64, DEVICE_ERROR = 512, DEVICE_ARGS = 4096 };

typedef struct {
    int32_t blocks[3];
    int32_t threads;      /* of a block, a multiple of 32, at most 1024 */
    int32_t shared_bytes; /* dynamic shared memory */
} DeviceGrid;

/* What placement and the report want to know. */
typedef struct {
    char name[128]; /* "NVIDIA H200" */
    char arch[16];  /* "sm_90"; "" for emu */
    int32_t units;  /* multiprocessors */
    int32_t threads_per_unit, shared_per_block;
    int64_t memory, free; /* bytes */
    int64_t bandwidth;    /* of its memory, bytes a second, about */
    int32_t clock;        /* kHz */
    int32_t driver;       /* 13000 for CUDA 13.0; 0 for emu */
} DeviceInfo;

typedef struct Device Device;
typedef struct DeviceModule DeviceModule; /* loaded code */
typedef struct DeviceFunc DeviceFunc;     /* a __global__ function of it */
typedef struct DeviceGraph DeviceGraph;   /* several launches and fills as one */

/* A launch, or, where f is NULL, a fill of `stretch` bytes. */
typedef struct {
    DeviceFunc *f;
    DeviceGrid grid;
    const void *args;
    int64_t bytes; /* of args */
    DevicePtr to;
    int64_t stretch;
    uint8_t byte;
} DeviceStep;

typedef struct {
    const char *name; /* "cuda", "emu" */
    /* How many there are; 0 and a text in why (may be NULL) where there is none. */
    int32_t (*count)(GactError *why);
    DeviceStatus (*open)(int32_t ordinal, Device **d, GactError *error);
    void (*close)(Device *d);
    DeviceStatus (*info)(Device *d, DeviceInfo *info);

    DeviceStatus (*alloc)(Device *d, int64_t bytes, DevicePtr *p); /* 256-byte aligned */
    void (*free)(Device *d, DevicePtr p); /* once the work issued so far is done */
    DeviceStatus (*copy_in)(Device *d, int32_t stream, DevicePtr to, const void *from, int64_t bytes);
    DeviceStatus (*copy_out)(Device *d, int32_t stream, void *to, DevicePtr from, int64_t bytes);
    DeviceStatus (*copy)(Device *d, int32_t stream, DevicePtr to, DevicePtr from, int64_t bytes);
    DeviceStatus (*fill)(Device *d, int32_t stream, DevicePtr to, uint8_t byte, int64_t bytes);

    /* Loads code that `compile` made, or that is kept on disk. */
    DeviceStatus (*load)(Device *d, const void *code, size_t len, DeviceModule **module);
    void (*unload)(Device *d, DeviceModule *module);
    /* Compiles CUDA text (with the prelude) to code for this device, in memory from malloc. */
    DeviceStatus (*compile)(Device *d, const char *text, size_t len, void **code, size_t *code_len,
                            char **log);
    /* What, beside the text, decides the code: architecture, options, compiler and its version. */
    const char *(*compile_key)(Device *d);
    DeviceStatus (*function)(Device *d, DeviceModule *module, const char *name, DeviceFunc **f);
    /* args: the kernel's one parameter, a struct passed by value. */
    DeviceStatus (*launch)(Device *d, int32_t stream, DeviceFunc *f, const DeviceGrid *grid,
                           const void *args, size_t bytes);

    /* Steps that follow each other as a graph, which graph_run gives to a stream at once. Its steps have the
       functions, bytes of arguments and stretches of those it was made of; changed tells which have other
       grids, arguments or places than the last time. graph_make may fail where graphs are not to be had. */
    DeviceStatus (*graph_make)(Device *d, const DeviceStep *steps, int32_t n, DeviceGraph **graph);
    DeviceStatus (*graph_run)(Device *d, int32_t stream, DeviceGraph *graph, const DeviceStep *steps,
                              const bool *changed);
    void (*graph_free)(Device *d, DeviceGraph *graph);

    /* Waits until the stream's work is done; a fault of the device itself shows here. */
    DeviceStatus (*sync)(Device *d, int32_t stream);
    /* Stream b waits for what stream a has been given so far. */
    DeviceStatus (*order)(Device *d, int32_t a, int32_t b);
    /* Sets one of DEVICE_MARKS marks behind what the stream has been given so far. */
    DeviceStatus (*mark)(Device *d, int32_t stream, int32_t mark);
    /* Waits until two marks are reached; nanoseconds from one to the other, below zero where the
       second was reached first. */
    DeviceStatus (*between)(Device *d, int32_t from, int32_t to, int64_t *ns);
} DeviceTable;

struct Device {
    const DeviceTable *table;
    int32_t ordinal;
    char error[DEVICE_ERROR]; /* of the last call that did not return DEVICE_OK */
    void *state;              /* the table's own */
    struct DeviceMeter *meter;   /* in front of the table, or NULL */
    struct DeviceGraphs *graphs; /* behind it, or NULL */
};

extern const DeviceTable device_cuda, device_emu;

/* "cuda", "cuda:1", "emu", "host" (no device: *d is NULL), "auto" (the first GPU, else none); "auto:" and
   the name of a device: that one, used where it pays. */
DeviceStatus device_open(const char *spec, Device **d, GactError *error);
void device_close(Device *d);
/* Opens all devices of a kind ("cuda", "emu"), at most `most`; the count. Those that cannot be opened are left out;
   0 and a text where none can. */
int32_t device_open_all(const char *kind, Device **list, int32_t most, GactError *error); /* NULL is ignored */

/* The device of the process. device_use opens it by its name, NULL: by GACT_DEVICE, else the host;
   device_ensure does so unless it was done. Neither may be called while a run is under way. */
GactStatus device_use(const char *spec, GactError *error);
GactStatus device_ensure(GactError *error);
/* What runs kernels besides the host; NULL: nothing. */
Device *runtime_device(void);
/* All devices of its kind, the process's own first, opened when they are first asked for; the count, 0 where kernels run
   on the host. A run is on one of them (ctx.device), and runs on several go side by side. */
int32_t runtime_devices(Device *const **list);
/* Was it asked for by its number, so that others are not wanted? */
bool runtime_device_is_numbered(void);
/* Was it asked for by name, so that all that it can run shall run there? Not with auto. */
bool runtime_device_is_forced(void);
/* Closes them; the next run opens one again. */
void device_stop(void);

/* The kinds of devices there are, NULL after the last. */
extern const DeviceTable *const device_tables[];

/* ---- code: code.c ---- */

/* The prelude's text, which stands before every unit. */
extern const char device_prelude[];
/* Code for CUDA text (without the prelude) on d: from the disk cache, else compiled and kept there.
   Any number of threads and processes may ask at once. */
DeviceStatus device_code(Device *d, const char *text, size_t len, DeviceModule **module);
/* Loads the code that an image brings for d, the nearest first; false where it has none that d takes,
   and what was asked of device_code is then the kernels' texts one after the other. */
bool device_code_made(Device *d, const GactImage *image, DeviceModule **module);
/* How often an image brought the code, how often device_code found what it was asked for, and what
   compiling the rest took. */
typedef struct {
    int64_t made, hits, misses, compile_ns;
} DeviceCodeStats;
void device_code_stats(DeviceCodeStats *stats);

#endif
