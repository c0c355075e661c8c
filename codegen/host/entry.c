/* Entry points and the image's exported table. The ops of a dag are grouped into segments, by which
   outputs need them; each segment is a function that runs under the runtime's guard, so that a
   fault takes along only the outputs that depend on it. */
#include "actor.h"

#include "../cuda/cuda.h"

#include <stddef.h>
#include <string.h>

#define B (f->e->B)

/* ---- which outputs need an op ---- */

typedef struct {
    uint64_t *bits;
} Set;

typedef struct {
    Set needs; /* the outputs */
    IrRegion ops;
    VEC(IrId) exports;    /* values that others want, */
    LLVMValueRef *places; /* and the memory that they go to */
    LLVMValueRef **made;  /* in the segment */
    LLVMValueRef status_at;
} Segment;

typedef struct {
    Emit *e;
    const IrEntry *entry;
    const IrFunc *ir;
    int words;       /* of a set of outputs */
    Set *needs;      /* by IrId */
    int *segment_of; /* by IrId, -1: outside of any */
    VEC(Segment *) segments;
    char *kept; /* by IrId: shows buffers that several segments use; NULL: there is one */
    IrId *outputs; /* the value of each, or IR_NONE: a part of the result */
} Plan;

static bool add_all(Plan *p, Set *to, Set from) {
    bool changed = false;
    for (int w = 0; w < p->words; w++) {
        changed |= (from.bits[w] & ~to->bits[w]) != 0;
        to->bits[w] |= from.bits[w];
    }
    return changed;
}

static bool is_empty(const Plan *p, Set s) {
    for (int w = 0; w < p->words; w++)
        if (s.bits[w])
            return false;
    return true;
}

static bool is_equal(const Plan *p, Set a, Set b) {
    return memcmp(a.bits, b.bits, (size_t)p->words * 8) == 0;
}

static int set_count(const Plan *p, Set s) {
    int n = 0;
    for (int w = 0; w < p->words; w++)
        n += __builtin_popcountll(s.bits[w]);
    return n;
}

/* Every value that an op uses gets what the op is needed for; regions are looked through. */
static void need_uses(Plan *p, const IrOp *op, Set needs) {
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k])
            add_all(p, &p->needs[op->args[k]], needs);
    for (int r = 0; r < op->nregions; r++) {
        const IrRegion *region = op->regions[r];
        for (int k = 0; k < region->results.len; k++)
            add_all(p, &p->needs[region->results.at[k]], needs);
        for (int k = 0; k < region->ops.len; k++)
            need_uses(p, ir_op(p->ir, region->ops.at[k]), needs);
    }
}

static bool is_free(const IrOp *op) {
    return op->kind == IR_CONST || op->kind == IR_STRING || op->kind == IR_UNDEF;
}

static void find_outputs(Plan *p) {
    IrId result = p->ir->body->results.at[0];
    const IrOp *op = ir_op(p->ir, result);
    int n = p->entry->noutputs;
    p->outputs = NEW_ARRAY(p->e->arena, IrId, n + 1);
    for (int k = 0; k < n; k++) {
        bool is_tuple = n > 1 && op->kind == IR_TUPLE;
        IrId id = n == 1 ? result : is_tuple ? op->args[k] : IR_NONE;
        p->outputs[k] = id;
        p->needs[id ? id : result].bits[k / 64] |= (uint64_t)1 << k % 64;
    }
}

/* Ops that are cheap to share: one may stand for what several nodes wrote. */
static bool is_shared(const IrOp *op) {
    return is_free(op) || ir_is_scalar_op(op->kind) || op->kind == IR_DIM || op->kind == IR_GET ||
           op->kind == IR_TUPLE;
}

/* What the ops of a node are needed for; `proper`: those that are this node's alone. */
static Set node_needs(Plan *p, int node, bool proper) {
    Set all = {NEW_ARRAY(p->e->arena, uint64_t, p->words)};
    const IrRegion *body = p->ir->body;
    for (int k = 0; node > 0 && k < body->ops.len; k++) {
        const IrOp *op = ir_op(p->ir, body->ops.at[k]);
        if (op->node == node && !(proper && is_shared(op)))
            add_all(p, &all, p->needs[body->ops.at[k]]);
    }
    return all;
}

