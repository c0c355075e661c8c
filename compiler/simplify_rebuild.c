/* Builds a function anew from its live ops. Every op is folded again where it now stands and placed
   by simplify_place.c. An `if`, loop or `try` keeps only the results that are used, and a loop only
   the values that change. */
#include "simplify_place.h"

/* ---- rebuilding ---- */

static void rebuild_ops(Rebuild *rb, const IrRegion *from);

static IrId *map_values(const Rebuild *rb, const IrId *values, int n) {
    IrId *mapped = NEW_ARRAY(rb->b.func->arena, IrId, n);
    for (int i = 0; i < n; i++)
        mapped[i] = rb->map[values[i]];
    return mapped;
}

static void add_param(Rebuild *rb, IrRegion *region, IrId param) {
    IrId id = ir_param(rb->b.func, region, ir_op(rb->src, param)->type);
    place_set_depth(rb, id, place_top(rb));
    rb->map[param] = id;
}

/* A chosen few of the results of an op. */
typedef struct {
    int *at;
    int count;
} Chosen;

static Chosen choose_results(Rebuild *rb, IrId id, const IrOp *op) {
    int n = op_results(op);
    Chosen chosen = {NEW_ARRAY(rb->scratch, int, n), 0};
    for (int k = 0; k < n; k++)
        if (live_result(&rb->live, id, k))
            chosen.at[chosen.count++] = k;
    return chosen;
}

/* A value as a result of the innermost region: kernels have constants of their own. */
static void add_result(Rebuild *rb, IrRegion *region, IrId value) {
    const IrOp *op = ir_op(rb->b.func, value);
    if (op->kind == IR_CONST && place_depth(rb, value) < place_constants(rb, place_top(rb)))
        value = place_share(rb, *op, place_top(rb));
    vec_push(rb->b.func->arena, &region->results, value);
}

static void add_results(Rebuild *rb, IrRegion *region, const IrRegion *from, const Chosen *chosen) {
    for (int i = 0; i < chosen->count; i++)
        add_result(rb, region, rb->map[from->results.at[chosen->at[i]]]);
}

/* Code that folding moved here out of a region that is gone is of this frame now. */
static void adopt(Rebuild *rb, int from) {
    for (int i = from; i < rb->b.region->ops.len; i++)
        place_set_depth(rb, rb->b.region->ops.at[i], place_top(rb));
}

/* Notes the values of the chosen results, given the value of the new op with just these. */
static void set_results(Rebuild *rb, IrId id, int total, const Chosen *chosen, IrId value) {
    IrId *results = NEW_ARRAY(rb->scratch, IrId, total);
    for (int i = 0; i < chosen->count; i++)
        results[chosen->at[i]] = chosen->count == 1 ? value : ir_get(&rb->b, value, i);
    rb->results[id] = results;
}

/* The op's value as a whole: its only result, or all of them together. */
static void set_whole(Rebuild *rb, IrId id, const IrOp *op) {
    int n = op_results(op);
    const IrId *results = rb->results[id];
    if (n != 1 && !rb->live.whole[id])
        return;
    rb->map[id] = ir_region_values(&rb->b, op->type, results, n);
}

static bool is_cheap(IrKind kind) {
    switch (kind) {
    case IR_CONST:
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
    case IR_NEG:
    case IR_BITAND:
    case IR_BITOR:
    case IR_BITXOR:
    case IR_BITNOT:
    case IR_EQ:
    case IR_NE:
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_MIN:
    case IR_MAX:
    case IR_SELECT:
    case IR_ABS:
    case IR_CONVERT: return true;
    default: return false;
    }
}

enum { MAX_SPECULATED = 4 };

/* Is it better to compute a branch of an `if` always? */
static bool is_trivial(const IrFunc *f, const IrRegion *region) {
    int real = 0;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (!is_cheap(op->kind))
            return false;
        real += op->kind != IR_CONST;
    }
    for (int k = 0; k < region->results.len; k++)
        if (!type_is_scalar(ir_type(f, region->results.at[k])))
            return false;
    return real <= MAX_SPECULATED;
}

