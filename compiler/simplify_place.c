/* Placing ops in a function that is rebuilt. An op that an earlier one in sight already computes is
   that one; pure ops that cannot fault go in front of the loops and kernels they do not depend on.
   Constants are not shared into kernels: what a kernel's body takes from outside are the values
   that really come from there. */
#include "simplify_place.h"

#include <string.h>

/* ---- frames ---- */

int place_top(const Rebuild *rb) {
    return rb->frames.len - 1;
}

void place_set_depth(Rebuild *rb, IrId id, int depth) {
    while (rb->depth.len <= (int)id)
        vec_push(rb->scratch, &rb->depth, 0);
    rb->depth.at[id] = depth;
}

int place_depth(const Rebuild *rb, IrId id) {
    int depth = (int)id < rb->depth.len ? rb->depth.at[id] : 0;
    return depth < place_top(rb) ? depth : place_top(rb);
}

IrRegion *place_open(Rebuild *rb, bool is_loop, bool is_kernel) {
    Frame frame = {ir_region_new(rb->m), is_loop, is_kernel, -1};
    vec_push(rb->scratch, &rb->frames, frame);
    rb->b.region = frame.region;
    return frame.region;
}

static void unlink_entry(Rebuild *rb, int entry) {
    int *link = &rb->buckets[rb->entries.at[entry].hash & (uint64_t)(rb->nbuckets - 1)];
    while (*link != entry)
        link = &rb->entries.at[*link].next;
    *link = rb->entries.at[entry].next;
}

void place_close(Rebuild *rb) {
    for (int e = rb->frames.at[place_top(rb)].entries; e >= 0; e = rb->entries.at[e].older)
        unlink_entry(rb, e);
    rb->frames.len--;
    rb->b.region = rb->frames.at[place_top(rb)].region;
}

int place_constants(const Rebuild *rb, int depth) {
    while (depth > 0 && !rb->frames.at[depth].is_kernel)
        depth--;
    return depth;
}

/* ---- finding an equal op ---- */

static uint64_t mix(uint64_t h, uint64_t x) {
    h ^= x + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    return h * 0xff51afd7ed558ccdu;
}

static bool same_const(const IrOp *a, const IrOp *b) {
    return a->kind == IR_CONST && b->kind == IR_CONST && a->type == b->type && a->imm == b->imm;
}

/* Parameters and values of a region that is compared with another: pairs. */
typedef struct {
    VEC(IrId) mine;
    VEC(IrId) other;
} Pairs;

static bool same_value(const Rebuild *rb, const Pairs *pairs, IrId a, IrId b) {
    for (int i = pairs ? pairs->mine.len - 1 : -1; i >= 0; i--)
        if (pairs->mine.at[i] == a || pairs->other.at[i] == b)
            return pairs->mine.at[i] == a && pairs->other.at[i] == b;
    return a == b || (a && b && same_const(ir_op(rb->b.func, a), ir_op(rb->b.func, b)));
}

static bool same_values(const Rebuild *rb, const Pairs *pairs, const IrId *a, const IrId *b,
                        int n) {
    for (int i = 0; i < n; i++)
        if (!same_value(rb, pairs, a[i], b[i]))
            return false;
    return true;
}

static bool same_sinks(const IrKernel *a, const IrKernel *b) {
    if (a->rank != b->rank || a->nsinks != b->nsinks)
        return false;
    for (int i = 0; i < a->nsinks; i++) {
        const IrSink *x = &a->sinks[i], *y = &b->sinks[i];
        if (x->kind != y->kind || x->yield != y->yield || x->arg != y->arg ||
            x->region != y->region || x->imm != y->imm)
            return false;
    }
    return true;
}

static bool same_text(const IrOp *a, const IrOp *b) {
    return a->text_len == b->text_len && memcmp(a->text, b->text, a->text_len) == 0;
}

/* But for arguments and regions. */
static bool same_head(const IrOp *a, const IrOp *b) {
    return a->kind == b->kind && a->type == b->type && a->imm == b->imm && a->imm2 == b->imm2 &&
           a->flags == b->flags && a->nargs == b->nargs && a->nregions == b->nregions &&
           (a->kind != IR_CALL || a->callee == b->callee) &&
           (a->kind != IR_STRING || same_text(a, b)) &&
           (a->kind != IR_KERNEL || same_sinks(a->kernel, b->kernel));
}

static bool same_op(const Rebuild *rb, Pairs *pairs, const IrOp *a, const IrOp *b);

static void add_pair(const Rebuild *rb, Pairs *pairs, IrId a, IrId b) {
    vec_push(rb->scratch, &pairs->mine, a);
    vec_push(rb->scratch, &pairs->other, b);
}

