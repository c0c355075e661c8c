/* Code of a kernel's body that holds a loop and does not depend on all axes of the space is computed
   once for the axes it depends on, not at every point. Where these are the leading axes of a map,
   the map becomes a map of maps, so that what a row needs stands in front of the row; elsewhere the
   values go to an array of their own. This is the reverse of making spaces larger, so it comes
   after all other fusion.

   Legal: the code cannot fault. Checks may have been proven from the points of the space, so nothing
   of the code runs where the space is empty. */
#include "fuse.h"

#include <string.h>

enum { MAX_AXES = 63 };

typedef struct {
    Fuse *z;
    IrId id;
    IrOp op;        /* the kernel */
    uint64_t *axes; /* by id: a bit for each axis that a value of the body depends on */
} Split;

/* ---- what depends on what ---- */

static uint64_t axes_of_region(Split *s, const IrRegion *region);

static uint64_t axes_of_op(Split *s, const IrOp *op) {
    uint64_t axes = 0;
    for (int i = 0; i < op->nargs; i++)
        axes |= s->axes[op->args[i]];
    for (int r = 0; r < op->nregions; r++)
        axes |= axes_of_region(s, op->regions[r]);
    return axes;
}

static uint64_t axes_of_region(Split *s, const IrRegion *region) {
    uint64_t axes = 0;
    for (int i = 0; i < region->ops.len; i++)
        axes |= axes_of_op(s, ir_op(s->z->f, region->ops.at[i]));
    for (int i = 0; i < region->results.len; i++)
        axes |= s->axes[region->results.at[i]];
    return axes;
}

static void find_axes(Split *s) {
    const IrRegion *body = s->op.regions[0];
    s->axes = NEW_ARRAY(&s->z->look, uint64_t, s->z->f->ops.len);
    for (int i = 0; i < s->op.kernel->rank; i++)
        s->axes[body->params.at[i]] = UINT64_C(1) << i;
    for (int i = 0; i < body->ops.len; i++)
        s->axes[body->ops.at[i]] = axes_of_op(s, ir_op(s->z->f, body->ops.at[i]));
}

/* Is the kernel a map whose values may be computed row by row, along these axes and then the others? */
static bool splits(const Split *s, uint64_t axes) {
    if (axes == 0 || (axes & (axes + 1)))
        return false; /* not the leading axes */
    for (int k = 0; k < s->op.kernel->nsinks; k++)
        if (s->op.kernel->sinks[k].kind != SINK_MAP ||
            s->op.kernel->sinks[k].type->rank != s->op.kernel->rank)
            return false;
    return true;
}

/* The first op of the body that is worth it, or IR_NONE. */
static IrId find_costly(const Split *s) {
    const IrRegion *body = s->op.regions[0];
    uint64_t all = (UINT64_C(1) << s->op.kernel->rank) - 1;
    bool *counted = NEW_ARRAY(&s->z->look, bool, body->ops.len + 1);
    for (int i = 0; i < body->ops.len; i++) {
        IrId id = body->ops.at[i];
        counted[i] = true;
        bool costly = s->axes[id] != all && !ir_must_stay(s->z->f, id) &&
                      fuse_cost(s->z->f, body, counted) >= COST_NESTED;
        counted[i] = false;
        if (costly && (ir_op(s->z->f, id)->type->kind != TYPE_ARRAY || splits(s, s->axes[id])))
            return id;
    }
    return IR_NONE;
}

/* ---- the code that runs where the space has points ---- */

/* Is there a point along these axes? */
static IrId has_points(IrBuilder *b, const IrOp *kernel, uint64_t axes) {
    IrId some = ir_bool(b, true), zero = ir_i64(b, 0);
    for (int i = 0; i < kernel->kernel->rank; i++)
        if (axes >> i & 1)
            some = ir_binary(b, IR_BITAND, some, ir_binary(b, IR_GT, kernel->args[i], zero));
    return some;
}

/* `value`, the value of `then`, where there are points along the axes; else that of `otherwise`,
   which does not matter. */
static IrId guarded(Split *s, IrRegion *code, uint64_t axes, IrRegion *then, IrRegion *otherwise,
                    IrId value) {
    IrBuilder b = fuse_builder(s->z, code, &s->op);
    IrId some = has_points(&b, &s->op, axes);
    int64_t known;
    if (!ir_const_int(s->z->f, some, &known))
        return ir_if(&b, some, then, otherwise);
    fuse_splice(s->z->m, code, code->ops.len, then);
    return value;
}

static void replace(Split *s, IrId old, IrId value) {
    IrId *map = NEW_ARRAY(&s->z->look, IrId, s->z->f->ops.len);
    map[old] = value;
    fuse_substitute(s->z->f, map, s->z->f->ops.len);
}

/* ---- an array of the values ---- */

