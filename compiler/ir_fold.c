/* Folding of arrays, products and control while ops are built; scalars are folded in
   ir_fold_scalar.c. A fold gives a value that already exists or can be built at the builder's
   place, and never changes what a program computes, but that a fault whose value nobody uses is
   gone: `dim` of a checked slice does not look at the slice. Ops whose types still contain unsolved
   literals are left as they are. */
#include "ir_build.h"

#include <assert.h>

/* ---- where values are defined ---- */

bool ir_defined_in(const IrFunc *f, const IrRegion *region, IrId id) {
    for (int i = 0; i < region->params.len; i++)
        if (region->params.at[i] == id)
            return true;
    for (int i = 0; i < region->ops.len; i++) {
        if (region->ops.at[i] == id)
            return true;
        const IrOp *op = ir_op(f, region->ops.at[i]);
        for (int r = 0; r < op->nregions; r++)
            if (ir_defined_in(f, op->regions[r], id))
                return true;
    }
    return false;
}

bool ir_used_in(const IrFunc *f, const IrRegion *region, IrId id) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            if (op->args[k] == id)
                return true;
        for (int r = 0; r < op->nregions; r++)
            if (ir_used_in(f, op->regions[r], id))
                return true;
    }
    for (int k = 0; k < region->results.len; k++)
        if (region->results.at[k] == id)
            return true;
    return false;
}

/* The regions that a value has to leave, innermost first; none: it may stay where it is. */
typedef struct Inside {
    const IrRegion *region;
    const struct Inside *outer;
    /* of a loop body: its parameter `self` starts as `init` and keeps this dim by assumption */
    IrId self, init;
    int axis;
} Inside;

enum { MAX_HOIST_DEPTH = 12 };
static IrId hoist(IrBuilder *b, const Inside *in, IrId v, int depth);
static IrId dim_of(IrBuilder *b, const Inside *in, IrId v, int axis, int depth);

static bool is_outside(const IrBuilder *b, const Inside *in, IrId v) {
    for (; in; in = in->outer)
        if (ir_defined_in(b->func, in->region, v))
            return false;
    return true;
}

static IrId hoist_op(IrBuilder *b, const Inside *in, IrId v, int depth) {
    IrOp op = *ir_op(b->func, v);
    if (op.kind == IR_DIM)
        return dim_of(b, in, op.args[0], (int)op.imm, depth + 1);
    bool cheap =
        ir_is_scalar_op(op.kind) || op.kind == IR_CONST || op.kind == IR_GET || op.kind == IR_TUPLE;
    if (!cheap || ir_may_fault(b->func, v) || op.nargs > 8)
        return IR_NONE;
    IrId args[8];
    for (int i = 0; i < op.nargs; i++) {
        args[i] = hoist(b, in, op.args[i], depth + 1);
        if (!args[i])
            return IR_NONE;
    }
    op.args = args;
    return ir_emit(b, op);
}

/* v as a value outside of the regions `in`, or IR_NONE. */
static IrId hoist(IrBuilder *b, const Inside *in, IrId v, int depth) {
    if (is_outside(b, in, v))
        return v;
    return depth < MAX_HOIST_DEPTH ? hoist_op(b, in, v, depth) : IR_NONE;
}

IrId ir_hoist(IrBuilder *b, const IrRegion *body, IrId v) {
    return hoist(b, &(Inside){.region = body}, v, 0);
}

/* ---- sizes ---- */

static IrId non_negative(IrBuilder *b, IrId n) {
    return n ? ir_binary(b, IR_MAX, n, ir_i64(b, 0)) : IR_NONE;
}

static IrId dim_of_yield(IrBuilder *b, const Inside *in, const IrRegion *body, IrId yield, int axis,
                         int depth) {
    Inside deeper = {.region = body, .outer = in};
    return dim_of(b, &deeper, yield, axis, depth + 1);
}