static void move_ops(Rebuild *rb, const IrRegion *from) {
    for (int i = 0; i < from->ops.len; i++) {
        vec_push(rb->b.func->arena, &rb->b.region->ops, from->ops.at[i]);
        place_set_depth(rb, from->ops.at[i], place_top(rb));
    }
}

/* Results that both branches agree on need no `if`; they leave the two regions. */
static void drop_common_results(Rebuild *rb, IrRegion *then, IrRegion *otherwise, Chosen *chosen,
                                IrId *results) {
    int kept = 0;
    for (int i = 0; i < chosen->count; i++) {
        IrId a = then->results.at[i], c = otherwise->results.at[i];
        int64_t x, y;
        bool same = a == c;
        if (!same && ir_const_int(rb->b.func, a, &x) && ir_const_int(rb->b.func, c, &y) && x == y) {
            IrOp copy = *ir_op(rb->b.func, a);
            a = ir_append(&rb->b, copy);
            same = true;
        }
        if (same) {
            results[chosen->at[i]] = a;
            continue;
        }
        then->results.at[kept] = a;
        otherwise->results.at[kept] = c;
        chosen->at[kept++] = chosen->at[i];
    }
    then->results.len = otherwise->results.len = chosen->count = kept;
}

static void finish_if(Rebuild *rb, IrId cond, IrRegion *then, IrRegion *otherwise,
                      const Chosen *chosen, IrId *results) {
    IrFunc *f = rb->b.func;
    if (is_trivial(f, then) && is_trivial(f, otherwise)) {
        move_ops(rb, then);
        move_ops(rb, otherwise);
        for (int i = 0; i < chosen->count; i++)
            results[chosen->at[i]] =
                ir_select(&rb->b, cond, then->results.at[i], otherwise->results.at[i]);
        return;
    }
    IrId value = ir_if(&rb->b, cond, then, otherwise);
    for (int i = 0; i < chosen->count; i++)
        results[chosen->at[i]] = chosen->count == 1 ? value : ir_get(&rb->b, value, i);
}

static void rebuild_if(Rebuild *rb, IrId id, const IrOp *op) {
    IrId cond = rb->map[op->args[0]];
    Chosen chosen = choose_results(rb, id, op);
    IrId *results = NEW_ARRAY(rb->scratch, IrId, op_results(op) + 1);
    int64_t decided;
    if (ir_const_int(rb->b.func, cond, &decided)) {
        const IrRegion *taken = op->regions[decided ? 0 : 1];
        rebuild_ops(rb, taken);
        for (int i = 0; i < chosen.count; i++)
            results[chosen.at[i]] = rb->map[taken->results.at[chosen.at[i]]];
    } else {
        IrRegion *regions[2];
        for (int r = 0; r < 2; r++) {
            regions[r] = place_open(rb, false, false);
            rebuild_ops(rb, op->regions[r]);
            add_results(rb, regions[r], op->regions[r], &chosen);
            place_close(rb);
        }
        drop_common_results(rb, regions[0], regions[1], &chosen, results);
        finish_if(rb, cond, regions[0], regions[1], &chosen, results);
    }
    rb->results[id] = results;
    set_whole(rb, id, op);
}

static void rebuild_try(Rebuild *rb, IrId id, const IrOp *op) {
    Chosen chosen = choose_results(rb, id, op);
    IrRegion *regions[2];
    for (int r = 0; r < 2; r++) {
        regions[r] = place_open(rb, false, false);
        rebuild_ops(rb, op->regions[r]);
        add_results(rb, regions[r], op->regions[r], &chosen);
        place_close(rb);
    }
    int from = rb->b.region->ops.len;
    IrId value = ir_try(&rb->b, regions[0], regions[1]);
    adopt(rb, from);
    set_results(rb, id, op_results(op), &chosen, value);
    set_whole(rb, id, op);
}

/* ---- loops ---- */

