/* The intermediate representation: typed, first-order SSA with structured control flow. A function
   owns a table of ops; an op is one value, named by its index. Ops that contain code (loops,
   kernels) hold regions; an op of a region may use its region's parameters, earlier ops of the
   region, and whatever its enclosing regions may use. Nothing is mutable: `update` makes a new
   array, and the plan pass decides where that happens in place.

   Arrays are dense and row-major, or irregular lists when their element is an array. Their sizes
   are i64 values like any other (`dim`). An array of products or sums is stored as columns, so
   `get`, `tag`, `payload` and `zip` on arrays cost nothing.

   Faults: an op that can fault ends the evaluation of the innermost `try`, dag segment or entry.
   Ops with IRF_PINNED keep their place and are never removed; other faulting ops depend on data
   only, but never move out of an `if`, loop or kernel body. */
#ifndef GACT_IR_H
#define GACT_IR_H

#include "type.h"

typedef uint32_t IrId;
enum { IR_NONE = 0 }; /* no value; ids count from 1 */

/* Every op: the scalar ones of lang/ops.def, then these. */
typedef enum {
    IR_INVALID,
#define OP(id, ...) IR_##id,
#include "../lang/ops.def"
    /* -- constants and parameters -- */
    IR_CONST,  /* imm: the value's bits, sign- or zero-extended to 64 (an f32 as the bits of an f32,
                  f16 and bf16 as theirs) */
    IR_STRING, /* text, text_len: a string constant */
    IR_UNDEF,  /* any value of the type, never looked at; an array has size 0 */
    IR_PARAM,  /* of a region; in no op list */
    /* -- products and sums -- */
    IR_TUPLE,   /* args: the members of a TUPLE, RECORD or CLOSURE */
    IR_GET,     /* args[0]: a product, or an array of products (gives the column); imm: which */
    IR_ZIP,     /* args: arrays of one shape -> array of products. No check. */
    IR_VARIANT, /* imm: which constructor; args: its payload */
    IR_TAG,     /* args[0]: a sum (or an array of sums) -> i64 (array) */
    IR_PAYLOAD, /* args[0]: a sum or array of sums; imm: constructor, imm2: which item. Only looked at
                   where the tag is that constructor */
    /* -- arrays -- */
    IR_DIM,     /* args[0]: an array; imm: the axis -> i64 */
    IR_INDEX,   /* args[0]: array, args[1…]: i64 indices, at most one an axis (fewer: the sub-array, a
                   view). IRF_CHECKED: faults when an index is out of bounds */
    IR_PACK,    /* args: an array of bools or integers, an i64 for each axis, the last of which counts
                   groups of 64 elements -> u64: bit b is bit imm of element b of the group (imm2 1:
                   whether there is any from bit imm on), 0 behind the end of the axis. No check */
    IR_BIT,     /* args: an array of u64, an i64 for each axis, the last of which counts bits, 64 an
                   element -> bool. No check */
    IR_SLICE,   /* args: array, lo, hi: rows lo … hi - 1, a view. IRF_CHECKED: faults unless
                   0 <= lo <= hi <= dim */
    IR_LIST,    /* args: the elements of type->elem; or, where type->rank > 1, sub-arrays of rank
                   type->rank - 1 and equal shape (checked before) */
    IR_RESHAPE, /* args: array, the new dims: a view. The sizes agree (checked before) */
    IR_FLAT,    /* args: an irregular list -> all its elements, one level flattened; a view */
    IR_UPDATE,  /* args: array, value, indices (as INDEX; fewer than the rank: value is a sub-array of
                   equal shape) -> the array with that place replaced. IRF_CHECKED as INDEX */
    IR_CONCAT,  /* args: arrays of equal element and equal trailing dims -> joined on axis 0 */
    IR_KERNEL,  /* data-parallel loop; see IrKernel */
    IR_SORT,    /* args: array of keys (rank 1, flat or irregular elements), stable, in the total
                   order (-0 before 0, NaN last; lexicographic for products, sums by constructor,
                   lists lexicographic). imm: IrSortFlags -> sorted array, or i64 permutation */
    IR_MATMUL,  /* args: [n, k], [k, m] of one number type -> [n, m]; each element adds its products
                   in order of k (floats: by fma, from 0). Inner sizes agree (checked before) */
    /* -- control -- */
    IR_IF,   /* args[0]: bool; regions: then, else. Value: the region results, see below */
    IR_FOR,  /* args: lo, hi, the carried values; region(i, carried…) -> carried… imm, by sweep: not
                0 where the body is one kernel without faults that makes the carried arrays, each
                point from points at most imm away on the first axis, which is a ring; beside it
                are only numbers that stay the same */
    IR_LOOP, /* args: the carried values; regions: cond(carried…) -> bool, body(carried…) -> carried… */
    IR_CALL, /* callee; args */
    IR_TRY,  /* regions: tried, otherwise (run if the first faults) */
    /* -- faults and effects -- */
    IR_CHECK, /* args: value, bool, the numbers of the message; fault: what to report if the bool is
                 false. Value: args[0] (IR_NONE with IRF_PINNED: an assert, value ()) */
    IR_RT,    /* a call of the runtime; imm: RtCall of lang/abi.def; args by its row. Pinned if it has
                 an effect */
    IR_KIND_COUNT
} IrKind;

