/* Vectorised loops over the points of a kernel, in the manner of ISPC: a vector's lanes are
   consecutive points of the last axis. The values are those of the scalar loop, bit for bit, and
   faults are reported by the scalar body, so with the same numbers.

   kernel.c asks vector_wants() before it emits the loop over the points of a chunk; if the answer
   is yes it describes what happens to the yields and calls vector_points() in place of its own
   loop. */
#ifndef GACT_VECTOR_H
#define GACT_VECTOR_H

#include "emit.h"

typedef enum {
    VECTOR_ROW,    /* row `point` of the result is the yield, a list of few scalars: MAP where
                      vector_makes_row() */
    VECTOR_STORE,  /* element `point` of the result is the yield: MAP of a flat type */
    VECTOR_REDUCE, /* by an op that scalar_identity() knows, in 32 striding lanes */
    VECTOR_SCAN,   /* as STORE, of prefixes (prefix.h); all points of a chunk */
    VECTOR_PICK,   /* pick.c: of a comparison that can be vectorised */
    VECTOR_PACK,   /* the yield after it is stored at the next place where the yield is true: FILTER
                      of a flat type, where vector_packs() */
    VECTOR_EACH,   /* anything else: `each` is called point by point, in order */
} VectorHow;

struct Pick;
struct Prefix;

typedef struct {
    VectorHow how;
    int yield;                /* but EACH: index among the body's results */
    const Layout *array;      /* ROW: the result */
    LLVMValueRef const *data; /* STORE, ROW, SCAN, PACK: where element 0 goes, in each column */
    LLVMValueRef place;       /* PACK: memory of the next place, never more than the point's number;
                                 there is room for an element a point */
    bool is_over;             /* STORE: perhaps over an array that the body reads */
    IrKind op;                /* REDUCE */
    struct Pick *pick;        /* PICK */
    struct Prefix *prefix;    /* SCAN */
    LLVMValueRef total; /* REDUCE: set by vector_points: the points of lo … hi - 1 combined by
                           the fixed tree, without the zero */
} VectorSink;

typedef struct VectorLoop {
    IrId kernel;
    LLVMValueRef const *dims; /* of the index space */
    LLVMValueRef lo, hi;      /* the points, row-major; a chunk where there is a REDUCE */
    LLVMValueRef const *box;  /* lo and hi of each axis where the kernel has a box, or NULL */
    VectorSink *sinks;
    int nsinks;
    bool is_outer; /* nothing in this function reads what the STOREs write, */
    bool is_read_soon; /* but something after it, from the cache */
    LLVMValueRef whole; /* of how many elements the STORE writes a row, if it is as if is_outer; or NULL */
    /* EACH: emits what one point does to those sinks. yields: the slots of every result of the
       body, scalars. */
    void (*each)(Fn *f, void *data, LLVMValueRef point, LLVMValueRef *const *yields);
    /* Where there is a ROW: before the scalar body of a point, and after it, for these sinks. */
    void (*aim)(Fn *f, void *data, LLVMValueRef point);
    void (*row)(Fn *f, void *data, LLVMValueRef point, LLVMValueRef *const *yields);
    void *data;
} VectorLoop;

/* Can the body be vectorised, and does it pay? */
bool vector_wants(Fn *f, IrId kernel);
/* And does it where all sinks are EACH, which undo it? */
bool vector_wants_each(Fn *f, IrId kernel);
/* How many points form a row that one lane does; the numbers of points of vector_points are multiples. */
int vector_members(Fn *f, IrId kernel);
/* How many points it then takes at a time, at most. */
int vector_unit(Fn *f, IrId kernel);
/* Does the body of a kernel hold loops or calls? kernel.c */
bool kernel_is_heavy(const IrFunc *ir, const IrRegion *body);
/* Is result k of the body a list of few scalars, which nothing else in the body looks at? */
bool vector_makes_row(Fn *f, const IrRegion *body, int k);
/* Can the target pack elements of these columns? */
bool vector_packs(const Emit *e, const Layout *array);
/* Emits the loop. */
void vector_points(Fn *f, VectorLoop *loop);

#endif