/* Carried values that the body hands on unchanged are no carried values. */
static Chosen drop_invariant(Rebuild *rb, const IrOp *op, const Chosen *chosen, int first,
                             const IrId *init, IrId *results) {
    const IrRegion *body = op->regions[op->kind == IR_FOR ? 0 : 1];
    Chosen kept = {NEW_ARRAY(rb->scratch, int, chosen->count), 0};
    for (int i = 0; i < chosen->count; i++) {
        int k = chosen->at[i];
        if (body->results.at[k] != body->params.at[first + k]) {
            kept.at[kept.count++] = k;
            continue;
        }
        for (int r = 0; r < op->nregions; r++)
            rb->map[op->regions[r]->params.at[first + k]] = rb->map[init[k]];
        results[k] = rb->map[init[k]];
    }
    return kept;
}

static IrId *chosen_inits(Rebuild *rb, const IrId *init, const Chosen *chosen) {
    IrId *mapped = NEW_ARRAY(rb->scratch, IrId, chosen->count + 1);
    for (int i = 0; i < chosen->count; i++)
        mapped[i] = rb->map[init[chosen->at[i]]];
    return mapped;
}

static IrRegion *rebuild_body(Rebuild *rb, const IrRegion *from, int first, const Chosen *params,
                              const Chosen *results) {
    IrRegion *body = place_open(rb, true, false);
    for (int i = 0; i < first; i++)
        add_param(rb, body, from->params.at[i]);
    for (int i = 0; i < params->count; i++)
        add_param(rb, body, from->params.at[first + params->at[i]]);
    rebuild_ops(rb, from);
    add_results(rb, body, from, results);
    place_close(rb);
    return body;
}

static void replace_values(IrFunc *f, IrRegion *region, const IrId *from, const IrId *to, int n) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            for (int j = 0; j < n; j++)
                if (op->args[k] == from[j])
                    op->args[k] = to[j];
        for (int r = 0; r < op->nregions; r++)
            replace_values(f, op->regions[r], from, to, n);
    }
    for (int k = 0; k < region->results.len; k++)
        for (int j = 0; j < n; j++)
            if (region->results.at[k] == from[j])
                region->results.at[k] = to[j];
}

/* Inside a loop that keeps the sizes of its arrays, these are the sizes at its start. */
static void settle_carried_dims(Rebuild *rb, IrId loop) {
    IrOp op = *ir_op(rb->b.func, loop);
    if (op.kind != IR_FOR && op.kind != IR_LOOP)
        return;
    enum { MAX_DIMS = 64 };
    IrId from[MAX_DIMS], to[MAX_DIMS];
    int n = 0, first = op.kind == IR_FOR ? 1 : 0;
    IrRegion *body = op.regions[op.kind == IR_FOR ? 0 : 1];
    for (int i = 0; i < body->ops.len && n < MAX_DIMS; i++) {
        IrOp dim = *ir_op(rb->b.func, body->ops.at[i]);
        for (int k = 0; dim.kind == IR_DIM && k + first < body->params.len; k++) {
            if (dim.args[0] != body->params.at[first + k])
                continue;
            IrId known = ir_carried_dim(&rb->b, loop, k, (int)dim.imm);
            if (known && n < MAX_DIMS) {
                from[n] = body->ops.at[i];
                to[n++] = known;
            }
        }
    }
    if (n)
        replace_values(rb->b.func, body, from, to, n);
}

static void finish_loop(Rebuild *rb, IrId id, const IrOp *op, const Chosen *kept, IrId value,
                        IrId *results) {
    for (int i = 0; i < kept->count; i++)
        results[kept->at[i]] = kept->count == 1 ? value : ir_get(&rb->b, value, i);
    rb->results[id] = results;
    set_whole(rb, id, op);
}

/* Moves code in front of the loop that was just appended as the last op. */
static void put_last(Rebuild *rb, IrId loop) {
    IrRegion *region = rb->b.region;
    int at = region->ops.len - 1;
    while (at >= 0 && region->ops.at[at] != loop)
        at--;
    if (at < 0)
        return;
    for (; at + 1 < region->ops.len; at++)
        region->ops.at[at] = region->ops.at[at + 1];
    region->ops.at[at] = loop;
}