static IrId dim_of_sink(IrBuilder *b, const Inside *in, const IrOp *op, int k, int axis,
                        int depth) {
    const IrSink *sink = &op->kernel->sinks[k];
    const IrRegion *body = op->regions[0];
    const IrId *own = op->args + sink->arg;
    IrId yield = body->results.at[sink->yield];
    switch (sink->kind) {
    case SINK_MAP:
    case SINK_SCAN:
        if (axis < op->kernel->rank)
            return non_negative(b, hoist(b, in, op->args[axis], depth));
        return dim_of_yield(b, in, body, yield, axis - op->kernel->rank, depth);
    case SINK_LIST: return non_negative(b, hoist(b, in, op->args[0], depth));
    case SINK_FILTER:
        if (axis == 0)
            return IR_NONE;
        return dim_of_yield(b, in, body, body->results.at[sink->yield + 1], axis - 1, depth);
    case SINK_HIST:
        if (axis == 0)
            return non_negative(b, hoist(b, in, own[0], depth));
        return dim_of(b, in, own[1], axis - 1, depth);
    case SINK_SCATTER: return dim_of(b, in, own[0], axis, depth);
    case SINK_PICK:
    case SINK_REDUCE: /* the operator may change the size */
    case SINK_FLATMAP:
    case SINK_KIND_COUNT: return IR_NONE;
    }
    UNREACHABLE();
}

/* a where a and c are surely the same number, else IR_NONE. */
static IrId if_same(IrBuilder *b, IrId a, IrId c) {
    int64_t difference;
    return a && c && ir_difference(b->func, a, c, &difference) && difference == 0 ? a : IR_NONE;
}

static IrId dim_of_branches(IrBuilder *b, const Inside *in, const IrOp *op, int k, int axis,
                            int depth) {
    IrId dims[2];
    for (int r = 0; r < 2; r++) {
        dims[r] = dim_of_yield(b, in, op->regions[r], op->regions[r]->results.at[k], axis, depth);
        if (!dims[r])
            return IR_NONE;
    }
    return if_same(b, dims[0], dims[1]);
}

/* Of carried value k: its first size, if the body keeps it. */
static IrId dim_of_carried(IrBuilder *b, const Inside *in, const IrOp *op, int k, int axis,
                           int depth) {
    bool is_for = op->kind == IR_FOR;
    const IrRegion *body = op->regions[is_for ? 0 : 1];
    IrId init = op->args[k + (is_for ? 2 : 0)];
    IrId before = dim_of(b, in, init, axis, depth + 1);
    if (!before)
        return IR_NONE;
    Inside deeper = {.region = body, .outer = in, .init = init, .axis = axis};
    deeper.self = body->params.at[k + (is_for ? 1 : 0)];
    IrId after = dim_of(b, &deeper, body->results.at[k], axis, depth + 1);
    return if_same(b, before, after);
}

/* The size of result k of an op with several (or its only one). */
static IrId dim_of_result(IrBuilder *b, const Inside *in, IrId v, int k, int axis, int depth) {
    IrOp op = *ir_op(b->func, v);
    switch (op.kind) {
    case IR_KERNEL: return dim_of_sink(b, in, &op, k, axis, depth);
    case IR_IF:
    case IR_TRY: return dim_of_branches(b, in, &op, k, axis, depth);
    case IR_FOR:
    case IR_LOOP: return dim_of_carried(b, in, &op, k, axis, depth);
    default: return IR_NONE;
    }
}

static bool has_results(const IrOp *op) {
    switch (op->kind) {
    case IR_KERNEL: return op->kernel->nsinks > 1;
    case IR_IF:
    case IR_TRY: return op->regions[0]->results.len > 1;
    case IR_FOR: return op->nargs > 3;
    case IR_LOOP: return op->nargs > 1;
    default: return false;
    }
}

