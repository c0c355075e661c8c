/* Range analysis: proves that indices are in bounds, divisors not zero and checks true, and clears
   IRF_CHECKED, IRF_CHECKED_ZERO and the CHECK ops that are. What comes out computes the same. Facts
   come from the place (a kernel's index lies in its space, a condition holds in its branch), from
   loops (see find_invariants) and from how values are made (range_prove.c). A proof never leans on
   a check that may itself be removed, but through the value that the check guards. */
#include "range.h"
#include "fuse.h"

typedef struct {
    Range r;
    Compiler *c;
    bool explain;
    RangeVisit visit; /* or NULL: the walk is for the checks */
    void *data;
    int depth;          /* of kernels and loops around */
    VEC(IrId) replaced; /* CHECK ops that are proven */
    bool has_widened;   /* some narrow sums became wide ones */
} Walk;

static void walk_region(Walk *w, IrRegion *region);

/* ---- single facts ---- */

static bool at_most(Walk *w, IrId a, IrId b, int64_t c) {
    return range_at_most(&w->r, a, b, c);
}

static bool not_negative(Walk *w, IrId v) {
    return range_prove(&w->r, lin_add(lin_const(0), lin_of(&w->r, v), -1));
}

/* ---- checks ---- */

static bool indices_fit(Walk *w, const IrOp *op, int first) {
    return range_fits(&w->r, op, first);
}

static bool slice_fits(Walk *w, const IrOp *op) {
    IrId dim = range_dim(&w->r, op->args[0], 0);
    return not_negative(w, op->args[1]) && at_most(w, op->args[1], op->args[2], 0) &&
           at_most(w, op->args[2], dim, 0);
}

static bool divides(Walk *w, const IrOp *op) {
    IrId by = op->args[1];
    const Type *type = ir_op(w->r.f, by)->type;
    int64_t known;
    if (op->kind == IR_POW)
        return !type_is_signed(type) || not_negative(w, by);
    if (ir_const_int(w->r.f, by, &known))
        return known != 0;
    if (!range_counts(type))
        return false;
    Lin one = lin_const(1), divisor = lin_of(&w->r, by);
    return range_prove(&w->r, lin_add(one, divisor, -1)) ||
           range_prove(&w->r, lin_add(one, divisor, 1));
}

/* The source text of a span on one line, for remarks. */
static const char *text_of(Walk *w, Span span) {
    Source *source = span.from ? source_at(&w->c->sources, span.from) : NULL;
    if (!source || span.to <= span.from || span.to - span.from > 60)
        return NULL;
    size_t at = span.from - source->base, len = span.to - span.from;
    if (at + len > source->len)
        return NULL;
    for (size_t i = 0; i < len; i++)
        if (source->text[at + i] == '\n')
            return NULL;
    return arena_copy(w->c->arena, source->text + at, len);
}

static void say_kept(Walk *w, const IrOp *op, const char *what, const char *why) {
    if (!w->explain || w->depth == 0)
        return;
    const char *text = text_of(w, op->span);
    compiler_remark(w->c, REMARK_CHECK, op->span, "the %s check of %s%s%s stays: %s", what,
                    text ? "`" : "this ", text ? text : ir_kind_name(op->kind), text ? "`" : "",
                    why);
}

static void visit_bounds(Walk *w, IrId id) {
    const IrOp op = *ir_op(w->r.f, id);
    bool slice = op.kind == IR_SLICE;
    bool ok = slice ? slice_fits(w, &op) : indices_fit(w, &op, op.kind == IR_UPDATE ? 2 : 1);
    if (ok)
        ir_op(w->r.f, id)->flags &= (uint16_t)~IRF_CHECKED;
    else
        say_kept(w, &op, "bounds",
                 slice ? "its ends are not known to be within the array and in order"
                       : "an index is not known to be within the array");
}

