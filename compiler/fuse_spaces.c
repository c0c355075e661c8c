/* Fusion that changes the space of a kernel: a map of maps becomes one map over more axes, a kernel
   over a flattened array takes the axes of that array, and what consumes a filtered array works on
   the elements before the filter. Reductions are defined on the row-major order of their points, so
   flattening keeps every bit. A reduction of a filtered array takes the operator's neutral element
   where an element is dropped; that moves the others to other places of the reduction's tree, so it
   is done for operators that do not round, and for all inside @fast. */
#include "fuse.h"

#include <math.h>
#include <string.h>

enum { CHEAP_PREFIX = 12, CHEAP_SELECT = 30 };

static bool is_map(const IrOp *op) {
    return op->kind == IR_KERNEL && op->kernel->nsinks == 1 &&
           op->kernel->sinks[0].kind == SINK_MAP && !(op->flags & IRF_PINNED);
}

/* A kernel description of the op's own, to be changed. */
static IrKernel *own_kernel(Fuse *z, const IrOp *op) {
    IrKernel *k = NEW(z->m->arena, IrKernel);
    *k = *op->kernel;
    k->sinks = NEW_ARRAY(z->m->arena, IrSink, k->nsinks);
    memcpy(k->sinks, op->kernel->sinks, sizeof *k->sinks * (size_t)k->nsinks);
    return k;
}

/* ---- a map whose body is a map ---- */

/* Puts the inner kernel's sizes outside of the outer one, if they can be. */
static bool hoist_dims(Fuse *z, IrId outer, const IrOp *inner, IrId *dims, IrRegion *code) {
    IrBuilder b = fuse_builder(z, code, inner);
    const IrRegion *body = ir_op(z->f, outer)->regions[0];
    for (int i = 0; i < inner->kernel->rank; i++) {
        dims[i] = ir_hoist(&b, body, inner->args[i]);
        if (!dims[i])
            return false;
    }
    return true;
}

/* Is everything in the body but the inner kernel cheap and free of faults and effects? */
static bool cheap_prefix(Fuse *z, const IrRegion *body, IrId inner) {
    bool *counted = NEW_ARRAY(&z->look, bool, body->ops.len + 1);
    for (int i = 0; i < body->ops.len; i++) {
        IrId id = body->ops.at[i];
        counted[i] = id != inner;
        if (counted[i] && (ir_may_fault(z->f, id) || ir_has_effect(z->f, id)))
            return false;
    }
    return fuse_cost(z->f, body, counted) <= CHEAP_PREFIX;
}

static bool collapse(Fuse *z, IrId outer) {
    IrOp op = *ir_op(z->f, outer);
    if (!is_map(&op))
        return false;
    IrRegion *body = op.regions[0];
    IrId inner = body->results.at[0];
    IrOp in = *ir_op(z->f, inner);
    if (!is_map(&in) || z->home[inner] == z->home[outer] || fuse_use_count(z, inner) != 1 ||
        z->places.at[z->home[inner]].region != body || !fuse_place_fits(z->f, &op, &in) ||
        !cheap_prefix(z, body, inner))
        return false;
    IrRegion code = {0};
    IrId *dims = NEW_ARRAY(z->m->arena, IrId, op.kernel->rank + in.kernel->rank);
    if (!hoist_dims(z, outer, &in, dims + op.kernel->rank, &code))
        return false;
    memcpy(dims, op.args, sizeof *dims * (size_t)op.kernel->rank);
    int at = fuse_position(body, inner);
    memmove(body->ops.at + at, body->ops.at + at + 1,
            sizeof(IrId) * (size_t)(body->ops.len - at - 1));
    body->ops.len--;
    fuse_splice(z->m, body, body->ops.len, in.regions[0]);
    for (int i = 0; i < in.kernel->rank; i++)
        vec_push(z->m->arena, &body->params, in.regions[0]->params.at[i]);
    body->results.at[0] = in.regions[0]->results.at[in.kernel->sinks[0].yield];
    IrOp *fresh = ir_op(z->f, outer);
    fresh->kernel = own_kernel(z, fresh);
    fresh->kernel->rank += in.kernel->rank;
    fresh->kernel->sinks[0].arg = fresh->kernel->rank;
    fresh->args = dims;
    fresh->nargs = fresh->kernel->rank;
    IrRegion *home = z->places.at[z->home[outer]].region;
    fuse_splice(z->m, home, fuse_position(home, outer), &code);
    return true;
}

