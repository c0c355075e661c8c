/* What the files of the fusion pass share: facts about a function, the cost of code, edits. Facts
   are taken at one moment (fuse_look); an edit that adds ops or moves them makes them stale, and
   whoever edited looks again. */
#ifndef GACT_FUSE_H
#define GACT_FUSE_H

#include "compiler.h"

/* A region and where it hangs. */
typedef struct {
    IrRegion *region;
    IrId owner; /* the op that holds it, IR_NONE for the function's body */
    int which;  /* its index among the owner's regions */
    int parent; /* the place the owner is in, 0 for none */
} Place;

typedef struct {
    IrId op;   /* who uses the value; IR_NONE: it is a result of the region */
    int place; /* of the user, or of the region */
    int arg;   /* which argument or result */
} Use;

typedef struct {
    Compiler *c;
    IrModule *m;
    IrFunc *f;
    bool is_dag;       /* f is the body of a dag: its top-level faults travel along edges */
    Arena look;        /* of the facts below; emptied by the next look */
    VEC(Place) places; /* places.at[0] is unused, places.at[1] is the function's body */
    int len;           /* number of ops the facts know */
    int live;          /* how many of them stand somewhere */
    int *home;         /* by id: the place of an op or a parameter, 0 if it is nowhere */
    int *at;           /* by id: position in home's ops; of a parameter: -1 - its number */
    int *first;        /* by id: uses[first[id]] … uses[first[id + 1] - 1] */
    Use *uses;
    Arena tmp;     /* of one question; emptied by who asked it */
    uint8_t *said; /* by id: a remark about this op was made already */
    int said_len;
} Fuse;

/* ---- facts ---- */

void fuse_look(Fuse *z);
int fuse_use_count(const Fuse *z, IrId id);
/* The op of place `place` that id's op lies in, itself if it is there; IR_NONE if it is outside. */
IrId fuse_lift(const Fuse *z, int from, IrId id, int place);
/* Is `place` inside `outer` (or equal)? */
bool fuse_inside(const Fuse *z, int place, int outer);
/* Is a value defined outside of place (so that it is the same at every point of that region)? */
bool fuse_outside(const Fuse *z, IrId id, int place);
bool fuse_same(const IrFunc *f, IrId a, IrId b);
bool fuse_same_space(const IrFunc *f, const IrOp *a, const IrOp *b);
/* The value of sink s of a kernel: the kernel itself or the one GET of it. */
const IrSink *fuse_sink_of(const Fuse *z, IrId value, IrId *kernel);
/* Do the same outputs of the dag depend on both ops? True outside of a dag's top level. */
bool fuse_same_outputs(Fuse *z, int place, IrId a, IrId b);
/* Do both ops depend on the same ops that may fault? True outside of a dag's top level. */
bool fuse_same_faults(Fuse *z, int place, IrId a, IrId b);
/* The array that an element read of v comes from, views taken off. */
IrId fuse_root(const IrFunc *f, IrId v);
/* Does a kernel take its points one after the other (histograms, scatters)? */
bool fuse_is_serial(const IrOp *kernel);
/* Does `writer` scatter into an array that `reader` reads, so that as one kernel they had to copy it? */
bool fuse_overwrites(Fuse *z, IrId writer, IrId reader);
/* May code of these two kernels be one kernel, by their @gpu and @host? */
bool fuse_place_fits(const IrFunc *f, const IrOp *a, const IrOp *b);

/* ---- cost ---- */

enum {
    COST_LOAD = 2,
    COST_NESTED = 1 << 20, /* code with a loop, a kernel or a call in it */
};
/* Which ops of a region one of its results needs; a flag by position in region->ops. */
bool *fuse_needed(Fuse *z, const IrRegion *region, IrId result);
/* Roughly twice the number of simple float operations. needed may be NULL for all. */
int fuse_cost(const IrFunc *f, const IrRegion *region, const bool *needed);

/* ---- edits ---- */

/* Replaces every use of a by map[a] (followed to its end) in all of f; map has len entries, 0:
 * keep. */
void fuse_substitute(IrFunc *f, const IrId *map, int len);
/* Inserts the ops of `from` into region before position at. */
void fuse_splice(IrModule *m, IrRegion *region, int at, const IrRegion *from);
int fuse_position(const IrRegion *region, IrId op);
/* Gives equal values one op. Makes the facts stale. */
bool fuse_cse(Fuse *z);
/* Joins equal values, removes ops that nobody needs and outputs of kernels that nobody reads. */
bool fuse_sweep(Fuse *z);
/* An identity map over f's ops, for ir_clone_ops; with room for the ops that exist now. */
IrId *fuse_identity(Fuse *z);
/* Takes ops that stand nowhere out of f's table, where they are most of it: all ids change. Every
   fusion leaves the bodies that it copied. */
bool fuse_compact(Fuse *z);
/* A builder at the end of region, for ops of like's place; ops that it copies keep their own @fast.
 */
IrBuilder fuse_builder(Fuse *z, IrRegion *region, const IrOp *like);
/* "map at 3:5", for remarks. */
const char *fuse_describe(Fuse *z, IrId kernel);

/* ---- the parts of the pass; each gives whether it changed anything ---- */

bool fuse_vertical(Fuse *z);
bool fuse_merge(Fuse *z);
bool fuse_spaces(Fuse *z);
bool fuse_narrow(Fuse *z);
bool fuse_unroll(Fuse *z);
bool fuse_roots(Fuse *z);
bool fuse_split(Fuse *z);
/* Says for each producer that is left why it is. */
void fuse_explain(Fuse *z);

/* ---- printing ---- */

/* --emit=fused: the module, then a line of counts for each entry. */
void fused_print(Buf *out, const IrModule *m);
/* --emit=graph: the dags as Graphviz text. */
void graph_print(Buf *out, const IrModule *m);

/* ---- ranges ---- */

/* Clears the checks of one function that are proven; remarks on the others if `explain`. */
void range_func(Compiler *c, IrFunc *f, bool explain);

#endif