/* A pinned op that nobody uses guards what its node is for; one without a node guards everything.
 */
static Set pinned_needs(Plan *p, const IrOp *op) {
    Set all = node_needs(p, op->node, true);
    if (is_empty(p, all))
        all = node_needs(p, op->node, false);
    for (int k = 0; is_empty(p, all) && k < p->entry->noutputs; k++)
        all.bits[k / 64] |= (uint64_t)1 << k % 64;
    if (p->entry->noutputs == 0)
        all.bits[0] = 1;
    return all;
}

/* Does an op do something besides giving its value: an effect, or an assert somewhere inside? */
static bool is_pinned(const Plan *p, IrId id) {
    const IrOp *op = ir_op(p->ir, id);
    if ((op->flags & IRF_PINNED) || ir_has_effect(p->ir, id))
        return true;
    for (int r = 0; r < op->nregions; r++)
        for (int k = 0; k < op->regions[r]->ops.len; k++)
            if (is_pinned(p, op->regions[r]->ops.at[k]))
                return true;
    return false;
}

static void find_needs(Plan *p) {
    const IrRegion *body = p->ir->body;
    p->words = (p->entry->noutputs + 64) / 64;
    p->needs = NEW_ARRAY(p->e->arena, Set, p->ir->ops.len);
    for (int k = 0; k < p->ir->ops.len; k++)
        p->needs[k].bits = NEW_ARRAY(p->e->arena, uint64_t, p->words);
    find_outputs(p);
    bool changed = true;
    for (int round = 0; changed; round++) { /* pinned ops learn from ops before and after them */
        changed = false;
        for (int k = body->ops.len - 1; k >= 0; k--) {
            IrId id = body->ops.at[k];
            const IrOp *op = ir_op(p->ir, id);
            if (round > 0 && is_empty(p, p->needs[id]) && is_pinned(p, id))
                changed |= add_all(p, &p->needs[id], pinned_needs(p, op));
            if (!is_empty(p, p->needs[id]))
                need_uses(p, op, p->needs[id]);
        }
        changed |= round == 0;
    }
}

/* ---- segments ---- */

static Segment *segment_for(Plan *p, Set needs) {
    for (int k = 0; k < p->segments.len; k++)
        if (is_equal(p, p->segments.at[k]->needs, needs))
            return p->segments.at[k];
    Segment *s = NEW(p->e->arena, Segment);
    s->needs = needs;
    vec_push(p->e->arena, &p->segments, s);
    return s;
}

/* What more outputs need comes first: it cannot depend on what fewer need. */
static void sort_segments(Plan *p) {
    for (int i = 1; i < p->segments.len; i++)
        for (int j = i; j > 0; j--) {
            Segment **at = p->segments.at + j;
            if (set_count(p, at[-1]->needs) >= set_count(p, at[0]->needs))
                break;
            Segment *s = at[0];
            at[0] = at[-1];
            at[-1] = s;
        }
}

static void make_segments(Plan *p) {
    const IrRegion *body = p->ir->body;
    bool is_single = p->entry->kind != ENTRY_DAG || p->entry->noutputs <= 1;
    Set one = {NEW_ARRAY(p->e->arena, uint64_t, p->words)};
    p->segment_of = NEW_ARRAY(p->e->arena, int, p->ir->ops.len);
    for (int k = 0; k < p->ir->ops.len; k++)
        p->segment_of[k] = -1;
    if (is_single)
        one.bits[0] = 1;
    for (int k = 0; k < body->ops.len; k++) {
        IrId id = body->ops.at[k];
        if (!is_single && (is_free(ir_op(p->ir, id)) || is_empty(p, p->needs[id])))
            continue;
        Segment *s = segment_for(p, is_single ? one : p->needs[id]);
        vec_push(p->e->arena, &s->ops.ops, id);
    }
    if (p->segments.len == 0)
        segment_for(p, one);
    if (p->segments.len == 1) { /* as planned: the body without its parameters */
        IrRegion *ops = &p->segments.at[0]->ops;
        *ops = *body;
        memset(&ops->params, 0, sizeof ops->params);
    }
    sort_segments(p);
    for (int k = 0; k < p->segments.len; k++)
        for (int i = 0; i < p->segments.at[k]->ops.ops.len; i++)
            p->segment_of[p->segments.at[k]->ops.ops.at[i]] = k;
}