/* ---- a kernel over a flattened map ---- */

/* A space of several axes. */
typedef struct {
    int rank; /* 0: none */
    const IrId *dims;
} Axes;

/* Those of the elements of a map, or of a part of it, that nothing but op flattens. */
static Axes flattened_axes(Fuse *z, IrId id, IrId flat) {
    IrId source = ir_op(z->f, flat)->args[0];
    const IrOp *view = ir_op(z->f, source), *map = view;
    int skip = 0;
    if (view->kind == IR_INDEX) {
        map = ir_op(z->f, view->args[0]);
        skip = view->nargs - 1;
    }
    if (is_map(map) && map->kernel->rank > skip + 1 && map->type->rank == map->kernel->rank &&
        fuse_use_count(z, source) == 1 && z->home[source] == z->home[id])
        return (Axes){map->kernel->rank - skip, map->args + skip};
    return (Axes){0, NULL};
}

/* The axes of a map (or a part of it) whose flattened result the kernel reads at its own point. */
static Axes flattened_map(Fuse *z, IrId id) {
    Axes none = {0, NULL};
    const IrOp *op = ir_op(z->f, id);
    if (op->kind != IR_KERNEL || op->kernel->rank != 1 || (op->flags & IRF_PINNED))
        return none;
    for (int s = 0; s < op->kernel->nsinks; s++) {
        SinkKind kind = op->kernel->sinks[s].kind;
        if (kind != SINK_REDUCE && kind != SINK_PICK && kind != SINK_HIST && kind != SINK_FILTER &&
            kind != SINK_SCATTER)
            return none;
    }
    IrId param = op->regions[0]->params.at[0];
    for (int i = z->first[param]; i < z->first[param + 1]; i++) {
        const IrOp *user = z->uses[i].op ? ir_op(z->f, z->uses[i].op) : NULL;
        if (!user || user->kind != IR_INDEX || user->nargs != 2 || user->args[1] != param)
            continue;
        const IrOp *flat = ir_op(z->f, user->args[0]);
        if (flat->kind != IR_RESHAPE || !fuse_same(z->f, flat->args[1], op->args[0]))
            continue;
        Axes axes = flattened_axes(z, id, user->args[0]);
        if (axes.rank)
            return axes;
    }
    return none;
}

/* Does v (of several axes) have these sizes? */
static bool has_space(Fuse *z, IrId v, const Axes *space) {
    Type *type = ir_op(z->f, v)->type;
    if (type->kind != TYPE_ARRAY || type->rank != space->rank)
        return false;
    for (int i = 0; i < type->rank; i++) {
        IrRegion code = {0};
        IrBuilder b = fuse_builder(z, &code, ir_op(z->f, v));
        if (!fuse_same(z->f, ir_dim(&b, v, i), space->dims[i]))
            return false;
    }
    return true;
}

/* Turns reads of flattened arrays of the new space into reads at its axes. */
static void unflatten_reads(Fuse *z, IrId param, const Axes *space, const IrId *axes) {
    for (int i = z->first[param]; i < z->first[param + 1]; i++) {
        if (!z->uses[i].op)
            continue;
        IrOp user = *ir_op(z->f, z->uses[i].op);
        if (user.kind != IR_INDEX || user.nargs != 2 || z->uses[i].arg != 1)
            continue;
        IrOp flat = *ir_op(z->f, user.args[0]);
        if (flat.kind != IR_RESHAPE || !has_space(z, flat.args[0], space))
            continue;
        IrOp *op = ir_op(z->f, z->uses[i].op);
        int rank = space->rank;
        op->args = NEW_ARRAY(z->m->arena, IrId, rank + 1);
        op->nargs = rank + 1;
        op->args[0] = flat.args[0];
        memcpy(op->args + 1, axes, sizeof *axes * (size_t)rank);
        op->flags &= (uint16_t)~IRF_CHECKED; /* inside: the spaces are equal */
    }
}

