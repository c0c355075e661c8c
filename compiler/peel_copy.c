/* Copies of a kernel's body for a part of its space. Every op is built anew and folded with what is
   known there: a comparison that is proven is a constant, a clamp the operand it leaves, a
   remainder of what cannot reach twice the divisor a choice, an `if` the branch taken. */
#include "ir_build.h"
#include "peel.h"

typedef struct {
    Range *r;
    IrBuilder b;
    IrId *map;  /* by id of an op of the original */
    IrId first; /* ops before it are made whatever the copy drops */
    int decided;
} Copy;

static void copy_ops(Copy *c, const IrRegion *from);

/* ---- decisions ---- */

/* Is a + c <= b? */
static bool below(Copy *c, IrId a, IrId b, int64_t by) {
    return range_at_most(c->r, a, b, by);
}

/* 1, 0, or -1 where it is not known. */
static int truth_of(Copy *c, IrKind kind, IrId a, IrId b) {
    switch (kind) {
    case IR_GT: return truth_of(c, IR_LT, b, a);
    case IR_GE: return truth_of(c, IR_LE, b, a);
    case IR_LT: return below(c, a, b, 1) ? 1 : below(c, b, a, 0) ? 0 : -1;
    case IR_LE: return below(c, a, b, 0) ? 1 : below(c, b, a, 1) ? 0 : -1;
    case IR_EQ:
        if (below(c, a, b, 1) || below(c, b, a, 1))
            return 0;
        return below(c, a, b, 0) && below(c, b, a, 0) ? 1 : -1;
    case IR_NE: {
        int equal = truth_of(c, IR_EQ, a, b);
        return equal < 0 ? -1 : !equal;
    }
    default: return -1;
    }
}

static IrId binary(Copy *c, IrKind kind, IrId a, IrId b) {
    IrOp op = {.kind = kind, .type = ir_type(c->b.func, a), .args = (IrId[]){a, b}, .nargs = 2};
    return ir_emit(&c->b, op);
}

/* x mod n, floored, where 0 <= x < n, -n <= x < n, 0 <= x < 2 n or -n <= x < 2 n. */
static IrId reduced_modulo(Copy *c, const IrOp *op) {
    IrId x = op->args[0], n = op->args[1], zero = ir_int(&c->b, op->type, 0);
    Lin twice = lin_add(lin_of(c->r, x), lin_of(c->r, n), -2);
    bool over_0 = below(c, zero, x, 0), under_n = below(c, x, n, 1);
    Lin least = lin_add(lin_add(lin_const(0), lin_of(c->r, x), -1), lin_of(c->r, n), -1);
    if (!over_0 && (op->kind != IR_FMOD || !range_prove(c->r, least)))
        return IR_NONE;
    if (!under_n && !range_prove(c->r, lin_add(twice, lin_const(1), 1)))
        return IR_NONE;
    IrId out = x;
    if (!under_n)
        out = ir_select(&c->b, ir_binary(&c->b, IR_GE, x, n), binary(c, IR_SUB, x, n), out);
    if (!over_0)
        out = ir_select(&c->b, ir_binary(&c->b, IR_LT, x, zero), binary(c, IR_ADD, x, n), out);
    return out;
}

/* What an op with operands of the copy is known to be, or IR_NONE. */
static IrId known_value(Copy *c, const IrOp *op) {
    if (!ir_is_scalar_op(op->kind) || op->nargs != 2 || !range_counts(ir_type(c->b.func, op->args[0])))
        return IR_NONE;
    IrId a = op->args[0], b = op->args[1];
    int truth;
    switch ((int)op->kind) {
    case IR_LT: case IR_LE: case IR_GT: case IR_GE: case IR_EQ: case IR_NE:
        truth = truth_of(c, op->kind, a, b);
        return truth < 0 ? IR_NONE : ir_bool(&c->b, truth);
    case IR_MIN: return below(c, a, b, 0) ? a : below(c, b, a, 0) ? b : IR_NONE;
    case IR_MAX: return below(c, a, b, 0) ? b : below(c, b, a, 0) ? a : IR_NONE;
    case IR_MOD: case IR_FMOD: return reduced_modulo(c, op);
    default: return IR_NONE;
    }
}

/* The value of a CHECK that is proven. */
static IrId passed(Copy *c, const IrOp *op) {
    if (op->kind != IR_CHECK || !op->args[0] || !range_is_true(c->r, op->args[1]))
        return IR_NONE;
    return range_faults_apart(c->b.func, op->args[1], op->args[0], c->first) ? IR_NONE
                                                                             : op->args[0];
}

/* What an op with operands of the copy can be replaced by, or IR_NONE: a fault of an operand that
   is not needed any more must not be lost. */
static IrId decide(Copy *c, const IrOp *op) {
    IrId value = op->kind == IR_CHECK ? passed(c, op) : known_value(c, op);
    for (int k = 0; value && op->kind != IR_CHECK && k < op->nargs; k++)
        if (range_faults_apart(c->b.func, op->args[k], value, c->first))
            return IR_NONE;
    return value;
}

/* ---- ops ---- */

static IrId *mapped(Copy *c, const IrId *values, int n) {
    IrId *out = NEW_ARRAY(c->b.func->arena, IrId, n);
    for (int i = 0; i < n; i++)
        out[i] = values[i] ? c->map[values[i]] : IR_NONE;
    return out;
}

static IrRegion *open_region(Copy *c, const IrRegion *from) {
    IrRegion *copy = ir_region_new(c->b.module);
    for (int i = 0; i < from->params.len; i++)
        c->map[from->params.at[i]] =
            ir_param(c->b.func, copy, ir_type(c->b.func, from->params.at[i]));
    return copy;
}

