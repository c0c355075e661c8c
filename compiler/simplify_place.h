/* Where a function that is rebuilt puts its ops: the regions under construction as a stack of
   frames, the ops that later ones may share, and the way out of loops. Part of simplify_rebuild.c.
 */
#ifndef GACT_SIMPLIFY_PLACE_H
#define GACT_SIMPLIFY_PLACE_H

#include "ir_build.h"
#include "simplify.h"

typedef struct {
    uint64_t hash;
    IrId id;
    int next;  /* in its bucket, -1: last */
    int older; /* of its frame, -1: first */
} Entry;

typedef struct {
    IrRegion *region;
    bool is_loop;   /* code may move out of it */
    bool is_kernel; /* of a kernel: has its own constants */
    int entries;    /* the newest shared op of this frame, -1: none */
} Frame;

typedef struct {
    IrModule *m;
    Arena *scratch;
    const IrFunc *src;
    Live live;
    IrBuilder b; /* of the new function */
    IrId *map;   /* by id of src: the new value, IR_NONE where it is not needed as a whole */
    IrId *
        *results; /* by id of src: the results of an op with several; those not used are IR_NONE */
    VEC(int) depth; /* by new id: the frame its region is */
    VEC(Frame) frames;
    VEC(Entry) entries;
    int *buckets;
    int nbuckets;
} Rebuild;

/* The number of the innermost frame. */
int place_top(const Rebuild *rb);
/* Starts a region inside the current one; the builder's place is its end. */
IrRegion *place_open(Rebuild *rb, bool is_loop, bool is_kernel);
void place_close(Rebuild *rb);
/* The frame whose region holds a value. */
void place_set_depth(Rebuild *rb, IrId id, int depth);
int place_depth(const Rebuild *rb, IrId id);
/* The outermost frame whose constants a place in frame `depth` may use: kernels have their own. */
int place_constants(const Rebuild *rb, int depth);
/* An equal op in sight of frame depth, or this one appended there. */
IrId place_share(Rebuild *rb, IrOp op, int depth);
/* The builder's `append`: shares, and moves out of loops. */
IrId place_op(IrBuilder *b, IrOp op);

#endif