static bool same_region(const Rebuild *rb, Pairs *pairs, const IrRegion *a, const IrRegion *b) {
    const IrFunc *f = rb->b.func;
    if (a->params.len != b->params.len || a->ops.len != b->ops.len ||
        a->results.len != b->results.len)
        return false;
    for (int i = 0; i < a->params.len; i++) {
        if (ir_op(f, a->params.at[i])->type != ir_op(f, b->params.at[i])->type)
            return false;
        add_pair(rb, pairs, a->params.at[i], b->params.at[i]);
    }
    for (int i = 0; i < a->ops.len; i++) {
        if (!same_op(rb, pairs, ir_op(f, a->ops.at[i]), ir_op(f, b->ops.at[i])))
            return false;
        add_pair(rb, pairs, a->ops.at[i], b->ops.at[i]);
    }
    return same_values(rb, pairs, a->results.at, b->results.at, a->results.len);
}

static bool same_op(const Rebuild *rb, Pairs *pairs, const IrOp *a, const IrOp *b) {
    if (!same_head(a, b) || !same_values(rb, pairs, a->args, b->args, a->nargs))
        return false;
    for (int r = 0; r < a->nregions; r++)
        if (!same_region(rb, pairs, a->regions[r], b->regions[r]))
            return false;
    return true;
}

static uint64_t hash_op(const Rebuild *rb, const IrOp *op) {
    uint64_t h = mix((uint64_t)op->kind, op->type->id);
    h = mix(mix(h, (uint64_t)op->imm), (uint64_t)op->imm2);
    for (int i = 0; i < op->nargs; i++) {
        const IrOp *arg = ir_op(rb->b.func, op->args[i]);
        bool is_const = op->args[i] && arg->kind == IR_CONST;
        h = mix(h, is_const ? (uint64_t)arg->imm * 31 + arg->type->id : (uint64_t)op->args[i] << 1);
    }
    for (int r = 0; r < op->nregions; r++)
        h = mix(h, (uint64_t)op->regions[r]->ops.len);
    return h;
}

/* May a second op like this be the first one? */
static bool is_shareable(const IrFunc *f, const IrOp *op) {
    if (op->flags & IRF_PINNED || (op->kind == IR_CALL && op->callee->has_effect))
        return false;
    for (int r = 0; r < op->nregions; r++)
        for (int i = 0; i < op->regions[r]->ops.len; i++)
            if (!is_shareable(f, ir_op(f, op->regions[r]->ops.at[i])))
                return false;
    return true;
}

/* An array made of nothing: cheaper to make twice, where its users take it in or change it in
   place, than to keep. */
static bool is_fill(const IrFunc *f, const IrOp *op) {
    if (op->kind != IR_KERNEL || op->kernel->nsinks != 1 || op->kernel->sinks[0].kind != SINK_MAP)
        return false;
    const IrRegion *body = op->regions[0];
    for (int i = 0; i < body->ops.len; i++) {
        const IrOp *inner = ir_op(f, body->ops.at[i]);
        if (inner->kind == IR_INDEX || inner->nregions)
            return false;
    }
    return true;
}

/* Where the node of an op is pinned: kernels of different places stay apart. */
static int pinned_place(const IrFunc *f, const IrOp *op) {
    bool counts = op->kind == IR_KERNEL && op->node < f->nodes.len;
    return counts ? (int)f->nodes.at[op->node].place : PLACE_AUTO;
}

/* Among the ops of the frames from … to. */
static IrId find_equal(const Rebuild *rb, const IrOp *op, uint64_t hash, int from, int to) {
    for (int e = rb->buckets[hash & (uint64_t)(rb->nbuckets - 1)]; e >= 0;
         e = rb->entries.at[e].next) {
        const Entry *entry = &rb->entries.at[e];
        int depth = place_depth(rb, entry->id);
        if (entry->hash != hash || depth < from || depth > to)
            continue;
        const IrOp *known = ir_op(rb->b.func, entry->id);
        Pairs pairs = {0};
        if (pinned_place(rb->src, known) == pinned_place(rb->src, op) &&
            same_op(rb, &pairs, known, op))
            return entry->id;
    }
    return IR_NONE;
}

static void remember(Rebuild *rb, IrId id, uint64_t hash, int depth) {
    int *bucket = &rb->buckets[hash & (uint64_t)(rb->nbuckets - 1)];
    Entry entry = {hash, id, *bucket, rb->frames.at[depth].entries};
    *bucket = rb->entries.len;
    rb->frames.at[depth].entries = rb->entries.len;
    vec_push(rb->scratch, &rb->entries, entry);
}

/* ---- moving out of loops ---- */

/* The depth that the free values of a region come from; its own are deeper than `inside`. */
static int region_needs(const Rebuild *rb, const IrRegion *region, int inside);

static int values_need(const Rebuild *rb, const IrId *values, int n, int inside) {
    int need = 0;
    for (int i = 0; i < n; i++) {
        if (!values[i] || ir_op(rb->b.func, values[i])->kind == IR_CONST)
            continue;
        int depth = (int)values[i] < rb->depth.len ? rb->depth.at[values[i]] : 0;
        if (depth <= inside && depth > need)
            need = depth;
    }
    return need;
}

