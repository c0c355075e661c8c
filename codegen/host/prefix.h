/* Scans of flat values. Their tree depends on the places of the points alone:

     inside a group of 16 points   prefixes in pairs (Sklansky): a point is combined with the one
                                   before its pair, then the pair before, the four, the eight
     groups of a chunk of 4096     from left to right
     zero and chunks               from left to right
     a point                       op(op(zero and chunks before, groups before), prefix in the group)

   where parts that are empty are left out. Where the order cannot be told from the result one running
   value stands for zero, chunks and groups. */
#ifndef GACT_PREFIX_H
#define GACT_PREFIX_H

#include "vector_body.h"

enum { GROUP = 16, GROUP_LEVELS = 4 };

typedef struct Prefix {
    const IrRegion *op;
    const IrOp *kernel;
    const Layout *l; /* of the yield */
    IrKind kind;     /* the scalar op that the operator is, or IR_INVALID */
    bool is_exclusive, is_exact;
    LLVMValueRef identity; /* of a scalar op, or NULL */
    bool has_vectors;      /* the operator can be computed for vectors */
    VectorPlan plan;       /* of it, then */
    LLVMValueRef is_local; /* i1: what is before the chunk is not known; NULL: it is */
    /* Memory of rows of slots: what is before the chunk, and before the group; the groups of the
       chunk; the prefix of the last point; the left parts of a group's pairs. */
    LLVMValueRef base, before, groups, last, levels[GROUP_LEVELS];
    LLVMValueRef *befores, *sums; /* before and groups in vector code: memory of a vector of 16
                                     copies a slot */
} Prefix;

Prefix *prefix_new(Fn *f, const IrOp *kernel, const IrSink *sink, const Layout *yield);
/* A chunk begins; base: the slots of what is before it, or anything if is_local. */
void prefix_begin(Fn *f, Prefix *p, LLVMValueRef const *base, LLVMValueRef is_local);
/* What the scan gives at a point, in order; number: of the point in the chunk. If is_local, only the
   prefix in the group. */
LLVMValueRef *prefix_point(Fn *f, Prefix *p, LLVMValueRef number, LLVMValueRef const *yield);
/* The same for 16 points, from number on. */
LLVMValueRef *prefix_vector(Fn *f, Prefix *p, LLVMValueRef number, LLVMValueRef const *yields);
/* The same where the prefixes in the group are known. */
LLVMValueRef *prefix_point_of(Fn *f, Prefix *p, LLVMValueRef number, LLVMValueRef const *prefix);
LLVMValueRef *prefix_vector_of(Fn *f, Prefix *p, LLVMValueRef number, LLVMValueRef *prefixes);
/* The state from vectors to rows, and back. */
void prefix_open(Fn *f, Prefix *p);
void prefix_close(Fn *f, Prefix *p);
/* After a full chunk, rows open: what is before the next one, if is_local the chunk's own part. */
LLVMValueRef *prefix_end(Fn *f, Prefix *p);
/* op(a, b), of `lanes` values. */
LLVMValueRef *prefix_combine(Fn *f, const Prefix *p, LLVMValueRef const *a, LLVMValueRef const *b,
                             int lanes);

#endif
