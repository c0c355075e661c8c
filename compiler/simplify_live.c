/* What a function needs: its results, what is pinned, and what those need in turn. A carried value
   is needed if its last value is, or if what is needed inside the loop reads it; so are the sinks
   of a kernel and the results of an `if`, each for itself. */
#include "simplify.h"

typedef struct {
    IrId owner;  /* the op that holds the region it is in */
    int carried; /* of a carried parameter: which; else -1 */
} Home;

typedef struct {
    IrId id;
    int result; /* -1: the value as a whole */
} Need;

typedef struct {
    Arena *arena;
    const IrFunc *f;
    Live live;
    Home *home;
    VEC(Need) todo;
} Marker;

int op_results(const IrOp *op) {
    switch (op->kind) {
    case IR_KERNEL: return op->kernel->nsinks;
    case IR_IF:
    case IR_TRY:
    case IR_FOR: return op->regions[0]->results.len;
    case IR_LOOP: return op->regions[1]->results.len;
    default: return 1;
    }
}

static uint64_t bit_of(int k) {
    return (uint64_t)1 << (k < 63 ? k : 63);
}

bool live_result(const Live *live, IrId id, int k) {
    return live->used[id] & bit_of(k);
}

static bool has_results(IrKind kind) {
    return kind == IR_KERNEL || kind == IR_IF || kind == IR_TRY || kind == IR_FOR ||
           kind == IR_LOOP;
}

static void need(Marker *m, IrId id, int result) {
    vec_push(m->arena, &m->todo, (Need){id, result});
}

static void want(Marker *m, IrId id) {
    if (id && !m->live.whole[id])
        need(m, id, -1);
}

static void want_all(Marker *m, const IrId *ids, int n) {
    for (int i = 0; i < n; i++)
        want(m, ids[i]);
}

static void want_sink(Marker *m, const IrOp *op, int k) {
    const IrSink *sink = &op->kernel->sinks[k];
    bool two = sink->kind == SINK_FILTER || sink->kind == SINK_HIST || sink->kind == SINK_SCATTER;
    want_all(m, op->regions[0]->results.at + sink->yield, two ? 2 : 1);
    want_all(m, op->args + sink->arg, ir_sink_args(sink->kind));
    if (sink->region >= 0)
        want_all(m, op->regions[sink->region]->results.at, op->regions[sink->region]->results.len);
}

/* The op runs, and so do the ones around it. */
static void execute(Marker *m, IrId id) {
    for (; id && !m->live.executed[id]; id = m->home[id].owner) {
        m->live.executed[id] = true;
        const IrOp *op = ir_op(m->f, id);
        switch (op->kind) {
        case IR_IF: want(m, op->args[0]); break;
        case IR_FOR: want_all(m, op->args, 2); break;
        case IR_LOOP: want(m, op->regions[0]->results.at[0]); break;
        case IR_KERNEL:
            want_all(m, op->args, op->kernel->rank);
            if (!m->live.used[id]) /* a kernel that stands for its effects keeps one sink */
                want_sink(m, op, 0);
            break;
        case IR_TRY:
        case IR_PARAM: break;
        default: want_all(m, op->args, op->nargs); break;
        }
    }
}

static void want_result(Marker *m, IrId id, int k) {
    if (k < 63 && (m->live.used[id] & bit_of(k)))
        return;
    m->live.used[id] |= bit_of(k);
    execute(m, id);
    const IrOp *op = ir_op(m->f, id);
    switch (op->kind) {
    case IR_KERNEL: want_sink(m, op, k); break;
    case IR_IF:
    case IR_TRY:
        want(m, op->regions[0]->results.at[k]);
        want(m, op->regions[1]->results.at[k]);
        break;
    case IR_FOR:
        want(m, op->args[2 + k]);
        want(m, op->regions[0]->results.at[k]);
        break;
    case IR_LOOP:
        want(m, op->args[k]);
        want(m, op->regions[1]->results.at[k]);
        break;
    default: UNREACHABLE();
    }
}

/* Results that share the last bit are needed together. */
static void want_results_from(Marker *m, IrId id, int k) {
    want_result(m, id, k);
    for (int more = k < 63 ? op_results(ir_op(m->f, id)) : 63; more < op_results(ir_op(m->f, id));
         more++)
        if (more != k)
            want_result(m, id, more);
}

static void want_whole(Marker *m, IrId id) {
    if (m->live.whole[id])
        return;
    m->live.whole[id] = true;
    const IrOp *op = ir_op(m->f, id);
    if (op->kind == IR_PARAM) {
        const Home *home = &m->home[id];
        if (home->carried >= 0)
            need(m, home->owner, home->carried);
        execute(m, home->owner);
        return;
    }
    if (op->kind == IR_GET && has_results(ir_op(m->f, op->args[0])->kind) &&
        op_results(ir_op(m->f, op->args[0])) > 1) {
        m->live.executed[id] = true;
        need(m, op->args[0], (int)op->imm);
        return;
    }
    execute(m, id);
    for (int k = 0; has_results(op->kind) && k < op_results(op); k++)
        need(m, id, k);
}

/* ---- where everything is, and what is needed from the start ---- */

static void find_homes(Marker *m, const IrRegion *region, IrId owner, int first_carried) {
    for (int i = 0; i < region->params.len; i++) {
        int carried = first_carried >= 0 && i >= first_carried ? i - first_carried : -1;
        m->home[region->params.at[i]] = (Home){owner, carried};
    }
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        const IrOp *op = ir_op(m->f, id);
        m->home[id] = (Home){owner, -1};
        int first = op->kind == IR_FOR ? 1 : op->kind == IR_LOOP ? 0 : -1;
        for (int r = 0; r < op->nregions; r++)
            find_homes(m, op->regions[r], id, first);
        if (ir_is_pinned(m->f, id))
            want(m, id);
    }
}

Live simplify_live(Arena *scratch, const IrFunc *f) {
    Marker m = {.arena = scratch, .f = f};
    m.live.executed = NEW_ARRAY(scratch, bool, f->ops.len);
    m.live.used = NEW_ARRAY(scratch, uint64_t, f->ops.len);
    m.home = NEW_ARRAY(scratch, Home, f->ops.len);
    m.live.whole = NEW_ARRAY(scratch, bool, f->ops.len);
    find_homes(&m, f->body, IR_NONE, -1);
    want_all(&m, f->body->results.at, f->body->results.len);
    while (m.todo.len) {
        Need next = m.todo.at[--m.todo.len];
        if (next.result < 0)
            want_whole(&m, next.id);
        else
            want_results_from(&m, next.id, next.result);
    }
    return m.live;
}