static void visit_check(Walk *w, IrId id) {
    const IrOp op = *ir_op(w->r.f, id);
    bool proven = range_is_true(&w->r, op.args[1]);
    if (proven && op.args[0] && range_faults_apart(w->r.f, op.args[1], op.args[0], IR_NONE))
        return;
    if (proven)
        vec_push(w->r.arena, &w->replaced, id);
    else if (!(op.flags & IRF_PINNED))
        say_kept(w, &op, op.fault ? op.fault->kind : "run-time",
                 "its condition is not known to hold");
}

static void visit_checks(Walk *w, IrId id) {
    const IrOp op = *ir_op(w->r.f, id);
    bool bounds = op.kind == IR_INDEX || op.kind == IR_SLICE || op.kind == IR_UPDATE;
    if (bounds && (op.flags & IRF_CHECKED))
        visit_bounds(w, id);
    if (op.kind == IR_CHECK)
        visit_check(w, id);
    if (!(op.flags & IRF_CHECKED_ZERO))
        return;
    if (divides(w, &op))
        ir_op(w->r.f, id)->flags &= (uint16_t)~IRF_CHECKED_ZERO;
    else
        say_kept(w, &op, op.kind == IR_POW ? "exponent" : "zero",
                 op.kind == IR_POW ? "the exponent may be negative" : "the divisor may be 0");
}

/* ---- loops ---- */

/* A loop as the search for invariants sees it. */
typedef struct {
    IrId id;
    IrRegion *body, *cond; /* cond: of LOOP, else NULL */
    int skip;              /* parameters and args before the carried ones, see below */
    int args;              /* args before the initial values */
    int n;                 /* carried values */
} LoopShape;

static LoopShape shape_of(const IrFunc *f, IrId id) {
    const IrOp *op = ir_op(f, id);
    if (op->kind == IR_FOR)
        return (LoopShape){id, op->regions[0], NULL, 1, 2, op->nargs - 2};
    return (LoopShape){id, op->regions[1], op->regions[0], 0, 0, op->nargs};
}

static IrId carried(const LoopShape *s, int k) {
    return s->body->params.at[s->skip + k];
}

/* A fact about carried values that may hold in every round: `start` holds at the start if it is
   proven with the initial values. */
typedef struct {
    Lin fact;
    int k;       /* the carried value it is about */
    bool counts; /* speaks of a FOR's index */
    bool dropped;
} Candidate;

typedef struct {
    Candidate *at;
    int len;
} Candidates;

enum { MAX_CARRIED = 8 };

static Lin term(IrId id) {
    return (Lin){.at = {id}, .factor = {1}, .n = 1};
}

static void propose(Candidates *cs, Lin fact, int k, bool counts) {
    if (!fact.bad && fact.n > 0)
        cs->at[cs->len++] = (Candidate){fact, k, counts, false};
}

/* v >= 0, v >= start, v <= start, v <= another carried value, and, counting with a FOR's index,
   v <= start + rounds, v >= start + rounds. */
static void propose_for(Walk *w, const LoopShape *s, int k, Candidates *cs) {
    const IrOp op = *ir_op(w->r.f, s->id);
    Lin v = term(carried(s, k)), start = lin_of(&w->r, op.args[s->args + k]);
    propose(cs, lin_add(lin_const(0), v, -1), k, false);
    propose(cs, lin_add(start, v, -1), k, false);
    propose(cs, lin_add(v, start, -1), k, false);
    for (int other = 0; other < s->n; other++)
        if (other != k && range_counts(ir_op(w->r.f, carried(s, other))->type))
            propose(cs, lin_add(v, term(carried(s, other)), -1), k, false);
    if (op.kind != IR_FOR)
        return;
    Lin rounds = lin_add(term(s->body->params.at[0]), lin_of(&w->r, op.args[0]), -1);
    Lin ahead = lin_add(lin_add(v, start, -1), rounds, -1);
    propose(cs, ahead, k, true);
    propose(cs, lin_add(lin_const(0), ahead, -1), k, true);
}