/* Copies what value needs of the body to the builder's place. */
static IrId copy_cone(Split *s, IrBuilder *b, IrId value, IrId *map) {
    const IrRegion *body = s->op.regions[0];
    const bool *needed = fuse_needed(s->z, body, value);
    IrRegion cone = {0};
    for (int i = 0; i < body->ops.len; i++)
        if (needed[i])
            vec_push(&s->z->look, &cone.ops, body->ops.at[i]);
    ir_clone_ops(b, s->z->f, &cone, map);
    return map[value];
}

/* The values at all points along the axes, in their order; the value itself where there are none. */
static void emit_values(Split *s, IrRegion *region, IrId value, uint64_t axes) {
    Fuse *z = s->z;
    IrRegion *body = axes ? ir_region_new(z->m) : region;
    IrId dims[MAX_AXES], *map = fuse_identity(z);
    int rank = 0;
    for (int i = 0; i < s->op.kernel->rank; i++) {
        IrId param = s->op.regions[0]->params.at[i];
        if (axes >> i & 1) {
            dims[rank++] = s->op.args[i];
            map[param] = ir_param(z->f, body, ir_op(z->f, param)->type);
        }
    }
    IrBuilder inside = fuse_builder(z, body, &s->op), b = fuse_builder(z, region, &s->op);
    IrId result = copy_cone(s, &inside, value, map);
    if (axes) {
        vec_push(z->m->arena, &body->results, result);
        result = ir_kernel(&b, rank, dims, body, SINK_MAP, 0, NULL, 0, NULL);
    }
    vec_push(z->m->arena, &region->results, result);
}

/* Computes value in front of the kernel, for each point along the axes it depends on. */
static void put_before(Split *s, IrId value) {
    Fuse *z = s->z;
    uint64_t axes = s->axes[value], all = (UINT64_C(1) << s->op.kernel->rank) - 1;
    IrRegion code = {0}, *then = ir_region_new(z->m), *otherwise = ir_region_new(z->m);
    compiler_remark(z->c, REMARK_FUSED, ir_op(z->f, value)->span,
                    "a value of %s does not depend on all of its axes and is computed before it",
                    fuse_describe(z, s->id));
    emit_values(s, then, value, axes);
    IrBuilder none = fuse_builder(z, otherwise, &s->op);
    Type *type = ir_op(z->f, then->results.at[0])->type;
    vec_push(z->m->arena, &otherwise->results, ir_undef(&none, type));
    IrId values = guarded(s, &code, all, then, otherwise, then->results.at[0]);
    IrRegion *home = z->places.at[z->home[s->id]].region, *body = s->op.regions[0];
    fuse_splice(z->m, home, fuse_position(home, s->id), &code);
    if (axes) {
        IrRegion read = {0};
        IrBuilder b = fuse_builder(z, &read, ir_op(z->f, value));
        IrId at[MAX_AXES];
        int rank = 0;
        for (int i = 0; i < s->op.kernel->rank; i++)
            if (axes >> i & 1)
                at[rank++] = body->params.at[i];
        values = ir_index(&b, values, at, rank, false);
        fuse_splice(z->m, body, fuse_position(body, value), &read);
    }
    replace(s, value, values);
}

/* ---- a map of maps ---- */

/* A kernel like s->op over its axes from … to - 1 with a body of its own. */
static IrId map_over(Split *s, IrRegion *region, int from, int to, IrRegion *body) {
    Fuse *z = s->z;
    IrOp op = s->op;
    op.kernel = ir_clone_kernel(z->m->arena, op.kernel);
    op.kernel->rank = to - from;
    op.args = NEW_ARRAY(z->m->arena, IrId, to - from);
    op.nargs = to - from;
    memcpy(op.args, s->op.args + from, sizeof *op.args * (size_t)op.nargs);
    op.regions = NEW_ARRAY(z->m->arena, IrRegion *, 1);
    op.regions[0] = body;
    Type **types = NEW_ARRAY(z->m->arena, Type *, op.kernel->nsinks);
    for (int k = 0; k < op.kernel->nsinks; k++) {
        IrSink *sink = &op.kernel->sinks[k];
        Type *whole = s->op.kernel->sinks[k].type;
        sink->arg = op.nargs;
        sink->yield = k;
        sink->type = from == 0 ? whole : type_array(z->m->types, whole->elem, to - from);
        types[k] = sink->type;
    }
    op.type = op.kernel->nsinks == 1 ? types[0]
                                     : type_tuple(z->m->types, types, NULL, op.kernel->nsinks);
    IrBuilder b = fuse_builder(z, region, &s->op);
    return ir_append_plain(&b, op);
}