/* ---- what several segments use ---- */

/* Is the value a view of others (ir.h at IrRelease)? */
static bool is_view(const IrOp *op) {
    switch ((int)op->kind) {
    case IR_TUPLE:
    case IR_GET:
    case IR_ZIP:
    case IR_VARIANT:
    case IR_PAYLOAD:
    case IR_INDEX:
    case IR_SLICE:
    case IR_RESHAPE:
    case IR_FLAT:
    case IR_CHECK: return true;
    default: return false;
    }
}

/* Notes what an op of a segment uses of other segments' values. */
static void note_foreign(const Plan *p, const IrOp *op, int segment, bool *foreign) {
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k])
            foreign[op->args[k]] |= p->segment_of[op->args[k]] != segment;
    for (int r = 0; r < op->nregions; r++) {
        const IrRegion *region = op->regions[r];
        for (int k = 0; k < region->results.len; k++)
            foreign[region->results.at[k]] |= p->segment_of[region->results.at[k]] != segment;
        for (int k = 0; k < region->ops.len; k++)
            note_foreign(p, ir_op(p->ir, region->ops.at[k]), segment, foreign);
    }
}

/* By IrId: values that another segment, or an output, uses or looks at. */
static bool *foreign_values(Plan *p) {
    const IrRegion *body = p->ir->body;
    bool *foreign = NEW_ARRAY(p->e->arena, bool, p->ir->ops.len);
    for (int s = 0; s < p->segments.len; s++)
        for (int k = 0; k < p->segments.at[s]->ops.ops.len; k++)
            note_foreign(p, ir_op(p->ir, p->segments.at[s]->ops.ops.at[k]), s, foreign);
    foreign[body->results.at[0]] = true;
    for (int k = 0; k < p->entry->noutputs; k++)
        if (p->outputs[k])
            foreign[p->outputs[k]] = true;
    for (int k = body->ops.len - 1; k >= 0; k--) {
        const IrOp *op = ir_op(p->ir, body->ops.at[k]);
        for (int a = 0; is_view(op) && foreign[body->ops.at[k]] && a < op->nargs; a++)
            if (op->args[a])
                foreign[op->args[a]] = true;
    }
    return foreign;
}

/* Marks what shows buffers of values that several segments use, in the branches of ifs too. */
static void mark_kept(Plan *p, const IrRegion *region, const bool *foreign, char *kept) {
    for (int k = 0; k < region->ops.len; k++) {
        IrId id = region->ops.at[k];
        const IrOp *op = ir_op(p->ir, id);
        bool is_kept = foreign && (foreign[id] || p->segment_of[id] < 0);
        for (int a = 0; is_view(op) && a < op->nargs; a++)
            is_kept |= op->args[a] && kept[op->args[a]];
        kept[id] = is_kept;
        for (int r = 0; op->kind == IR_IF && r < op->nregions; r++)
            mark_kept(p, op->regions[r], NULL, kept);
    }
}

/* Moves the releases of a segment's own values to its code. */
static void place_releases(Plan *p) {
    const IrRegion *body = p->ir->body;
    for (int r = 0; r < body->releases.len; r++) {
        IrRelease release = body->releases.at[r];
        int home = p->segment_of[release.value];
        if (home < 0 || p->kept[release.value] || release.after < 0 ||
            release.after >= body->ops.len)
            continue;
        IrRegion *ops = &p->segments.at[home]->ops;
        IrId last = body->ops.at[release.after];
        release.after = 0;
        while (release.after < ops->ops.len - 1 && ops->ops.at[release.after] != last)
            release.after++;
        vec_push(p->e->arena, &ops->releases, release);
    }
}