static void rebuild_loop(Rebuild *rb, IrId id, const IrOp *op) {
    bool is_for = op->kind == IR_FOR;
    int first = is_for ? 1 : 0;
    const IrId *init = op->args + (is_for ? 2 : 0);
    IrId *results = NEW_ARRAY(rb->scratch, IrId, op_results(op) + 1);
    Chosen chosen = choose_results(rb, id, op);
    Chosen kept = drop_invariant(rb, op, &chosen, first, init, results);
    IrId *inits = chosen_inits(rb, init, &kept);
    int before = rb->b.region->ops.len;
    IrId value;
    if (is_for) {
        IrRegion *body = rebuild_body(rb, op->regions[0], 1, &kept, &kept);
        value = ir_for(&rb->b, rb->map[op->args[0]], rb->map[op->args[1]], inits, kept.count, body);
    } else {
        IrRegion *cond = rebuild_body(rb, op->regions[0], 0, &kept, &(Chosen){&(int){0}, 1});
        IrRegion *body = rebuild_body(rb, op->regions[1], 0, &kept, &kept);
        value = ir_loop(&rb->b, inits, kept.count, cond, body);
    }
    bool is_new =
        rb->b.region->ops.len > before && rb->b.region->ops.at[rb->b.region->ops.len - 1] == value;
    adopt(rb, before);
    if (is_new) {
        settle_carried_dims(rb, value);
        put_last(rb, value);
    }
    finish_loop(rb, id, op, &kept, value, results);
}

/* ---- kernels ---- */

static IrRegion *rebuild_operator(Rebuild *rb, const IrRegion *from) {
    IrRegion *region = place_open(rb, true, true);
    for (int i = 0; i < from->params.len; i++)
        add_param(rb, region, from->params.at[i]);
    rebuild_ops(rb, from);
    for (int i = 0; i < from->results.len; i++)
        add_result(rb, region, rb->map[from->results.at[i]]);
    place_close(rb);
    return region;
}

static IrRegion *rebuild_kernel_body(Rebuild *rb, const IrOp *op, const Chosen *chosen) {
    const IrRegion *from = op->regions[0];
    IrRegion *body = place_open(rb, true, true);
    for (int i = 0; i < from->params.len; i++)
        add_param(rb, body, from->params.at[i]);
    rebuild_ops(rb, from);
    for (int i = 0; i < chosen->count; i++) {
        const IrSink *sink = &op->kernel->sinks[chosen->at[i]];
        for (int y = 0; y < ir_sink_yields(sink->kind); y++)
            add_result(rb, body, rb->map[from->results.at[sink->yield + y]]);
    }
    place_close(rb);
    return body;
}

/* The kernel with the chosen sinks only, their yields, operands and operators in order. */
static IrOp new_kernel(Rebuild *rb, const IrOp *op, const Chosen *chosen) {
    Arena *arena = rb->b.func->arena;
    int n = chosen->count, rank = op->kernel->rank, yields = 0;
    IrKernel *k = NEW(arena, IrKernel);
    IrOp kernel = {.kind = IR_KERNEL, .flags = op->flags, .lanes = op->lanes, .kernel = k};
    *k = (IrKernel){.rank = rank, .nsinks = n, .sinks = NEW_ARRAY(arena, IrSink, n)};
    kernel.regions = NEW_ARRAY(arena, IrRegion *, n + 1);
    kernel.regions[kernel.nregions++] = rebuild_kernel_body(rb, op, chosen);
    kernel.args = NEW_ARRAY(arena, IrId, op->nargs);
    for (; kernel.nargs < rank; kernel.nargs++)
        kernel.args[kernel.nargs] = rb->map[op->args[kernel.nargs]];
    for (int i = 0; i < n; i++) {
        const IrSink *old = &op->kernel->sinks[chosen->at[i]];
        IrSink *sink = &k->sinks[i];
        *sink = *old;
        sink->yield = yields;
        yields += ir_sink_yields(old->kind);
        sink->arg = kernel.nargs;
        for (int a = 0; a < ir_sink_args(old->kind); a++)
            kernel.args[kernel.nargs++] = rb->map[op->args[old->arg + a]];
        if (old->region >= 0) {
            sink->region = kernel.nregions;
            kernel.regions[kernel.nregions++] = rebuild_operator(rb, op->regions[old->region]);
            sink->op = ir_region_op(rb->b.func, kernel.regions[sink->region]);
        }
    }
    return kernel;
}

