/* Sizes of what a kernel's body yields, computed before the kernel runs. A dense result needs the
   shape of its rows for its allocation, also when there are no points; the shape does not depend
   on the point, so that any point will do: its indices are taken as 0, and reads are guarded. */
#include "emit.h"

#define B (f->e->B)

typedef struct {
    Fn *f;
    const char *inner; /* by IrId: defined in the kernel */
} Hoist;

static LLVMValueRef dim_of(Hoist *h, IrId id, int axis);

/* A scalar element of an array from outside, zero where the index is none. */
static LLVMValueRef guarded_read(Hoist *h, const IrOp *op, LLVMValueRef const *at) {
    Fn *f = h->f;
    Value *v = value_of(f, op->args[0]);
    Layout *l = value_layout(f, op->args[0]);
    if (op->nargs - 1 != l->rank || l->ncols != 1 || !type_is_scalar(l->elem))
        return NULL;
    LLVMValueRef place = fn_int(f, 0), ok = LLVMConstInt(f->e->i1, 1, 0);
    for (int k = 0; k < l->rank; k++) {
        ok = fn_bin(f, LLVMAnd, ok, fn_cmp(f, LLVMIntULT, at[k], v->s[k]));
        place = fn_add(f, fn_mul(f, place, v->s[k]), at[k]);
    }
    LLVMValueRef cols[] = {NULL, fn_select(f, ok, v->s[l->rank + 1], table_zeros(f->e))};
    LLVMValueRef out;
    elem_load(f, l->elem, cols, fn_select(f, ok, place, fn_int(f, 0)), &out);
    return out;
}

/* A scalar value; NULL if it is not known before the kernel. */
static LLVMValueRef scalar_of(Hoist *h, IrId id) {
    Fn *f = h->f;
    IrOp *op = ir_op(f->ir, id);
    if (!h->inner[id])
        return value_scalar(f, id);
    if (op->kind == IR_PARAM)
        return type_is_scalar(op->type) ? LLVMConstNull(scalar_type(&f->e->scalar, op->type, 1))
                                        : NULL;
    if (op->kind == IR_CONST)
        return scalar_const(&f->e->scalar, op->type, op->imm);
    if (op->kind == IR_DIM)
        return dim_of(h, op->args[0], (int)op->imm);
    if (op->kind == IR_CHECK)
        return scalar_of(h, op->args[0]);
    if (op->kind == IR_GET && !h->inner[op->args[0]])
        return value_of(f, op->args[0])
            ->s[layout_member_slot(f->e, value_type(f, op->args[0]), (int)op->imm)];
    bool is_read = op->kind == IR_INDEX && !h->inner[op->args[0]];
    if (!is_read && !ir_is_scalar_op(op->kind))
        return NULL;
    LLVMValueRef args[8];
    for (int k = is_read; k < op->nargs; k++)
        if (k > 7 || !(args[k] = scalar_of(h, op->args[k])))
            return NULL;
    if (is_read)
        return guarded_read(h, op, args + 1);
    ScalarOp scalar = scalar_op(f->ir, id, 1);
    scalar.safe = true;
    return scalar_emit(&f->e->scalar, &scalar, args);
}

/* The size of an axis of a sink's output. */
static LLVMValueRef sink_dim(Hoist *h, const IrOp *op, const IrSink *sink, int axis) {
    const IrKernel *k = op->kernel;
    LLVMValueRef n = NULL;
    switch (sink->kind) {
    case SINK_MAP:
    case SINK_LIST:
    case SINK_SCAN:
        if (axis >= k->rank)
            return dim_of(h, op->regions[0]->results.at[sink->yield], axis - k->rank);
        n = scalar_of(h, op->args[axis]);
        break;
    case SINK_HIST: n = axis == 0 ? scalar_of(h, op->args[sink->arg]) : NULL; break;
    case SINK_SCATTER: return dim_of(h, op->args[sink->arg], axis);
    case SINK_PICK:
    case SINK_REDUCE: return dim_of(h, op->args[sink->arg], axis);
    case SINK_FILTER:
        if (axis > 0)
            return dim_of(h, op->regions[0]->results.at[sink->yield + 1], axis - 1);
        break;
    case SINK_FLATMAP:
    case SINK_KIND_COUNT: break;
    }
    return n ? fn_max(h->f, n, fn_int(h->f, 0)) : NULL;
}

/* The size of axis 0 of arrays joined. */
static LLVMValueRef concat_dim(Hoist *h, const IrOp *op) {
    LLVMValueRef sum = fn_int(h->f, 0);
    for (int k = 0; k < op->nargs; k++) {
        LLVMValueRef n = dim_of(h, op->args[k], 0);
        if (!n)
            return NULL;
        sum = fn_add(h->f, sum, n);
    }
    return sum;
}