static IrId dim_of_concat(IrBuilder *b, const Inside *in, const IrOp *op, int depth) {
    IrId sum = dim_of(b, in, op->args[0], 0, depth + 1);
    for (int i = 1; sum && i < op->nargs; i++) {
        IrId next = dim_of(b, in, op->args[i], 0, depth + 1);
        sum = next ? ir_binary(b, IR_ADD, sum, next) : IR_NONE;
    }
    return sum;
}

static IrId dim_of_slice(IrBuilder *b, const Inside *in, const IrOp *op, int axis, int depth) {
    if (axis > 0)
        return dim_of(b, in, op->args[0], axis, depth + 1);
    IrId lo = hoist(b, in, op->args[1], depth), hi = hoist(b, in, op->args[2], depth);
    return lo && hi ? ir_binary(b, IR_SUB, hi, lo) : IR_NONE;
}

/* The size of an axis that follows from how v was made; IR_NONE: not known. */
static IrId dim_rule(IrBuilder *b, const Inside *in, IrId v, int axis, int depth) {
    IrOp op = *ir_op(b->func, v);
    switch (op.kind) {
    case IR_STRING: return ir_i64(b, (int64_t)op.text_len);
    case IR_UNDEF: return ir_i64(b, 0);
    case IR_LIST:
        if (axis == 0 || op.nargs == 0)
            return ir_i64(b, axis == 0 ? op.nargs : 0);
        return dim_of(b, in, op.args[0], axis - 1, depth + 1);
    case IR_SLICE: return dim_of_slice(b, in, &op, axis, depth);
    case IR_RESHAPE: return hoist(b, in, op.args[1 + axis], depth);
    case IR_CONCAT:
        if (axis == 0)
            return dim_of_concat(b, in, &op, depth);
        return dim_of(b, in, op.args[0], axis, depth + 1);
    case IR_MATMUL: return dim_of(b, in, op.args[axis], axis, depth + 1);
    case IR_UPDATE:
    case IR_SORT:
    case IR_ZIP: return dim_of(b, in, op.args[0], axis, depth + 1);
    case IR_CHECK: return op.args[0] ? dim_of(b, in, op.args[0], axis, depth + 1) : IR_NONE;
    case IR_TAG:
    case IR_PAYLOAD:
    case IR_GET: {
        const IrOp *of = ir_op(b->func, op.args[0]);
        if (ir_follow(of->type)->kind == TYPE_ARRAY)
            return dim_of(b, in, op.args[0], axis, depth + 1);
        if (op.kind == IR_GET && has_results(of))
            return dim_of_result(b, in, op.args[0], (int)op.imm, axis, depth);
        return IR_NONE;
    }
    case IR_INDEX: {
        Type *of = ir_type(b->func, op.args[0]);
        if (of->kind != TYPE_ARRAY || op.nargs - 1 >= of->rank)
            return IR_NONE;
        return dim_of(b, in, op.args[0], axis + op.nargs - 1, depth + 1);
    }
    default: return has_results(&op) ? IR_NONE : dim_of_result(b, in, v, 0, axis, depth);
    }
}

static const Inside *loop_of_param(const Inside *in, IrId v) {
    for (; in; in = in->outer)
        if (in->self == v && v)
            return in;
    return NULL;
}

/* The size of v outside of the regions `in`; IR_NONE where it cannot be told there. With no regions
   to leave there is always an answer. */
static IrId dim_of(IrBuilder *b, const Inside *in, IrId v, int axis, int depth) {
    const Inside *loop = loop_of_param(in, v);
    if (loop)
        return loop->axis == axis ? dim_of(b, in, loop->init, axis, depth + 1) : IR_NONE;
    IrId known = depth < MAX_HOIST_DEPTH ? dim_rule(b, in, v, axis, depth) : IR_NONE;
    if (known || !is_outside(b, in, v))
        return known;
    IrOp op = {.kind = IR_DIM, .imm = axis, .type = type_basic(b->module->types, TYPE_I64)};
    op.nargs = 1;
    op.args = NEW(b->func->arena, IrId);
    op.args[0] = v;
    return ir_append(b, op);
}

