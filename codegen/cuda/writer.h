/* A kernel while its text is written: its sinks, the function of a point, and what all phases do. kernel.c
   has the maps and sums, pass.c the scans and filters, bins.c what is put where points say, lists.c lists. */
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
    const char *part;  /* elements of a row */
    CuFold fold;
    const char *rows; /* scratch */
    const char *zero; /* as one variable */
    const char *bins; /* HIST, SCATTER: how many there are, or places */
    const char *last; /* SCATTER: which point comes last at each place, or NULL */
    bool is_ordered;  /* HIST, SCATTER: values are combined in order; with tables of many points each: */
    const char *chunk, *seen;
    bool is_built;    /* its size is known when all points have been counted */
    const char **counts, **sums; /* then, by level: of each point and chunk, and later what is before */
    int result;       /* REDUCE, PICK, FILTER, lists: the first of its words among the results */
    int first;        /* among the y of a point: its first slot */
} Out;

/* What a point reads of an array at a place that the loops know: the column, its type, the elements of a row,
   the point's parameter, and what that is where points are done together, and alone. */
typedef struct {
    const char *data, *type, *row, *name, *inside, *alone;
} PointRead;

typedef struct {
    Cu cu;
    Out *outs;
    int nouts, nslots; /* of all yields together */
    const char *total, *chunks;
    const char *from, *to; /* the points that are launched, where it can be cut */
    const char *result, *done;
    int wide; /* points that a thread does at a time, or 0 */
    bool is_plane; /* blocks do squares of points */
    VEC(PointRead) reads;
    const char **dims; /* of the space */
    bool in_pack; /* the points at hand are done together */
    const char *returns; /* the type of the one value that the point's function returns, or NULL */
    bool stores; /* the last points of scatters store their rows */
    const char *tiles; /* scratch of the sinks that are done in one pass, or NULL */
    const char *arena, *arena_bytes; /* NULL: points take no memory */
    Buf text, call;
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
/* Both: the values of point p. */
void writer_point(Writer *w, const char *leave);
/* The y of o, from its slot `skip` on, as one variable. */
const char *writer_result(Writer *w, const Out *o, int skip);
void writer_store(Writer *w, const Out *o, const char *at, int skip);
void writer_store_maps(Writer *w);
/* How many ops a point is, with those of functions it calls. */
int writer_weight(const Writer *w);
/* How many points of a thread are written out one after the other, so that their loads are under way at a
   time: a power of two, at most so many, and few of heavy points, as they take the time of compilers. FLIGHT
   loads of 4 bytes a thread are what memory with a latency of 700 ns and 5 TB/s wants. */
enum { FLIGHT = 4 };
int writer_flight(const Writer *w, int most);

/* How many yields of a point have slots of their own: a row is stored by the point itself. */
int writer_yields(const Out *o);

/* bins.c */
bool bins_is(const Out *o);
/* The reason why a sink that is a table has no form, or NULL. */
const char *bins_refuses(const Sink *s);
void bins_open(Writer *w, Out *o, int i);
/* In the function of a point: stores the row that sink o scatters, if it is the last one. */
void bins_row(Writer *w, const Out *o, const char *place, IrId row);
/* Do points put anything in tables while maps are stored? */
bool bins_have_points(const Writer *w);
/* Around the loop over the points: tables in shared memory, where there are any. */
bool bins_are_shared(const Writer *w);
void bins_open_shared(Writer *w);
void bins_close_shared(Writer *w);
/* What point p does to tables; `leave` follows a place that there is none of. */
void bins_put(Writer *w, const char *leave);
/* The phases before the points, and after them. */
void bins_begin(Writer *w);
void bins_end(Writer *w);

/* lists.c */
/* Is the size of the sink's output known only when all points have been counted? */
bool lists_take(const Out *o);
bool lists_are(const Writer *w);
void lists_open(Writer *w, Out *o);
/* The columns, which are made once the results are known, when these are numbered. */
void lists_add_columns(Writer *w, Out *o);
void lists_write(Writer *w);

/* Are there maps of elements alone, whose points make no arrays? */
bool writer_is_flat(const Writer *w);
/* Is it an array of that rank whose columns hold what a point has in slots? */
bool writer_is_plain(const Writer *w, IrId array, int rank);
/* Makes INDEX `id` parameters of the point's function, a column each: its data's name and `ending`; where
   points are done together that and `inside`, alone the data and `alone`. */
void writer_add_reads(Writer *w, IrId id, const char *ending, const char *inside, const char *alone);

/* plane.c: decides whether blocks do squares; the phase in which they do. */
void plane_open(Writer *w);
void plane_write(Writer *w);

/* wide.c: decides whether threads do several points at a time; the loop in which they do. */
void wide_open(Writer *w);
void wide_write(Writer *w);

/* pass.c */
/* Is the sink done in one pass over tiles? */
bool pass_takes(const Out *o);
void pass_open(Writer *w);
/* Do the phases of scans and filters store what maps give, too? */
bool pass_takes_maps(const Writer *w);
void pass_write(Writer *w);

#endif
