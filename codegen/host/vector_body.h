/* The parts of the vectoriser: vector_plan.c decides which values differ between lanes and whether
   a body can be vectorised, vector_body.c emits its ops, vector_nest.c the sums inside it,
   vector.c the loop around it. */
#ifndef GACT_VECTOR_BODY_H
#define GACT_VECTOR_BODY_H

#include "emit.h"

typedef struct {
    bool *varying; /* by IrId: differs between lanes. Values from outside the body do not */
    int lanes;     /* how many suit the body's types; 0: it cannot be vectorised */
    int nops;
} VectorPlan;

/* lanes: 0 lets the types decide. */
VectorPlan vector_plan(Fn *f, IrId kernel, int lanes);
/* Only arithmetic: cheaper to compute for nobody than to branch around. */
bool vector_is_cheap(const Fn *f, const IrRegion *region);

/* An i64 value of the form base + lane * stride. */
typedef struct {
    LLVMValueRef base; /* NULL: the value is not known to be of the form */
    int64_t stride;
} Linear;

typedef struct {
    Fn *f;
    const VectorPlan *plan;
    int lanes;
    Linear *linear;      /* by IrId */
    LLVMValueRef mask;   /* <lanes x i1>: the active lanes; NULL: all */
    bool is_nested;      /* the mask is narrower than first … first + count - 1 */
    LLVMValueRef first, count;
    bool is_outer;    /* nothing here reads what vec_store writes */
    int stream_align; /* not 0: stores bypass the caches; their places are so aligned */
    LLVMBasicBlockRef slow; /* where a check that fails in an active lane goes; made when used */
} Vec;

/* Emits the body for the points whose last index is base + lane and whose other indices are
   `outer`. Yields are in value_of: slots are vectors, or scalars that stand for all lanes. */
void vec_body(Vec *v, const IrRegion *body, LLVMValueRef const *outer, LLVMValueRef base);
/* The ops of a region inside the body. */
void vec_ops(Vec *v, const IrRegion *region);
/* Leaves for the scalar body unless ok, a scalar. */
void vec_need(Vec *v, LLVMValueRef ok);
LLVMValueRef vec_splat(Vec *v, LLVMValueRef a);
/* A kernel in the body whose sinks are all sums (of the same points in every lane). */
void vec_nested(Vec *v, IrId id);
/* 0, 1, 2, … as i64. */
LLVMValueRef vec_iota(Vec *v);
/* Loads and stores of lanes at p, p + bytes, …; the mask decides. type: of one element in memory. */
LLVMValueRef vec_load(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef p);
void vec_store(Vec *v, LLVMValueRef value, int bytes, LLVMValueRef p);
/* A slot as it is in memory, in all lanes. */
LLVMValueRef vec_to_memory(Vec *v, const Column *col, LLVMValueRef slot);

#endif