/* The fact with every carried value replaced: by its initial value, or by the body's result. */
static Lin moved(Walk *w, const LoopShape *s, Lin fact, bool next) {
    const IrOp op = *ir_op(w->r.f, s->id);
    Lin out = {.constant = fact.constant, .bad = fact.bad};
    for (int t = 0; t < fact.n; t++) {
        Lin value = term(fact.at[t]);
        for (int k = 0; k < s->n; k++)
            if (fact.at[t] == carried(s, k))
                value = lin_of(&w->r, next ? s->body->results.at[k] : op.args[s->args + k]);
        if (op.kind == IR_FOR && fact.at[t] == s->body->params.at[0])
            value = next ? lin_add(value, lin_const(1), 1) : lin_of(&w->r, op.args[0]);
        out = lin_add(out, value, fact.factor[t]);
    }
    return out;
}

/* A LOOP's condition, for the values that its body gets. */
static void assume_condition(Walk *w, const LoopShape *s) {
    if (!s->cond)
        return;
    int mark = w->r.facts.len;
    range_assume(&w->r, s->cond->results.at[0], true);
    for (int i = mark; i < w->r.facts.len; i++)
        for (int k = 0; k < s->n; k++)
            w->r.facts.at[i].form =
                lin_replace(w->r.facts.at[i].form, s->cond->params.at[k], term(carried(s, k)));
}


/* The index of a FOR lies between its bounds. */
static void assume_index(Walk *w, const LoopShape *s) {
    const IrOp op = *ir_op(w->r.f, s->id);
    if (op.kind != IR_FOR)
        return;
    range_assume_index(&w->r, s->body->params.at[0], op.args[0], op.args[1]);
}

/* Is v the same in every round? It may be in no region. */
static bool is_invariant(Walk *w, const LoopShape *s, IrId v, int depth) {
    if (depth == 0 || ir_defined_in(w->r.f, s->body, v))
        return false;
    const IrOp op = *ir_op(w->r.f, v);
    for (int k = 0; k < op.nargs; k++)
        if (op.args[k] && !is_invariant(w, s, op.args[k], depth - 1))
            return false;
    return op.nregions == 0;
}

/* A size that every round gives an array, by an invariant value or as that of a carried array whose
   size is known, holds for the parameter if it holds for the initial value. */
static void assume_given_size(Walk *w, const LoopShape *s, IrBuilder *b, int k, int axis,
                              IrId param) {
    const IrOp op = *ir_op(w->r.f, s->id);
    IrId given = ir_dim(b, s->body->results.at[k], axis);
    enum { DEPTH = 8 };
    const IrOp made = *ir_op(w->r.f, given);
    bool is_other = made.kind == IR_DIM && ir_op(w->r.f, made.args[0])->kind == IR_PARAM;
    if (!is_other && !is_invariant(w, s, given, DEPTH))
        return;
    Lin size = lin_of(&w->r, given), first = lin_of(&w->r, ir_dim(b, op.args[s->args + k], axis));
    Lin ahead = lin_add(size, first, -1), behind = lin_add(first, size, -1);
    if (!range_prove(&w->r, ahead) || !range_prove(&w->r, behind))
        return;
    Lin now = lin_of(&w->r, ir_dim(b, param, axis));
    range_fact(&w->r, lin_add(now, first, -1));
    range_fact(&w->r, lin_add(first, now, -1));
}

/* The sizes of a carried array that the body keeps: dim(parameter) = dim(initial value). */
static void assume_sizes(Walk *w, const LoopShape *s, const IrRegion *region, int skip) {
    IrRegion nowhere = {0};
    IrBuilder b = {.module = w->r.m, .func = w->r.f, .region = &nowhere};
    for (int k = 0; k < s->n; k++) {
        const Type *type = ir_op(w->r.f, carried(s, k))->type;
        IrId result = s->n == 1 ? s->id : IR_NONE;
        for (int axis = 0; type->kind == TYPE_ARRAY && axis < type->rank; axis++) {
            if (!result)
                result = ir_get(&b, s->id, k);
            IrId kept = ir_dim(&b, result, axis);
            const IrOp *op = ir_op(w->r.f, kept);
            if (op->kind == IR_DIM && op->args[0] == result) {
                assume_given_size(w, s, &b, k, axis, region->params.at[skip + k]);
                continue;
            }
            Lin size = lin_of(&w->r, ir_dim(&b, region->params.at[skip + k], axis));
            Lin before = lin_of(&w->r, kept);
            range_fact(&w->r, lin_add(size, before, -1));
            range_fact(&w->r, lin_add(before, size, -1));
        }
    }
}

