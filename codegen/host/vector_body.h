/* The parts of the vectoriser: vector_plan.c decides which values differ between lanes and whether
   a body can be vectorised, vector_body.c emits its ops, vector_control.c its IFs and loops,
   vector_index.c its reads, vector_rows.c
   rows that it yields, vector_nest.c the sums inside it, vector_pack.c rows, vector_wide.c products, vector_call.c the
   functions it calls, vector.c the loop around it. */
#ifndef GACT_VECTOR_BODY_H
#define GACT_VECTOR_BODY_H

#include "emit.h"

typedef struct {
    bool *varying; /* by IrId: differs between lanes. Values from outside the body do not */
    int lanes;     /* how many suit the body's types; 0: it cannot be vectorised */
    int nops;
    bool *packed;  /* by IrId: rows that differ between lanes, copied to the stack; or NULL */
    int ncopies;       /* so many pieces are done side by side, where there are as many */
    bool has_members;  /* it reads members of rows that differ between lanes; */
    bool *members;     /* by IrId: such rows, which are no values; or NULL */
    bool *in_row;      /* by IrId: lists and kernels that are part of a yielded row; or NULL */
    uint64_t *wanted; /* by IrId of a loop: bit k: carried value k (63: or a later one) is looked at
                         after the loop */
} VectorPlan;

/* The lanes are along the axis before the last `behind` ones, whose indices are constants when the body
   is emitted. lanes: 0 lets the types decide. */
VectorPlan vector_plan(Fn *f, const IrRegion *body, int behind, int lanes);
/* The same for the region of an operator or a function: its parameters vary. False: it cannot be
   vectorised. */
bool vector_plan_operator(Fn *f, const IrRegion *region, VectorPlan *plan);
/* Only arithmetic: cheaper to compute for nobody than to branch around. */
bool vector_is_cheap(const Fn *f, const IrRegion *region);

/* An i64 value of the form base + lane * stride. */
typedef struct {
    LLVMValueRef base; /* NULL: the value is not known to be of the form */
    int64_t stride;
} Linear;

enum {
    VEC_COPIES = 4,
    VEC_MEMBERS = 16, /* of a row that is stored by lanes */
};

/* What differs between pieces that are done side by side. */
typedef struct {
    Value *values;     /* by IrId */
    Linear *linear;    /* by IrId */
    LLVMValueRef mask; /* <lanes x i1>: the active lanes; NULL: all */
    LLVMValueRef first, count;
} VecCopy;

/* An INDEX whose values for a tile of points lie on the stack, by rows of lanes. */
typedef struct {
    IrId id;
    LLVMValueRef *columns;
} VecTile;

typedef struct {
    Fn *f;
    const VectorPlan *plan;
    int lanes;
    int64_t const *fixed; /* the indices of the axes behind the lanes', and how many there are */
    int behind;
    int ncopies, copy;          /* the copy whose fields are in f->values and below */
    VecCopy copies[VEC_COPIES]; /* the others' */
    Linear *linear;
    LLVMValueRef mask, first, count;
    bool is_nested; /* the mask is narrower than first … first + count - 1 */
    bool is_outer;    /* nothing here reads what vec_store writes */
    int prefetch;     /* not 0: loads of whole lines ask for those so many bytes ahead */
    LLVMValueRef row; /* not NULL: in the second loop over a row of so many elements, they ask for
                         the next row */
    int stream_align; /* not 0: stores bypass the caches; their places are so aligned */
    const VecTile *tiles;
    int ntiles;
    LLVMValueRef tile_row;
    LLVMBasicBlockRef slow; /* where a check that fails in an active lane goes; made when used */
} Vec;

/* From here to vec_close, n copies of the body are emitted, op by op; all begin with the mask,
   first and count at hand. */
void vec_open(Vec *v, int n);
void vec_close(Vec *v);
/* Turns to a copy. Whoever does turns back to copy 0. */
void vec_at(Vec *v, int copy);
/* Back to a state saved before, all but what became of `slow`. */
void vec_restore(Vec *v, const Vec *saved);
/* Emits the body for the points whose last index is base + lane, in copy k with k * lanes more, and
   whose other indices are `outer`. Yields are in value_of: slots are vectors, or scalars that stand
   for all lanes. */
void vec_body(Vec *v, const IrRegion *body, LLVMValueRef const *outer, LLVMValueRef base);
/* The ops of a region inside the body. */
void vec_ops(Vec *v, const IrRegion *region);
/* An operator that cannot fault, planned as `plan`, of `lanes` values at a time; the slots of its
   result. */
LLVMValueRef *vec_operator(Fn *f, const VectorPlan *plan, const IrRegion *op, int lanes,
                           LLVMValueRef *const *params);
