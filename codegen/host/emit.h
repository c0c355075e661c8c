/* The host back end from inside: how IR values become LLVM values, and the state of emitting a
   module and a function.

   A value is the row of its slots (lang/image.h) as LLVM scalars: scalars as codegen/host/scalar.h
   keeps them in registers, tags and dims as i64, buffers and data as ptr. Ops that only rearrange
   (tuple, get, zip, …) move slots and emit nothing. State that changes lives in allocas of the
   entry block, which the optimiser turns into registers. */
#ifndef GACT_EMIT_H
#define GACT_EMIT_H

#include "../../lang/image.h"
#include "../codegen.h"
#include "scalar.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>

/* ---- layouts: layout.c ---- */

typedef enum { SLOT_SCALAR, SLOT_TAG, SLOT_DIM, SLOT_BUF, SLOT_DATA } SlotKind;
typedef struct {
    SlotKind kind;
    Type *type; /* of a SCALAR */
} Slot;

typedef enum { COL_SCALAR, COL_TAG, COL_OFFSETS, COL_DIM } ColumnKind;
typedef struct {
    ColumnKind kind;
    Type *type; /* of a SCALAR */
    int bytes;  /* of one element */
    int level;  /* which count its length follows: 0 the array's own size; each OFFSETS column
                   begins a new one for the columns of its inner arrays */
    int inner;  /* OFFSETS: the level it begins */
} Column;

/* What a Type looks like in slots; one a Type, made on first use. */
typedef struct {
    Type *type;
    int nslots;
    Slot *slots;
    /* arrays and strings */
    int rank;
    Type *elem;
    int ncols, nlevels;
    Column *cols;
    bool is_regular; /* no OFFSETS column */
    /* made on first use */
    LLVMValueRef descriptor;      /* GactType */
    LLVMValueRef append, compare; /* helper functions, see builder.c and sort.c */
} Layout;

/* ---- the module ---- */

typedef struct {
    Name name;
    LLVMValueRef global;
} StringEntry;

typedef struct {
    const IrModule *m;
    const CodegenOptions *options;
    Arena *arena;
    LLVMContextRef C;
    LLVMModuleRef M;
    LLVMBuilderRef B;
    LLVMTypeRef i1, i8, i32, i64, ptr, vd;
    LLVMTypeRef site_type, type_type, ctor_type, value_type, info_type;
    LLVMTypeRef rt_fn, range_fn, body_fn;
    Scalar scalar;
    LLVMValueRef *funcs;        /* by index in m->funcs, made on first use */
    int *needed, nneeded;       /* indices of those that were used and need their code */
    VEC(Layout *) layouts;      /* by Type id */
    VEC(Source *) used_sources; /* those a place refers to, in the order of the image */
    LLVMTargetDataRef layout;
    LLVMValueRef zeros;
    StringEntry *strings; /* a hash table of constants by their text */
    int nstrings, string_room;
    const IrOp *memory_op; /* whose site was made last, */
    LLVMValueRef memory_site;
    unsigned md_invariant, md_scope, md_noalias, md_prof, md_loop;
    LLVMValueRef unlikely, empty_md;
    LLVMMetadataRef scope_domain;
    VEC(struct CudaKernel *) kernels; /* for devices, in the image's order */
    VEC(LLVMValueRef) kernel_rows;
    const struct ActorTables *actors; /* see actor.h; NULL until asked for */
    LLVMValueRef *handlers;           /* the code for each message, by its number */
    bool has_coroutines;
    int nhost_kernels; /* those at the top that no device runs */
    int counter;                /* for names */
    const char *cpu, *features; /* of the target: "znver5", "+avx,+avx2,-sse4a,…" */
} Emit;

Layout *layout_of(Emit *e, Type *type);
static inline int layout_col_slot(const Layout *l, int col) {
    return l->rank + 2 * col; /* the buffer; the data follows */
}
bool layout_is_array(const Type *type); /* ARRAY or STRING */
/* The type of a tag, a dim or a scalar in registers. */
LLVMTypeRef layout_slot_type(Emit *e, const Slot *slot);
/* The LLVM type of an element of a column in memory. */
LLVMTypeRef layout_col_type(Emit *e, const Column *col);
/* The members of a product: how many, and which. */
int layout_members(const Type *type);
/* The first slot (or column of an array of it) of member k of a product. */
int layout_member_slot(Emit *e, const Type *product, int k);
int layout_member_col(Emit *e, Type *product, int k);
/* The same for item k of constructor c of a sum. */
int layout_payload_slot(Emit *e, const Type *sum, int c, int k);
int layout_payload_col(Emit *e, const Type *sum, int c, int k);
/* How many columns an array of this element has. */
int layout_elem_cols(Emit *e, Type *elem);