static void enter_body(Walk *w, const LoopShape *s, const Candidates *cs) {
    assume_sizes(w, s, s->body, s->skip);
    assume_index(w, s);
    for (int i = 0; i < cs->len; i++)
        if (!cs->at[i].dropped)
            range_fact(&w->r, cs->at[i].fact);
    assume_condition(w, s);
}

/* Drops what does not hold at the start or is not kept by a round; repeats, since each proof leans
   on the others. What is left holds in every round. */
static Candidates find_invariants(Walk *w, const LoopShape *s) {
    Candidates cs = {NEW_ARRAY(w->r.arena, Candidate, s->n * (s->n + 6)), 0};
    for (int k = 0; k < s->n && s->n <= MAX_CARRIED; k++)
        if (range_counts(ir_op(w->r.f, carried(s, k))->type))
            propose_for(w, s, k, &cs);
    for (int i = 0; i < cs.len; i++)
        cs.at[i].dropped = !range_prove(&w->r, moved(w, s, cs.at[i].fact, false));
    for (bool again = true; again;) {
        again = false;
        int mark = w->r.facts.len;
        enter_body(w, s, &cs);
        for (int i = 0; i < cs.len; i++) {
            if (cs.at[i].dropped || range_prove(&w->r, moved(w, s, cs.at[i].fact, true)))
                continue;
            cs.at[i].dropped = again = true;
        }
        w->r.facts.len = mark;
    }
    return cs;
}

/* What holds in every round holds for the results. */
static void keep_invariants(Walk *w, const LoopShape *s, const Candidates *cs) {
    for (int i = 0; i < cs->len; i++) {
        const Candidate *c = &cs->at[i];
        bool alone = true; /* speaks of no other carried value */
        for (int k = 0; k < s->n; k++)
            alone &= k == c->k || lin_factor(&c->fact, carried(s, k)) == 0;
        if (!c->dropped && !c->counts && alone)
            vec_push(w->r.arena, &w->r.loops, (LoopFact){s->id, carried(s, c->k), c->k, c->fact});
    }
}

static void walk_condition(Walk *w, const LoopShape *s, const Candidates *cs) {
    int mark = w->r.facts.len;
    for (int i = 0; i < cs->len; i++) {
        Lin fact = cs->at[i].fact;
        for (int k = 0; k < s->n; k++)
            fact = lin_replace(fact, carried(s, k), term(s->cond->params.at[k]));
        if (!cs->at[i].dropped)
            range_fact(&w->r, fact);
    }
    assume_sizes(w, s, s->cond, 0);
    walk_region(w, s->cond);
    w->r.facts.len = mark;
}

static void walk_loop(Walk *w, IrId id) {
    LoopShape s = shape_of(w->r.f, id);
    Candidates cs = find_invariants(w, &s);
    int mark = w->r.facts.len;
    w->depth++;
    if (s.cond)
        walk_condition(w, &s, &cs);
    enter_body(w, &s, &cs);
    walk_region(w, s.body);
    w->depth--;
    w->r.facts.len = mark;
    keep_invariants(w, &s, &cs);
}

/* ---- the walk ---- */

static void walk_kernel(Walk *w, IrId id) {
    const IrOp op = *ir_op(w->r.f, id);
    int mark = w->r.facts.len;
    w->depth++;
    range_assume_space(&w->r, &op, op.regions[0]);
    walk_region(w, op.regions[0]);
    w->r.facts.len = mark;
    for (int r = 1; r < op.nregions; r++)
        walk_region(w, op.regions[r]);
    w->depth--;
}