enum {
    IRF_CHECKED = 1, /* this op still needs its bounds check */
    IRF_PINNED = 2,  /* has an effect: keeps its order, never removed */
    IRF_FAST = 4,    /* inside @fast: floats may be re-associated and contracted */
    IRF_CHECKED_ZERO = 8, /* DIV, MOD, FDIV, FMOD, POW of integers: may still fault */
};

typedef enum { SORT_DESCENDING = 1, SORT_PERMUTATION = 2, SORT_UNIQUE_KEYS = 4 } IrSortFlags;

/* What a kernel does with the values its body yields at each point of the index space. */
typedef enum {
    SINK_MAP,     /* 1 yield: out[i…] = v; v scalar, product, sum, or an array of invariant shape (its
                     dims are then trailing dims of the result). imm 1, by plan: arg is an array of
                     as many elements of the same size that the op takes over and may write on, as
                     each point reads its own element of it alone */
    SINK_LIST,    /* 1 yield, rank 1: an array of varying size -> irregular list */
    SINK_REDUCE,  /* 1 yield; arg zero; op(a, b). Value: op(zero, all in order); zero if empty */
    SINK_PICK,    /* 1 yield, a flat value; arg zero; beats(a, b): is b strictly better than a, in the
                     order of some scalar? Value: the first of the best of zero and all */
    SINK_SCAN,    /* 1 yield, rank 1; arg zero; op. imm 1: exclusive */
    SINK_FILTER,  /* 2 yields: keep, v -> array [k] of those kept, in order (row-major) */
    SINK_FLATMAP, /* 1 yield: an array of rank 1 -> all of them joined, in order */
    SINK_HIST,    /* 2 yields: bin (i64), v; args k, zero; op -> [k]: op(zero, all v of the bin, in
                     order), op being associative. A bin outside 0 … k - 1 is a fault */
    SINK_SCATTER, /* 2 yields: at (i64), v; arg dest; no op: the last wins; with op: op(old, v) in
                     order. Value: dest with those rows replaced. An index outside is a fault */
    SINK_KIND_COUNT
} SinkKind;

typedef struct {
    SinkKind kind;
    int yield;  /* index of its first yield among the body's results */
    int arg;    /* index of its first own arg among the op's args (after the dims) */
    int region; /* index of its operator's region, or -1 */
    int imm;
    IrKind op;  /* REDUCE, SCAN, HIST, SCATTER: the scalar op its region consists of, else IR_INVALID */
    Type *type; /* of its output */
} IrSink;