/* Several segments run in another order than planned: none takes from a value that another reads. */
static void find_kept(Plan *p) {
    if (p->segments.len <= 1)
        return;
    p->kept = NEW_ARRAY(p->e->arena, char, p->ir->ops.len);
    mark_kept(p, p->ir->body, foreign_values(p), p->kept);
    place_releases(p);
}

static void export(Plan *p, IrId id, int user) {
    int home = id ? p->segment_of[id] : -1;
    if (home < 0 || home == user)
        return;
    Segment *s = p->segments.at[home];
    for (int k = 0; k < s->exports.len; k++)
        if (s->exports.at[k] == id)
            return;
    vec_push(p->e->arena, &s->exports, id);
}

static void export_uses(Plan *p, const IrOp *op, int user) {
    for (int k = 0; k < op->nargs; k++)
        export(p, op->args[k], user);
    for (int r = 0; r < op->nregions; r++) {
        const IrRegion *region = op->regions[r];
        for (int k = 0; k < region->results.len; k++)
            export(p, region->results.at[k], user);
        for (int k = 0; k < region->ops.len; k++)
            export_uses(p, ir_op(p->ir, region->ops.at[k]), user);
    }
}

static void find_exports(Plan *p) {
    for (int k = 0; k < p->segments.len; k++)
        for (int i = 0; i < p->segments.at[k]->ops.ops.len; i++)
            export_uses(p, ir_op(p->ir, p->segments.at[k]->ops.ops.at[i]), k);
    for (int k = 0; k < p->entry->noutputs; k++)
        export(p, p->outputs[k] ? p->outputs[k] : p->ir->body->results.at[0], -1);
    const IrRegion *body = p->ir->body;
    for (int k = 0; p->segments.len > 1 && k < body->releases.len; k++)
        if (p->kept[body->releases.at[k].value])
            export(p, body->releases.at[k].value, -1);
}

/* ---- code ---- */

/* The segment's function. out: the fields of env that point to where its exports go. What they have
   of constants, as sizes, is known to who uses them. */
static LLVMValueRef segment_function(Plan *p, Fn *outer, Segment *s, Env *env, const int *out) {
    Fn inner, *f = &inner;
    Outline o = outline_begin(f, outer, p->e->body_fn, "segment");
    fn_attribute(p->e, f->fn, "noinline");
    f->is_once = p->entry->kind != ENTRY_DAG;
    LLVMValueRef q = LLVMGetParam(f->fn, 1);
    env_open(f, env, q);
    emit_ops(f, &s->ops);
    if (p->segments.len == 1)
        region_hand_over(f, &s->ops);
    for (int k = 0; k < s->exports.len; k++) {
        Layout *l = value_layout(f, s->exports.at[k]);
        s->made[k] = value_of(f, s->exports.at[k])->s;
        slots_store(f, l, env_load(f, env, q, out[k]), s->made[k]);
    }
    env_close(f, env);
    if (f->is_once || !(f->has_loop || f->has_vectors)) /* work that a dag does once a run */
        fn_attribute(p->e, f->fn, "optnone");
    outline_end(f, &o);
    return f->fn;
}

static void call_segment(Plan *p, Fn *f, Segment *s) {
    Emit *e = p->e;
    int n = s->exports.len;
    Env env = {0};
    int *out = NEW_ARRAY(e->arena, int, n + 1);
    for (int k = 0; k < n; k++)
        out[k] = env_add(f, &env, s->places[k]);
    env_capture(f, &env, &s->ops);
    env_store(f, &env);
    LLVMValueRef fn = segment_function(p, f, s, &env, out);
    LLVMTypeRef type = LLVMFunctionType(e->i32, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr}, 3, 0);
    LLVMValueRef faulted =
        api_call(f, offsetof(GactApi, guard), type, (LLVMValueRef[]){f->ctx, fn, env.p}, 3);
    fn_set(f, s->status_at, faulted);
}

