/* libgact: loads program images and runs their entries on the caller's memory. This is the only
   public header of the runtime; image.h, which it includes, describes values and types.

   A program is an open image. A call is one entry of it with its inputs, outputs and faults; it can
   be run many times, and running it again reuses the memory of the last run. A program may be used
   from several threads, a call from one thread at a time. Threads, buffers and settings belong to
   the process: calls share them.

       GactError error;
       GactProgram *program;
       GactCall *call;
       float x[3] = {1, 2, 3};
       GactView in = {.kind = GACT_F32, .rank = 1, .dims = {3}, .data = x}, out;
       if (gact_image_open("norm.gactx", &program, &error) ||
           gact_call_open(program, gact_image_find(program, GACT_ENTRY_DAG, "norm"), &call, &error)
   || gact_call_set_view(call, "x", &in, &error) || gact_call_run(call, &error) ||
           gact_call_get_view(call, "result", &out, &error))
           fprintf(stderr, "%s\n", error.text); */
#ifndef GACT_GACT_H
#define GACT_GACT_H

#if __has_include("../lang/image.h") /* in the source tree */
#include "../lang/image.h"
#else
#include "image.h"
#endif

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* Also the exit status of gactrun. */
typedef enum {
    GACT_OK,
    GACT_FAULTED,   /* the program faulted; the call holds the faults */
    GACT_BAD_INPUT, /* an unusable image, input or option */
    GACT_INTERNAL   /* a mistake of gact's own, or the machine refused something */
} GactStatus;

/* Filled when a function returns anything but GACT_OK. May be NULL where one is asked for. */
typedef struct {
    GactStatus status;
    char text[1020];
} GactError;

/* ---- settings of the process ---- */

typedef struct {
    int32_t threads;        /* 0: one a core; 1: everything on the calling thread */
    int32_t pin;            /* != 0: threads stay on their core */
    int64_t memory_limit;   /* bytes of buffers; 0: what the machine has. More is a fault */
    int32_t profile;        /* != 0: measure kernels for gact_profile_print */
    const char *trace_path; /* write a Chrome/Perfetto trace there at gact_shutdown; or NULL */
    const char *device;     /* where kernels run: "host", "cuda", "cuda:1", "emu", or "auto" for the
                               first GPU, else the host; NULL: as GACT_DEVICE says, else the host */
    int64_t device_memory;  /* bytes of the device's memory that may be taken; 0: all. What has no
                               room there goes to the host meanwhile */
} GactOptions;

typedef struct {
    int64_t live_bytes, peak_bytes; /* of buffers in use, to within 64 KiB a thread */
    int64_t kept_bytes;             /* free, kept for reuse */
    int64_t hits, misses;           /* allocations served from kept memory, or by the system */
} GactMemoryStats;

/* Applies settings; to be called before the first run, or while none is under way. */
GactStatus gact_configure(const GactOptions *options, GactError *error);
/* Stops the threads, writes the trace and gives kept memory back. Every call must be closed.
   The library can be used again afterwards. */
GactStatus gact_shutdown(GactError *error);
/* The table of kernels measured since gact_configure asked for a profile. */
void gact_profile_print(FILE *out);
/* Counters of memory, devices, transfers and measured kernels, in Prometheus's text format. */
void gact_metrics_print(FILE *out);
void gact_memory_stats(GactMemoryStats *stats);

/* ---- programs ---- */

typedef struct GactProgram GactProgram;
enum { GACT_ENTRY_DAG, GACT_ENTRY_MAIN, GACT_ENTRY_TEST };

/* Opens an image file. Refused with a clear text: what is no image, is truncated or damaged, was
   made for another version of the runtime, or needs CPU features that this machine lacks. */
GactStatus gact_image_open(const char *path, GactProgram **program, GactError *error);
/* Every call of the program must have been closed. NULL is ignored. */
void gact_image_close(GactProgram *program);
/* The image's tables: entries with their ports, types and docs, and the sources. They live as long
   as the program. */
const GactImage *gact_image_tables(const GactProgram *program);
/* The entry of that kind and name (NULL: the first of the kind), or NULL. */
const GactEntry *gact_image_find(const GactProgram *program, int32_t kind, const char *name);

/* ---- calls ---- */

typedef struct GactCall GactCall;

/* A scalar (rank 0) or a dense, row-major array of a scalar kind, or a string (GACT_U8, rank 1). */
enum { GACT_MAX_RANK = 8 };
typedef struct {
    int32_t kind; /* GactKind */
    int32_t rank;
    int64_t dims[GACT_MAX_RANK];
    void *data;
} GactView;

GactStatus gact_call_open(GactProgram *program, const GactEntry *entry, GactCall **call,
                          GactError *error);
/* Releases the call with its outputs. NULL is ignored. */
void gact_call_close(GactCall *call);

/* Gives input number k; its slots (as image.h lays out the port's type) are copied, the memory they
   point to is borrowed until the next run ends. Buffers must be null or uncounted. */
GactStatus gact_call_set(GactCall *call, int32_t k, const GactSlot *slots, GactError *error);
/* Gives an input by name; refused when it has another type. The memory is borrowed as above. */
GactStatus gact_call_set_view(GactCall *call, const char *name, const GactView *view,
                              GactError *error);
/* The arguments of main(args: []string); copied. */
GactStatus gact_call_set_args(GactCall *call, int32_t argc, char *const *argv, GactError *error);
/* Takes every input away, so that defaults apply again. */
void gact_call_clear(GactCall *call);

