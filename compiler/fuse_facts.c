/* Facts for fusion: where each op is, who uses it, what code costs, and the edits that keep the
   IR's rules. Nothing here decides what to fuse. */
#include "fuse.h"

#include <string.h>

/* ---- where everything is ---- */

/* Counts the uses of values in a region and those inside of it: at[id] for each use of id. */
static void count_uses(const IrFunc *f, const IrRegion *region, int *at) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            at[op->args[k]]++;
        for (int r = 0; r < op->nregions; r++)
            count_uses(f, op->regions[r], at);
    }
    for (int k = 0; k < region->results.len; k++)
        at[region->results.at[k]]++;
}

static void look_region(Fuse *z, IrRegion *region, IrId owner, int which, int parent) {
    int place = z->places.len;
    vec_push(&z->look, &z->places, (Place){region, owner, which, parent});
    z->live += region->params.len + region->ops.len;
    for (int i = 0; i < region->params.len; i++) {
        z->home[region->params.at[i]] = place;
        z->at[region->params.at[i]] = -1 - i;
    }
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        z->home[id] = place;
        z->at[id] = i;
        for (int r = 0; r < ir_op(z->f, id)->nregions; r++)
            look_region(z, ir_op(z->f, id)->regions[r], id, r, place);
    }
}

static void store_use(Fuse *z, IrId value, Use use) {
    if (value)
        z->uses[z->first[value]++] = use;
}

static void store_uses(Fuse *z) {
    for (int p = 1; p < z->places.len; p++) {
        const IrRegion *region = z->places.at[p].region;
        for (int i = 0; i < region->ops.len; i++) {
            const IrOp *op = ir_op(z->f, region->ops.at[i]);
            for (int k = 0; k < op->nargs; k++)
                store_use(z, op->args[k], (Use){region->ops.at[i], p, k});
        }
        for (int k = 0; k < region->results.len; k++)
            store_use(z, region->results.at[k], (Use){IR_NONE, p, k});
    }
}

void fuse_look(Fuse *z) {
    arena_free(&z->look);
    z->places.at = NULL;
    z->places.len = z->places.cap = 0;
    z->len = z->f->ops.len;
    z->live = 0;
    z->home = NEW_ARRAY(&z->look, int, z->len);
    z->at = NEW_ARRAY(&z->look, int, z->len);
    z->first = NEW_ARRAY(&z->look, int, z->len + 2);
    vec_push(&z->look, &z->places, (Place){0});
    look_region(z, z->f->body, IR_NONE, 0, 0);
    count_uses(z->f, z->f->body, z->first + 1);
    z->first[IR_NONE + 1] = 0;
    for (int i = 0; i <= z->len; i++)
        z->first[i + 1] += z->first[i];
    z->uses = NEW_ARRAY(&z->look, Use, z->first[z->len] + 1);
    store_uses(z);
    for (int i = z->len; i > 0; i--)
        z->first[i] = z->first[i - 1];
    z->first[0] = 0;
}

enum { COMPACT_FROM = 4096 };

static void renumber(const IrId *map, IrId *ids, int n) {
    for (int i = 0; i < n; i++)
        ids[i] = map[ids[i]];
}

bool fuse_compact(Fuse *z) {
    IrFunc *f = z->f;
    if (z->len < COMPACT_FROM || z->len < 3 * z->live)
        return false;
    IrId *map = NEW_ARRAY(&z->look, IrId, z->len);
    int n = 1;
    for (int i = 1; i < z->len; i++)
        if (z->home[i]) {
            map[i] = (IrId)n;
            f->ops.at[n++] = f->ops.at[i];
        }
    f->ops.len = n;
    for (int i = 1; i < n; i++) { /* ops may share the list that they were made from */
        IrOp *op = &f->ops.at[i];
        IrId *args = NEW_ARRAY(f->arena, IrId, op->nargs);
        for (int k = 0; k < op->nargs; k++)
            args[k] = map[op->args[k]];
        op->args = args;
    }
    for (int p = 1; p < z->places.len; p++) {
        IrRegion *region = z->places.at[p].region;
        renumber(map, region->params.at, region->params.len);
        renumber(map, region->ops.at, region->ops.len);
        renumber(map, region->results.at, region->results.len);
    }
    fuse_look(z);
    return true;
}

