/* The runtime's inside: what its files share. A Run is one execution of an entry; a Thread is the
   context that compiled code sees, one for the thread that runs the entry and one for each pool
   worker. Lock order: pool, heap class, buffer list; none is held while compiled code runs, but the
   pool's. */
#ifndef GACT_RUNTIME_H
#define GACT_RUNTIME_H

#include "gact.h"

#include <assert.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct Thread Thread;
typedef struct Run Run;

/* ---- errors of the environment ---- */

/* Fills error (may be NULL) and returns status. */
GactStatus error_set(GactError *error, GactStatus status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- heap.c: buffers ---- */

enum {
    HEAP_SMALL_SHIFT = 6, /* the smallest class holds 64 bytes */
    HEAP_BIG_SHIFT = 17,  /* from 128 KiB on every buffer is a mapping of its own */
    HEAP_MAX_SHIFT = 46,
    HEAP_CLASSES = HEAP_MAX_SHIFT - HEAP_SMALL_SHIFT + 1,
    HEAP_CACHED = HEAP_BIG_SHIFT - HEAP_SMALL_SHIFT, /* small classes: threads cache many */
    HEAP_SLOTS = 10 /* big classes above them of which threads keep one: up to 64 MiB */
};

/* The live buffers of a run that one of its threads allocated, newest first. */
typedef struct {
    alignas(64) _Atomic int32_t lock;
    bool alone; /* only one thread ever uses the list: nobody locks it */
    GactBuf *head;
    int64_t stamp; /* the newest given to a buffer; read and written by the thread that allocates */
} BufList;

/* Free small buffers of one thread, and its part of the statistics. */
typedef struct {
    GactBuf *free[HEAP_CACHED];
    int32_t count[HEAP_CACHED];
    GactBuf *slots[HEAP_SLOTS]; /* one big buffer each, or NULL */
    int64_t live_delta;         /* not yet in the global count */
    int64_t hits, misses;
} HeapCache;

/* A buffer on t's list with count 1 and t's stamp; NULL when memory is exhausted. */
GactBuf *heap_alloc(Thread *t, int64_t bytes);
/* The same with room for up to `room` bytes that are counted as none: whoever fills it touches the
   first of them alone, and then says how many it was (`most` at a time, `bytes` from now on). */
GactBuf *heap_reserve(Thread *t, int64_t room);
void heap_settle(Thread *t, GactBuf *buf, int64_t most, int64_t bytes);
/* Frees a buffer whoever counts it. */
void heap_free(Thread *t, GactBuf *buf);
void heap_retain(GactBuf *buf);
void heap_release(Thread *t, GactBuf *buf);
/* Takes a buffer off its run's list: it survives the run. */
void heap_detach(GactBuf *buf);
/* Frees what is on the list with a stamp of at least `stamp`. */
void heap_free_since(Thread *t, BufList *list, int64_t stamp);
/* Gives a thread's cached buffers to the others. */
void heap_flush(HeapCache *cache);
/* Limits the bytes of live buffers; 0: to the machine's memory. */
void heap_limit(int64_t bytes);
void heap_stats(GactMemoryStats *stats);
/* Gives all kept memory back to the system; nothing may be live and every cache flushed. */
void heap_trim(void);
/* Fails the n-th allocation from now on (1: the next); 0: none. GACT_FAIL_AT sets it at start. */
void heap_fail_at(int64_t n);

/* ---- device/resident.c: copies on a device ---- */

struct Device;

/* Frees the copy that buf has. */
void mirror_free(GactBuf *buf);
/* GactApi.to_host, .launch and .on_device. */
void rt_to_host(GactCtx *ctx, GactBuf *buf, int32_t writes, int32_t more);
int32_t rt_on_device(GactCtx *ctx, int64_t points);
/* GactApi.collect and .forget. */
void rt_collect(GactCtx *ctx);
void rt_forget(GactCtx *ctx, GactSlot *results);
/* Forgets the newest results that are to come until `left` are left. */
void launch_forget_since(Run *run, int32_t left);
/* Frees what a program has on the device. */
void device_code_free(GactProgram *program);
/* Drops the code of all programs on a device, NULL: on all, that is about to be closed; no run is under way there. */
void device_code_stop(struct Device *d);
int32_t rt_launch(GactCtx *ctx, const GactDeviceKernel *kernel, const GactSlot *words, GactSlot *results);

/* ---- device/place.c ---- */

/* The host has spent so long on what a kernel that the device declined does. */
void place_host_ran(Thread *t, const GactKernelInfo *info, int64_t ns);
/* A run of t is over: what it measured is noted. */
void place_end_run(Thread *t);

/* ---- device/library.c: GactApi.library ---- */

int32_t rt_library(GactCtx *ctx, const GactSite *site, const GactLibraryCall *call);

/* ---- fault.c: faults ---- */

enum { FAULT_NUMS = 6 };
typedef struct {
    const GactSite *site; /* NULL: no place in the source */
    const char *kind;     /* of the site, unless the runtime says otherwise; static */
    char *text;           /* malloc'd and complete; NULL: the site's, with nums */
    int64_t nums[FAULT_NUMS];
    int32_t count;
    bool is_exit;     /* no fault: the program called exit and unwinds */
    int64_t instance; /* of a batch, counted from 1; 0: there is none */
    int64_t serial;   /* among the faults of a thread of a batch */
} Fault;

/* Where a fault leaves to. They form a stack through `outer`, newest first. */
typedef struct Landing {
    jmp_buf jump;
    struct Landing *outer;
    int64_t depth, serial, stamp;
    void *device;
    int32_t later; /* how many results of launches were to come */
} Landing;

/* Makes landing the innermost. The caller then does `if (_setjmp(landing.jump))`; in that branch
   the landing is gone already, depth and serial are as at landing_push and t->pending is the fault.
 */
void landing_push(Thread *t, Landing *landing);
void landing_pop(Thread *t, Landing *landing);

/* Reports a fault with a text of the runtime's own at site (may be NULL) and leaves. */
_Noreturn void fault_raise(GactCtx *ctx, const GactSite *site, const char *kind, const char *fmt,
                           ...) __attribute__((format(printf, 4, 5)));
/* Leaves to the innermost landing with a fault; its text now belongs to t. */
_Noreturn void fault_throw(Thread *t, Fault fault);
void fault_drop(Fault *fault);
/* Prints a fault; image gives the sources. */
void fault_print(FILE *out, const GactImage *image, const Fault *fault, GactFaultFormat format);
/* The same as a text, which the caller frees; NULL when memory is exhausted. */
char *fault_text(const GactImage *image, const Fault *fault, GactFaultFormat format);
/* Prints the text with every hole filled. */
void fault_print_message(FILE *out, const Fault *fault);
/* A C string as a JSON string with its quotes. */
void json_print_string(FILE *out, const char *text, size_t len);

void rt_fault(GactCtx *ctx, const GactSite *site, const int64_t *nums, int32_t n);
int32_t rt_try_call(GactCtx *ctx, GactBodyFn body, void *env);
int32_t rt_guard(GactCtx *ctx, GactBodyFn body, void *env);

/* ---- threads and runs ---- */

struct Thread {
    GactCtx ctx; /* first: a GactCtx * of compiled code is a Thread * */
    Run *run;
    BufList *live;               /* in run->lists */
    Landing *landing;            /* innermost */
    int64_t stamp;               /* of fresh buffers; only grows during a run */
    int32_t id;                  /* 0: the thread that runs the entry; workers from 1 */
    bool in_part;                /* runs a part of a kernel */
    char *guard_from, *guard_to; /* the guard pages under this thread's stack */
    Fault pending;               /* the fault that was caught last */
    struct {
        void *cost;                 /* of the kernel that the device has declined last, or NULL */
        const GactKernelInfo *info; /* its info; NULL: a sort or a product */
        int64_t points, ns;         /* and what the host took for it so far */
    } declined;                     /* see device/place.h */
    HeapCache *cache;            /* `own`, or that of the worker that runs the whole call */
    HeapCache own;
};

struct Run {
    Thread main;
    const GactProgram *program;
    BufList *lists; /* one for each possible thread */
    int32_t nlists;
    _Atomic int64_t worker_stamp; /* the newest stamp that a worker has used */
    Fault *faults;                /* kept by guards */
    int32_t nfaults, cap;
    bool exited;
    int32_t exit_status;
    struct World *world; /* of its actors, see actor/actor.h; NULL until one is spawned */
    struct RunLater *later; /* results that are still on the device, nlater of them; see device/launch.c */
    int32_t nlater;
};

static inline Thread *thread_of(GactCtx *ctx) {
    return (Thread *)ctx;
}

/* Makes a run whose main thread can allocate and start jobs; program may be NULL. False when memory
   is exhausted. */
bool run_open(Run *run, const GactProgram *program);
/* The same for a run that starts no jobs: only the thread that runs it sees its buffers. */
bool run_open_alone(Run *run, const GactProgram *program);
/* Frees everything the run still holds. */
void run_close(Run *run);
/* Keeps a fault for the report. */
void run_keep_fault(Run *run, const Fault *fault);
/* Frees everything the run's threads allocated since `stamp`. Called while no part runs. */
void run_free_since(Run *run, int64_t stamp);
/* The table of functions that compiled code calls. */
extern const GactApi runtime_api;

/* gact_call_run with kernels on a Device that need not be the process's first. */
GactStatus call_run_on(GactCall *call, void *device);

/* ---- run.c: inputs ---- */

enum { MAX_INPUTS = 64 };
/* The port of that name, -1 if there is none. */
int32_t port_find(const GactPort *ports, int32_t n, const char *name);
/* The scalar kind and rank that a view of this type has; false when views cannot show it. */
bool view_shape(const GactType *type, int32_t *kind, int32_t *rank);
/* Does the view fit the port? */
GactStatus view_check(const GactPort *port, const GactView *view, GactError *error);
/* The slots of the value that a view shows. */
void view_slots(const GactView *view, GactSlot *slots);
/* Are the sizes of an entry's inputs as declared? */
GactStatus shapes_check(const GactEntry *entry, const GactSlot *in, GactError *error);

/* An open image. */
struct GactProgram {
    void *handle; /* of dlopen */
    const GactImage *image;
    char *path;
    char *from, *to;           /* where it is mapped */
    char *code_from, *code_to; /* where its code is */
};

/* ---- stack.c: stacks with a guard ---- */

/* Runs body(arg) on a big stack of this thread's own, or here when it is on one already; sets the
   thread's guard pages and max_depth. False when no stack can be had. */
bool stack_call(Thread *t, void (*body)(void *arg), void *arg);
/* A big stack, its guard pages first: STACK_GUARD of stack_bytes(). NULL when there is no room. */
char *stack_take(void);
void stack_give(char *stack);
size_t stack_bytes(void);
/* Frees the stacks kept for reuse. */
void stack_trim(void);
/* A thread of the pool calls this first, on the stack it was started with, and stack_leave last. */
void stack_enter(Thread *t, char *stack);
void stack_leave(void);
enum { STACK_GUARD = 1 << 20 };

/* ---- pool.c: threads ---- */

/* The number of threads that work, the caller included. */
int32_t pool_threads(void);
GactStatus pool_configure(int32_t threads, bool pin, GactError *error);
void pool_stop(void);
/* Runs fn over 0 … n - 1 in ranges on all threads; faults as GactApi.parallel says. Returns the
   time all threads spent together, 0 when the caller did it alone. */
int64_t pool_run(Thread *t, const char *name, GactRangeFn fn, void *env, int64_t n);
/* Would this much work be worth more than one thread? `bytes` of memory, `ops` of arithmetic. */
bool pool_pays(const Thread *t, int64_t ops, int64_t bytes);
void rt_parallel(GactCtx *ctx, const GactKernelInfo *info, GactRangeFn fn, void *env, int64_t n,
                 int64_t work, int64_t bytes);
int64_t rt_workers(GactCtx *ctx, int64_t work);
/* sweep.c */
void rt_sweep(GactCtx *ctx, const GactKernelInfo *info, GactRangeFn fn, void **envs,
              const GactSweep *space);

/* ---- sort.c, matmul.c ---- */

void rt_sort(GactCtx *ctx, int32_t kind, void *keys, int64_t n, int32_t descending, int64_t *perm);
void rt_sort_by(GactCtx *ctx, GactLessFn less, void *env, int64_t n, int64_t *perm);
void rt_matmul(GactCtx *ctx, int32_t kind, const void *a, const void *b, void *c, int64_t n,
               int64_t k, int64_t m);

/* ---- profile.c, profile_print.c, trace.c ---- */

extern bool profile_on, trace_on;
int64_t clock_ns(void); /* monotonic */

/* The spread of some values, none of which is kept. */
typedef struct {
    int64_t count;
    double least, most, mean;
    double squares; /* the sum of squared distances from the mean */
} Spread;
void spread_add(Spread *s, double x);
/* The standard deviation of the values as a sample; 0 for fewer than two. */
double spread_deviation(const Spread *s);

/* What is counted of a kernel in one place, the host or the device. */
typedef struct {
    _Atomic int64_t calls, ns, work, bytes, flops;
    int64_t seen_calls, seen_ns; /* when the last round ended */
    Spread rounds;               /* nanoseconds of each round */
} KernelSide;
static inline void side_count(KernelSide *side, int64_t ns, int64_t work, int64_t bytes,
                              int64_t flops) {
    atomic_fetch_add_explicit(&side->calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&side->ns, ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&side->work, work, memory_order_relaxed);
    atomic_fetch_add_explicit(&side->bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&side->flops, flops, memory_order_relaxed);
}

/* What the pool knows of a kernel; also its row of the profile. Found by its info. */
typedef struct {
    _Atomic(const GactKernelInfo *) info;
    char *name, *ops; /* copies: they outlive the image */
    KernelSide host, device;
    _Atomic int64_t cost; /* last measured picoseconds of one thread for one element; 0: not yet */
    _Atomic int64_t chosen[2];   /* how often the host and the device were chosen for it */
    _Atomic int64_t estimate[2]; /* nanoseconds that its last call was thought to take there */
} KernelStat;
/* The row of a kernel; never NULL (a shared row when the table is full). */
KernelStat *profile_kernel(const GactKernelInfo *info);
/* Adds a call that ran from begin to now to the profile and to the trace, if they are on. */
void profile_count(const Thread *t, KernelStat *stat, const char *category, int64_t begin_ns,
                   int64_t work, int64_t bytes, int64_t flops);
/* The same for a call of the runtime's own; a part of a kernel is not counted. */
void profile_call(const Thread *t, const GactKernelInfo *info, int64_t begin_ns, int64_t work,
                  int64_t bytes);
static inline bool profile_wants(const Thread *t) {
    return (profile_on || trace_on) && !t->ctx.serial;
}
/* Forgets which kernels lie in [from, to), an image that is being closed; their rows stay. */
void profile_forget(const void *from, const void *to);
/* Drops every row. */
void profile_reset(void);
/* Sets all counts to 0; what the pool knows stays. */
void profile_restart(void);
/* A run that took so long is over: what was counted since the last is a round. */
void profile_round(int64_t ns);
/* The rounds' times. */
const Spread *profile_rounds(void);
/* The rows with calls, in memory from malloc; NULL when there is none for it. */
KernelStat **profile_rows(int *count);
/* The table: totals, or after several rounds how their times are spread. */
void profile_print(FILE *out);
void profile_print_json(FILE *out);
/* In Prometheus's text format, one sample for kernels of one name. */
void profile_print_prometheus(FILE *out);

/* Records that `name` ran on thread `id` from begin to now. The name is copied. */
void trace_event(const char *category, const char *name, int32_t id, int64_t begin_ns);
/* Records work on a stream of the device; bytes: copied, or 0. */
void trace_device(const char *category, const char *name, int32_t stream, int64_t begin_ns,
                  int64_t ns, int64_t bytes);
GactStatus trace_start(const char *path, GactError *error);
GactStatus trace_write(GactError *error);

/* ---- the calls of abi.def: NOW, EXIT, SETTLE and TRACE are in rt.c, the others in value/ and io/
 */

#define RT(id, name, effect, doc)                                                                  \
    void rt_##id(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,         \
                 const GactType *result, GactSlot *out);
#include "../lang/abi.def"

/* Calls visit for each buffer slot of a value. */
void value_each_buffer(const GactType *type, GactSlot *slots,
                       void (*visit)(void *arg, GactBuf *buf), void *arg);

#endif