/* op->regions[0] is the body: parameters one i64 an axis, results the yields. args[0 … rank - 1]
   are the sizes of the space (negative counts as 0). The op's value is the sink's output, or a
   tuple of the outputs if there are several sinks. */
typedef struct {
    int rank;
    int nsinks;
    IrSink *sinks;
    /* By peel, or 0. Bodies that yield the same for some of the points: regions[inner] for those of
       a box, lo <= index < hi on each axis; regions[edge] for those within its last axis, which may
       be the same body, or the first where that axis does not matter. */
    int inner, edge;
    int box;        /* index of the box's first arg: lo and hi of each axis, 0 <= lo <= hi <= size */
    bool is_narrow; /* few points of a row are outside of the last axis' lo and hi */
} IrKernel;

typedef struct IrRegion IrRegion;
typedef struct IrFunc IrFunc;

/* Ops from … to - 1 of a function, as far as they are still there, came as the code of another of scalars, which
   gives `value` for these args. */
typedef struct {
    IrId from, to, value;
    IrFunc *func;
    IrId args[3];
    int nargs;
} IrPutIn;

/* A value that the plan pass wants released: every buffer in its slots is counted down. */
typedef struct {
    int after; /* index in ops; -1: at the region's start; ops.len: at its end, when the results that
                  are not moved have been retained */
    IrId value;
} IrRelease;

/* The rules of plan. Who owns a value holds one count of each buffer in its slots.
   - Borrowed, so never released or consumed where they are used: parameters of functions, of kernel
     regions and of a LOOP's cond region; inside the regions of a KERNEL, FOR, LOOP or TRY the values
     of the regions around it.
   - Owned by the region that their op stands in: the values of KERNEL, LIST, UPDATE, CONCAT, SORT,
     MATMUL, CALL, RT, STRING, UNDEF, IF, FOR, LOOP and TRY, and of the TAG of an array; and by a FOR's or LOOP's body its own
     carried parameters, anew in each iteration.
   - Views hold no count: TUPLE, GET, ZIP, VARIANT, TAG, PAYLOAD, INDEX, SLICE, RESHAPE, FLAT, CHECK.
     What they look at lives until their last use.
   - A region hands out its results as owned: result k is handed over if its bit of `moved` is set,
     otherwise the back end retains every buffer of it at the end of the region. A kernel's sinks thus
     own what the body yields and release it once it is copied.
   - What `consumed` and `moved` hand over has no release entry. All else that a region owns has one,
     after its last use (in a branch of an IF also values of the region around it: where the IF is
     their last use, each branch owns them).
   - A FOR or LOOP owns its carried values: an init that is not consumed is retained on entry. */

struct IrRegion {
    VEC(IrId) params;
    VEC(IrId) ops; /* in order of execution */
    VEC(IrId) results;
    IrRegion *outer; /* of the checker: the region that this one was begun in */
    /* filled by plan, see IrRelease: */
    VEC(IrRelease) releases; /* sorted by `after` */
    uint64_t moved;          /* bit k: result k is handed over; otherwise it is retained first */
};

/* What to report when a check fails. The text has {} for each number; spans are for the excerpt. */
typedef struct {
    const char *kind; /* "index", "shape", "assert", "division", … */
    const char *text;
    Span span;
    Span other;             /* second place of interest, or {0, 0} */
    const char *other_text; /* its label */
} IrFault;

typedef struct {
    IrKind kind;
    uint16_t flags;
    uint16_t lanes; /* used by back ends */
    Type *type;
    Span span;
    int node; /* index into the function's nodes: the binding it was made for, 0 is none */
    IrId *args;
    int nargs;
    IrRegion **regions;
    int nregions;
    int64_t imm, imm2;
    union {
        const char *text; /* STRING */
        IrFunc *callee;   /* CALL */
        IrKernel *kernel; /* KERNEL */
        IrFault *fault;   /* CHECK, and the checked ops (NULL: the standard text) */
    };
    size_t text_len;
    /* By plan: bit k: args[k] is owned here, this is its only use at its last use, and the op takes
       over its counts: the array of an UPDATE, dest of a SCATTER, arg of a MAP, inits of FOR and LOOP, the first
       operand of CONCAT, the keys of SORT. The op may change the buffers in place where their count
       is 1, and releases what it does not hand on in its value. An arg whose bit is not set is only
       borrowed by the op (and retained by FOR and LOOP). */
    uint64_t consumed;
} IrOp;