static bool unflatten(Fuse *z, IrId id) {
    Axes space = flattened_map(z, id);
    if (!space.rank)
        return false;
    IrOp op = *ir_op(z->f, id);
    IrRegion *body = op.regions[0];
    int rank = space.rank;
    IrId param = body->params.at[0];
    IrId *axes = NEW_ARRAY(z->m->arena, IrId, rank);
    body->params.len = 0;
    for (int i = 0; i < rank; i++)
        axes[i] = ir_param(z->f, body, ir_op(z->f, param)->type);
    unflatten_reads(z, param, &space, axes);
    IrRegion code = {0};
    IrBuilder b = fuse_builder(z, &code, &op);
    IrId linear = axes[0];
    for (int i = 1; i < rank; i++)
        linear = ir_binary(&b, IR_ADD, ir_binary(&b, IR_MUL, linear, space.dims[i]), axes[i]);
    fuse_splice(z->m, body, 0, &code);
    IrId *subst = NEW_ARRAY(&z->look, IrId, z->len);
    subst[param] = linear;
    fuse_substitute(z->f, subst, z->len);
    IrOp *fresh = ir_op(z->f, id);
    int own = fresh->nargs - 1;
    IrId *args = NEW_ARRAY(z->m->arena, IrId, rank + own);
    memcpy(args, space.dims, sizeof *args * (size_t)rank);
    memcpy(args + rank, fresh->args + 1, sizeof *args * (size_t)own);
    fresh->args = args;
    fresh->nargs = rank + own;
    fresh->kernel = own_kernel(z, fresh);
    fresh->kernel->rank = rank;
    for (int s = 0; s < fresh->kernel->nsinks; s++)
        fresh->kernel->sinks[s].arg += rank - 1;
    return true;
}

/* ---- consumers of a filter ---- */

typedef struct {
    IrId filter;
    int place;
    VEC(IrId) consumers, dims;
} Filtered;

/* The neutral element of an operator: x op it is x, in every bit. */
static IrId neutral(IrBuilder *b, IrKind kind, Type *type) {
    bool is_float = type_is_float(type), is_bool = type->kind == TYPE_BOOL;
    int bits = 8 * type_bytes(type);
    bool is_signed = type_is_signed(type);
    if (!is_float && !is_bool && !type_is_int(type))
        return IR_NONE;
    switch (kind) {
    case IR_ADD: return is_bool ? IR_NONE : is_float ? ir_float(b, type, -0.0) : ir_int(b, type, 0);
    case IR_MUL: return is_bool ? IR_NONE : is_float ? ir_float(b, type, 1) : ir_int(b, type, 1);
    case IR_MIN:
        if (is_float)
            return ir_float(b, type, NAN);
        return is_bool ? ir_bool(b, true)
                       : ir_int(b, type,
                                is_signed    ? (int64_t)(UINT64_MAX >> (65 - bits))
                                : bits == 64 ? -1
                                             : (int64_t)(UINT64_MAX >> (64 - bits)));
    case IR_MAX:
        if (is_float)
            return ir_float(b, type, NAN);
        return is_bool ? ir_bool(b, false)
                       : ir_int(b, type, is_signed ? (int64_t)(UINT64_MAX << (bits - 1)) : 0);
    case IR_BITAND: return is_bool ? ir_bool(b, true) : ir_unary(b, IR_BITNOT, ir_int(b, type, 0));
    case IR_BITOR:
    case IR_BITXOR: return is_bool ? ir_bool(b, false) : is_float ? IR_NONE : ir_int(b, type, 0);
    default: return IR_NONE;
    }
}

static bool has_neutral(Fuse *z, const IrOp *op, const IrSink *sink) {
    IrRegion code = {0};
    IrBuilder b = fuse_builder(z, &code, op);
    bool rounds = type_is_float(sink->type) && (sink->op == IR_ADD || sink->op == IR_MUL);
    if (rounds && !(op->flags & IRF_FAST))
        return false;
    return sink->kind == SINK_REDUCE && sink->op != IR_INVALID &&
           neutral(&b, sink->op, sink->type) != IR_NONE;
}

static void note(Fuse *z, Filtered *x, IrId consumer) {
    for (int i = 0; i < x->consumers.len; i++)
        if (x->consumers.at[i] == consumer)
            return;
    vec_push(&z->look, &x->consumers, consumer);
}

/* Sorts the uses of the filtered array, or of columns of it; false: somebody needs the array. */
static bool filter_uses(Fuse *z, Filtered *x, IrId v) {
    for (int i = z->first[v]; i < z->first[v + 1]; i++) {
        Use use = z->uses[i];
        const IrOp *op = use.op ? ir_op(z->f, use.op) : NULL;
        if (!op || use.arg != 0)
            return false;
        if (op->kind == IR_DIM && op->imm == 0) {
            vec_push(&z->look, &x->dims, use.op);
        } else if (op->kind == IR_GET || op->kind == IR_TAG || op->kind == IR_PAYLOAD) {
            if (!filter_uses(z, x, use.op))
                return false;
        } else if (op->kind == IR_INDEX && use.place != x->place) {
            IrId consumer = fuse_lift(z, use.place, use.op, x->place);
            const IrOp *c = ir_op(z->f, consumer);
            if (c->kind != IR_KERNEL || c->kernel->rank != 1 ||
                op->args[1] != c->regions[0]->params.at[0])
                return false;
            note(z, x, consumer);
        } else {
            return false;
        }
    }
    return true;
}

