/* Copies of regions and inlining. Ops are built anew at the builder's place, so they fold there:
   this is how a function is specialised for constant arguments. Faults and texts are shared,
   kernels and regions are copied. Also gives all types and literals their final form after
   checking. */
#include "ir_build.h"

typedef struct {
    IrBuilder *b;
    const IrFunc *src;
    IrId *map;
} Clone;

static IrId *map_values(const Clone *c, const IrId *values, int n) {
    IrId *mapped = NEW_ARRAY(c->b->func->arena, IrId, n);
    for (int i = 0; i < n; i++)
        mapped[i] = c->map[values[i]];
    return mapped;
}

static void clone_ops(Clone *c, const IrRegion *from);

static IrRegion *clone_region(Clone *c, const IrRegion *from) {
    IrBuilder *b = c->b;
    IrRegion *copy = ir_region_new(b->module), *outer = b->region;
    for (int i = 0; i < from->params.len; i++) {
        IrId param = from->params.at[i];
        c->map[param] = ir_param(b->func, copy, ir_op(c->src, param)->type);
    }
    b->region = copy;
    clone_ops(c, from);
    b->region = outer;
    for (int i = 0; i < from->results.len; i++)
        vec_push(b->func->arena, &copy->results, c->map[from->results.at[i]]);
    return copy;
}

IrKernel *ir_clone_kernel(Arena *arena, const IrKernel *kernel) {
    IrKernel *copy = NEW(arena, IrKernel);
    *copy = *kernel;
    copy->sinks = NEW_ARRAY(arena, IrSink, kernel->nsinks);
    for (int i = 0; i < kernel->nsinks; i++)
        copy->sinks[i] = kernel->sinks[i];
    return copy;
}

/* An `if` that is decided here: just the ops of the branch taken. */
static bool clone_branch(Clone *c, const IrOp *op, IrId *value) {
    int64_t cond;
    if (op->kind != IR_IF || c->b->no_fold || !ir_const_int(c->b->func, c->map[op->args[0]], &cond))
        return false;
    const IrRegion *taken = op->regions[cond ? 0 : 1];
    clone_ops(c, taken);
    int n = taken->results.len;
    *value = ir_region_values(c->b, op->type, map_values(c, taken->results.at, n), n);
    return true;
}

static IrId clone_op(Clone *c, IrOp op) {
    IrBuilder *b = c->b;
    if (op.nregions) {
        IrRegion **regions = NEW_ARRAY(b->func->arena, IrRegion *, op.nregions);
        for (int r = 0; r < op.nregions; r++)
            regions[r] = clone_region(c, op.regions[r]);
        op.regions = regions;
    }
    if (op.kind == IR_KERNEL)
        op.kernel = ir_clone_kernel(b->func->arena, op.kernel);
    op.args = map_values(c, op.args, op.nargs);
    op.consumed = 0;
    return ir_emit(b, op);
}

static void clone_ops(Clone *c, const IrRegion *from) {
    IrBuilder *b = c->b;
    Span span = b->span;
    int node = b->node;
    for (int i = 0; i < from->ops.len; i++) {
        IrId id = from->ops.at[i];
        IrOp op = *ir_op(c->src, id);
        if (c->src != b->func || !op.node)
            op.node = node;
        b->span = op.span;
        b->node = op.node;
        if (!clone_branch(c, &op, &c->map[id]))
            c->map[id] = clone_op(c, op);
    }
    b->span = span;
    b->node = node;
}

void ir_clone_ops(IrBuilder *b, const IrFunc *src, const IrRegion *from, IrId *map) {
    clone_ops(&(Clone){b, src, map}, from);
}

IrRegion *ir_clone_region(IrBuilder *b, const IrFunc *src, const IrRegion *from, IrId *map) {
    return clone_region(&(Clone){b, src, map}, from);
}

IrId ir_inline(IrBuilder *b, const IrFunc *callee, const IrId *args) {
    IrId *map = NEW_ARRAY(b->func->arena, IrId, callee->ops.len);
    const IrRegion *body = callee->body;
    for (int i = 0; i < body->params.len; i++)
        map[body->params.at[i]] = args[i];
    ir_clone_ops(b, callee, body, map);
    return body->results.len ? map[body->results.at[0]] : ir_unit(b);
}

/* ---- after checking ---- */

static void settle_op(IrModule *m, IrOp *op) {
    if (op->kind == IR_CONST)
        ir_settle_literal(op);
    op->type = type_resolve(m->types, op->type);
    if (op->kind == IR_KERNEL)
        for (int i = 0; i < op->kernel->nsinks; i++) {
            IrSink *sink = &op->kernel->sinks[i];
            sink->type = type_resolve(m->types, sink->type);
        }
}

/* Needs settled types: what only integers can do is known by now. */
static void settle_flags(const IrFunc *f, IrOp *op) {
    if (op->flags & IRF_CHECKED_ZERO && type_is_float(ir_type(f, op->args[0])))
        op->flags &= (uint16_t)~IRF_CHECKED_ZERO;
    if (op->kind == IR_KERNEL)
        for (int i = 0; i < op->kernel->nsinks; i++)
            if (op->kernel->sinks[i].region > 0)
                op->kernel->sinks[i].op = ir_region_op(f, op->regions[op->kernel->sinks[i].region]);
}

void ir_settle_func(IrModule *m, IrFunc *f) {
    f->result = type_resolve(m->types, f->result);
    for (int id = 1; id < f->ops.len; id++)
        settle_op(m, &f->ops.at[id]);
    for (int id = 1; id < f->ops.len; id++)
        settle_flags(f, &f->ops.at[id]);
}

void ir_settle(IrModule *m) {
    for (int i = 0; i < m->funcs.len; i++)
        ir_settle_func(m, m->funcs.at[i]);
    for (int i = 0; i < m->entries.len; i++) {
        IrEntry *e = m->entries.at[i];
        for (int k = 0; k < e->ninputs; k++)
            e->inputs[k].type = type_resolve(m->types, e->inputs[k].type);
        for (int k = 0; k < e->noutputs; k++)
            e->outputs[k].type = type_resolve(m->types, e->outputs[k].type);
    }
}