static int op_needs(const Rebuild *rb, const IrOp *op, int inside) {
    int need = values_need(rb, op->args, op->nargs, inside);
    for (int r = 0; r < op->nregions; r++) {
        int more = region_needs(rb, op->regions[r], inside);
        need = more > need ? more : need;
    }
    return need;
}

static int region_needs(const Rebuild *rb, const IrRegion *region, int inside) {
    int need = values_need(rb, region->results.at, region->results.len, inside);
    for (int i = 0; i < region->ops.len; i++) {
        int more = op_needs(rb, ir_op(rb->b.func, region->ops.at[i]), inside);
        need = more > need ? more : need;
    }
    return need;
}

/* Ops that are safe and useful in front of a loop that may not run at all. An unchecked element is
   not: that its index is good may be the loop's own doing. */
static bool is_movable(const Rebuild *rb, const IrOp *op) {
    const IrFunc *f = rb->b.func;
    switch (op->kind) {
    case IR_CONST:
    case IR_UNDEF:
    case IR_STRING: return false;
    case IR_INDEX: {
        const Type *array = ir_type(f, op->args[0]);
        if (ir_follow(op->type)->kind != TYPE_ARRAY || !type_is_flat(array->elem))
            return false;
        break;
    }
    default: break;
    }
    return !is_fill(f, op) && is_shareable(f, op) && !ir_op_may_fault(f, op);
}

static int place_for(const Rebuild *rb, const IrOp *op) {
    int depth = place_top(rb);
    if (!rb->frames.at[depth].is_loop || !is_movable(rb, op))
        return depth;
    int need = op_needs(rb, op, depth);
    while (depth > need && rb->frames.at[depth].is_loop)
        depth--;
    return depth;
}

static IrId append_at(Rebuild *rb, IrOp op, int depth) {
    IrRegion *here = rb->b.region;
    rb->b.region = rb->frames.at[depth].region;
    IrId id = ir_append_plain(&rb->b, op);
    rb->b.region = here;
    place_set_depth(rb, id, depth);
    return id;
}

IrId place_share(Rebuild *rb, IrOp op, int depth) {
    if (is_fill(rb->b.func, &op) || !is_shareable(rb->b.func, &op))
        return append_at(rb, op, depth);
    uint64_t hash = hash_op(rb, &op);
    int from = op.kind == IR_CONST || op.kind == IR_STRING ? place_constants(rb, depth) : 0;
    IrId known = find_equal(rb, &op, hash, from, depth);
    if (known)
        return known;
    IrId id = append_at(rb, op, depth);
    remember(rb, id, hash, depth);
    return id;
}

/* The constants an op needs where it goes, kernels having their own. */
static void bring_constants(Rebuild *rb, IrOp *op, int depth) {
    for (int i = 0; i < op->nargs; i++) {
        IrId arg = op->args[i];
        if (!arg || ir_op(rb->b.func, arg)->kind != IR_CONST)
            continue;
        int at = place_depth(rb, arg);
        if (at <= depth && at >= place_constants(rb, depth))
            continue;
        IrOp copy = *ir_op(rb->b.func, arg);
        op->args[i] = place_share(rb, copy, depth);
    }
}

/* Constants that regions of a moved op took from frames it leaves. */
static void bring_nested_constants(Rebuild *rb, const IrOp *op, int depth) {
    for (int r = 0; r < op->nregions; r++) {
        IrRegion *region = op->regions[r];
        for (int i = 0; i < region->ops.len; i++) {
            IrOp inner = *ir_op(rb->b.func, region->ops.at[i]);
            for (int k = 0; k < inner.nargs; k++) {
                IrId arg = inner.args[k];
                int at = arg && (int)arg < rb->depth.len ? rb->depth.at[arg] : 0;
                if (at > depth && at <= place_top(rb) && ir_op(rb->b.func, arg)->kind == IR_CONST)
                    inner.args[k] = place_share(rb, *ir_op(rb->b.func, arg), depth);
            }
            bring_nested_constants(rb, &inner, depth);
        }
        for (int k = 0; k < region->results.len; k++) {
            IrId arg = region->results.at[k];
            int at = (int)arg < rb->depth.len ? rb->depth.at[arg] : 0;
            if (at > depth && at <= place_top(rb) && ir_op(rb->b.func, arg)->kind == IR_CONST)
                region->results.at[k] = place_share(rb, *ir_op(rb->b.func, arg), depth);
        }
    }
}

IrId place_op(IrBuilder *b, IrOp op) {
    Rebuild *rb = b->append_data;
    int depth = place_for(rb, &op);
    bring_constants(rb, &op, depth);
    if (depth < place_top(rb))
        bring_nested_constants(rb, &op, depth);
    return place_share(rb, op, depth);
}
