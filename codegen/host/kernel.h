/* A kernel while it is emitted. Points are numbered row-major, last axis fastest; chunks are runs
   of them. kernel.c makes the loops and the function for a range of chunks, sink.c what happens to
   the yields of a point, reduce.c the sums and scans with their fixed trees. */
#ifndef GACT_KERNEL_H
#define GACT_KERNEL_H

#include "emit.h"
#include "pick.h"
#include "prefix.h"

enum {
    CHUNK = 4096, /* points of a chunk of a reduction or scan */
    EXACT_CHUNK = 8 * CHUNK, /* where it can be chosen */
    PIECE = 128,  /* points folded in order where the operator does not commute */
    LANES = 32,   /* strided partial results where it does, but rounds */
};

typedef enum {
    OUT_DIRECT, /* stored into columns of known size */
    OUT_PACKED, /* FILTER of regular elements: moved up to the front in columns that have room for all
                   points */
    OUT_BUILT,  /* appended to a builder a chunk */
} OutMode;

typedef enum {
    FOLD_ANY,    /* one accumulator: the order does not matter */
    FOLD_LANES,  /* 32 strided lanes and a butterfly */
    FOLD_PICK,   /* 32 strided lanes of winners, see pick.h */
    FOLD_PIECES, /* pieces in order and a tree */
} FoldMode;

typedef struct {
    const IrSink *sink;
    Layout *l;     /* of the output */
    Layout *yield; /* of the (last) yield */
    IrRegion *op;  /* its operator's region */
    bool is_row;   /* the yield is an array whose dims are trailing dims of the output */
    OutMode out;
    FoldMode fold;
    LLVMValueRef identity; /* of the operator, or NULL */
    /* made before the loops, shared with the outlined function: */
    LLVMValueRef *data; /* DIRECT, HIST, SCATTER: the columns' data */
    LLVMValueRef *bufs; /* and their buffers */
    LLVMValueRef *taken; /* DIRECT: buffers that were handed over and are released at the end */
    LLVMValueRef *dims; /* of the output */
    LLVMValueRef part;  /* elements of a row */
    bool is_many;       /* HIST: each chunk has a table of its own */
    LLVMValueRef *more; /* the columns of those of chunks 1, 2, … */
    LLVMValueRef *more_bufs;
    LLVMValueRef seen; /* a byte for each bin of each table: has it a value? NULL: all have */
    LLVMValueRef seen_buf;
    LLVMValueRef states; /* BUILT: the builder (and a count) of each chunk; PACKED: how many each
                            chunk keeps; REDUCE: the partial results; SCAN: the sums of pieces, then
                            what comes before each; irregular HIST, SCATTER: a table of slots */
    LLVMValueRef states_buf; /* their buffer, or NULL */
    LLVMValueRef rows;       /* BUILT rows: the dims of a row are put here, or NULL */
    LLVMValueRef *zero;      /* the slots of the sink's zero */
    LLVMValueRef site;
    /* while a chunk is emitted */
    LLVMValueRef state;  /* of this chunk; irregular HIST, SCATTER: its table */
    LLVMValueRef *here;  /* HIST, SCATTER: the columns of its table */
    LLVMValueRef chosen; /* HIST: the number of its table's first bin */
    LLVMValueRef total;  /* REDUCE: of this chunk, where the loop is vectorised */
    Pick *pick;          /* PICK: its lanes, */
    bool has_accs;       /* in vectors */
    LLVMValueRef first;  /* the number of its first point */
    Prefix *prefix;      /* SCAN of flat values: its state */
    LLVMValueRef acc;    /* REDUCE: accumulators; SCAN: the local value; PACKED: the next place */
    LLVMValueRef chunks, pieces, before; /* SCAN: prefixes, see reduce.c */
} Sink;

typedef struct Kernel {
    IrId id;
    IrOp *op;
    IrRegion *body;
    int rank, nsinks;
    LLVMValueRef *dims;
    LLVMValueRef *box; /* lo and hi of each axis, or NULL */
    LLVMValueRef total, chunk, nchunks;
    bool is_outlined; /* chunks run as a function of their own, else one chunk is all */
    bool is_cut;      /* its chunks matter to a sum's tree */
    bool is_swept;    /* it is the step of a loop that sweep.c emits */
    LLVMValueRef info; /* its table, or NULL: it gets one when it is wanted */
    LLVMValueRef whole; /* see Dest, of what it writes to; or NULL */
    Sink *sinks;
    Fn *f;
    Sink *aimed; /* the sink whose rows a kernel of the body writes, or NULL, and where */
    LLVMValueRef *aimed_data;
} Kernel;