/* A binding of a dag: what errors, profiles and pictures call it. */
typedef struct {
    Name name;
    Span span;
    enum { PLACE_AUTO, PLACE_HOST, PLACE_GPU } place;
} IrNode;

/* An IF, FOR, LOOP or TRY with one carried value or result has that value; with several its value
   is a tuple of them (type TUPLE), taken apart with GET; with none it is (). The result of a
   function is body->results.at[0]. */
struct IrFunc {
    Name name; /* unique in the module: "mean.3" */
    Span span;
    Arena *arena;
    IrRegion *body;
    Type *result;
    VEC(IrOp) ops; /* by IrId; ops.at[0] is unused */
    VEC(IrNode) nodes; /* nodes.at[0] is unused */
    VEC(IrPutIn) put_in; /* by math, in order */
    bool is_recursive, has_effect;
    bool is_shared;   /* not inlined where it is called more than once */
    bool is_inlined; /* no call is left */
    bool is_handler; /* of an actor */
    bool is_lanewise; /* scalars in and out, no fault and no effect: vectors call it */
    bool is_rare;     /* and it seldom runs: they call it for one lane after the other */
};

typedef enum { ENTRY_DAG, ENTRY_MAIN, ENTRY_TEST } IrEntryKind;

/* One axis of an input as declared: symbol * scale + offset (symbol -1: just the offset; -2: any). */
typedef struct {
    int symbol;
    int64_t scale, offset;
} IrDim;

typedef struct {
    Name name;
    Type *type;
    IrDim *dims; /* type->rank of them where type is an array */
    bool has_default;
    Span span;
    const char *text; /* the type as written: "[n]f32" */
} IrPort;

typedef struct {
    IrEntryKind kind;
    Name name; /* a dag's name, "main", or the title of a test */
    const char *doc;
    Span span;
    IrFunc *func; /* DAG: (present: i64, inputs…) -> output or tuple of outputs; bit k of present: input
                     k was given, otherwise its default is taken. MAIN: ([]string) or () -> ();
                     TEST: () -> () */
    IrPort *inputs, *outputs;
    int ninputs, noutputs;
    Name *symbols; /* names of sizes, for IrDim.symbol */
    int nsymbols;
    bool of_many;       /* the form of a dag for many instances (check_each.c) */
    const char *faults; /* of a test with @faults("…"), else NULL */
} IrEntry;

/* ---- actors ---- */

typedef struct IrActor IrActor;

typedef enum {
    MESSAGE_PLAIN, /* on NAME */
    MESSAGE_START, /* on start */
    MESSAGE_STOP,  /* on stop */
    MESSAGE_FAULT, /* on fault */
    MESSAGE_TIMER  /* every, after */
} IrMessageKind;

typedef struct {
    IrActor *actor;
    Name name;
    const Decl *decl; /* of the handler */
    int number;       /* in module->messages, from 1 */
    IrMessageKind kind;
    Type **args;
    int nargs;
    Type *reply;  /* () if there is none */
    IrFunc *func; /* (self, sender, sent, args…) -> reply. Its state is read and written by RT_FIELD,
                     RT_TAKE and RT_PUT */
    bool is_asked; /* somebody waits for it */
    bool is_batch; /* func gets and gives arrays, of what up to batch_max messages carry */
    int64_t batch_max;
    Span span;
} IrMessage;

