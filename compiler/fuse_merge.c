/* Sibling and horizontal fusion: two kernels of one region over the same space become one kernel
   with the outputs of both, so that memory is passed once. A kernel may read the other's MAP output
   at its own point; that read becomes the value itself.

   Legal: the spaces are equal, no other path leads from the first kernel to the second, both have
   the same place, and both depend on the same faults or the same outputs of the dag depend on both:
   a fault must not reach an output that it would not reach otherwise. Profitable: they share an
   array, or one reads the other, or both are small. */
#include "fuse.h"

#include <string.h>

enum { MAX_SINKS = 12, MAX_SIZE = 600, SMALL = 24 };

typedef struct {
    int place;
    IrId first, second; /* in order of execution */
    bool *depends;      /* by position in the region: depends on first, lies before second */
    bool reads;         /* second reads first's output at its own point */
} Pair;

/* ---- paths ---- */

/* A value that is an output of the first kernel, or columns of one: reading it is reading there. */
static bool is_output(const Fuse *z, IrId kernel, IrId v) {
    for (;; v = ir_op(z->f, v)->args[0]) {
        if (v == kernel)
            return true;
        IrKind kind = ir_op(z->f, v)->kind;
        if (kind != IR_GET && kind != IR_TAG && kind != IR_PAYLOAD)
            return false;
    }
}

/* The sink whose output v is (of which v is a column). */
static const IrSink *output_sink(const Fuse *z, const Pair *p, IrId v) {
    const IrKernel *k = ir_op(z->f, p->first)->kernel;
    int sink = 0;
    for (; v != p->first; v = ir_op(z->f, v)->args[0])
        if (k->nsinks > 1 && ir_op(z->f, v)->args[0] == p->first)
            sink = (int)ir_op(z->f, v)->imm;
    return &k->sinks[sink];
}

/* Is this use of an output of first a read at the very point that second's body is at? */
static bool reads_own_point(const Fuse *z, const Pair *p, IrId v, const Use *use) {
    if (!use->op || use->arg != 0 || ir_op(z->f, use->op)->kind != IR_INDEX)
        return false;
    const IrOp *second = ir_op(z->f, p->second), *op = ir_op(z->f, use->op);
    const IrRegion *body = second->regions[0];
    int at = use->place;
    while (z->places.at[at].parent != p->place)
        at = z->places.at[at].parent;
    if (z->places.at[at].which != 0 || op->nargs - 1 < second->kernel->rank ||
        output_sink(z, p, v)->kind != SINK_MAP)
        return false;
    for (int i = 0; i < second->kernel->rank; i++)
        if (op->args[1 + i] != body->params.at[i])
            return false;
    return true;
}

/* Follows the uses of v; false: second depends on first in a way that forbids to join them. */
static bool follow(Fuse *z, Pair *p, IrId v) {
    for (int i = z->first[v]; i < z->first[v + 1]; i++) {
        const Use *use = &z->uses[i];
        IrId user = use->op;
        int from = use->place;
        if (!user && from == p->place)
            continue; /* a result of the region itself */
        if (!user) {
            user = z->places.at[from].owner;
            from = z->places.at[from].parent;
        }
        IrId top = fuse_lift(z, from, user, p->place);
        if (top == p->second) {
            if (!is_output(z, p->first, v) || !reads_own_point(z, p, v, use))
                return false;
            p->reads = true;
        } else if (z->at[top] < z->at[p->second] && !p->depends[z->at[top]]) {
            p->depends[z->at[top]] = true;
            if (!follow(z, p, top))
                return false;
        }
    }
    return true;
}

/* What depends on first moves behind second. Effects keep their order, and faults stay on their
   side of effects. */
static bool may_move(Fuse *z, const Pair *p) {
    const IrRegion *region = z->places.at[p->place].region;
    bool faults = ir_may_fault(z->f, p->first), effects = false;
    for (int i = z->at[p->first] + 1; i < z->at[p->second]; i++) {
        IrId id = region->ops.at[i];
        bool effect = (ir_op(z->f, id)->flags & IRF_PINNED) || ir_has_effect(z->f, id);
        effects |= effect;
        if (p->depends[i] && effect)
            return false;
        faults |= p->depends[i] && ir_may_fault(z->f, id);
    }
    return !faults || !effects;
}

/* ---- legality and profit ---- */