static void fill_region(Copy *c, IrRegion *copy, const IrRegion *from) {
    IrRegion *outer = c->b.region;
    c->b.region = copy;
    copy_ops(c, from);
    c->b.region = outer;
    for (int i = 0; i < from->results.len; i++)
        vec_push(c->b.func->arena, &copy->results, c->map[from->results.at[i]]);
}

/* op: the op around, with operands of the copy. */
static IrRegion *copy_region(Copy *c, const IrOp *op, int which) {
    const IrRegion *from = op->regions[which];
    IrRegion *copy = open_region(c, from);
    int mark = c->r->facts.len;
    if (op->kind == IR_KERNEL && which == 0)
        range_assume_space(c->r, op, copy);
    if (op->kind == IR_FOR)
        range_assume_index(c->r, copy->params.at[0], op->args[0], op->args[1]);
    if (op->kind == IR_IF)
        range_assume(c->r, op->args[0], which == 0);
    fill_region(c, copy, from);
    c->r->facts.len = mark;
    return copy;
}

/* An `if` that is decided: the ops of the branch taken. */
static bool copy_branch(Copy *c, const IrOp *op, IrId *value) {
    int64_t cond;
    if (op->kind != IR_IF || !ir_const_int(c->b.func, op->args[0], &cond))
        return false;
    const IrRegion *taken = op->regions[cond ? 0 : 1];
    int n = taken->results.len;
    copy_ops(c, taken);
    *value = ir_region_values(&c->b, op->type, mapped(c, taken->results.at, n), n);
    return true;
}

static IrId copy_op(Copy *c, IrOp op) {
    IrId value;
    op.args = mapped(c, op.args, op.nargs);
    if (copy_branch(c, &op, &value))
        return value;
    if ((value = decide(c, &op))) {
        c->decided++;
        return value;
    }
    if (op.kind == IR_INDEX && op.flags & IRF_CHECKED && range_fits(c->r, &op, 1)) {
        op.flags &= (uint16_t)~IRF_CHECKED;
        c->decided++;
    }
    if (op.nregions) {
        IrRegion **regions = NEW_ARRAY(c->b.func->arena, IrRegion *, op.nregions);
        for (int r = 0; r < op.nregions; r++)
            regions[r] = copy_region(c, &op, r);
        op.regions = regions;
    }
    if (op.kind == IR_KERNEL)
        op.kernel = ir_clone_kernel(c->b.func->arena, op.kernel);
    op.consumed = 0;
    return ir_emit(&c->b, op);
}

static void copy_ops(Copy *c, const IrRegion *from) {
    for (int i = 0; i < from->ops.len; i++) {
        IrId id = from->ops.at[i];
        IrOp op = *ir_op(c->b.func, id);
        c->b.span = op.span;
        c->b.node = op.node;
        c->map[id] = copy_op(c, op);
    }
}

/* ---- what the decisions left unused ---- */

static void use(const IrFunc *f, bool *used, const IrRegion *region) {
    for (int i = 0; i < region->results.len; i++)
        used[region->results.at[i]] = true;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            used[op->args[k]] = true;
        for (int r = 0; r < op->nregions; r++)
            use(f, used, op->regions[r]);
    }
}

/* Drops ops that nobody uses, backwards, so that what only they need goes too. */
static void sweep(Copy *c, IrRegion *region) {
    const IrFunc *f = c->b.func;
    bool *used = NEW_ARRAY(c->r->arena, bool, f->ops.len);
    for (int i = 0; i < region->results.len; i++)
        used[region->results.at[i]] = true;
    int kept = region->ops.len;
    for (int i = region->ops.len - 1; i >= 0; i--) {
        IrId id = region->ops.at[i];
        const IrOp *op = ir_op(f, id);
        if (!used[id] && !ir_has_effect(f, id) && !(op->flags & IRF_PINNED))
            continue;
        for (int k = 0; k < op->nargs; k++)
            used[op->args[k]] = true;
        for (int r = 0; r < op->nregions; r++) {
            sweep(c, op->regions[r]);
            use(f, used, op->regions[r]);
        }
        region->ops.at[--kept] = id;
    }
    int n = region->ops.len - kept;
    for (int i = 0; i < n; i++)
        region->ops.at[i] = region->ops.at[kept + i];
    region->ops.len = n;
}

IrRegion *peel_copy(Range *r, const IrOp *kernel, const IrRegion *body, const Lin *bounds,
                    int nbounds, int *decided) {
    Copy c = {.r = r, .b = {.module = r->m, .func = r->f}};
    int len = r->f->ops.len, mark = r->facts.len;
    c.first = nbounds ? (IrId)len : IR_NONE; /* the body itself stays beside a body of a box */
    c.map = NEW_ARRAY(r->arena, IrId, len);
    for (int id = 0; id < len; id++)
        c.map[id] = (IrId)id;
    IrRegion *copy = open_region(&c, body);
    range_assume_space(r, kernel, copy);
    for (int i = 0; i < nbounds; i++) {
        Lin fact = bounds[i];
        for (int k = 0; k < body->params.len; k++) {
            Lin at = {.at = {copy->params.at[k]}, .factor = {1}, .n = 1};
            fact = lin_replace(fact, body->params.at[k], at);
        }
        range_fact(r, fact);
    }
    fill_region(&c, copy, body);
    sweep(&c, copy);
    r->facts.len = mark;
    *decided = c.decided;
    return copy;
}