typedef enum { OVERFLOW_BLOCK, OVERFLOW_DROP_OLDEST, OVERFLOW_DROP_NEWEST, OVERFLOW_FAULT } IrOverflow;
typedef enum { FAULT_STOPS, FAULT_RESTARTS, FAULT_RESUMES, FAULT_ESCALATES } IrSupervision;

/* The fields of an actor's state are its parameters and then its `state`s. */
struct IrActor {
    Name name;
    Type *type; /* of references */
    int number; /* in module->actors */
    Type **fields;
    Name *names;
    int nfields, nparams;
    IrFunc *init; /* (self, parameters…) -> (): gives every field its first value */
    VEC(IrMessage *) messages;
    int64_t capacity; /* of a mailbox, 0: no limit */
    IrOverflow overflow;
    IrSupervision supervision;
    int64_t max_faults, fault_window; /* so many in so many ns */
    bool is_spawned, is_checked, is_reentrant;
    Span span;
};

typedef struct IrModule {
    Arena *arena;
    NameTable *names;
    Types *types;
    Sources *sources;
    VEC(IrFunc *) funcs;
    VEC(IrEntry *) entries;
    VEC(IrActor *) actors;
    VEC(IrMessage *) messages; /* of all actors; messages.at[0] is unused */
} IrModule;

/* ---- building ---- */

/* Where new ops go: at the end of `region`. Everything built is folded as it is built: constants,
   get of tuple, dim of a value whose size is known, x + 0, equal checks. */
typedef struct IrBuilder IrBuilder;
struct IrBuilder {
    IrModule *module;
    IrFunc *func;
    IrRegion *region;
    Span span;
    int node;
    bool fast;
    bool no_fold;
    /* A pass that wants to see each op that did not fold, and to choose its place: called by
       ir_append instead of ir_append_plain when not NULL. */
    IrId (*append)(IrBuilder *b, IrOp op);
    void *append_data;
};

IrFunc *ir_func_new(IrModule *m, const char *name, Span span); /* name is made unique */
IrRegion *ir_region_new(IrModule *m);
/* A new parameter of a region. */
IrId ir_param(IrFunc *f, IrRegion *region, Type *type);
/* Appends a copy of op (its args, regions already in the arena) without folding. An empty span and
   node 0 are replaced by the builder's. */
IrId ir_append(IrBuilder *b, IrOp op);
IrId ir_append_plain(IrBuilder *b, IrOp op); /* past the builder's own `append` */
/* Folds op, or appends it with a copy of its args. op.type must be set. */
IrId ir_emit(IrBuilder *b, IrOp op);
/* The value op folds to at the builder's place, or IR_NONE; may clear flags of op that constants
   make needless. */
IrId ir_fold(IrBuilder *b, IrOp *op);

static inline IrOp *ir_op(const IrFunc *f, IrId id) {
    return &f->ops.at[id];
}