/* ---- tables: tables.c ---- */

int table_kind(const Type *type);                     /* GactKind */
LLVMValueRef table_zeros(Emit *e);                    /* 64 bytes of zeros */
LLVMValueRef table_string(Emit *e, const char *text); /* NULL gives a null pointer */
LLVMValueRef table_type(Emit *e, Type *type);
LLVMValueRef table_site(Emit *e, const char *kind, const char *text, const IrFunc *f,
                        const IrOp *op);
/* weight.c: the operations of a point, about, and those on floats among them; flops is 0 where it depends
   on sizes that are not known. */
typedef struct {
    int ops, flops;
} KernelWeight;
KernelWeight kernel_weight(const IrFunc *ir, const IrOp *op);
LLVMValueRef table_info(Emit *e, const IrFunc *f, const IrOp *op);
LLVMValueRef table_bytes(Emit *e, const char *bytes, size_t len);
LLVMValueRef table_global(Emit *e, LLVMValueRef init, const char *name);
/* File index and offsets of a span. */
void table_place(Emit *e, Span span, int *file, uint32_t *from, uint32_t *to);
LLVMValueRef table_sources(Emit *e); /* at the end: the GactSource table */

/* ---- a function ---- */

typedef struct {
    LLVMValueRef *s; /* the slots; NULL: not emitted (yet) */
    int n;
    int nreaders; /* loops inside of a point that took its elements in order */
} Value;

struct Builder;

typedef struct LaterKernel LaterKernel;
typedef struct Later Later; /* see later.c */

/* Where an array-valued result is wanted: the kernel or product that makes it writes there. */
typedef struct {
    IrId id;
    LLVMValueRef *data;      /* of each column; with a builder, the kernel fills it in */
    struct Builder *builder; /* not NULL: behind what this has, where the kernel makes room; who
                                does not leaves `data` as it is */
    LLVMValueRef site;
    LLVMValueRef whole; /* how many elements the array has that this is a row of, if nothing will read
                           it soon; else NULL */
} Dest;

typedef struct {
    Emit *e;
    const IrFunc *ir;
    LLVMValueRef fn, ctx, api;
    LLVMBasicBlockRef entry; /* allocas, ends with a branch */
    Value *values;           /* by IrId; shared by the functions outlined from one IrFunc */
    bool in_kernel;          /* kernels in here are plain loops */
    bool is_once;            /* runs once a program: not optimised, its loops are functions apart */
    bool has_loop;           /* holds a scalar loop that may run for long */
    bool has_vectors;        /* or one that is emitted in vectors */
    Dest dest;
    const char *kept;         /* by IrId, or NULL: values that are neither consumed nor released, as
                                 their uses do not come in the order that was planned */
    LLVMMetadataRef *noalias; /* scopes of results that nothing read in here can alias */
    int nnoalias;
    bool is_output; /* what elem_store writes now is such a result */
    bool is_host;   /* nothing in here runs on a device: what it reads has been brought */
    struct Later *later; /* of the list of ops at hand, or NULL: nothing may wait */
    bool notes;     /* a handler that notes what it changes in place, see actor.h */
    struct Waiting *waiting; /* a handler that may wait, see actor_wait.c; else NULL */
    bool is_spare;  /* the host's code of kernels that a device runs, unless it has no room: small, not
                       fast */
} Fn;