/* The segments that s takes values from: those with more outputs, all of s's among them. */
static bool depends(const Plan *p, const Segment *s, const Segment *on) {
    for (int w = 0; w < p->words; w++)
        if (s->needs.bits[w] & ~on->needs.bits[w])
            return false;
    return true;
}

static void run_segment(Plan *p, Fn *f, int k) {
    Emit *e = p->e;
    Segment *s = p->segments.at[k];
    LLVMValueRef failed = LLVMConstNull(e->i32);
    s->status_at = fn_alloca(f, e->i32, "status");
    for (int j = 0; j < k; j++)
        if (depends(p, s, p->segments.at[j]))
            failed = fn_bin(f, LLVMOr, failed, fn_get(f, e->i32, p->segments.at[j]->status_at));
    fn_set(f, s->status_at, LLVMConstInt(e->i32, 1, 0));
    s->places = slots_new(f, s->exports.len);
    s->made = NEW_ARRAY(e->arena, LLVMValueRef *, s->exports.len + 1);
    for (int i = 0; i < s->exports.len; i++) {
        Layout *l = value_layout(f, s->exports.at[i]);
        s->places[i] = fn_alloca(f, slots_type(e, l), "export");
        slots_store(f, l, s->places[i], slots_empty(f, l));
    }
    LLVMBasicBlockRef run = fn_block(f, "run"), next = fn_block(f, "next");
    fn_cond(f, fn_cmp(f, LLVMIntEQ, failed, LLVMConstNull(e->i32)), run, next);
    fn_at(f, run);
    call_segment(p, f, s);
    fn_br(f, next);
    fn_at(f, next);
    for (int i = 0; i < s->exports.len; i++) {
        Layout *l = value_layout(f, s->exports.at[i]);
        LLVMValueRef *slots = slots_load(f, l, s->places[i]);
        for (int d = 0; d < l->nslots; d++)
            if (LLVMIsAConstantInt(s->made[i][d]))
                slots[d] = s->made[i][d];
        value_set(f, s->exports.at[i], slots, l->nslots);
    }
}

/* What the plan says about results and releases, once all segments are done. What one did not make
   is empty. */
static void settle(Plan *p, Fn *f) {
    const IrRegion *body = p->ir->body;
    for (int k = 0; k < p->entry->noutputs; k++) {
        IrId id = p->outputs[k] ? p->outputs[k] : body->results.at[0];
        if (!(body->moved & 1) && (p->outputs[k] || k == 0))
            slots_retain(f, value_layout(f, id), value_of(f, id)->s);
    }
    for (int k = 0; k < body->releases.len; k++) {
        Value *v = &f->values[body->releases.at[k].value];
        if (v->s && p->kept[body->releases.at[k].value])
            slots_release(f, value_layout(f, body->releases.at[k].value), v->s);
    }
}

/* The status and the slots of every output. */
static void store_outputs(Plan *p, Fn *f, LLVMValueRef out) {
    Emit *e = p->e;
    int at = p->entry->noutputs;
    for (int k = 0; k < p->entry->noutputs; k++) {
        LLVMValueRef status = LLVMConstNull(e->i32);
        for (int j = 0; j < p->segments.len; j++)
            if (p->segments.len == 1 || p->segments.at[j]->needs.bits[k / 64] >> k % 64 & 1)
                status = fn_bin(f, LLVMOr, status, fn_get(f, e->i32, p->segments.at[j]->status_at));
        fn_set(f, fn_at_index(f, e->i64, out, fn_int(f, k)), LLVMBuildZExt(B, status, e->i64, ""));
        Layout *l = layout_of(e, p->entry->outputs[k].type);
        LLVMValueRef *s =
            p->outputs[k] ? value_of(f, p->outputs[k])->s
                          : value_of(f, p->ir->body->results.at[0])->s + at - p->entry->noutputs;
        slots_store_abi(f, l, out, at, s);
        at += l->nslots;
    }
}

static int in_slots(Emit *e, const IrEntry *entry) {
    int n = entry->kind == ENTRY_DAG ? 0 : 1;
    for (int k = 0; k < entry->func->body->params.len; k++)
        n += layout_of(e, ir_op(entry->func, entry->func->body->params.at[k])->type)->nslots;
    return n;
}