IrId ir_int(IrBuilder *b, Type *type, int64_t value);
IrId ir_float(IrBuilder *b, Type *type, double value);
IrId ir_bool(IrBuilder *b, bool value);
IrId ir_i64(IrBuilder *b, int64_t value);
/* A constant of a settled type by its bits, as IR_CONST keeps them. */
IrId ir_bits_const(IrBuilder *b, Type *type, int64_t bits);
IrId ir_string(IrBuilder *b, const char *text, size_t len);
IrId ir_undef(IrBuilder *b, Type *type);
IrId ir_unit(IrBuilder *b);
/* Scalar ops; the type follows the table's result rule. */
IrId ir_unary(IrBuilder *b, IrKind kind, IrId a);
IrId ir_binary(IrBuilder *b, IrKind kind, IrId a, IrId c);
IrId ir_select(IrBuilder *b, IrId cond, IrId a, IrId c);
IrId ir_convert(IrBuilder *b, Type *type, IrId a);
IrId ir_tuple(IrBuilder *b, Type *type, const IrId *args, int n);
IrId ir_get(IrBuilder *b, IrId v, int k);
IrId ir_zip(IrBuilder *b, Type *product, const IrId *args, int n);
IrId ir_variant(IrBuilder *b, Type *sum, int ctor, const IrId *args, int n);
IrId ir_tag(IrBuilder *b, IrId v);
IrId ir_payload(IrBuilder *b, IrId v, int ctor, int k);
IrId ir_dim(IrBuilder *b, IrId array, int axis);
IrId ir_index(IrBuilder *b, IrId array, const IrId *at, int n, bool checked);
IrId ir_pack(IrBuilder *b, IrId array, const IrId *at, int n, int bit, bool or_above);
IrId ir_bit(IrBuilder *b, IrId words, const IrId *at, int n);
IrId ir_slice(IrBuilder *b, IrId array, IrId lo, IrId hi, bool checked);
IrId ir_list(IrBuilder *b, Type *array, const IrId *args, int n);
IrId ir_reshape(IrBuilder *b, Type *array, IrId a, const IrId *dims);
IrId ir_flat(IrBuilder *b, IrId list);
IrId ir_update(IrBuilder *b, IrId array, IrId value, const IrId *at, int n, bool checked);
IrId ir_concat(IrBuilder *b, const IrId *args, int n);
IrId ir_sort(IrBuilder *b, IrId keys, int flags);
IrId ir_matmul(IrBuilder *b, IrId a, IrId c);
/* A kernel with one sink. args: the sink's own args; op: its operator's region or NULL. */
IrId ir_kernel(IrBuilder *b, int rank, const IrId *dims, IrRegion *body, SinkKind sink, int imm,
               const IrId *args, int nargs, IrRegion *op);
IrId ir_if(IrBuilder *b, IrId cond, IrRegion *then, IrRegion *otherwise);
IrId ir_for(IrBuilder *b, IrId lo, IrId hi, const IrId *init, int n, IrRegion *body);
IrId ir_loop(IrBuilder *b, const IrId *init, int n, IrRegion *cond, IrRegion *body);
IrId ir_call(IrBuilder *b, IrFunc *callee, const IrId *args, int n);
IrId ir_try(IrBuilder *b, IrRegion *tried, IrRegion *otherwise);
IrId ir_check(IrBuilder *b, IrId value, IrId cond, const IrFault *fault, const IrId *nums, int n);
IrId ir_assert(IrBuilder *b, IrId cond, const IrFault *fault, const IrId *nums, int n);
IrId ir_rt(IrBuilder *b, int rt, Type *type, const IrId *args, int n);

/* v of `body` (a region not yet or already held by an op) as a value at the builder's place: v itself
   where it is defined outside of body, else a copy of the pure ops it consists of; IR_NONE where it
   depends on body's parameters or on anything else than cheap pure ops. */
IrId ir_hoist(IrBuilder *b, const IrRegion *body, IrId v);
/* The dim of v of `body` at the builder's place, or IR_NONE where it may differ from run to run of
   the body. */
IrId ir_hoist_dim(IrBuilder *b, const IrRegion *body, IrId v, int axis);

/* The types that results get: of these values together (see IrFunc), of a sink's output. */
Type *ir_values_type(IrBuilder *b, const IrId *values, int n);
Type *ir_sink_type(IrBuilder *b, SinkKind kind, int rank, Type *yield, Type *value, Type *own);

/* ---- literals ---- */

/* imm2 of an IR_CONST whose type was a TYPE_VAR when it was built: how imm is to be read. 0: as the
   type says. */
enum { LITERAL_INT = 1, LITERAL_FLOAT = 2 /* imm: the bits of the f64 */ };
/* Gives a literal whose type is known by now its final representation. */
void ir_settle_literal(IrOp *op);
/* After checking: replaces every type by its resolved one and settles all literals. */
void ir_settle(IrModule *m);
void ir_settle_func(IrModule *m, IrFunc *f);
/* The bits of a float type for a value (rounded once, halves to even), and the reverse. */
int64_t ir_float_bits(TypeKind kind, double value);
double ir_float_value(TypeKind kind, int64_t bits);