static void walk_if(Walk *w, IrId id) {
    const IrOp op = *ir_op(w->r.f, id);
    for (int r = 0; r < 2; r++) {
        int mark = w->r.facts.len;
        range_assume(&w->r, op.args[0], r == 0);
        walk_region(w, op.regions[r]);
        w->r.facts.len = mark;
    }
}

static void walk_op(Walk *w, IrId id) {
    if (!w->visit)
        visit_checks(w, id);
    switch (ir_op(w->r.f, id)->kind) {
    case IR_KERNEL: walk_kernel(w, id); return;
    case IR_IF: walk_if(w, id); return;
    case IR_FOR:
    case IR_LOOP: walk_loop(w, id); return;
    default:
        for (int r = 0; r < ir_op(w->r.f, id)->nregions; r++)
            walk_region(w, ir_op(w->r.f, id)->regions[r]);
    }
}

/* Is v a narrow sum of a converted i64 x and y that stays inside of its type? */
static bool is_exact_sum(Walk *w, IrId v, IrId *x, IrId *y) {
    const IrOp *sum = ir_op(w->r.f, v);
    if (sum->kind != IR_ADD || !type_is_int(sum->type) || type_bytes(sum->type) != 4)
        return false;
    bool first = ir_op(w->r.f, sum->args[0])->kind == IR_CONVERT;
    const IrOp *narrow = ir_op(w->r.f, sum->args[!first]);
    if (narrow->kind != IR_CONVERT || ir_type(w->r.f, narrow->args[0])->kind != TYPE_I64)
        return false;
    bool is_signed = type_is_signed(sum->type);
    *x = narrow->args[0];
    *y = sum->args[first];
    Lin exact = lin_add(lin_of(&w->r, *x), lin_of(&w->r, *y), 1);
    Lin least = lin_const(is_signed ? INT32_MIN : 0);
    Lin most = lin_const(is_signed ? INT32_MAX : UINT32_MAX);
    return range_prove(&w->r, lin_add(exact, most, -1)) &&
           range_prove(&w->r, lin_add(least, exact, -1));
}

/* An index made of such a sum becomes a sum of i64s, which is seen to be linear in x. Gives whether
   an op was put in front of it. */
static bool widen_sum(Walk *w, IrRegion *region, int at) {
    IrId id = region->ops.at[at], x, y;
    const IrOp *op = ir_op(w->r.f, id);
    if (op->kind != IR_CONVERT || op->type->kind != TYPE_I64 ||
        !is_exact_sum(w, op->args[0], &x, &y))
        return false;
    IrRegion code = {0};
    IrBuilder b = {.module = w->r.m, .func = w->r.f, .region = &code, .span = op->span};
    b.node = op->node;
    IrId wide = ir_convert(&b, op->type, y);
    IrOp *sum = ir_op(w->r.f, id);
    sum->kind = IR_ADD;
    sum->nargs = 2;
    sum->args = NEW_ARRAY(w->r.f->arena, IrId, 2);
    sum->args[0] = x;
    sum->args[1] = wide;
    fuse_splice(w->r.m, region, at, &code);
    w->has_widened = true;
    return code.ops.len > 0;
}

static void walk_region(Walk *w, IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        if (w->visit && ir_op(w->r.f, region->ops.at[i])->kind == IR_KERNEL)
            w->visit(&w->r, region, &i, w->data);
        if (!w->visit)
            i += widen_sum(w, region, i);
        walk_op(w, region->ops.at[i]);
    }
}

/* ---- proven checks ---- */

static void drop_ops(const IrFunc *f, IrRegion *region, const IrId *map, int len) {
    int kept = 0;
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        for (int r = 0; r < ir_op(f, id)->nregions; r++)
            drop_ops(f, ir_op(f, id)->regions[r], map, len);
        if ((int)id >= len || !map[id])
            region->ops.at[kept++] = id;
    }
    region->ops.len = kept;
}