IrId ir_hoist_dim(IrBuilder *b, const IrRegion *body, IrId v, int axis) {
    return dim_of(b, &(Inside){.region = body}, v, axis, 0);
}

IrId ir_carried_dim(IrBuilder *b, IrId loop, int k, int axis) {
    IrOp op = *ir_op(b->func, loop);
    return dim_of_carried(b, NULL, &op, k, axis, 0);
}

static IrId fold_dim(IrBuilder *b, const IrOp *op) {
    return dim_rule(b, NULL, op->args[0], (int)op->imm, 0);
}

/* ---- products, sums, elements ---- */

static IrId fold_get(IrBuilder *b, const IrOp *op) {
    const IrOp *of = ir_op(b->func, op->args[0]);
    if (of->kind == IR_TUPLE || of->kind == IR_ZIP)
        return of->args[op->imm];
    return IR_NONE;
}

/* A product taken apart and put together again. */
static IrId fold_tuple(IrBuilder *b, const IrOp *op) {
    IrId whole = IR_NONE;
    for (int i = 0; i < op->nargs; i++) {
        const IrOp *get = ir_op(b->func, op->args[i]);
        if (get->kind != IR_GET || get->imm != i || (whole && get->args[0] != whole))
            return IR_NONE;
        whole = get->args[0];
    }
    bool same = whole && ir_type(b->func, whole) == ir_follow(op->type);
    return same ? whole : IR_NONE;
}

static IrId fold_tag(IrBuilder *b, const IrOp *op) {
    const IrOp *of = ir_op(b->func, op->args[0]);
    return of->kind == IR_VARIANT ? ir_i64(b, of->imm) : IR_NONE;
}

static IrId fold_payload(IrBuilder *b, const IrOp *op) {
    const IrOp *of = ir_op(b->func, op->args[0]);
    if (of->kind != IR_VARIANT)
        return IR_NONE;
    return of->imm == op->imm ? of->args[op->imm2] : ir_undef(b, op->type);
}

static IrId fold_index(IrBuilder *b, const IrOp *op) {
    if (op->nargs == 1)
        return op->args[0];
    const IrOp *of = ir_op(b->func, op->args[0]);
    int64_t at;
    if (of->kind != IR_LIST || !ir_const_int(b->func, op->args[1], &at) || at < 0 ||
        at >= of->nargs)
        return IR_NONE;
    return ir_index(b, of->args[at], op->args + 2, op->nargs - 2, op->flags & IRF_CHECKED);
}

/* A slice that is the whole array, the same size told by the same value. */
static IrId fold_slice(IrBuilder *b, const IrOp *op) {
    int64_t lo, rest;
    if (!ir_const_int(b->func, op->args[1], &lo) || lo != 0)
        return IR_NONE;
    const IrOp *hi = ir_op(b->func, op->args[2]);
    bool dim = hi->kind == IR_DIM && hi->imm == 0;
    if (!dim)
        return IR_NONE;
    return hi->args[0] == op->args[0] ||
                   (ir_difference(b->func, op->args[2], ir_dim(b, op->args[0], 0), &rest) &&
                    rest == 0)
               ? op->args[0]
               : IR_NONE;
}

static IrId fold_reshape(IrBuilder *b, const IrOp *op) {
    if (ir_type(b->func, op->args[0]) != ir_follow(op->type))
        return IR_NONE;
    if (op->nargs == 2)
        return op->args[0]; /* the sizes agree */
    for (int axis = 0; axis < op->nargs - 1; axis++) {
        const IrOp *dim = ir_op(b->func, op->args[1 + axis]);
        if (dim->kind != IR_DIM || dim->imm != axis || dim->args[0] != op->args[0])
            return IR_NONE;
    }
    return op->args[0];
}