static bool is_dim_of(const Fuse *z, const Filtered *x, IrId id) {
    for (int i = 0; i < x->dims.len; i++)
        if (x->dims.at[i] == id || fuse_same(z->f, x->dims.at[i], id))
            return true;
    return false;
}

/* Is the kernel a reduction (or a map, or a filter, if alone) of the filtered elements only? */
static bool fits_filter(Fuse *z, const Filtered *x, IrId id) {
    const IrOp *op = ir_op(z->f, id);
    if (!is_dim_of(z, x, op->args[0]) || (op->flags & IRF_PINNED) ||
        !fuse_place_fits(z->f, op, ir_op(z->f, x->filter)))
        return false;
    SinkKind only = op->kernel->nsinks == 1 ? op->kernel->sinks[0].kind : SINK_REDUCE;
    if (only == SINK_MAP || only == SINK_FILTER) {
        if (x->consumers.len > 1 || ir_may_fault(z->f, id))
            return false;
        for (int i = 0; i < x->dims.len; i++) /* the sizes of maps become those of a filter */
            if (fuse_use_count(z, x->dims.at[i]) > 1 || x->dims.len > 1)
                return false;
    } else {
        for (int s = 0; s < op->kernel->nsinks; s++)
            if (!has_neutral(z, op, &op->kernel->sinks[s]))
                return false;
    }
    IrId param = op->regions[0]->params.at[0];
    for (int i = z->first[param]; i < z->first[param + 1]; i++) {
        const IrOp *user = z->uses[i].op ? ir_op(z->f, z->uses[i].op) : NULL;
        IrId base = user && user->kind == IR_INDEX && z->uses[i].arg == 1 ? user->args[0] : IR_NONE;
        while (base && base != x->filter) {
            IrKind kind = ir_op(z->f, base)->kind;
            bool column = kind == IR_GET || kind == IR_TAG || kind == IR_PAYLOAD;
            base = column ? ir_op(z->f, base)->args[0] : IR_NONE;
        }
        if (!base)
            return false;
    }
    return true;
}

/* Replaces the reads of the filtered array inside a consumer by the value v. */
static void filter_reads(Fuse *z, const Filtered *x, IrId array, IrId v, IrId consumer, IrId *map) {
    for (int i = z->first[array]; i < z->first[array + 1]; i++) {
        Use use = z->uses[i];
        IrOp op = *ir_op(z->f, use.op);
        IrRegion code = {0}, *home = z->places.at[use.place].region;
        IrBuilder b = fuse_builder(z, &code, &op);
        if (op.kind == IR_GET || op.kind == IR_TAG || op.kind == IR_PAYLOAD) {
            IrRegion *body = ir_op(z->f, consumer)->regions[0];
            IrId column = op.kind == IR_GET   ? ir_get(&b, v, (int)op.imm)
                          : op.kind == IR_TAG ? ir_tag(&b, v)
                                              : ir_payload(&b, v, (int)op.imm, (int)op.imm2);
            fuse_splice(z->m, body, 0, &code);
            filter_reads(z, x, use.op, column, consumer, map);
        } else if (op.kind == IR_INDEX && fuse_lift(z, use.place, use.op, x->place) == consumer) {
            IrId value = op.nargs == 2
                             ? v
                             : ir_index(&b, v, op.args + 2, op.nargs - 2, op.flags & IRF_CHECKED);
            fuse_splice(z->m, home, fuse_position(home, use.op), &code);
            map[use.op] = value;
        }
    }
}

