/* What the files of the simplifier share. */
#ifndef GACT_SIMPLIFY_H
#define GACT_SIMPLIFY_H

#include "compiler.h"

/* What of a function is needed, by id: ops that are executed, and of those with several results
   (IF, FOR, LOOP, TRY, kernels with several sinks) which. */
typedef struct {
    bool *executed;
    uint64_t *used; /* bit k: result k; results from 63 on share the last bit */
    bool *whole;    /* the value is used as it is, not just by GETs of its results */
} Live;

/* Allocates from scratch. */
Live simplify_live(Arena *scratch, const IrFunc *f);
bool live_result(const Live *live, IrId id, int k);
/* How many results an op has: its sinks, or what its regions yield; 1 for all that is no such op.
 */
int op_results(const IrOp *op);

/* Builds the function anew without what is dead: folded, common values shared, invariant ones moved
   out of loops. */
void simplify_rebuild(Compiler *c, Arena *scratch, IrFunc *f);
/* Inlines calls into every function of the module that is called, callees first; done(f) is called
   for each function once its calls are inlined. */
void simplify_inline(Compiler *c, void (*done)(Compiler *c, IrFunc *f));

#endif
