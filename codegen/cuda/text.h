/* The parts of the CUDA text generator: value.c names values and writes expressions, body.c the ops
   of a point, library.c which of them are calls, control.c branches and loops, function.c called functions and operators, nest.c and
   sink.c kernels inside of it, arena.c, build.c and order.c arrays that it makes, kernel.c the kernel
   around it. */
#ifndef GACT_CUDA_TEXT_H
#define GACT_CUDA_TEXT_H

#include "cuda.h"

/* A value: the text of each of its slots, as in lang/image.h; that of a buffer is NULL. */
typedef struct {
    const char **s; /* NULL: not written yet */
    int n;
} Text;

typedef struct {
    Kernel *k;
    Emit *e;
    const IrFunc *ir;
    Arena *arena;
    CudaKernel *out;
    Buf fields;    /* of the struct of arguments */
    Buf types;     /* structs of values, before the arguments */
    Buf helpers;   /* functions before the point's */
    Buf *code;     /* where statements go */
    int indent;
    Buf *lists; /* where lists are declared; NULL: where they are made */
    int lists_indent;
    Text *values;  /* by IrId */
    int *uses;     /* by IrId, in the kernel: more than one forbids to write it in place */
    char *inner;   /* by IrId: defined in the kernel */
    const IrPutIn **library; /* by IrId: the call that is written in the op's place, or NULL */
    bool *is_given; /* by IrId: parameters of the point's function */
    const char *name;
    const char *fail; /* the statement that leaves a point that faults */
    const char *fault; /* the argument that says whether one has, or NULL */
    bool point_faults; /* the point's function says whether it could */
    bool is_wide;  /* the lanes of a warp share the code at hand */
    bool is_warp;  /* a warp does a point */
    bool in_loop;   /* of the point's own, where a row may still be read when the next is made */
    bool is_nested; /* in the body of a kernel inside of the point */
    bool is_function; /* in a function of its own, which knows nothing of the kernel */
    bool outlives;    /* arrays outlive the block they are made in, so variables of it cannot hold them */
    const char *heap; /* the memory at hand, a variable: the point's, or that of a lane which does a part */
    const char *side, *other; /* of it: where what is made stays, and the other one */
    char *owned;       /* by IrId: an op writes over it, so nothing else may share its memory */
    int counter;
    Source *source, *told; /* where the code at hand comes from, and what `#line` said last */
    int line, told_line;
    /* the nested kernel that makes a row of the output, and where */
    IrId row;
    const char **row_data;
    VEC(const char *) functions; /* called ones that have been written */
} Cu;