/* a * b, or a fault of exhausted memory when it is too large. */
LLVMValueRef kernel_product(Fn *f, LLVMValueRef a, LLVMValueRef b, LLVMValueRef site);

/* sink.c. prepare: before the loops; begin and end: around a chunk's points; point: after the body
   of point `lin`; finish: after all, gives the output's slots. */
void sink_prepare(Kernel *k, Sink *s);
void sink_begin(Kernel *k, Sink *s, LLVMValueRef c);
void sink_point(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef *const *yields);
void sink_end(Kernel *k, Sink *s, LLVMValueRef c, LLVMValueRef from, LLVMValueRef to);
LLVMValueRef *sink_finish(Kernel *k, Sink *s);
/* Stores v as point `lin` of an output that is an array over the space. */
void sink_put(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v);
/* May its output be written over an array that the body reads? */
bool sink_writes_over(Kernel *k, const Sink *s);
/* Does it want all points in order on one thread? */
bool sink_is_serial(Kernel *k, const Sink *s);
/* Its own argument i. */
LLVMValueRef *sink_arg(Kernel *k, const Sink *s, int i);
/* Memory for n states until the sink has finished. */
void sink_states(Kernel *k, Sink *s, LLVMValueRef n, int bytes);
/* op(a, b) of a sink. */
LLVMValueRef *sink_combine(Kernel *k, Sink *s, LLVMValueRef const *a, LLVMValueRef const *b);
/* The same for values that are owned: their counts end here. */
LLVMValueRef *sink_fold(Kernel *k, Sink *s, LLVMValueRef const *a, LLVMValueRef const *b);
/* One more, one less count of a yielded value. */
void sink_keep(Kernel *k, const Sink *s, LLVMValueRef const *v);
void sink_drop(Kernel *k, const Sink *s, LLVMValueRef const *v);

/* reduce.c */
void reduce_prepare(Kernel *k, Sink *s);
void reduce_begin(Kernel *k, Sink *s);
void reduce_point(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v);
void reduce_end(Kernel *k, Sink *s, LLVMValueRef c, LLVMValueRef from, LLVMValueRef to);
LLVMValueRef *reduce_finish(Kernel *k, Sink *s);
FoldMode fold_mode(Kernel *k, Sink *s);

/* scan.c */
bool scan_is_parallel(Kernel *k, const Sink *s);
void scan_prepare(Kernel *k, Sink *s);
/* In the function that the loops over the points are in. */
void scan_open(Kernel *k, Sink *s);
void scan_begin(Kernel *k, Sink *s, LLVMValueRef c);
void scan_point(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v);
void scan_end(Kernel *k, Sink *s, LLVMValueRef c, LLVMValueRef from, LLVMValueRef to);
void scan_finish(Kernel *k, Sink *s);

/* pack.c */
void pack_prepare(Kernel *k, Sink *s);
void pack_begin(Kernel *k, Sink *s, LLVMValueRef c);
void pack_end(Kernel *k, Sink *s, LLVMValueRef c);
LLVMValueRef *pack_finish(Kernel *k, Sink *s);

/* table.c */
/* How many points a chunk of a histogram has. */
LLVMValueRef table_chunk(Kernel *k, const Sink *s);
void table_begin(Kernel *k, Sink *s, LLVMValueRef c);
void table_prepare(Kernel *k, Sink *s);
void table_point(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef const *v);
LLVMValueRef *table_finish(Kernel *k, Sink *s);

/* later.c: may the sums of a launch stay on the device? later_add: they do; s are the value's slots, NULL
   where they are not known. */
struct CudaKernel;
bool later_may(const Kernel *k, const struct CudaKernel *c);
void later_add(const Kernel *k, LLVMValueRef results, LLVMValueRef *s);

/* kernel.c: what a kernel's op says of it; the chunks are left to decide. */
void kernel_open(Kernel *k, Fn *f, IrId id);
/* The function of a range of chunks, which `emit` emits (NULL: as they are numbered), when the sinks are
   prepared; env is stored. */
LLVMValueRef kernel_range_fn(Kernel *k, Env *env,
                             void (*emit)(Kernel *k, LLVMValueRef lo, LLVMValueRef hi));
/* The host code of a kernel that is open; the slots of its value. */
LLVMValueRef *emit_kernel_here(Fn *f, Kernel *k);
/* About how many bytes a point reads and writes. */
int kernel_point_bytes(Kernel *k);
/* kernel.c: calls fn for all chunks, on the runtime's threads where it pays. */
void kernel_run(Kernel *k, LLVMValueRef fn, LLVMValueRef env);
/* Opens the function of a range of chunks: the scope of its stores, no inlining. */
void kernel_range_open(Fn *f);

#endif