int fuse_use_count(const Fuse *z, IrId id) {
    return z->first[id + 1] - z->first[id];
}

IrId fuse_lift(const Fuse *z, int from, IrId id, int place) {
    while (from && from != place) {
        id = z->places.at[from].owner;
        from = z->places.at[from].parent;
    }
    return from ? id : IR_NONE;
}

bool fuse_inside(const Fuse *z, int place, int outer) {
    while (place && place != outer)
        place = z->places.at[place].parent;
    return place != 0;
}

bool fuse_outside(const Fuse *z, IrId id, int place) {
    return !fuse_inside(z, z->home[id], place);
}

bool fuse_same(const IrFunc *f, IrId a, IrId b) {
    int64_t difference;
    return a == b || (ir_difference(f, a, b, &difference) && difference == 0);
}

bool fuse_same_space(const IrFunc *f, const IrOp *a, const IrOp *b) {
    if (a->kernel->rank != b->kernel->rank)
        return false;
    for (int i = 0; i < a->kernel->rank; i++)
        if (!fuse_same(f, a->args[i], b->args[i]))
            return false;
    return true;
}

const IrSink *fuse_sink_of(const Fuse *z, IrId value, IrId *kernel) {
    const IrOp *op = ir_op(z->f, value);
    if (op->kind == IR_GET && ir_op(z->f, op->args[0])->kind == IR_KERNEL) {
        const IrOp *k = ir_op(z->f, op->args[0]);
        *kernel = op->args[0];
        return k->kernel->nsinks > 1 ? &k->kernel->sinks[op->imm] : NULL;
    }
    *kernel = value;
    return op->kind == IR_KERNEL && op->kernel->nsinks == 1 ? &op->kernel->sinks[0] : NULL;
}

IrId fuse_root(const IrFunc *f, IrId v) {
    for (;;) {
        const IrOp *op = ir_op(f, v);
        bool view = op->kind == IR_INDEX || op->kind == IR_SLICE || op->kind == IR_GET ||
                    op->kind == IR_RESHAPE || op->kind == IR_TAG || op->kind == IR_PAYLOAD;
        if (!view || op->nargs == 0)
            return v;
        v = op->args[0];
    }
}

bool fuse_place_fits(const IrFunc *f, const IrOp *a, const IrOp *b) {
    int pa = a->node ? (int)f->nodes.at[a->node].place : (int)PLACE_AUTO;
    int pb = b->node ? (int)f->nodes.at[b->node].place : (int)PLACE_AUTO;
    return pa == pb;
}

bool fuse_is_serial(const IrOp *kernel) {
    for (int s = 0; s < kernel->kernel->nsinks; s++) {
        SinkKind kind = kernel->kernel->sinks[s].kind;
        if (kind == SINK_HIST || kind == SINK_SCATTER)
            return true;
    }
    return false;
}

static bool reads_root(Fuse *z, const IrOp *op, IrId root) {
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k] && op->kind != IR_DIM && fuse_root(z->f, op->args[k]) == root)
            return true;
    for (int r = 0; r < op->nregions; r++)
        for (int i = 0; i < op->regions[r]->ops.len; i++)
            if (reads_root(z, ir_op(z->f, op->regions[r]->ops.at[i]), root))
                return true;
    return false;
}

bool fuse_overwrites(Fuse *z, IrId writer, IrId reader) {
    const IrOp *op = ir_op(z->f, writer);
    for (int s = 0; op->kind == IR_KERNEL && s < op->kernel->nsinks; s++)
        if (op->kernel->sinks[s].kind == SINK_SCATTER &&
            reads_root(z, ir_op(z->f, reader), fuse_root(z->f, op->args[op->kernel->sinks[s].arg])))
            return true;
    return false;
}

/* ---- outputs of a dag ---- */