/* The size of an axis of member k of a product. */
static LLVMValueRef member_dim(Hoist *h, IrId product, int k, int axis) {
    IrOp *op = ir_op(h->f->ir, product);
    if (op->kind == IR_TUPLE)
        return dim_of(h, op->args[k], axis);
    if (op->kind == IR_KERNEL && op->kernel->nsinks > 1)
        return sink_dim(h, op, &op->kernel->sinks[k], axis);
    if (op->kind == IR_FOR)
        return dim_of(h, op->args[2 + k], axis);
    if (op->kind == IR_LOOP)
        return dim_of(h, op->args[k], axis);
    if (op->kind == IR_IF || op->kind == IR_TRY)
        return op->regions[0]->results.len > 1 ? dim_of(h, op->regions[0]->results.at[k], axis)
                                               : NULL;
    return NULL;
}

static LLVMValueRef get_dim(Hoist *h, const IrOp *op, int axis) {
    Fn *f = h->f;
    if (layout_is_array(value_type(f, op->args[0])))
        return dim_of(h, op->args[0], axis);
    if (h->inner[op->args[0]])
        return member_dim(h, op->args[0], (int)op->imm, axis);
    int at = layout_member_slot(f->e, value_type(f, op->args[0]), (int)op->imm);
    return value_of(f, op->args[0])->s[at + axis];
}

static LLVMValueRef dim_of(Hoist *h, IrId id, int axis) {
    Fn *f = h->f;
    IrOp *op = ir_op(f->ir, id);
    if (!h->inner[id])
        return value_of(f, id)->s[axis];
    LLVMValueRef a, b;
    switch ((int)op->kind) {
    case IR_STRING: return fn_int(f, (int64_t)op->text_len);
    case IR_UNDEF: return fn_int(f, 0);
    case IR_GET: return get_dim(h, op, axis);
    case IR_ZIP:
    case IR_TAG:
    case IR_PAYLOAD:
    case IR_UPDATE:
    case IR_SORT:
    case IR_CHECK: return dim_of(h, op->args[0], axis);
    case IR_INDEX:
        if (op->nargs - 1 == value_layout(f, op->args[0])->rank)
            return NULL;
        return dim_of(h, op->args[0], axis + op->nargs - 1);
    case IR_SLICE:
        if (axis > 0)
            return dim_of(h, op->args[0], axis);
        a = scalar_of(h, op->args[1]);
        b = scalar_of(h, op->args[2]);
        return a && b ? fn_max(f, fn_sub(f, b, a), fn_int(f, 0)) : NULL;
    case IR_LIST:
        return axis == 0   ? fn_int(f, op->nargs)
               : op->nargs ? dim_of(h, op->args[0], axis - 1)
                           : fn_int(f, 0);
    case IR_RESHAPE: return scalar_of(h, op->args[1 + axis]);
    case IR_CONCAT: return axis == 0 ? concat_dim(h, op) : dim_of(h, op->args[0], axis);
    case IR_MATMUL: return dim_of(h, op->args[axis], axis);
    case IR_SELECT: return dim_of(h, op->args[1], axis);
    case IR_IF:
    case IR_TRY:
        a = dim_of(h, op->regions[0]->results.at[0], axis);
        return a ? a : dim_of(h, op->regions[1]->results.at[0], axis);
    case IR_FOR: return dim_of(h, op->args[2], axis);
    case IR_LOOP: return dim_of(h, op->args[0], axis);
    case IR_KERNEL:
        return op->kernel->nsinks == 1 ? sink_dim(h, op, &op->kernel->sinks[0], axis) : NULL;
    default: return NULL;
    }
}

/* Points of a kernel in the body, or elements of an array that it makes; NULL: not known. */
LLVMValueRef hoist_total(Fn *f, const IrRegion *body, IrId id) {
    Hoist h = {f, region_inner(f, body)};
    const IrOp *op = ir_op(f->ir, id);
    bool is_kernel = op->kind == IR_KERNEL;
    int n = is_kernel ? op->kernel->rank : value_layout(f, id)->rank;
    LLVMValueRef total = fn_int(f, 1);
    for (int k = 0; k < n; k++) {
        LLVMValueRef size = is_kernel ? scalar_of(&h, op->args[k]) : dim_of(&h, id, k);
        if (!size)
            return NULL;
        total = fn_mul(f, total, fn_max(f, size, fn_int(f, 0)));
    }
    return total;
}

LLVMValueRef hoist_dim(Fn *f, const IrRegion *body, IrId id, int axis) {
    Hoist h = {f, region_inner(f, body)};
    return dim_of(&h, id, axis);
}