/* value.c */
void cu_no(Cu *cu, Span where, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Where the next statements come from. */
void cu_from(Cu *cu, Span span);
void cu_line(Cu *cu, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *cu_type(Cu *cu, const Type *type);     /* of a scalar */
const char *cu_slot_type(Cu *cu, const Slot *slot); /* of a slot that is no buffer */
const char *cu_col_type(Cu *cu, const Column *col);
const char **cu_types(Cu *cu, const Layout *l); /* of each slot; NULL: a buffer, which no text has */
/* A value that is never looked at: zeros, arrays without elements. */
const char **cu_nothing(Cu *cu, const Layout *l);
const char *cu_const(Cu *cu, const Type *type, int64_t bits);
const char *cu_name(Cu *cu, const char *base); /* a fresh name */
Text *cu_value(Cu *cu, IrId id);                /* captures it as an argument if it is from outside */
const char *cu_scalar(Cu *cu, IrId id);
void cu_set(Cu *cu, IrId id, const char **s, int n);
const char **cu_slots(Cu *cu, int n);
Layout *cu_layout(Cu *cu, IrId id);
/* What the program calls a value: the binding it was made for, or the input it is; else "v". */
const char *cu_source_name(Cu *cu, IrId id);
/* A base for names of the array's elements. */
const char *cu_element_name(Cu *cu, IrId array);
/* An expression without the parentheses around all of it. */
const char *cu_bare(Cu *cu, const char *expression);
/* The expression of a scalar op, by the table. */
const char *cu_expression(Cu *cu, IrKind kind, const Type *type, const char *const *args);
/* Text without parentheses around all of it. */
const char *cu_bare(Cu *cu, const char *s);
/* Gives an expression a name if it is long or used more than once. */
const char *cu_keep(Cu *cu, IrId id, const char *type, const char *expression);
/* A field of the arguments: its access text. */
const char *cu_field(Cu *cu, const char *type, const char *base, GactDeviceArg arg);
int cu_add_word(Cu *cu, CudaWord word); /* where it is among the words */
int cu_word(Cu *cu, CudaWordKind kind, IrId id, int slot, int sink);
const char *cu_word_field(Cu *cu, const char *base, const char *type, CudaWordKind kind, IrId id, int slot,
                          int sink);
/* The type of a value in a variable: its scalar, or a struct of slots that is declared here. */
const char *cu_struct(Cu *cu, const Layout *l);
/* Slot k of a variable of that type, and the value made of slots. */
const char *cu_member(Cu *cu, const Layout *l, const char *variable, int k);
const char *cu_make(Cu *cu, const Layout *l, const char *const *s);

/* library.c: fills cu->library for these regions of cu->ir. */
void cu_find_library(Cu *cu, IrRegion *const *regions, int nregions);

/* body.c */
void cu_ops(Cu *cu, const IrRegion *region);
/* Stores slots at element `at` of columns. */
void cu_store(Cu *cu, Type *elem, const char *const *data, const char *at, const char *const *s);
void cu_load(Cu *cu, Type *elem, const char *const *cols, const char *at, const char *name, const char **out);
/* The point is left unless the condition holds. */
void cu_need(Cu *cu, const char *condition);
/* Columns (pairs) moved on by `place` elements; what lies in lists stays, as offsets lead there. */
void cu_shift(Cu *cu, const Layout *l, const char *const *cols, const char *place, const char **out);
/* The row-major number of the place that n indices pick, checked if the op asks for it. */
const char *cu_place(Cu *cu, const IrOp *op, const Layout *l, const char *const *s, const IrId *at, int n);
/* The product of the dims of an array from axis `first` on. */
const char *cu_total(Cu *cu, const Layout *l, const char *const *s, int first);
/* A named constant of an expression. */
const char *cu_named(Cu *cu, const char *type, const char *base, const char *expression);

/* control.c */
void cu_if(Cu *cu, IrId id);
void cu_for(Cu *cu, IrId id);
void cu_loop(Cu *cu, IrId id);
void cu_try(Cu *cu, IrId id);

/* function.c */
void cu_call(Cu *cu, IrId id);
void cu_library_call(Cu *cu, const IrPutIn *call);
/* Writes an IR function as one of the device: bool NAME(gx_arena &m, const int side, parameters' slots …,
   RESULT &result), which is false where it faults or the arena is too small. It knows nothing of a kernel.
   What it gives lies on `side` of m, or in what its parameters look at. */
const char *cu_function(Cu *cu, const IrFunc *callee, Span where);
/* A function of an operator's region: T name(const args &a, T x, T y); of a pick's, it says whether y is
   better. */
const char *cu_operator(Cu *cu, const IrRegion *op, const Layout *l, bool is_bool);
/* The same as a lambda that sees the code around it; `fail` leaves it. Its name. */
const char *cu_inner_operator(Cu *cu, const IrRegion *op, const Layout *l, bool is_bool, const char *fail);
void cu_count_uses(Cu *cu, const IrRegion *region, int weight);
/* The state for code that goes to a text of its own, of this or another function; and back. */
Cu cu_enter(Cu *cu, const IrFunc *ir, Buf *code);
void cu_leave(Cu *cu, Cu *inner);

/* arena.c */
/* Memory for n elements, on the side at hand; a pointer. */
const char *cu_take(Cu *cu, const char *type, const char *n);
/* The columns of a regular array of n elements. */
const char **cu_take_columns(Cu *cu, const Layout *l, const char *n);
/* Statements whose memory goes back at their end; the side they use is the other one. */
typedef struct {
    Buf code, *outer;
    const char *mark, *heap, *side, *other;
    int takes;
} CuScope;
void cu_open_scope(Cu *cu, CuScope *scope);
void cu_close_scope(Cu *cu, CuScope *scope);
/* A copy of a value whose arrays are all on the side at hand. */
const char **cu_copy(Cu *cu, Type *type, const char *const *s);
/* Where a loop that carries values starts, and what is done at the end of each of its rounds: what is not
   carried any more is freed now and then. */
typedef struct {
    const char *mark, *most;
    Buf *code, *outer; /* of the loop, and around it */
    int indent, takes;
} CuKeep;
void cu_keep_open(Cu *cu, CuKeep *keep);
void cu_keep_close(Cu *cu, CuKeep *keep, Type *const *types, const char **const *names, int n);
/* Finds what has to be owned in a region (see `owned`). */
void cu_find_owned(Cu *cu, const IrRegion *region);
/* Result k of a region, which the region hands out as its own; copied where it is not but has to be. */
const char *const *cu_handed_over(Cu *cu, const IrRegion *region, int k);

/* build.c */
/* Arrays that grow, of any element; or that have their places, or are only counted. */
typedef enum { BUILD_GROW, BUILD_FIXED, BUILD_COUNT } CuBuildMode;
typedef struct {
    const Layout *l;
    CuBuildMode mode;
    const char **len; /* by level: a variable */
    const char **col; /* by column: FIXED: a pointer; GROW: a gx_column */
} CuBuilder;
CuBuilder cu_builder(Cu *cu, const Layout *l);
/* One more element, given by its slots. */
void cu_push(Cu *cu, CuBuilder *b, const char *const *s);
/* n more elements, given by columns (pairs). */
void cu_append(Cu *cu, CuBuilder *b, const char *const *cols, const char *n);
/* The columns (pairs) of what has grown. */
void cu_built(Cu *cu, const CuBuilder *b, const char **cols);
void cu_list(Cu *cu, IrId id);
void cu_update(Cu *cu, IrId id);
void cu_concat(Cu *cu, IrId id);
void cu_string(Cu *cu, IrId id);
void cu_tags(Cu *cu, IrId id); /* of an array */

/* order.c */
void cu_sort(Cu *cu, IrId id);

/* bits.c */
void cu_pack(Cu *cu, IrId id);
void cu_bit(Cu *cu, IrId id);

/* sink.c: what becomes of the points of a nested kernel that one thread does in order. */
typedef struct CuSink {
    const IrSink *sink;
    Layout *l;
    bool is_built, is_exact; /* its size is not known before; a running value tells all of a scan */
    const char **dims;       /* of its output */
    const char **data;       /* SCAN, tables: columns */
    const char *part;        /* SCATTER: elements of a row */
    CuBuilder builder;
    const char **rows;       /* by axis: variables for the sizes of a row of what is built */
    Layout *value;           /* of what the operator combines */
    const char *op, *state;  /* the operator, the scan's state */
    const char *chunk, **more, *seen, *join; /* HIST in chunks: points of one, its table, which of its bins are
                                                set, what adds it to the first */
} CuSink;
/* Is the size of its output known? Otherwise it is built. */
bool cu_is_built(Cu *cu, const IrOp *op, const IrSink *sink);
void cu_sink_open(Cu *cu, IrId id, CuSink *s, const char *const *dims, const char *total, const char *ok);
void cu_sink_point(Cu *cu, IrId id, CuSink *s, const char *p);
void cu_sink_close(Cu *cu, CuSink *s, const char **out);
/* Size `axis` of what `region` yields in `id` where it is known before, else NULL. */
const char *cu_size_before(Cu *cu, const IrRegion *region, IrId id, int axis);

/* nest.c */
void cu_nested(Cu *cu, IrId id);
void cu_matmul(Cu *cu, IrId id);
/* How a sink's values are combined. */
typedef struct {
    FoldMode mode;
    Layout *l;        /* of a value */
    const char *type; /* of it as one variable */
    const char *identity; /* ANY, LANES */
    const char *op;   /* a lambda of two such: the operator, or for a pick: is the second better? */
} CuFold;
/* fail: NULL: the operator stands outside of points; else what leaves it. */
CuFold cu_fold(Cu *cu, const IrOp *kernel, const IrSink *sink, const char *fail);
/* Names the indices of a kernel's point `p`, its number, row-major. */
void cu_point(Cu *cu, const IrRegion *body, const char *p, const char *const *dims, int rank);

#endif