static bool joinable(const Fuse *z, IrId id) {
    const IrOp *op = ir_op(z->f, id);
    if (op->kind != IR_KERNEL || (op->flags & IRF_PINNED) || ir_has_effect(z->f, id))
        return false;
    for (int s = 0; s < op->kernel->nsinks; s++)
        if (op->kernel->sinks[s].kind == SINK_LIST || op->kernel->sinks[s].kind == SINK_FLATMAP)
            return false;
    if (op->kernel->nsinks == 1)
        return true;
    for (int i = z->first[id]; i < z->first[id + 1]; i++)
        if (!z->uses[i].op || ir_op(z->f, z->uses[i].op)->kind != IR_GET)
            return false;
    return true;
}

/* Marks (or, with `mark` off, finds) the roots that the code of a region reads elements of. */
static bool roots(const Fuse *z, const IrRegion *region, bool *known, bool mark) {
    bool found = false;
    for (int i = 0; i < region->ops.len && !found; i++) {
        const IrOp *op = ir_op(z->f, region->ops.at[i]);
        if (op->kind == IR_INDEX) {
            IrId root = fuse_root(z->f, op->args[0]);
            found |= known[root] && !mark;
            known[root] |= mark;
        }
        for (int r = 0; r < op->nregions && !found; r++)
            found |= roots(z, op->regions[r], known, mark);
    }
    return found;
}

static bool share_array(Fuse *z, const Pair *p) {
    bool *known = NEW_ARRAY(&z->tmp, bool, z->len);
    roots(z, ir_op(z->f, p->first)->regions[0], known, true);
    return roots(z, ir_op(z->f, p->second)->regions[0], known, false);
}

/* Small, and nothing but maps and reductions. */
static bool is_small(const Fuse *z, IrId id) {
    const IrOp *op = ir_op(z->f, id);
    for (int s = 0; s < op->kernel->nsinks; s++)
        switch ((int)op->kernel->sinks[s].kind) {
        case SINK_MAP:
        case SINK_REDUCE:
        case SINK_PICK: break;
        default: return false;
        }
    return ir_size(z->f, op->regions[0]) <= SMALL;
}

static bool is_profitable(Fuse *z, const Pair *p) {
    if (p->reads || share_array(z, p))
        return true;
    return p->place == 1 && is_small(z, p->first) && is_small(z, p->second);
}

/* Do the chunks of a histogram matter to its values? */
static bool rounds(const IrSink *sink) {
    Type *elem = sink->type->elem;
    return sink->op == IR_INVALID || sink->type->rank > 1 || !(type_is_int(elem) || elem->kind == TYPE_BOOL);
}

/* Would each histogram have the same chunks as alone? They follow from the number of bins. */
static bool same_chunks(const Fuse *z, const IrOp *a, const IrOp *b) {
    for (int i = 0; i < a->kernel->nsinks; i++)
        for (int k = 0; k < b->kernel->nsinks; k++) {
            const IrSink *x = &a->kernel->sinks[i], *y = &b->kernel->sinks[k];
            if (x->kind == SINK_HIST && y->kind == SINK_HIST && (rounds(x) || rounds(y)) &&
                !fuse_same(z->f, a->args[x->arg], b->args[y->arg]))
                return false;
        }
    return true;
}

static bool is_legal(Fuse *z, Pair *p) {
    const IrOp *a = ir_op(z->f, p->first), *b = ir_op(z->f, p->second);
    if (!fuse_same_space(z->f, a, b) || !fuse_place_fits(z->f, a, b) ||
        (a->flags & IRF_FAST) != (b->flags & IRF_FAST) || fuse_is_serial(a) != fuse_is_serial(b) ||
        !same_chunks(z, a, b) || a->kernel->nsinks + b->kernel->nsinks > MAX_SINKS ||
        ir_size(z->f, a->regions[0]) + ir_size(z->f, b->regions[0]) > MAX_SIZE)
        return false;
    p->depends = NEW_ARRAY(&z->tmp, bool, z->places.at[p->place].region->ops.len + 1);
    if (!follow(z, p, p->first) || !may_move(z, p))
        return false;
    return fuse_same_faults(z, p->place, p->first, p->second) ||
           fuse_same_outputs(z, p->place, p->first, p->second);
}

/* ---- joining ---- */