/* emit.c: blocks, memory, calls */
void fn_start(Fn *f, Emit *e, const IrFunc *ir, LLVMValueRef fn); /* param 0 is ctx */
/* Marks a function with scalar loops for the optimiser, by an attribute of this name. */
void fn_end(Fn *f);
extern const char loops_mark[];
void fn_attribute(Emit *e, LLVMValueRef fn, const char *name);
LLVMBasicBlockRef fn_block(Fn *f, const char *name);
void fn_at(Fn *f, LLVMBasicBlockRef block);
LLVMBasicBlockRef fn_here(Fn *f);
LLVMValueRef fn_alloca(Fn *f, LLVMTypeRef type, const char *name);
LLVMValueRef fn_get(Fn *f, LLVMTypeRef type, LLVMValueRef p);
void fn_set(Fn *f, LLVMValueRef p, LLVMValueRef value);
LLVMValueRef fn_int(Fn *f, int64_t value);
LLVMValueRef fn_bin(Fn *f, LLVMOpcode op, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef fn_add(Fn *f, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef fn_sub(Fn *f, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef fn_mul(Fn *f, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef fn_cmp(Fn *f, LLVMIntPredicate p, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef fn_select(Fn *f, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef fn_min(Fn *f, LLVMValueRef a, LLVMValueRef b); /* signed */
LLVMValueRef fn_max(Fn *f, LLVMValueRef a, LLVMValueRef b);
/* p + index elements of a type, or of `bytes` bytes. */
LLVMValueRef fn_at_index(Fn *f, LLVMTypeRef type, LLVMValueRef p, LLVMValueRef index);
LLVMValueRef fn_at_bytes(Fn *f, int bytes, LLVMValueRef p, LLVMValueRef index);
void fn_br(Fn *f, LLVMBasicBlockRef to);
void fn_cond(Fn *f, LLVMValueRef c, LLVMBasicBlockRef yes, LLVMBasicBlockRef no);
void fn_unlikely(Fn *f, LLVMValueRef c, LLVMBasicBlockRef yes, LLVMBasicBlockRef no);
void fn_copy(Fn *f, LLVMValueRef to, LLVMValueRef from, LLVMValueRef n, int bytes);

/* A counted loop lo … hi - 1: body between loop_begin and loop_end, at loop.i. */
typedef struct {
    LLVMBasicBlockRef head, exit;
    LLVMValueRef i;
} Loop;
Loop loop_begin(Fn *f, LLVMValueRef lo, LLVMValueRef hi, const char *name);
void loop_end(Fn *f, Loop *loop);
/* Ends a loop that is not worth unrolling or vectorising, because little happens there. */
void loop_end_plain(Fn *f, Loop *loop);
/* Says so at the branch back of any loop. */
void fn_plain_loop(Fn *f, LLVMValueRef branch);

typedef struct {
    LLVMBasicBlockRef otherwise, join;
} If;
If if_begin(Fn *f, LLVMValueRef c);
void if_else(Fn *f, If *branch);
void if_end(Fn *f, If *branch);

/* Calls of the runtime. */
LLVMValueRef api_call(Fn *f, size_t offset, LLVMTypeRef type, LLVMValueRef *args, int n);
LLVMValueRef api_alloc(Fn *f, LLVMValueRef site, LLVMValueRef count, int bytes);
LLVMValueRef api_data(Fn *f, LLVMValueRef buf);
void api_retain(Fn *f, LLVMValueRef buf);
void api_release(Fn *f, LLVMValueRef buf);
void api_fault(Fn *f, LLVMValueRef site, LLVMValueRef *nums, int n);
/* Faults unless ok. */
void emit_check(Fn *f, LLVMValueRef ok, LLVMValueRef site, LLVMValueRef *nums, int n);

/* Slots in memory: the LLVM struct of a type's slots, and GactSlot rows. */
LLVMTypeRef slots_type(Emit *e, const Layout *l);
void slots_store(Fn *f, const Layout *l, LLVMValueRef p, LLVMValueRef const *s);
LLVMValueRef *slots_load(Fn *f, const Layout *l, LLVMValueRef p);
void slots_store_abi(Fn *f, const Layout *l, LLVMValueRef p, int at, LLVMValueRef const *s);
LLVMValueRef slot_load_abi(Fn *f, const Slot *slot, LLVMValueRef p, int at);
LLVMValueRef *slots_load_abi(Fn *f, const Layout *l, LLVMValueRef p, int at);
LLVMValueRef *slots_new(Fn *f, int n);
LLVMValueRef *slots_empty(Fn *f, const Layout *l); /* zeros, null arrays */
void slots_retain(Fn *f, const Layout *l, LLVMValueRef const *s);
void slots_release(Fn *f, const Layout *l, LLVMValueRef const *s);

/* Values. */
Value *value_of(Fn *f, IrId id);
void value_set(Fn *f, IrId id, LLVMValueRef *s, int n);
Type *value_type(Fn *f, IrId id);
Layout *value_layout(Fn *f, IrId id);
LLVMValueRef value_scalar(Fn *f, IrId id);

/* Free values of code that moves to a function of its own. */
typedef struct {
    VEC(LLVMValueRef) fields; /* in the outer function */
    VEC(IrId) ids;
    LLVMTypeRef type;
    LLVMValueRef p; /* its memory, in the outer function */
    Value *saved;   /* what the ids were outside */
} Env;
int env_add(Fn *f, Env *env, LLVMValueRef value);
/* By IrId: 1 for what a region (and those inside it) defines. */
char *region_inner(Fn *f, const IrRegion *region);
void env_capture(Fn *f, Env *env, const IrRegion *region); /* every free value of a region */
LLVMValueRef env_store(Fn *f, Env *env);
LLVMValueRef env_load(Fn *inner, Env *env, LLVMValueRef p, int field);
void env_open(Fn *inner, Env *env, LLVMValueRef p); /* the captured ids get their inner values */
void env_close(Fn *inner, Env *env);                /* and their outer ones back */
/* A new internal function of this type, and the place to come back to. */
typedef struct {
    LLVMBasicBlockRef back;
} Outline;
Outline outline_begin(Fn *inner, Fn *outer, LLVMTypeRef type, const char *name);
void outline_end(Fn *inner, Outline *o); /* the function ends with ret void */

/* launch.c: kernels on a device. */
/* Emits a kernel at the top so that a device may run it, with `host` for where none does; false:
   none can, and nothing has been emitted. */
bool launch_kernel(Fn *f, IrId id);
/* Before the code of an op that is no kernel: brings the arrays that it reads to the host. */
void launch_bring(Fn *f, IrId id);
/* A FOR or LOOP in which nothing is launched: what it reads has been brought, once for all. */
bool launch_is_host_loop(Fn *f, IrId id);
/* Emits an op by `on_device` for where there is a device that kernels of so many points are launched on,
   and by `on_host` with nothing launched. */
void launch_either(Fn *f, IrId id, LLVMValueRef points, void (*on_device)(Fn *f, IrId id),
                   void (*on_host)(Fn *f, IrId id));
/* Brings all that an op and its regions read. */
void launch_bring_all(Fn *f, IrId id);
/* The table of the image's kernels. */
LLVMValueRef launch_table(Emit *e);

/* later.c: results that stay on the device until they are needed, in one list of ops. */
struct Later {
    Later *outer;
    char *state; /* by IrId: whether its value is not known yet */
    VEC(LaterKernel) kernels;
    VEC(IrId) ops; /* that were put off */
};
void later_open(Fn *f, Later *l);
void later_close(Fn *f, Later *l, const IrRegion *region);
/* Is the op put off, as it needs what is not known yet? Then nothing is emitted for it now. */
bool later_puts_off(Fn *f, IrId id);
/* Before the code of an op: waits, unless it can do without what is not known. */
void later_before(Fn *f, IrId id);
bool later_is(const Fn *f, IrId id);
/* The kernel and the number of its result that a value is; false: it is an op that was put off. */
bool later_word(const Fn *f, IrId id, IrId *kernel, int *result);
/* Where the host has that result, once it has it. */
LLVMValueRef later_place(Fn *f, IrId kernel, int result);
/* Waits for all, if the op uses any of it. */
void later_need(Fn *f, IrId id);
/* The same on one way of several through a kernel's code, up to later_unpeek; false: it uses nothing of it. */
bool later_peek(Fn *f, IrId id);
void later_unpeek(Fn *f);

/* library.c: sorts and products on a device. */
typedef struct {
    GactLibraryOp op;
    int kind;
    bool descending;
    LLVMValueRef const *a, *b, *out; /* a buffer and its data each; b: may be NULL */
    LLVMValueRef n, k, m;            /* k, m: may be NULL */
} LibraryCall;
/* May a device do this op? Then nothing is brought for it before. */
bool library_takes(Fn *f, IrId id);
/* Asks the runtime; what follows is the host's code, up to library_done, which gets what this gives. */
LLVMBasicBlockRef library_ask(Fn *f, IrId id, const LibraryCall *call);
void library_done(Fn *f, LLVMBasicBlockRef done);

/* ops.c */
void emit_ops(Fn *f, const IrRegion *region);
void emit_op(Fn *f, IrId id);
/* Sets the parameters, emits the ops; gives the slots of result k in region_result. */
void emit_region(Fn *f, const IrRegion *region, LLVMValueRef *const *params);
LLVMValueRef *region_result(Fn *f, const IrRegion *region, int k);
/* Does the op take over the counts of args[k]? */
bool op_consumes(const Fn *f, const IrOp *op, int k);
/* At a region's end: retains the results that the plan does not hand over, then does the releases
   that come after that. */
void region_hand_over(Fn *f, const IrRegion *region);
LLVMValueRef func_of(Emit *e, const IrFunc *ir);
LLVMTypeRef func_type(Emit *e, const IrFunc *ir);
void emit_func(Emit *e, const IrFunc *ir);

/* array.c */
LLVMValueRef array_total(Fn *f, const Layout *l, LLVMValueRef const *s);
/* Loads element `index` (row-major) of an array of elem whose columns start at cols (pairs). */
void elem_load(Fn *f, Type *elem, LLVMValueRef const *cols, LLVMValueRef index, LLVMValueRef *out);
/* Stores an element of a regular element type. data: one pointer a column. */
void elem_store(Fn *f, Type *elem, LLVMValueRef const *data, LLVMValueRef index,
                LLVMValueRef const *slots);
/* Fresh columns for `count` elements of regular type: the slots behind the dims. */
void array_alloc(Fn *f, const Layout *l, LLVMValueRef site, LLVMValueRef count, LLVMValueRef *cols);
/* Columns (pairs) of level 0 moved on by index elements. */
void array_shift(Fn *f, const Layout *l, LLVMValueRef const *cols, LLVMValueRef index,
                 LLVMValueRef *out);
/* Copies n elements of a regular array into other columns at element `at`. to: one pointer a
   column; cols: pairs. */
void array_copy(Fn *f, const Layout *l, LLVMValueRef const *to, LLVMValueRef at,
                LLVMValueRef const *cols, LLVMValueRef n);
/* The data pointers of pairs. */
LLVMValueRef *array_data(Fn *f, const Layout *l, LLVMValueRef const *cols);
/* The columns of a regular array, to be written: its own where it is owned and unshared, otherwise
   a copy (the owned original is released). */
void array_own(Fn *f, const Layout *l, LLVMValueRef site, LLVMValueRef const *s, bool is_owned,
               LLVMValueRef *cols);
/* Is each column in a buffer of its own that nobody else counts? */
LLVMValueRef array_is_unshared(Fn *f, const Layout *l, LLVMValueRef const *cols);
LLVMValueRef site_memory(Fn *f, const IrOp *op);
void emit_index(Fn *f, IrId id);
void emit_pack(Fn *f, IrId id); /* bits.c */
void emit_bit(Fn *f, IrId id);
void emit_slice(Fn *f, IrId id);
void emit_list(Fn *f, IrId id);
void emit_reshape(Fn *f, IrId id);
void emit_flat(Fn *f, IrId id);
void emit_update(Fn *f, IrId id);
void emit_concat(Fn *f, IrId id);
void emit_matmul(Fn *f, IrId id);

/* builder.c: arrays that grow; any element type */
typedef struct Builder {
    Layout *l;
    LLVMValueRef p; /* the builder's memory */
} Builder;
LLVMTypeRef builder_type(Emit *e, const Layout *l);
void builder_init(Fn *f, Builder *b);
void builder_push(Fn *f, Builder *b, LLVMValueRef site, LLVMValueRef const *slots);
/* Appends n elements given by columns (pairs of the array layout). */
void builder_append(Fn *f, Builder *b, LLVMValueRef site, LLVMValueRef const *cols, LLVMValueRef n);
void builder_reserve(Fn *f, Builder *b, LLVMValueRef site, int level, LLVMValueRef extra);
/* n more elements of level 0 are behind those it has: room was reserved, and they were written. */
void builder_extend(Fn *f, Builder *b, LLVMValueRef n);
LLVMValueRef builder_len(Fn *f, Builder *b, int level);
/* The columns (pairs). */
void builder_cols(Fn *f, Builder *b, LLVMValueRef *cols);

/* sort.c */
void emit_sort(Fn *f, IrId id);

/* control.c */
void emit_if(Fn *f, IrId id);
void emit_for(Fn *f, IrId id);
void emit_loop(Fn *f, IrId id);
void emit_try(Fn *f, IrId id);
void emit_call(Fn *f, IrId id);
void emit_rt(Fn *f, IrId id);

/* sweep.c: a FOR whose steps are one kernel of neighbours, see IrOp.imm */
void emit_sweep(Fn *f, IrId id);

/* kernel.c, hoist.c */
void emit_kernel(Fn *f, IrId id);
/* The size of an axis of a value of a kernel's body, computed before the kernel; NULL if it cannot
   be known there. */
LLVMValueRef hoist_dim(Fn *f, const IrRegion *body, IrId id, int axis);
/* Points of a kernel in the body, or elements of an array that it makes; NULL: not known. */
LLVMValueRef hoist_total(Fn *f, const IrRegion *body, IrId id);

/* entry.c */
/* All code of the module and its exported table. */
void emit_image(Emit *e);

#endif