/* Marks in `out` the outputs that depend on op; `seen` is by id. */
static void reach(Fuse *z, IrId id, bool *seen, uint64_t *out) {
    if (seen[id])
        return;
    seen[id] = true;
    IrId result = z->f->body->results.at[0];
    for (int i = z->first[id]; i < z->first[id + 1]; i++) {
        const Use *use = &z->uses[i];
        IrId user = use->op ? use->op : z->places.at[use->place].owner;
        user = user ? fuse_lift(z, use->op ? use->place : z->places.at[use->place].parent, user, 1)
                    : IR_NONE;
        if (user == result && use->op == result)
            out[use->arg / 64] |= (uint64_t)1 << use->arg % 64;
        else if (user)
            reach(z, user, seen, out);
    }
}

bool fuse_same_outputs(Fuse *z, int place, IrId a, IrId b) {
    if (!z->is_dag || place != 1)
        return true;
    IrId result = z->f->body->results.at[0];
    const IrOp *last = ir_op(z->f, result);
    if (last->kind != IR_TUPLE)
        return true;
    size_t words = (size_t)last->nargs / 64 + 1;
    uint64_t *sets[2];
    for (int i = 0; i < 2; i++) {
        sets[i] = NEW_ARRAY(&z->tmp, uint64_t, words);
        reach(z, i ? b : a, NEW_ARRAY(&z->tmp, bool, z->len), sets[i]);
    }
    return memcmp(sets[0], sets[1], words * sizeof *sets[0]) == 0;
}

/* Marks the faulting ops of the top level that id depends on, itself included; `seen` is by id. */
static void depend(Fuse *z, IrId id, bool *seen, bool *faults);

static void depend_region(Fuse *z, const IrRegion *region, bool *seen, bool *faults) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(z->f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            depend(z, op->args[k], seen, faults);
        for (int r = 0; r < op->nregions; r++)
            depend_region(z, op->regions[r], seen, faults);
    }
    for (int i = 0; i < region->results.len; i++)
        depend(z, region->results.at[i], seen, faults);
}

static void depend(Fuse *z, IrId id, bool *seen, bool *faults) {
    if (!id || seen[id] || z->home[id] != 1)
        return;
    seen[id] = true;
    const IrOp *op = ir_op(z->f, id);
    faults[id] = ir_may_fault(z->f, id);
    for (int k = 0; k < op->nargs; k++)
        depend(z, op->args[k], seen, faults);
    for (int r = 0; r < op->nregions; r++)
        depend_region(z, op->regions[r], seen, faults);
}

bool fuse_same_faults(Fuse *z, int place, IrId a, IrId b) {
    if (!z->is_dag || place != 1)
        return true;
    bool *faults[2];
    for (int i = 0; i < 2; i++) {
        faults[i] = NEW_ARRAY(&z->tmp, bool, z->len);
        depend(z, i ? b : a, NEW_ARRAY(&z->tmp, bool, z->len), faults[i]);
    }
    return memcmp(faults[0], faults[1], (size_t)z->len) == 0;
}

/* ---- cost ---- */

static void need(Fuse *z, const IrRegion *region, IrId id, bool *needed) {
    int home = z->home[id];
    while (home && z->places.at[home].region != region) {
        id = z->places.at[home].owner;
        home = z->places.at[home].parent;
    }
    if (home && z->at[id] >= 0)
        needed[z->at[id]] = true;
}

static void need_region(Fuse *z, const IrRegion *region, const IrRegion *inner, bool *needed);

static void need_args(Fuse *z, const IrRegion *region, IrId id, bool *needed) {
    const IrOp *op = ir_op(z->f, id);
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k])
            need(z, region, op->args[k], needed);
    for (int r = 0; r < op->nregions; r++)
        need_region(z, region, op->regions[r], needed);
}

static void need_region(Fuse *z, const IrRegion *region, const IrRegion *inner, bool *needed) {
    for (int i = 0; i < inner->ops.len; i++)
        need_args(z, region, inner->ops.at[i], needed);
    for (int i = 0; i < inner->results.len; i++)
        need(z, region, inner->results.at[i], needed);
}

