/* The parts of the CUDA text generator: value.c names values and writes expressions, body.c the ops
   of a point, library.c which of them are calls, nest.c kernels inside it, kernel.c the kernel around it. */
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
    const char *name;
    const char *fail; /* the statement that leaves a point that faults */
    const char *fault; /* the argument that says whether one has, or NULL */
    bool point_faults; /* the point's function says whether it could */
    bool is_wide;  /* the lanes of a warp share the code at hand */
    bool is_warp;  /* a warp does a point */
    bool in_loop;   /* of the point's own, where a row may still be read when the next is made */
    bool is_nested; /* in the body of a kernel inside of the point */
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
/* Gives an expression a name if it is long or used more than once. */
const char *cu_keep(Cu *cu, IrId id, const char *type, const char *expression);
/* A field of the arguments: its access text. */
const char *cu_field(Cu *cu, const char *type, const char *base, GactDeviceArg arg);
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
/* A function of an operator's region: T name(const args &a, T x, T y); of a pick's, it says whether y is
   better. */
const char *cu_operator(Cu *cu, const IrRegion *op, const Layout *l, bool is_bool);
void cu_count_uses(Cu *cu, const IrRegion *region, int weight);
/* The state for code that goes to a text of its own, of this or another function; and back. */
Cu cu_enter(Cu *cu, const IrFunc *ir, Buf *code);
void cu_leave(Cu *cu, Cu *inner);

/* bits.c */
void cu_pack(Cu *cu, IrId id);
void cu_bit(Cu *cu, IrId id);

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
CuFold cu_fold(Cu *cu, const IrOp *kernel, const IrSink *sink);
/* Names the indices of a kernel's point `p`, its number, row-major. */
void cu_point(Cu *cu, const IrRegion *body, const char *p, const char *const *dims, int rank);

#endif