/* Where an element is dropped, each reduction takes its operator's neutral element. */
static void guard_yields(Fuse *z, IrOp *op, IrRegion *inner, IrId keep, IrRegion *body) {
    IrBuilder b = fuse_builder(z, body, op);
    int n = inner->results.len;
    bool branch = fuse_cost(z->f, inner, NULL) > CHEAP_SELECT;
    for (int i = 0; i < inner->ops.len; i++)
        branch |= ir_may_fault(z->f, inner->ops.at[i]);
    IrRegion *otherwise = ir_region_new(z->m);
    IrBuilder e = fuse_builder(z, branch ? otherwise : body, op);
    IrId *dropped = NEW_ARRAY(z->m->arena, IrId, n);
    for (int s = 0; s < op->kernel->nsinks; s++) {
        const IrSink *sink = &op->kernel->sinks[s];
        dropped[sink->yield] = neutral(&e, sink->op, sink->type);
    }
    if (!branch) {
        fuse_splice(z->m, body, body->ops.len, inner);
        for (int i = 0; i < n; i++) {
            IrId value = ir_select(&b, keep, inner->results.at[i], dropped[i]);
            vec_push(z->m->arena, &body->results, value);
        }
        return;
    }
    for (int i = 0; i < n; i++)
        vec_push(z->m->arena, &otherwise->results, dropped[i]);
    IrId value = ir_if(&b, keep, inner, otherwise);
    for (int i = 0; i < n; i++) {
        IrId result = n == 1 ? value : ir_get(&b, value, i);
        vec_push(z->m->arena, &body->results, result);
    }
}

/* Gives a kernel (in op) the space and the own args it had before, with a new first part. */
static void change_space(Fuse *z, IrOp *op, const IrOp *space) {
    int rank = space->kernel->rank, old = op->kernel->rank, own = op->nargs - old;
    IrId *args = NEW_ARRAY(z->m->arena, IrId, rank + own);
    memcpy(args, space->args, sizeof *args * (size_t)rank);
    memcpy(args + rank, op->args + old, sizeof *args * (size_t)own);
    op->args = args;
    op->nargs = rank + own;
    op->kernel->rank = rank;
    for (int s = 0; s < op->kernel->nsinks; s++)
        op->kernel->sinks[s].arg += rank - old;
}

/* May the op be evaluated where its condition does not hold? Indices and integer divisions may have
   been proven right by that condition. */
static bool is_total(const IrFunc *f, const IrOp *op) {
    switch (op->kind) {
    case IR_CONST:
    case IR_TUPLE:
    case IR_GET: return true;
    case IR_DIV:
    case IR_MOD:
    case IR_FDIV:
    case IR_FMOD:
    case IR_POW: return type_is_float(ir_op(f, op->args[0])->type);
    default: return ir_is_scalar_op(op->kind);
    }
}

/* The value of `if keep { v } else { undef }` without the branch, where v is cheap and total. */
static IrId without_branch(Fuse *z, IrRegion *body, IrId keep, IrId value) {
    const IrOp *op = ir_op(z->f, value);
    if (op->kind != IR_IF || op->args[0] != keep || op->regions[0]->results.len != 1 ||
        ir_op(z->f, op->regions[1]->results.at[0])->kind != IR_UNDEF)
        return value;
    const IrRegion *then = op->regions[0];
    for (int i = 0; i < then->ops.len; i++)
        if (!is_total(z->f, ir_op(z->f, then->ops.at[i])))
            return value;
    if (fuse_cost(z->f, then, NULL) > CHEAP_SELECT)
        return value;
    int at = 0;
    while (at < body->ops.len && body->ops.at[at] != value)
        at++;
    if (at == body->ops.len)
        return value; /* the branch is outside of the kernel */
    body->ops.len--;
    memmove(body->ops.at + at, body->ops.at + at + 1, sizeof(IrId) * (size_t)(body->ops.len - at));
    fuse_splice(z->m, body, at, then);
    return then->results.at[0];
}

/* Puts a copy of the filter's body in front of the consumer's. */
static void fuse_consumer(Fuse *z, const Filtered *x, IrId consumer, IrId *subst) {
    IrOp filter = *ir_op(z->f, x->filter), op = *ir_op(z->f, consumer);
    op.kernel = own_kernel(z, &op);
    IrRegion *inner = op.regions[0], *body = ir_region_new(z->m);
    IrBuilder b = fuse_builder(z, body, &filter);
    IrId *map = fuse_identity(z);
    for (int i = 0; i < filter.kernel->rank; i++) {
        IrId old = filter.regions[0]->params.at[i];
        map[old] = ir_param(z->f, body, ir_op(z->f, old)->type);
    }
    ir_clone_ops(&b, z->f, filter.regions[0], map);
    IrId keep = map[filter.regions[0]->results.at[0]], v = map[filter.regions[0]->results.at[1]];
    v = without_branch(z, body, keep, v);
    filter_reads(z, x, x->filter, v, consumer, subst);
    inner->params.len = 0;
    SinkKind kind = op.kernel->sinks[0].kind;
    if (kind == SINK_REDUCE) {
        guard_yields(z, &op, inner, keep, body);
    } else {
        fuse_splice(z->m, body, body->ops.len, inner);
        IrId first = keep;
        IrBuilder e = fuse_builder(z, body, &op);
        if (kind == SINK_FILTER)
            first = ir_binary(&e, IR_BITAND, keep, inner->results.at[0]);
        IrId value = inner->results.at[kind == SINK_FILTER];
        vec_push(z->m->arena, &body->results, first);
        vec_push(z->m->arena, &body->results, value);
        op.kernel->sinks[0].kind = SINK_FILTER;
        op.kernel->sinks[0].yield = 0;
    }
    op.regions[0] = body;
    change_space(z, &op, &filter);
    *ir_op(z->f, consumer) = op;
}

