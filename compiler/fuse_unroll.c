/* Small loops inside of a kernel's body become straight code: a reduction over a space of few, known
   points is the tree of its values, and an array of few elements that is only read at known places
   is these elements. So nothing is left between the points of the outer space and their lanes, and
   places that depend on such a loop's counter are known distances.

   The tree is the one that back ends build for so few points: an operator that strides keeps one
   point in each of 32 lanes and combines the lanes 16, 8, 4, 2, 1 apart; any other takes the points
   from left to right; the zero comes last, at the left. */
#include "fuse.h"

enum { MAX_POINTS = 32, MAX_CODE = 400 };

typedef struct {
    Fuse *z;
    IrId id;
    IrOp op;             /* the kernel */
    IrRegion code;       /* what takes its place */
    int points;
    int64_t sizes[8];
    IrId *values;        /* of the points in row-major order: each has so many yields */
    int nyields;
} Unroll;

/* ---- which kernels ---- */

static bool known_space(Unroll *u) {
    u->points = 1;
    if (u->op.kernel->rank > 8)
        return false;
    for (int i = 0; i < u->op.kernel->rank; i++) {
        if (!ir_const_int(u->z->f, u->op.args[i], &u->sizes[i]) || u->sizes[i] > MAX_POINTS)
            return false;
        if (u->sizes[i] < 0)
            u->sizes[i] = 0;
        u->points *= (int)u->sizes[i];
        if (u->points > MAX_POINTS)
            return false;
    }
    return u->points > 0;
}

/* Where in row-major order an element is read, or -1 where it is not known. */
static int place_read(const Unroll *u, const Use *use) {
    const IrOp *read = use->op ? ir_op(u->z->f, use->op) : NULL;
    if (!read || read->kind != IR_INDEX || use->arg != 0 || read->nargs - 1 != u->op.kernel->rank)
        return -1;
    int place = 0;
    for (int i = 0; i < u->op.kernel->rank; i++) {
        int64_t at;
        if (!ir_const_int(u->z->f, read->args[1 + i], &at) || at < 0 || at >= u->sizes[i])
            return -1;
        place = place * (int)u->sizes[i] + (int)at;
    }
    return place;
}

static bool only_read(const Unroll *u) {
    for (int i = u->z->first[u->id]; i < u->z->first[u->id + 1]; i++)
        if (place_read(u, &u->z->uses[i]) < 0)
            return false;
    return true;
}

static bool is_inside_kernel(const Fuse *z, int place) {
    for (; place; place = z->places.at[place].parent)
        if (z->places.at[place].owner && ir_op(z->f, z->places.at[place].owner)->kind == IR_KERNEL)
            return true;
    return false;
}

static bool suits(Unroll *u) {
    const IrOp *op = &u->op;
    if (op->kind != IR_KERNEL || op->kernel->nsinks != 1 || (op->flags & IRF_PINNED) ||
        ir_has_effect(u->z->f, u->id) || !is_inside_kernel(u->z, u->z->home[u->id]) ||
        !known_space(u) || ir_size(u->z->f, op->regions[0]) * u->points > MAX_CODE)
        return false;
    const IrSink *sink = &op->kernel->sinks[0];
    if (sink->kind == SINK_MAP)
        return sink->type->rank == op->kernel->rank && only_read(u);
    return sink->kind == SINK_REDUCE && ir_size(u->z->f, op->regions[sink->region]) * u->points <= MAX_CODE;
}

/* ---- the code ---- */

static void emit_points(Unroll *u) {
    Fuse *z = u->z;
    IrRegion *body = u->op.regions[0];
    IrBuilder b = fuse_builder(z, &u->code, &u->op);
    u->nyields = body->results.len;
    u->values = NEW_ARRAY(&z->look, IrId, u->points * u->nyields);
    for (int p = 0; p < u->points; p++) {
        IrId *map = fuse_identity(z);
        for (int i = u->op.kernel->rank - 1, rest = p; i >= 0; i--) {
            map[body->params.at[i]] = ir_i64(&b, rest % (int)u->sizes[i]);
            rest /= (int)u->sizes[i];
        }
        ir_clone_ops(&b, z->f, body, map);
        for (int k = 0; k < u->nyields; k++)
            u->values[p * u->nyields + k] = map[body->results.at[k]];
    }
}

static IrId combine(Unroll *u, IrId left, IrId right) {
    IrRegion *op = u->op.regions[u->op.kernel->sinks[0].region];
    IrBuilder b = fuse_builder(u->z, &u->code, &u->op);
    IrId *map = fuse_identity(u->z);
    map[op->params.at[0]] = left;
    map[op->params.at[1]] = right;
    ir_clone_ops(&b, u->z->f, op, map);
    return map[op->results.at[0]];
}

static IrId emit_reduction(Unroll *u) {
    const IrSink *sink = &u->op.kernel->sinks[0];
    IrId *v = u->values + sink->yield, total = v[0];
    bool strides = type_is_float(ir_type(u->z->f, v[0])) && (sink->op == IR_ADD || sink->op == IR_MUL);
    if (strides) {
        for (int apart = MAX_POINTS / 2; apart > 0; apart /= 2)
            for (int l = 0; l < apart && l + apart < u->points; l++)
                v[l * u->nyields] = combine(u, v[l * u->nyields], v[(l + apart) * u->nyields]);
        total = v[0];
    } else {
        for (int p = 1; p < u->points; p++)
            total = combine(u, total, v[p * u->nyields]);
    }
    return combine(u, u->op.args[sink->arg], total);
}

static void unroll(Unroll *u) {
    Fuse *z = u->z;
    IrId *map = NEW_ARRAY(&z->tmp, IrId, z->len);
    emit_points(u);
    if (u->op.kernel->sinks[0].kind == SINK_REDUCE) {
        map[u->id] = emit_reduction(u);
    } else {
        for (int i = z->first[u->id]; i < z->first[u->id + 1]; i++)
            map[z->uses[i].op] = u->values[place_read(u, &z->uses[i])];
    }
    IrRegion *home = z->places.at[z->home[u->id]].region;
    fuse_splice(z->m, home, fuse_position(home, u->id), &u->code);
    fuse_substitute(z->f, map, z->len);
    arena_free(&z->tmp);
}

/* ---- the pass ---- */

static bool step(Fuse *z) {
    for (int p = z->places.len - 1; p >= 1; p--) { /* inner ones first */
        const IrRegion *region = z->places.at[p].region;
        for (int i = 0; i < region->ops.len; i++) {
            Unroll u = {.z = z, .id = region->ops.at[i]};
            u.op = *ir_op(z->f, u.id);
            if (!suits(&u))
                continue;
            unroll(&u);
            return true;
        }
    }
    return false;
}

bool fuse_unroll(Fuse *z) {
    bool changed = false;
    while (step(z)) {
        fuse_sweep(z);
        changed = true;
    }
    return changed;
}