/* ---- asking ---- */

/* Follows solved variables at the top of a type only. */
Type *ir_follow(Type *type);
/* The type of a value, followed. */
Type *ir_type(const IrFunc *f, IrId id);
int ir_scalar_arity(IrKind kind);
bool ir_is_commutative(IrKind kind);
/* How many yields a sink takes, and how many own args (SCATTER: 1, HIST: 2, …). */
int ir_sink_yields(SinkKind kind);
int ir_sink_args(SinkKind kind);
int ir_sink_own(const IrSink *sink); /* with what plan adds */
/* The scalar op that a sink's operator consists of (see IrSink.op), or IR_INVALID. */
IrKind ir_region_op(const IrFunc *f, const IrRegion *region);
const char *ir_rt_name(int rt);
/* Is id defined in region (a parameter, or an op, nested ones included)? */
bool ir_defined_in(const IrFunc *f, const IrRegion *region, IrId id);
/* Does an op or a result of the region, or of regions in it, take the value? */
bool ir_used_in(const IrFunc *f, const IrRegion *region, IrId id);
/* The bits of a constant of a settled scalar type. */
bool ir_const_bits(const IrFunc *f, IrId id, int64_t *bits);

/* The constant integer (or bool) behind a value. */
bool ir_const_int(const IrFunc *f, IrId id, int64_t *value);
/* a - b, when it is the same constant for every run (linear forms over common terms). */
bool ir_difference(const IrFunc *f, IrId a, IrId b, int64_t *difference);
/* May evaluating this op (regions included) fault? */
bool ir_may_fault(const IrFunc *f, IrId id);
bool ir_op_may_fault(const IrFunc *f, const IrOp *op); /* of an op that has no id yet */
/* May computing a number, without the arrays it looks into, fault? If it takes many ops, maybe. */
bool ir_made_with_faults(const IrFunc *f, IrId v);
/* Has it (regions, callees included) an effect besides faulting? */
bool ir_has_effect(const IrFunc *f, IrId id);
/* Does the code of `region` read single elements of an array only, inside `kernel` (one of its ops) only
   that of the kernel's own point, and none after it? Then the kernel may write where the array stands. */
bool ir_reads_own_point(const IrFunc *f, const IrRegion *region, IrId kernel, IrId array);
/* Must this op stay even if nobody uses its value? */
bool ir_is_pinned(const IrFunc *f, IrId id);
/* The same of the op or anything in its regions. */
bool ir_must_stay(const IrFunc *f, IrId id);
const char *ir_kind_name(IrKind kind);
bool ir_is_scalar_op(IrKind kind); /* of lang/ops.def */

/* ---- copying ---- */

/* Copies the ops of `from` (a region of function src) to the builder's place; map[id of src] gives
   the new id and must hold the parameters and every free value (identity within one function).
   map has src->ops.len entries. */
void ir_clone_ops(IrBuilder *b, const IrFunc *src, const IrRegion *from, IrId *map);
IrRegion *ir_clone_region(IrBuilder *b, const IrFunc *src, const IrRegion *from, IrId *map);
IrKernel *ir_clone_kernel(Arena *arena, const IrKernel *kernel);
/* Inlines a call at the builder's place and returns its value. */
IrId ir_inline(IrBuilder *b, const IrFunc *callee, const IrId *args);
/* Number of ops, regions included. */
int ir_size(const IrFunc *f, const IrRegion *region);

/* ---- text and verification ---- */

void ir_print_func(Buf *out, const IrFunc *f);
void ir_print(Buf *out, const IrModule *m);
/* Reads what ir_print wrote; NULL with *error (line: text) on a mistake. Nominal types and closures
   come back as tuples and sums of the same shape, so print(parse(print(m))) is a fixed point. */
IrModule *ir_parse(Arena *arena, NameTable *names, const char *text, const char **error);
/* NULL if the module keeps the rules of this file, else what is broken. */
const char *ir_verify(const IrModule *m);

#endif
