/* A kernel while its text is written: its sinks, the function of a point, and what all phases do. kernel.c
   has the maps and sums, pass.c the scans and filters, table.c what is put where points say. */
#ifndef GACT_CUDA_WRITER_H
#define GACT_CUDA_WRITER_H

#include "text.h"

#define KERNEL_PLAIN "GX_KERNEL_PLAIN"
#define KERNEL_WAITS "GX_KERNEL"

typedef struct {
    const IrSink *sink;
    Layout *l, *yield;
    Type *row_elem; /* of a row's elements, or NULL */
    bool is_row;
    const char **data; /* columns of the output */
    const char *part;
    CuFold fold;
    const char *rows; /* scratch */
    const char *zero; /* as one variable */
    const char *last; /* SCATTER: which point comes last at each place, or NULL */
    int result;       /* REDUCE, PICK, FILTER: the first of its words among the results */
    int first;        /* among the y of a point: its first slot */
} Out;

typedef struct {
    Cu cu;
    Out *outs;
    int nouts, nslots; /* of all yields together */
    const char *total, *chunks;
    const char *result, *done;
    const char *tiles; /* scratch of the sinks that are done in one pass, or NULL */
    Buf text;
} Writer;

int writer_count(const Kernel *k, SinkKind kind);
/* A field for memory of the launch. */
const char *writer_scratch(Writer *w, const char *type, const char *name, GactDeviceArg arg);
/* The phase that begins here. */
void writer_open_phase(Writer *w, const char *how, const char *suffix, GactGridKind grid);
void writer_close_phase(Writer *w);
/* Variables for what a point gives: each begins as `init` says of its sink, or, for NULL, is not set. */
void writer_declare(Writer *w, const char *(*init)(Writer *w, const Out *o, int slot));
/* A call of the point's function for point p; `leave` is what follows a fault, NULL: nothing. */
void writer_call(Writer *w, const char *leave);
/* The y of o, from its slot `skip` on, as one variable. */
const char *writer_result(Writer *w, const Out *o, int skip);
void writer_store(Writer *w, const Out *o, const char *at, int skip);
void writer_store_maps(Writer *w);
/* How many ops a point is, with those of functions it calls. */
int writer_weight(const Writer *w);

/* pass.c */
/* Is the sink done in one pass over tiles? */
bool pass_takes(const Out *o);
void pass_open(Writer *w);
/* Do the phases of scans and filters store what maps give, too? */
bool pass_takes_maps(const Writer *w);
void pass_write(Writer *w);

#endif
