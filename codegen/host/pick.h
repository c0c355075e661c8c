/* Selections (SINK_PICK): the winner of a chunk's points. Lane l of 32 takes the points l, l + 32, …
   of the chunk and remembers the number of its winner; all begin with the zero, so that a NaN that
   compares with nothing stays where it would stay in order, and nowhere else. Lanes 16, 8, 4, 2, 1
   apart are then combined; of equals the lower number wins.

   Only what the comparison looks at is kept in the lanes; the rest of the winner is what the
   kernel's body yields at its point, computed anew, unless that is much work. */
#ifndef GACT_PICK_H
#define GACT_PICK_H

#include "vector_body.h"

enum { PICK_LANES = 32 };

typedef struct Pick {
    const IrRegion *body, *beats;
    const Layout *l; /* of the yield */
    int yield;
    bool has_vectors; /* beats can be computed for vectors */
    VectorPlan plan;  /* of beats, then */
    int nkept;
    int *kept;           /* slots that are in the lanes */
    LLVMValueRef *accs;  /* memory of a vector of 32 a kept slot, and of the points' numbers (i32, from
                            the chunk's first on; -1: the zero) */
    LLVMValueRef *lanes; /* the same, where single lanes can be reached */
} Pick;

Pick *pick_new(Fn *f, IrId kernel, const IrSink *sink);
/* Memory, and lanes with the zero: accs for vector code, lanes for scalar code. */
void pick_begin(Fn *f, Pick *p, LLVMValueRef const *zero, bool has_accs, bool has_lanes);
/* accs to lanes, and back. */
void pick_open(Fn *f, Pick *p);
void pick_close(Fn *f, Pick *p);
/* A point's yield into its lane; number: of the point in the chunk. */
void pick_point(Fn *f, Pick *p, LLVMValueRef number, LLVMValueRef const *yield);
/* Yields of 32 lanes (or scalars that stand for all) into accs; number: of lane 0's point; mask: the
   lanes that count, or NULL. */
void pick_vector(Fn *f, Pick *p, LLVMValueRef number, LLVMValueRef mask,
                 LLVMValueRef const *yield);
/* The slots of the winner, from accs or else from lanes; lo: the first point; dims: of the space. */
LLVMValueRef *pick_total(Fn *f, Pick *p, LLVMValueRef const *zero, bool from_accs,
                         LLVMValueRef lo, LLVMValueRef const *dims);

#endif
