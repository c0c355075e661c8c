/* Proofs about integers: linear inequalities over the values of a function, from facts that hold at
   a place (indices of kernels and loops, conditions) and from how values are made. */
#ifndef GACT_RANGE_H
#define GACT_RANGE_H

#include "compiler.h"

enum { LIN_TERMS = 8 };

/* factor[0] * at[0] + … + constant, over the mathematical integers. As a fact: it is <= 0. */
typedef struct {
    int n;
    bool bad; /* too large to be told */
    IrId at[LIN_TERMS];
    int64_t factor[LIN_TERMS];
    int64_t constant;
} Lin;

/* Something that holds at a place: an inequality, and the bool it came from, or one of them. */
typedef struct {
    Lin form;  /* <= 0; says nothing if it has no terms */
    IrId cond; /* this bool is `truth`, or IR_NONE */
    bool truth;
} Fact;

/* What holds for carried value k of a loop, and so for its result; `self` is its parameter. */
typedef struct {
    IrId loop, self;
    int k;
    Lin fact;
} LoopFact;

typedef struct {
    IrModule *m;
    IrFunc *f;
    Arena *arena;
    VEC(Fact) facts; /* those that hold here; cut back when a region ends */
    VEC(LoopFact) loops;
    VEC(IrId) dims; /* one DIM op for each array and axis */
    int proofs;     /* how many are under way, one inside of the other */
    int budget;     /* steps left for the proof under way */
    int visits;     /* and values whose interval may still be asked for */
} Range;

typedef struct {
    int64_t lo, hi;
} Interval;

/* The linear form of an integer value; wrapping arithmetic is a term of its own. */
Lin lin_of(Range *r, IrId v);
Lin lin_const(int64_t value);
/* a + q * b */
Lin lin_add(Lin a, Lin b, int64_t q);
/* a with term t replaced by the value of `by`. */
Lin lin_replace(Lin a, IrId t, Lin by);
int64_t lin_factor(const Lin *a, IrId t);

/* Can integers of this type be reasoned about? */
bool range_counts(const Type *type);
Interval range_interval(Range *r, IrId v);
/* Is goal <= 0, surely, here? */
bool range_prove(Range *r, Lin goal);
/* a - b + c <= 0? */
bool range_at_most(Range *r, IrId a, IrId b, int64_t c);
/* Are the indices of an INDEX or UPDATE, which are its args from `first` on, in bounds? */
bool range_fits(Range *r, const IrOp *op, int first);
/* Is a bool true, surely, here? */
bool range_is_true(Range *r, IrId cond);
/* May making v fault in a way that making `kept` (or nothing, IR_NONE) does not? Then v must stay
   though a proof makes it needless: what proves it goes with it. Ops before `first` stay anyway, and
   elements of arrays are of no concern. */
bool range_faults_apart(const IrFunc *f, IrId v, IrId kept, IrId first);
/* Adds what follows from a bool being `truth`. */
void range_assume(Range *r, IrId cond, bool truth);
void range_fact(Range *r, Lin fact);
/* Adds lo <= i < hi. */
void range_assume_index(Range *r, IrId i, IrId lo, IrId hi);
/* The same for each index of a body of a kernel. */
void range_assume_space(Range *r, const IrOp *kernel, const IrRegion *body);
/* The size of an axis as a value; the op may be in no region. */
IrId range_dim(Range *r, IrId array, int axis);

/* Walks over a function and calls visit for each kernel, at *at in region, with the facts of its
   place; then goes into it. visit may change the kernel, and put ops before it if it moves *at. */
typedef void (*RangeVisit)(Range *r, IrRegion *region, int *at, void *data);
void range_walk(Compiler *c, IrFunc *f, RangeVisit visit, void *data);

#endif