/* Checks the inputs (all given or defaulted, shapes agree), frees the outputs of the run before and
   runs. GACT_FAULTED: at least one fault; outputs that do not depend on it are delivered. */
GactStatus gact_call_run(GactCall *call, GactError *error);
/* Runs n different calls, several at a time, each as if alone; statuses[i] is that of calls[i]. Why
   one has GACT_BAD_INPUT is told by running it alone. */
void gact_call_run_many(GactCall *const *calls, int32_t n, GactStatus *statuses);
/* True when the program called exit; *status is what it asked for. */
int32_t gact_call_exited(const GactCall *call, int32_t *status);

/* The slots of output number k, valid until the next run or close; NULL when it was not delivered.
   They may point into the inputs or into the image. */
const GactSlot *gact_call_output(const GactCall *call, int32_t k);
/* A scalar or dense output by name, as gact_call_output. */
GactStatus gact_call_get_view(const GactCall *call, const char *name, GactView *view,
                              GactError *error);

/* ---- faults of the last run ---- */

typedef enum {
    GACT_FAULT_MESSAGE, /* one line: "index 5 is out of bounds for size 3" */
    GACT_FAULT_TEXT,    /* with the place and an excerpt of the source */
    GACT_FAULT_COLOR,   /* the same, coloured for a terminal */
    GACT_FAULT_JSON     /* one object on one line */
} GactFaultFormat;

int32_t gact_call_fault_count(const GactCall *call);
/* The text of fault number k; the caller frees it. NULL when memory is exhausted. */
char *gact_call_fault_text(const GactCall *call, int32_t k, GactFaultFormat format);
/* Prints every fault. */
void gact_call_print_faults(const GactCall *call, FILE *out, GactFaultFormat format);
/* GACT_FAULT_COLOR if out is a terminal and NO_COLOR is not set, else GACT_FAULT_TEXT. */
GactFaultFormat gact_fault_format_for(FILE *out);

/* ---- batches ----
   A dag for each element of lists: `count` instances, each as if run alone, spread over the threads.
   What an instance costs beside its own work is far below a microsecond. Results and faults do not
   depend on the number of threads.

       float x[1000][16];
       GactView in = {.kind = GACT_F32, .rank = 2, .dims = {1000, 16}, .data = x}, out;
       if (gact_batch_open(program, entry, 1000, &batch, &error) ||
           gact_batch_set_view(batch, "x", &in, &error) || gact_batch_run(batch, &error) ||
           gact_batch_get_view(batch, "result", &out, &error))
           fprintf(stderr, "%s\n", error.text); */

typedef struct GactBatch GactBatch;

/* One output of all instances, in order. */
typedef struct {
    const GactSlot *columns; /* of the array that they make, as image.h lays them out: without a
                                shape of an array of the output's type, with one of an array of its
                                elements */
    const int64_t *shape;    /* the output is an array and all instances have this one shape (as many
                                sizes as its rank), so that they make an array with one more axis in
                                front; or NULL */
    const uint8_t *absent;   /* for each instance: 1 where a fault kept it from being delivered, and
                                what stands in its place is NaN, 0 or an empty array */
    int64_t absent_count;
} GactBatchOutput;

GactStatus gact_batch_open(GactProgram *program, const GactEntry *entry, int64_t count,
                           GactBatch **batch, GactError *error);
/* Releases the batch with its outputs. NULL is ignored. */
void gact_batch_close(GactBatch *batch);

/* Gives input number k, the same for all instances, as gact_call_set. */
GactStatus gact_batch_set(GactBatch *batch, int32_t k, const GactSlot *slots, GactError *error);
/* Gives instance i element i of an array of the input's type; these are the array's columns. They
   are copied, the memory they point to is borrowed until the next run ends. */
GactStatus gact_batch_set_each(GactBatch *batch, int32_t k, const GactSlot *columns,
                               GactError *error);
/* Gives an input by name: a view of its rank to all instances, one with one more axis in front, of
   size `count`, to each its own. */
GactStatus gact_batch_set_view(GactBatch *batch, const char *name, const GactView *view,
                               GactError *error);

/* Checks the inputs of all instances, drops the results of the run before and runs. GACT_FAULTED: at
   least one instance faulted; the others' outputs, and those of its own that do not depend on the
   fault, are delivered. GACT_BAD_INPUT: none has run. */
GactStatus gact_batch_run(GactBatch *batch, GactError *error);
/* How many instances of the run under way are done, about; may be asked from any thread. */
int64_t gact_batch_done(const GactBatch *batch);
/* The first instance for whose sizes the last run was refused, or -1. */
int64_t gact_batch_refused(const GactBatch *batch);

/* Output number k; valid until the next run or close. Refused where there are no results. */
GactStatus gact_batch_output(const GactBatch *batch, int32_t k, GactBatchOutput *out);
/* An output by name as an array with one more axis in front; refused where instances differ in
   size. Instances that were not delivered are NaN or 0. */
GactStatus gact_batch_get_view(const GactBatch *batch, const char *name, GactView *view,
                               GactError *error);

/* The faults of the last run, in the order of instances. */
int64_t gact_batch_fault_count(const GactBatch *batch);
/* The instance of fault number k. */
int64_t gact_batch_fault_instance(const GactBatch *batch, int64_t k);
/* The text of fault number k, as gact_call_fault_text. */
char *gact_batch_fault_text(const GactBatch *batch, int64_t k, GactFaultFormat format);
/* Prints every fault, those of an instance under its number. */
void gact_batch_print_faults(const GactBatch *batch, FILE *out, GactFaultFormat format);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