/* A reduction that counts what the filter keeps, in front of the filter. */
static IrId count_kept(Fuse *z, const Filtered *x) {
    IrOp filter = *ir_op(z->f, x->filter);
    IrRegion code = {0}, *body = ir_region_new(z->m), *add = ir_region_new(z->m);
    Type *i64 = type_basic(z->m->types, TYPE_I64);
    IrBuilder b = fuse_builder(z, body, &filter);
    IrId *map = fuse_identity(z);
    for (int i = 0; i < filter.kernel->rank; i++)
        map[filter.regions[0]->params.at[i]] = ir_param(z->f, body, i64);
    ir_clone_ops(&b, z->f, filter.regions[0], map);
    IrId one = ir_convert(&b, i64, map[filter.regions[0]->results.at[0]]);
    vec_push(z->m->arena, &body->results, one);
    IrBuilder o = fuse_builder(z, add, &filter);
    IrId p = ir_param(z->f, add, i64), q = ir_param(z->f, add, i64);
    IrId sum = ir_binary(&o, IR_ADD, p, q);
    vec_push(z->m->arena, &add->results, sum);
    IrBuilder k = fuse_builder(z, &code, &filter);
    IrId zero = ir_int(&k, i64, 0);
    IrId count =
        ir_kernel(&k, filter.kernel->rank, filter.args, body, SINK_REDUCE, 0, &zero, 1, add);
    IrRegion *home = z->places.at[x->place].region;
    fuse_splice(z->m, home, fuse_position(home, x->filter), &code);
    return count;
}

static bool unfilter(Fuse *z, IrId id) {
    const IrOp *op = ir_op(z->f, id);
    if (op->kind != IR_KERNEL || op->kernel->nsinks != 1 || (op->flags & IRF_PINNED) ||
        op->kernel->sinks[0].kind != SINK_FILTER)
        return false;
    Filtered x = {.filter = id, .place = z->home[id]};
    if (!filter_uses(z, &x, id) || x.consumers.len + x.dims.len == 0)
        return false;
    for (int i = 0; i < x.consumers.len; i++)
        if (!fits_filter(z, &x, x.consumers.at[i]))
            return false;
    compiler_remark(z->c, REMARK_FUSED, op->span, "%s is fused into what consumes it",
                    fuse_describe(z, id));
    IrId *subst = NEW_ARRAY(&z->look, IrId, z->len);
    for (int i = 0; i < x.consumers.len; i++)
        fuse_consumer(z, &x, x.consumers.at[i], subst);
    fuse_substitute(z->f, subst, z->len);
    if (fuse_sweep(z) && !z->home[id])
        return true;
    IrId *dims = NEW_ARRAY(&z->look, IrId, z->len);
    IrId count = count_kept(z, &x);
    for (int i = z->first[id]; i < z->first[id + 1]; i++)
        if (z->uses[i].op && ir_op(z->f, z->uses[i].op)->kind == IR_DIM)
            dims[z->uses[i].op] = count;
    fuse_substitute(z->f, dims, z->len);
    return true;
}

/* ---- all of them ---- */

static bool step(Fuse *z) {
    for (int p = 1; p < z->places.len; p++) {
        const IrRegion *region = z->places.at[p].region;
        for (int i = 0; i < region->ops.len; i++)
            if (collapse(z, region->ops.at[i]) || unflatten(z, region->ops.at[i]) ||
                unfilter(z, region->ops.at[i]))
                return true;
    }
    return false;
}

bool fuse_spaces(Fuse *z) {
    bool changed = false;
    while (step(z)) {
        fuse_sweep(z);
        changed = true;
    }
    return changed;
}