/* The runtime has compared the sizes of input k with those that its type says. */
static void settle_dims(Fn *f, const IrEntry *entry, int k, LLVMValueRef *slots) {
    const IrPort *port = &entry->inputs[k];
    for (int d = 0; port->dims && d < port->type->rank; d++)
        if (port->dims[d].symbol == -1)
            slots[d] = fn_int(f, port->dims[d].offset);
}

static LLVMValueRef entry_function(Emit *e, const IrEntry *entry) {
    const IrFunc *ir = entry->func;
    Plan plan = {.e = e, .entry = entry, .ir = ir}, *p = &plan;
    LLVMTypeRef type = LLVMFunctionType(e->i32, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr}, 3, 0);
    LLVMValueRef fn = LLVMAddFunction(e->M, "entry", type);
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    fn_attribute(e, fn, "optnone"); /* it only passes slots on */
    fn_attribute(e, fn, "noinline");
    Fn run = {.values = NEW_ARRAY(e->arena, Value, ir->ops.len + 1)}, *f = &run;
    fn_start(f, e, ir, fn);
    int at = entry->kind == ENTRY_DAG ? 0 : 1;
    for (int k = 0; k < ir->body->params.len; k++) {
        IrId id = ir->body->params.at[k];
        Layout *l = value_layout(f, id);
        value_set(f, id, slots_load_abi(f, l, LLVMGetParam(fn, 1), at), l->nslots);
        if (entry->kind == ENTRY_DAG && k > 0)
            settle_dims(f, entry, k - 1, value_of(f, id)->s);
        at += l->nslots;
    }
    find_needs(p);
    make_segments(p);
    find_kept(p);
    find_exports(p);
    f->kept = p->kept;
    for (int k = 0; p->segments.len != 1 && k < ir->body->ops.len; k++)
        if (is_free(ir_op(ir, ir->body->ops.at[k])))
            emit_op(f, ir->body->ops.at[k]);
    LLVMValueRef any = LLVMConstNull(e->i32);
    for (int k = 0; k < p->segments.len; k++) {
        run_segment(p, f, k);
        any = fn_bin(f, LLVMOr, any, fn_get(f, e->i32, p->segments.at[k]->status_at));
    }
    if (p->segments.len > 1)
        settle(p, f);
    store_outputs(p, f, LLVMGetParam(fn, 2));
    LLVMBuildRet(B, any);
    return fn;
}

/* ---- tables ---- */

static LLVMValueRef i32(Emit *e, int64_t value) {
    return LLVMConstInt(e->i32, (uint64_t)value, 0);
}

static LLVMValueRef table_of(Emit *e, LLVMValueRef *rows, int n, const char *name) {
    if (n == 0)
        return LLVMConstNull(e->ptr);
    return table_global(e, LLVMConstArray2(LLVMTypeOf(rows[0]), rows, (uint64_t)n), name);
}

static LLVMValueRef strukt(Emit *e, LLVMValueRef *fields, int n) {
    return LLVMConstStructInContext(e->C, fields, (unsigned)n, 0);
}

static LLVMValueRef dims_table(Emit *e, const IrPort *port) {
    if (port->type->kind != TYPE_ARRAY || !port->dims)
        return LLVMConstNull(e->ptr);
    LLVMValueRef *rows = NEW_ARRAY(e->arena, LLVMValueRef, port->type->rank + 1);
    for (int k = 0; k < port->type->rank; k++) {
        const IrDim *d = &port->dims[k];
        LLVMValueRef fields[] = {i32(e, d->symbol), i32(e, 0),
                                 LLVMConstInt(e->i64, (uint64_t)d->scale, 0),
                                 LLVMConstInt(e->i64, (uint64_t)d->offset, 0)};
        rows[k] = strukt(e, fields, 4);
    }
    return table_of(e, rows, port->type->rank, "dims");
}