bool *fuse_needed(Fuse *z, const IrRegion *region, IrId result) {
    bool *needed = NEW_ARRAY(&z->look, bool, region->ops.len + 1);
    need(z, region, result, needed);
    for (int i = region->ops.len - 1; i >= 0; i--)
        if (needed[i])
            need_args(z, region, region->ops.at[i], needed);
    return needed;
}

static int scalar_cost(const IrFunc *f, const IrOp *op) {
    bool is_float = op->nargs && type_is_float(ir_op(f, op->args[0])->type);
    switch (op->kind) {
    case IR_SQRT:
    case IR_RSQRT: return 8;
    case IR_DIV:
    case IR_MOD:
    case IR_FDIV:
    case IR_FMOD: return is_float ? 6 : 5;
    case IR_POW:
    case IR_CBRT:
    case IR_EXP:
    case IR_EXP2:
    case IR_EXPM1:
    case IR_LOG:
    case IR_LOG2:
    case IR_LOG10:
    case IR_LOG1P:
    case IR_SIN:
    case IR_COS:
    case IR_TAN:
    case IR_ASIN:
    case IR_ACOS:
    case IR_ATAN:
    case IR_ATAN2:
    case IR_SINH:
    case IR_COSH:
    case IR_TANH:
    case IR_ERF:
    case IR_ERFC:
    case IR_GAMMA:
    case IR_LGAMMA:
    case IR_HYPOT: return 60;
    default: return is_float ? 2 : 1;
    }
}

static int op_cost(const IrFunc *f, const IrOp *op) {
    if (ir_is_scalar_op(op->kind))
        return scalar_cost(f, op);
    switch (op->kind) {
    case IR_INDEX: return op->type->kind == TYPE_ARRAY ? 1 : COST_LOAD;
    case IR_IF: return 2 + fuse_cost(f, op->regions[0], NULL) + fuse_cost(f, op->regions[1], NULL);
    case IR_CHECK: return 1;
    case IR_KERNEL:
    case IR_FOR:
    case IR_LOOP:
    case IR_TRY:
    case IR_CALL:
    case IR_SORT:
    case IR_MATMUL:
    case IR_RT:
    case IR_CONCAT:
    case IR_UPDATE: return COST_NESTED;
    case IR_LIST: return 8 + 2 * op->nargs;
    default: /* constants, products, sums and views are free */ return 0;
    }
}

int fuse_cost(const IrFunc *f, const IrRegion *region, const bool *needed) {
    int cost = 0;
    for (int i = 0; i < region->ops.len; i++)
        if ((!needed || needed[i]) && cost < COST_NESTED)
            cost += op_cost(f, ir_op(f, region->ops.at[i]));
    return cost;
}

/* ---- edits ---- */

static IrId follow(const IrId *map, int len, IrId id) {
    while ((int)id < len && map[id])
        id = map[id];
    return id;
}