/* A proven check is the value it guards; a proven assert is nothing. */
static void replace_checks(Walk *w) {
    IrFunc *f = w->r.f;
    int len = f->ops.len;
    IrId *map = NEW_ARRAY(w->r.arena, IrId, len);
    for (int i = 0; i < w->replaced.len; i++) {
        IrOp *op = ir_op(f, w->replaced.at[i]);
        if (op->args[0])
            map[w->replaced.at[i]] = op->args[0];
        else
            *op = (IrOp){.kind = IR_TUPLE, .type = op->type, .span = op->span, .node = op->node};
    }
    if (w->replaced.len == 0)
        return;
    fuse_substitute(f, map, len);
    drop_ops(f, f->body, map, len);
}

/* ---- sizes of a dag's inputs ---- */

/* The size of an input's axis less its declared offset: equal for axes of one symbol. */
static Lin declared_size(Walk *w, const IrEntry *entry, int port, int axis) {
    IrId param = entry->func->body->params.at[1 + port];
    Lin size = lin_of(&w->r, range_dim(&w->r, param, axis));
    return lin_add(size, lin_const(entry->inputs[port].dims[axis].offset), -1);
}

static void assume_equal(Walk *w, Lin a, Lin b) {
    range_fact(&w->r, lin_add(a, b, -1));
    range_fact(&w->r, lin_add(b, a, -1));
}

/* The runtime compares sizes that share a symbol before it calls a dag. `sizes` holds the first
   size of each symbol. An input with a default may be absent and says nothing. */
static void assume_inputs(Walk *w, const IrEntry *entry) {
    Lin *sizes = NEW_ARRAY(w->r.arena, Lin, entry->nsymbols);
    bool *known = NEW_ARRAY(w->r.arena, bool, entry->nsymbols);
    for (int i = 0; i < entry->ninputs; i++) {
        const IrPort *port = &entry->inputs[i];
        for (int axis = 0; port->dims && !port->has_default && axis < port->type->rank; axis++) {
            const IrDim *dim = &port->dims[axis];
            Lin size = declared_size(w, entry, i, axis);
            if (dim->symbol == -1)
                assume_equal(w, size, lin_const(0));
            if (dim->symbol < 0 || dim->scale != 1)
                continue;
            if (known[dim->symbol])
                assume_equal(w, size, sizes[dim->symbol]);
            sizes[dim->symbol] = known[dim->symbol] ? sizes[dim->symbol] : size;
            known[dim->symbol] = true;
        }
    }
}

static void assume_entry(Walk *w) {
    const IrModule *m = w->r.m;
    for (int i = 0; i < m->entries.len; i++)
        if (m->entries.at[i]->kind == ENTRY_DAG && m->entries.at[i]->func == w->r.f)
            assume_inputs(w, m->entries.at[i]);
}

void range_func(Compiler *c, IrFunc *f, bool explain) {
    Arena scratch = {0};
    Walk w = {.c = c, .explain = explain};
    w.r = (Range){.m = c->ir, .f = f, .arena = &scratch};
    assume_entry(&w);
    walk_region(&w, f->body);
    replace_checks(&w);
    if (w.replaced.len > 0 || w.has_widened) { /* what the checks and sums alone needed */
        Fuse z = {.c = c, .m = c->ir, .f = f};
        fuse_sweep(&z);
        arena_free(&z.look);
    }
    arena_free(&scratch);
}

void range_walk(Compiler *c, IrFunc *f, RangeVisit visit, void *data) {
    Arena scratch = {0};
    Walk w = {.c = c, .visit = visit, .data = data};
    w.r = (Range){.m = c->ir, .f = f, .arena = &scratch};
    assume_entry(&w);
    walk_region(&w, f->body);
    arena_free(&scratch);
}

void range_module(Compiler *c) {
    for (int i = 0; i < c->ir->funcs.len; i++)
        if (!c->ir->funcs.at[i]->is_inlined)
            range_func(c, c->ir->funcs.at[i], true);
}