static void rebuild_kernel(Rebuild *rb, IrId id, const IrOp *op) {
    Chosen chosen = choose_results(rb, id, op);
    if (chosen.count == 0) { /* kept for what is pinned inside */
        for (int k = 0; k < op->kernel->nsinks; k++)
            chosen.at[chosen.count++] = k;
        chosen.count = 1;
    }
    IrOp kernel = new_kernel(rb, op, &chosen);
    Type **types = NEW_ARRAY(rb->scratch, Type *, chosen.count);
    for (int i = 0; i < chosen.count; i++)
        types[i] = kernel.kernel->sinks[i].type;
    kernel.type =
        chosen.count == 1 ? types[0] : type_tuple(rb->m->types, types, NULL, chosen.count);
    set_results(rb, id, op->kernel->nsinks, &chosen, ir_emit(&rb->b, kernel));
    set_whole(rb, id, op);
}

/* ---- all ops ---- */

static void rebuild_get(Rebuild *rb, IrId id, const IrOp *op) {
    const IrId *results = rb->results[op->args[0]];
    if (results && op_results(ir_op(rb->src, op->args[0])) > 1)
        rb->map[id] = results[op->imm];
    else
        rb->map[id] = ir_get(&rb->b, rb->map[op->args[0]], (int)op->imm);
}

static void rebuild_op(Rebuild *rb, IrId id) {
    IrOp op = *ir_op(rb->src, id);
    rb->b.span = op.span;
    rb->b.node = op.node;
    rb->b.fast = op.flags & IRF_FAST;
    switch (op.kind) {
    case IR_IF: rebuild_if(rb, id, &op); return;
    case IR_TRY: rebuild_try(rb, id, &op); return;
    case IR_FOR:
    case IR_LOOP: rebuild_loop(rb, id, &op); return;
    case IR_KERNEL: rebuild_kernel(rb, id, &op); return;
    case IR_GET: rebuild_get(rb, id, &op); return;
    default:
        op.args = map_values(rb, op.args, op.nargs);
        op.consumed = 0;
        rb->map[id] = ir_emit(&rb->b, op);
    }
}

static void rebuild_ops(Rebuild *rb, const IrRegion *from) {
    Span span = rb->b.span;
    int node = rb->b.node;
    for (int i = 0; i < from->ops.len; i++)
        if (rb->live.executed[from->ops.at[i]])
            rebuild_op(rb, from->ops.at[i]);
    rb->b.span = span;
    rb->b.node = node;
}

static int bucket_count(int ops) {
    int n = 64;
    while (n < ops)
        n *= 2;
    return n;
}

void simplify_rebuild(Compiler *c, Arena *scratch, IrFunc *f) {
    IrFunc *out = NEW(f->arena, IrFunc);
    *out = *f;
    out->ops.at = NULL;
    out->ops.len = out->ops.cap = 0;
    vec_push(f->arena, &out->ops, (IrOp){0});

    Rebuild rb = {.m = c->ir, .scratch = scratch, .src = f, .live = simplify_live(scratch, f)};
    rb.b = (IrBuilder){.module = c->ir, .func = out, .span = f->span, .append = place_op};
    rb.b.append_data = &rb;
    rb.map = NEW_ARRAY(scratch, IrId, f->ops.len);
    rb.results = NEW_ARRAY(scratch, IrId *, f->ops.len);
    rb.nbuckets = bucket_count(f->ops.len);
    rb.buckets = NEW_ARRAY(scratch, int, rb.nbuckets);
    for (int i = 0; i < rb.nbuckets; i++)
        rb.buckets[i] = -1;
    IrRegion *body = place_open(&rb, false, false);
    for (int i = 0; i < f->body->params.len; i++)
        add_param(&rb, body, f->body->params.at[i]);
    rebuild_ops(&rb, f->body);
    for (int i = 0; i < f->body->results.len; i++)
        vec_push(f->arena, &body->results, rb.map[f->body->results.at[i]]);
    f->ops.at = out->ops.at;
    f->ops.len = out->ops.len;
    f->ops.cap = out->ops.cap;
    f->body = body;
}