static void substitute_region(IrFunc *f, IrRegion *region, const IrId *map, int len) {
    for (int i = 0; i < region->ops.len; i++) {
        IrOp *op = ir_op(f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            op->args[k] = follow(map, len, op->args[k]);
        for (int r = 0; r < op->nregions; r++)
            substitute_region(f, op->regions[r], map, len);
    }
    for (int i = 0; i < region->results.len; i++)
        region->results.at[i] = follow(map, len, region->results.at[i]);
}

void fuse_substitute(IrFunc *f, const IrId *map, int len) {
    substitute_region(f, f->body, map, len);
}

void fuse_splice(IrModule *m, IrRegion *region, int at, const IrRegion *from) {
    int n = from->ops.len;
    if (n == 0)
        return;
    for (int i = 0; i < n; i++)
        vec_push(m->arena, &region->ops, from->ops.at[i]);
    int tail = region->ops.len - n - at;
    memmove(region->ops.at + at + n, region->ops.at + at, sizeof(IrId) * (size_t)tail);
    memcpy(region->ops.at + at, from->ops.at, sizeof(IrId) * (size_t)n);
}

int fuse_position(const IrRegion *region, IrId op) {
    for (int i = 0; i < region->ops.len; i++)
        if (region->ops.at[i] == op)
            return i;
    UNREACHABLE();
}

IrId *fuse_identity(Fuse *z) {
    IrId *map = NEW_ARRAY(&z->look, IrId, z->f->ops.len);
    for (int i = 0; i < z->f->ops.len; i++)
        map[i] = (IrId)i;
    return map;
}

IrBuilder fuse_builder(Fuse *z, IrRegion *region, const IrOp *like) {
    return (IrBuilder){
        .module = z->m,
        .func = z->f,
        .region = region,
        .span = like->span,
        .node = like->node,
    };
}

/* ---- what nobody needs ---- */

static void drop_use(int *count, IrId id) {
    if (id)
        count[id]--;
}

static void drop_region(Fuse *z, int *count, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(z->f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            drop_use(count, op->args[k]);
        for (int r = 0; r < op->nregions; r++)
            drop_region(z, count, op->regions[r]);
    }
    for (int i = 0; i < region->results.len; i++)
        drop_use(count, region->results.at[i]);
}

/* Removes unused ops of a region and its inner regions; users come after what they use, so one walk
   backwards sees every count at its final value. */
static bool sweep_region(Fuse *z, int *count, IrRegion *region) {
    bool changed = false;
    for (int i = region->ops.len - 1; i >= 0; i--) {
        IrId id = region->ops.at[i];
        IrOp *op = ir_op(z->f, id);
        if (count[id] == 0 && !ir_must_stay(z->f, id)) {
            for (int k = 0; k < op->nargs; k++)
                drop_use(count, op->args[k]);
            for (int r = 0; r < op->nregions; r++)
                drop_region(z, count, op->regions[r]);
            region->ops.at[i] = IR_NONE;
            changed = true;
        } else {
            for (int r = op->nregions - 1; r >= 0; r--)
                changed |= sweep_region(z, count, op->regions[r]);
        }
    }
    int kept = 0;
    for (int i = 0; i < region->ops.len; i++)
        if (region->ops.at[i])
            region->ops.at[kept++] = region->ops.at[i];
    region->ops.len = kept;
    return changed;
}

/* Builds the kernel again with the sinks that keep[] names, in order. */
static void keep_sinks(Fuse *z, IrOp *op, const bool *keep, const int *number) {
    IrKernel *k = op->kernel;
    IrRegion *body = op->regions[0];
    IrKernel *fresh = NEW(z->m->arena, IrKernel);
    *fresh = (IrKernel){.rank = k->rank, .sinks = NEW_ARRAY(z->m->arena, IrSink, k->nsinks)};
    IrId *args = NEW_ARRAY(z->m->arena, IrId, op->nargs + 1);
    IrRegion **regions = NEW_ARRAY(z->m->arena, IrRegion *, op->nregions);
    int nargs = k->rank, nregions = 1;
    memcpy(args, op->args, sizeof *args * (size_t)k->rank);
    regions[0] = body;
    IrRegion old = *body;
    body->results = (typeof(body->results)){0};
    Type **types = NEW_ARRAY(z->m->arena, Type *, k->nsinks);
    for (int s = 0; s < k->nsinks; s++) {
        if (!keep[s])
            continue;
        IrSink sink = k->sinks[s];
        for (int i = 0; i < ir_sink_args(sink.kind); i++)
            args[nargs + i] = op->args[sink.arg + i];
        sink.arg = nargs;
        nargs += ir_sink_args(sink.kind);
        if (sink.region >= 0) {
            regions[nregions] = op->regions[sink.region];
            sink.region = nregions++;
        }
        int yield = body->results.len;
        for (int i = 0; i < ir_sink_yields(sink.kind); i++)
            vec_push(z->m->arena, &body->results, old.results.at[sink.yield + i]);
        sink.yield = yield;
        types[number[s]] = sink.type;
        fresh->sinks[fresh->nsinks++] = sink;
    }
    op->kernel = fresh;
    op->args = args;
    op->nargs = nargs;
    op->regions = regions;
    op->nregions = nregions;
    op->type = fresh->nsinks == 1 ? types[0] : type_tuple(z->m->types, types, NULL, fresh->nsinks);
}

/* Drops the outputs of a kernel of several sinks that no GET asks for. */
static bool trim_kernel(Fuse *z, IrId id, IrId *map) {
    IrOp *op = ir_op(z->f, id);
    int n = op->kernel->nsinks;
    bool *keep = NEW_ARRAY(&z->look, bool, n);
    int *number = NEW_ARRAY(&z->look, int, n);
    for (int i = z->first[id]; i < z->first[id + 1]; i++) {
        const IrOp *user = z->uses[i].op ? ir_op(z->f, z->uses[i].op) : NULL;
        if (!user || user->kind != IR_GET)
            return false;
        keep[user->imm] = true;
    }
    int kept = 0;
    for (int s = 0; s < n; s++)
        if (keep[s])
            number[s] = kept++;
    if (kept == n || kept == 0)
        return false;
    keep_sinks(z, op, keep, number);
    for (int i = z->first[id]; i < z->first[id + 1]; i++) {
        if (kept == 1)
            map[z->uses[i].op] = id;
        else
            ir_op(z->f, z->uses[i].op)->imm = number[ir_op(z->f, z->uses[i].op)->imm];
    }
    return true;
}

static bool trim_kernels(Fuse *z) {
    bool changed = false;
    IrId *map = NEW_ARRAY(&z->look, IrId, z->len);
    for (int p = 1; p < z->places.len; p++) {
        const IrRegion *region = z->places.at[p].region;
        for (int i = 0; i < region->ops.len; i++) {
            const IrOp *op = ir_op(z->f, region->ops.at[i]);
            if (op->kind == IR_KERNEL && op->kernel->nsinks > 1)
                changed |= trim_kernel(z, region->ops.at[i], map);
        }
    }
    if (changed)
        fuse_substitute(z->f, map, z->len);
    return changed;
}

/* One walk may leave what is seen to be needless only when something in it is gone. */
static bool sweep_all(Fuse *z) {
    bool changed = false, again = true;
    while (again) {
        int *count = NEW_ARRAY(&z->look, int, z->f->ops.len);
        count_uses(z->f, z->f->body, count);
        again = sweep_region(z, count, z->f->body);
        changed |= again;
    }
    return changed;
}

bool fuse_sweep(Fuse *z) {
    bool changed = fuse_cse(z), again = true;
    while (again) {
        changed |= sweep_all(z);
        fuse_look(z);
        again = trim_kernels(z);
        changed |= again;
    }
    return changed;
}

/* ---- words ---- */

static const char *const sink_word[SINK_KIND_COUNT] = {
    [SINK_MAP] = "map",        [SINK_LIST] = "list",       [SINK_REDUCE] = "reduction",
    [SINK_SCAN] = "scan",      [SINK_FILTER] = "filter",   [SINK_FLATMAP] = "flat map",
    [SINK_HIST] = "histogram", [SINK_SCATTER] = "scatter", [SINK_PICK] = "selection",
};

static const char *word_for(const IrOp *op) {
    switch (op->kind) {
    case IR_KERNEL: return op->kernel->nsinks > 1 ? "kernel" : sink_word[op->kernel->sinks[0].kind];
    case IR_IF: return "branch";
    case IR_FOR:
    case IR_LOOP: return "loop";
    case IR_INDEX: return "read";
    default: return ir_kind_name(op->kind);
    }
}

const char *fuse_describe(Fuse *z, IrId kernel) {
    const IrOp *op = ir_op(z->f, kernel);
    const char *word = word_for(op);
    Source *source = source_at(&z->c->sources, op->span.from);
    if (!op->span.from || !source)
        return arena_printf(z->c->arena, "a %s", word);
    int line, column;
    source_locate(source, op->span.from, &line, &column);
    return arena_printf(z->c->arena, "the %s at %d:%d", word, line, column);
}