/* ---- control ---- */

IrId ir_region_values(IrBuilder *b, Type *type, const IrId *values, int n) {
    return n == 1 ? values[0] : ir_tuple(b, type, values, n);
}

/* Moves the ops of a region that nobody holds any more to the builder's place. */
static IrId splice(IrBuilder *b, Type *type, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++)
        vec_push(b->func->arena, &b->region->ops, region->ops.at[i]);
    return ir_region_values(b, type, region->results.at, region->results.len);
}

static IrId fold_if(IrBuilder *b, const IrOp *op) {
    int64_t cond;
    if (ir_const_int(b->func, op->args[0], &cond))
        return splice(b, op->type, op->regions[cond ? 0 : 1]);
    return IR_NONE;
}

static IrId fold_for(IrBuilder *b, const IrOp *op) {
    int64_t lo, hi, trips;
    bool empty = ir_const_int(b->func, op->args[0], &lo) &&
                 ir_const_int(b->func, op->args[1], &hi) && lo >= hi;
    if (!empty && ir_difference(b->func, op->args[1], op->args[0], &trips))
        empty = trips == 0;
    return empty ? ir_region_values(b, op->type, op->args + 2, op->nargs - 2) : IR_NONE;
}

static IrId fold_loop(IrBuilder *b, const IrOp *op) {
    const IrRegion *test = op->regions[0];
    int64_t cond;
    if (!ir_const_int(b->func, test->results.at[0], &cond) || cond)
        return IR_NONE;
    for (int i = 0; i < test->ops.len; i++)
        if (!ir_is_scalar_op(ir_op(b->func, test->ops.at[i])->kind) &&
            ir_op(b->func, test->ops.at[i])->kind != IR_CONST)
            return IR_NONE;
    return ir_region_values(b, op->type, op->args, op->nargs);
}

static bool allocates(IrKind kind) {
    switch (kind) {
    case IR_LIST:
    case IR_UPDATE:
    case IR_CONCAT:
    case IR_KERNEL:
    case IR_SORT:
    case IR_MATMUL:
    case IR_CALL:
    case IR_RT: return true;
    default: return false;
    }
}

/* Neither a fault nor exhausted memory can end this region. */
static bool is_total(const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (allocates(op->kind) || ir_may_fault(f, region->ops.at[i]))
            return false;
        for (int r = 0; r < op->nregions; r++)
            if (!is_total(f, op->regions[r]))
                return false;
    }
    return true;
}

static IrId fold_try(IrBuilder *b, const IrOp *op) {
    return is_total(b->func, op->regions[0]) ? splice(b, op->type, op->regions[0]) : IR_NONE;
}

static IrId fold_check(IrBuilder *b, const IrOp *op) {
    int64_t cond;
    if (!ir_const_int(b->func, op->args[1], &cond) || !cond)
        return IR_NONE;
    return op->args[0] ? op->args[0] : ir_unit(b);
}

IrId ir_fold(IrBuilder *b, IrOp *op) {
    if (ir_is_scalar_op(op->kind))
        return ir_fold_scalar(b, op);
    switch (op->kind) {
    case IR_TUPLE: return fold_tuple(b, op);
    case IR_GET: return fold_get(b, op);
    case IR_TAG: return fold_tag(b, op);
    case IR_PAYLOAD: return fold_payload(b, op);
    case IR_DIM: return fold_dim(b, op);
    case IR_INDEX: return fold_index(b, op);
    case IR_SLICE: return fold_slice(b, op);
    case IR_RESHAPE: return fold_reshape(b, op);
    case IR_IF: return fold_if(b, op);
    case IR_FOR: return fold_for(b, op);
    case IR_LOOP: return fold_loop(b, op);
    case IR_TRY: return fold_try(b, op);
    case IR_CHECK: return fold_check(b, op);
    default: return IR_NONE;
    }
}