/* The ports and, in *slot, the slot after the last. */
static LLVMValueRef ports_table(Emit *e, const IrPort *ports, int n, int *slot) {
    LLVMValueRef *rows = NEW_ARRAY(e->arena, LLVMValueRef, n + 1);
    for (int k = 0; k < n; k++) {
        const IrPort *port = &ports[k];
        LLVMValueRef fields[] = {
            table_string(e, port->name), table_type(e, port->type), dims_table(e, port),
            table_string(e, port->text), i32(e, port->has_default), i32(e, *slot),
        };
        rows[k] = strukt(e, fields, 6);
        *slot += layout_of(e, port->type)->nslots;
    }
    return table_of(e, rows, n, "ports");
}

/* Emits the entry's function, and tells its kind in the image. A form for many instances is one only
   if a device runs all of its kernels. */
static LLVMValueRef entry_code(Emit *e, const IrEntry *entry, int *kind) {
    int host = e->nhost_kernels, device = e->kernels.len;
    LLVMValueRef code = entry_function(e, entry);
    *kind = (int)entry->kind;
    if (entry->of_many)
        *kind = e->nhost_kernels == host && e->kernels.len > device ? IMAGE_ENTRY_MANY
                                                                    : IMAGE_ENTRY_UNUSED;
    return code;
}

static LLVMValueRef entry_row(Emit *e, const IrEntry *entry) {
    int kind, file, in = 1, out = entry->noutputs;
    uint32_t from, to;
    table_place(e, entry->span, &file, &from, &to);
    LLVMValueRef inputs = ports_table(e, entry->inputs, entry->ninputs, &in);
    LLVMValueRef outputs = ports_table(e, entry->outputs, entry->noutputs, &out);
    LLVMValueRef *symbols = NEW_ARRAY(e->arena, LLVMValueRef, entry->nsymbols + 1);
    for (int k = 0; k < entry->nsymbols; k++)
        symbols[k] = table_string(e, entry->symbols[k]);
    LLVMValueRef code = entry_code(e, entry, &kind);
    LLVMValueRef fields[] = {
        i32(e, kind),
        i32(e, entry->kind == ENTRY_MAIN && entry->func->body->params.len > 0),
        table_string(e, entry->name ? entry->name : "main"),
        table_string(e, entry->doc),
        table_string(e, entry->faults),
        i32(e, file),
        i32(e, from),
        i32(e, to),
        i32(e, entry->ninputs),
        i32(e, entry->noutputs),
        i32(e, entry->nsymbols),
        i32(e, in_slots(e, entry)),
        i32(e, out),
        inputs,
        outputs,
        table_of(e, symbols, entry->nsymbols, "symbols"),
        code,
    };
    return strukt(e, fields, ARRAY_LEN(fields));
}

void emit_image(Emit *e) {
    int n = e->m->entries.len;
    LLVMValueRef *rows = NEW_ARRAY(e->arena, LLVMValueRef, n + 1);
    for (int k = 0; k < n; k++)
        rows[k] = entry_row(e, e->m->entries.at[k]);
    LLVMValueRef actors = actor_image(e);
    for (int k = 0; k < e->nneeded; k++) /* grows as functions call others */
        emit_func(e, e->m->funcs.at[e->needed[k]]);
    LLVMValueRef entries = table_of(e, rows, n, "entries"), sources = table_sources(e);
    int ncodes;
    LLVMValueRef codes = cuda_code_table(e, &ncodes);
    LLVMValueRef fields[] = {
        LLVMConstStringInContext2(e->C, GACT_MAGIC, 8, 1),
        LLVMConstInt(e->i64, GACT_ABI_VERSION, 0),
        table_string(e, e->options->version ? e->options->version : ""),
        table_string(e, e->cpu),
        i32(e, n),
        i32(e, e->used_sources.len),
        entries,
        sources,
        launch_table(e),
        LLVMConstInt(e->i64, (uint64_t)e->kernel_rows.len, 0),
        LLVMConstInt(e->i64, (uint64_t)ncodes, 0),
        codes,
        actors,
    };
    LLVMValueRef image = table_global(e, strukt(e, fields, ARRAY_LEN(fields)), "gact_image");
    LLVMSetLinkage(image, LLVMExternalLinkage);
}