/* Replaces second's reads of first's outputs by the values that first yields. */
static void replace_reads(Fuse *z, const Pair *p, IrId v, IrId *map) {
    const IrRegion *body = ir_op(z->f, p->first)->regions[0];
    for (int i = z->first[v]; i < z->first[v + 1]; i++) {
        Use use = z->uses[i];
        if (!use.op)
            continue;
        IrOp op = *ir_op(z->f, use.op);
        IrId top = fuse_lift(z, use.place, use.op, p->place);
        if (top != p->second && is_output(z, p->first, use.op) && use.op != p->first) {
            replace_reads(z, p, use.op, map);
        } else if (top == p->second && op.kind == IR_INDEX) {
            IrRegion code = {0}, *home = z->places.at[use.place].region;
            IrBuilder b = fuse_builder(z, &code, &op);
            IrId value = body->results.at[output_sink(z, p, v)->yield];
            IrId columns[8];
            int n = 0;
            bool several = ir_op(z->f, p->first)->kernel->nsinks > 1;
            for (IrId w = v; w != p->first && n < 8; w = ir_op(z->f, w)->args[0])
                if (!several || ir_op(z->f, w)->args[0] != p->first)
                    columns[n++] = w;
            while (n > 0) {
                IrOp column = *ir_op(z->f, columns[--n]);
                value = column.kind == IR_GET ? ir_get(&b, value, (int)column.imm)
                        : column.kind == IR_TAG
                            ? ir_tag(&b, value)
                            : ir_payload(&b, value, (int)column.imm, (int)column.imm2);
            }
            int rank = ir_op(z->f, p->second)->kernel->rank;
            if (op.nargs - 1 > rank)
                value = ir_index(&b, value, op.args + 1 + rank, op.nargs - 1 - rank,
                                 op.flags & IRF_CHECKED);
            fuse_splice(z->m, home, fuse_position(home, use.op), &code);
            map[use.op] = value;
        }
    }
}

/* Appends the sinks of `op` to a kernel that is being put together. */
static void add_sinks(Fuse *z, IrOp *joined, IrRegion *body, const IrOp *op) {
    const IrKernel *k = op->kernel;
    int yields = body->results.len, args = joined->nargs, regions = joined->nregions;
    for (int s = 0; s < k->nsinks; s++) {
        IrSink sink = k->sinks[s];
        sink.yield += yields;
        sink.arg += args - k->rank;
        if (sink.region > 0)
            sink.region += regions - 1;
        joined->kernel->sinks[joined->kernel->nsinks++] = sink;
    }
    for (int i = k->rank; i < op->nargs; i++)
        joined->args[joined->nargs++] = op->args[i];
    for (int r = 1; r < op->nregions; r++)
        joined->regions[joined->nregions++] = op->regions[r];
    for (int i = 0; i < op->regions[0]->results.len; i++)
        vec_push(z->m->arena, &body->results, op->regions[0]->results.at[i]);
}

/* The joined body: first's ops, then second's, with second's parameters. */
static IrRegion *join_bodies(Fuse *z, const IrOp *a, const IrOp *b, IrId *map) {
    IrRegion *body = ir_region_new(z->m);
    for (int i = 0; i < b->kernel->rank; i++) {
        vec_push(z->m->arena, &body->params, b->regions[0]->params.at[i]);
        map[a->regions[0]->params.at[i]] = b->regions[0]->params.at[i];
    }
    fuse_splice(z->m, body, 0, a->regions[0]);
    fuse_splice(z->m, body, body->ops.len, b->regions[0]);
    return body;
}

/* Makes the joined kernel and one GET for each output; uses of the two kernels go over to them. */
static IrOp join_op(Fuse *z, const IrOp *a, const IrOp *b, IrId *map) {
    Arena *arena = z->m->arena;
    int nsinks = a->kernel->nsinks + b->kernel->nsinks;
    IrOp joined = *b;
    joined.kernel = NEW(arena, IrKernel);
    *joined.kernel = (IrKernel){.rank = b->kernel->rank, .sinks = NEW_ARRAY(arena, IrSink, nsinks)};
    joined.args = NEW_ARRAY(arena, IrId, a->nargs + b->nargs);
    joined.regions = NEW_ARRAY(arena, IrRegion *, a->nregions + b->nregions);
    joined.nargs = b->kernel->rank;
    memcpy(joined.args, b->args, sizeof(IrId) * (size_t)b->kernel->rank);
    joined.nregions = 1;
    joined.regions[0] = join_bodies(z, a, b, map);
    add_sinks(z, &joined, joined.regions[0], a);
    add_sinks(z, &joined, joined.regions[0], b);
    Type **types = NEW_ARRAY(arena, Type *, nsinks);
    for (int s = 0; s < nsinks; s++)
        types[s] = joined.kernel->sinks[s].type;
    joined.type = type_tuple(z->m->types, types, NULL, nsinks);
    return joined;
}