/* The outer map's body: what depends on the leading axes alone, then the inner map of the rest. */
static IrRegion *outer_body(Split *s, int lead) {
    Fuse *z = s->z;
    const IrRegion *body = s->op.regions[0];
    IrRegion *outer = ir_region_new(z->m), *inner = ir_region_new(z->m);
    for (int i = 0; i < s->op.kernel->rank; i++)
        vec_push(z->m->arena, i < lead ? &outer->params : &inner->params, body->params.at[i]);
    for (int i = 0; i < body->ops.len; i++) {
        IrId id = body->ops.at[i];
        bool moves = !(s->axes[id] >> lead);
        vec_push(z->m->arena, moves ? &outer->ops : &inner->ops, id);
    }
    for (int k = 0; k < s->op.kernel->nsinks; k++)
        vec_push(z->m->arena, &inner->results,
                 body->results.at[s->op.kernel->sinks[k].yield]);
    IrId rows = map_over(s, outer, lead, s->op.kernel->rank, inner);
    IrBuilder b = fuse_builder(z, outer, &s->op);
    for (int k = 0; k < s->op.kernel->nsinks; k++) {
        IrId row = s->op.kernel->nsinks == 1 ? rows : ir_get(&b, rows, k);
        vec_push(z->m->arena, &outer->results, row);
    }
    return outer;
}

/* What stands for the kernel where the space is empty. */
static IrRegion *empty_body(Split *s) {
    Fuse *z = s->z;
    IrRegion *body = ir_region_new(z->m);
    IrBuilder b = fuse_builder(z, body, &s->op);
    for (int i = 0; i < s->op.kernel->rank; i++)
        ir_param(z->f, body, type_basic(z->m->types, TYPE_I64));
    for (int k = 0; k < s->op.kernel->nsinks; k++) {
        IrId old = s->op.regions[0]->results.at[s->op.kernel->sinks[k].yield];
        vec_push(z->m->arena, &body->results, ir_undef(&b, ir_op(z->f, old)->type));
    }
    return body;
}

static void add_results(Split *s, IrRegion *region, IrId kernel) {
    IrBuilder b = fuse_builder(s->z, region, &s->op);
    for (int k = 0; k < s->op.kernel->nsinks; k++)
        vec_push(s->z->m->arena, &region->results,
                 s->op.kernel->nsinks == 1 ? kernel : ir_get(&b, kernel, k));
}

static void make_rows(Split *s, int lead) {
    Fuse *z = s->z;
    compiler_remark(z->c, REMARK_FUSED, s->op.span, "%s computes what its rows share once a row",
                    fuse_describe(z, s->id));
    IrRegion code = {0}, *then = ir_region_new(z->m), *otherwise = ir_region_new(z->m);
    IrRegion *empty = empty_body(s);
    add_results(s, otherwise, map_over(s, otherwise, 0, s->op.kernel->rank, empty));
    IrRegion *outer = outer_body(s, lead);
    IrId map = map_over(s, then, 0, lead, outer);
    for (int k = 0; k < s->op.kernel->nsinks; k++)
        ir_op(z->f, map)->kernel->sinks[k].type = s->op.kernel->sinks[k].type;
    ir_op(z->f, map)->type = s->op.type;
    add_results(s, then, map);
    uint64_t inner = ((UINT64_C(1) << s->op.kernel->rank) - 1) & ~((UINT64_C(1) << lead) - 1);
    IrId value = guarded(s, &code, inner, then, otherwise, map);
    IrRegion *home = z->places.at[z->home[s->id]].region;
    fuse_splice(z->m, home, fuse_position(home, s->id), &code);
    replace(s, s->id, value);
}

/* ---- the pass ---- */

static int axes_count(uint64_t axes) {
    return __builtin_popcountll(axes);
}

static bool split(Fuse *z, IrId id) {
    Split s = {.z = z, .id = id, .op = *ir_op(z->f, id)};
    if (s.op.kind != IR_KERNEL || s.op.kernel->rank < 1 || s.op.kernel->rank > MAX_AXES ||
        (s.op.flags & IRF_PINNED) || ir_may_fault(z->f, id) || ir_has_effect(z->f, id))
        return false;
    find_axes(&s);
    IrId costly = find_costly(&s);
    if (!costly)
        return false;
    if (splits(&s, s.axes[costly]))
        make_rows(&s, axes_count(s.axes[costly]));
    else
        put_before(&s, costly);
    return true;
}

static bool step(Fuse *z) {
    for (int p = 1; p < z->places.len; p++) {
        const IrRegion *region = z->places.at[p].region;
        for (int i = 0; i < region->ops.len; i++)
            if (split(z, region->ops.at[i]))
                return true;
    }
    return false;
}

bool fuse_split(Fuse *z) {
    bool changed = false;
    while (step(z)) {
        fuse_sweep(z);
        changed = true;
    }
    return changed;
}