/* Leaves for the scalar body unless ok, a scalar. */
void vec_need(Vec *v, LLVMValueRef ok);
/* The same for ok that may differ between lanes: it must hold in every active one. */
void vec_need_lanes(Vec *v, LLVMValueRef ok);
LLVMValueRef vec_splat(Vec *v, LLVMValueRef a);
/* As many as there are lanes. */
LLVMTypeRef vec_type(Vec *v, LLVMTypeRef type);
/* A call of an intrinsic function of LLVM, over these types. */
LLVMValueRef vec_intrinsic(Vec *v, const char *name, LLVMTypeRef *over, int nover, LLVMValueRef *args,
                           int nargs);
/* Lanes from … from + count - 1. */
LLVMValueRef vec_lane_mask(Vec *v, LLVMValueRef from, LLVMValueRef count);
/* Is any bit of a mask set? */
LLVMValueRef vec_any(Vec *v, LLVMValueRef mask);
/* The mask (NULL: all lanes) and a condition, which may be a scalar. */
LLVMValueRef vec_masked(Vec *v, LLVMValueRef mask, LLVMValueRef cond);
/* Where cond, a; elsewhere b. */
LLVMValueRef vec_blend(Vec *v, LLVMValueRef cond, LLVMValueRef a, LLVMValueRef b);
/* IF, FOR and LOOP, in all copies. */
void vec_if(Vec *v, IrId id);
void vec_for(Vec *v, IrId id);
void vec_loop(Vec *v, IrId id);
/* A CONVERT that takes a half of a product of two u32; false: it is none, and nothing is emitted. */
bool vec_half_product(Vec *v, IrId id);
/* A square block of as many elements as lanes, whose rows are vectors, is transposed. */
void vec_transpose(Vec *v, LLVMValueRef *rows);
/* Asks for a line of memory. */
void vec_prefetch(Vec *v, LLVMValueRef p);
/* A row that is packed, and a read of one. */
void vec_pack(Vec *v, IrId id);
void vec_packed_index(Vec *v, IrId id);
/* Goes on if an index is within a size, in every active lane. */
void vec_check_index(Vec *v, IrId at, LLVMValueRef dim);
/* The form of an index, also of one that does not vary. */
Linear vec_linear(Vec *v, IrId id);
/* The row-major place of what an INDEX picks, which varies, by the sizes of the array. */
LLVMValueRef vec_place(Vec *v, const IrOp *op, LLVMValueRef const *dims);
/* Do lanes pick neighbours, from `first` on? */
bool vec_are_neighbours(Vec *v, const IrOp *op, LLVMValueRef const *dims, LLVMValueRef *first);
/* Each lane has `extent` elements, `apart` from the next lane's: which of as many as there are lanes,
   from element `start` on, belong to active ones. The mask must not be nested. */
LLVMValueRef vec_stretch_mask(Vec *v, int64_t apart, int64_t extent, int64_t start);
/* How many scalars a list of them, or of lists, consists of, or what a kernel of few points makes; 0: it
   is something else, or too many. */
int vec_row_size(Fn *f, IrId id);
/* Such a list or kernel, as a value with the slots of all its members, in row-major order. */
void vec_row_list(Vec *v, IrId id);
void vec_row_kernel(Vec *v, IrId id);
/* Gives a parameter of a region a value that all lanes share. */
void vec_set_shared(Vec *v, IrId param, LLVMValueRef value);
/* Stores rows of n slots, one row a lane, from `to` on. */
void vec_store_row(Vec *v, const Column *col, LLVMValueRef const *slots, int n, LLVMValueRef to);
/* An INDEX of an array, the same in all lanes, and one that does not vary. */
void vec_index(Vec *v, IrId id);
void vec_shared_index(Vec *v, IrId id);
/* A row whose members INDEX reads one by one: nothing but its sizes. */
void vec_row_of_members(Vec *v, IrId id);
/* Elements p[index] of the active lanes, zero in the others. */
LLVMValueRef vec_gather(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef p, LLVMValueRef index);
/* Lanes as they are in memory, as slots. */
LLVMValueRef vec_of_memory(Vec *v, const Column *col, LLVMValueRef a);
/* A kernel in the body whose sinks are all sums (of the same points in every lane), in all copies. */
void vec_nested(Vec *v, IrId id);
/* A BIT of consecutive bits, one a lane. bits.c */
void vec_bits(Vec *v, IrId id);
/* A call of a function of scalars whose arguments vary, in the copy at hand. */
void vec_call(Vec *v, IrId id);
/* 0, 1, 2, … as i64. */
LLVMValueRef vec_iota(Vec *v);
/* Loads and stores of lanes at p, p + bytes, …; the mask decides. type: of one element in memory. */
LLVMValueRef vec_load(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef p);
void vec_store(Vec *v, LLVMValueRef value, int bytes, LLVMValueRef p);
/* After stores that bypassed the caches. */
void vec_fence(Vec *v);
/* A slot as it is in memory, in all lanes. */
LLVMValueRef vec_to_memory(Vec *v, const Column *col, LLVMValueRef slot);
LLVMValueRef vec_of_memory(Vec *v, const Column *col, LLVMValueRef value);

#endif