/* Sends the uses of an old kernel to the outputs of the joined one, from output `base` on. */
static void redirect(Fuse *z, IrId old, int base, const IrId *outputs, IrId *map) {
    if (ir_op(z->f, old)->kernel->nsinks == 1) {
        map[old] = outputs[base];
        return;
    }
    for (int i = z->first[old]; i < z->first[old + 1]; i++)
        map[z->uses[i].op] = outputs[base + ir_op(z->f, z->uses[i].op)->imm];
}

/* Puts the region in order: the joined kernel in second's place, and behind it what depended on
   first and stood between. */
static void reorder(Fuse *z, const Pair *p, const IrRegion *code) {
    IrRegion *region = z->places.at[p->place].region;
    IrRegion fresh = {0};
    int from = z->at[p->first], to = z->at[p->second];
    for (int i = 0; i < region->ops.len; i++) {
        if (i == from || (i > from && i < to && p->depends[i]))
            continue;
        if (i != to) {
            vec_push(z->m->arena, &fresh.ops, region->ops.at[i]);
            continue;
        }
        for (int k = 0; k < code->ops.len; k++)
            vec_push(z->m->arena, &fresh.ops, code->ops.at[k]);
        for (int k = from + 1; k < to; k++)
            if (p->depends[k])
                vec_push(z->m->arena, &fresh.ops, region->ops.at[k]);
    }
    region->ops.at = fresh.ops.at;
    region->ops.len = fresh.ops.len;
    region->ops.cap = fresh.ops.cap;
}

static void join(Fuse *z, const Pair *p) {
    IrId *map = NEW_ARRAY(&z->look, IrId, z->len);
    compiler_remark(z->c, REMARK_FUSED, ir_op(z->f, p->second)->span, "%s and %s become one pass",
                    fuse_describe(z, p->first), fuse_describe(z, p->second));
    if (p->reads)
        replace_reads(z, p, p->first, map);
    IrOp a = *ir_op(z->f, p->first), b = *ir_op(z->f, p->second);
    IrOp joined = join_op(z, &a, &b, map);
    IrRegion code = {0};
    IrBuilder builder = fuse_builder(z, &code, &b);
    IrId id = ir_append(&builder, joined);
    int nsinks = joined.kernel->nsinks;
    IrId *outputs = NEW_ARRAY(&z->look, IrId, nsinks);
    for (int s = 0; s < nsinks; s++)
        outputs[s] = ir_get(&builder, id, s);
    redirect(z, p->first, 0, outputs, map);
    redirect(z, p->second, a.kernel->nsinks, outputs, map);
    reorder(z, p, &code);
    fuse_substitute(z->f, map, z->len);
    fuse_sweep(z);
}

/* ---- pairs ---- */

static bool merge_pair(Fuse *z, int place, IrId a, IrId b) {
    Pair p = {.place = place, .first = a, .second = b};
    bool ok = is_legal(z, &p) && is_profitable(z, &p);
    if (ok)
        join(z, &p);
    arena_free(&z->tmp);
    return ok;
}

/* Joins the first pair of a place that can be. */
static bool merge_place(Fuse *z, int place) {
    const IrRegion *region = z->places.at[place].region;
    int n = 0;
    IrId *kernels = NEW_ARRAY(&z->look, IrId, region->ops.len + 1);
    for (int i = 0; i < region->ops.len; i++)
        if (joinable(z, region->ops.at[i]))
            kernels[n++] = region->ops.at[i];
    for (int b = 1; b < n; b++)
        for (int a = b - 1; a >= 0; a--)
            if (merge_pair(z, place, kernels[a], kernels[b]))
                return true;
    return false;
}

bool fuse_merge(Fuse *z) {
    bool changed = false;
    for (int p = 1; p < z->places.len; p++) {
        if (!merge_place(z, p))
            continue;
        changed = true;
        p = 0; /* places have new numbers */
    }
    return changed;
}
