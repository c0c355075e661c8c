/* Peeling: a kernel whose body asks where in its space it is (a border that is kept, clamped,
   wrapped around or read as zero) gets bodies for a box of the space in which the answers are
   known, so that what is left is plain arithmetic on neighbouring elements. Back ends run them on
   the rows of the box; the body itself stays what runs anywhere.

   A question is an inequality in one index, D >= 0 for one answer and D < 0 for the other, as
   linear forms; where it changes is a cut. Cuts near the beginning of an axis bound the box from
   below, those near its end from above, others are left alone. Indices of loops inside the body
   are taken at their worst. In: fused IR with its checks proven. Out: the same kernels, with boxes,
   and with bodies in which what holds everywhere is decided. */
#include "fuse.h"
#include "peel.h"

enum {
    MAX_AXES = 4,
    MAX_CUTS = 6,      /* on one side of an axis that are not a constant apart */
    MAX_CLAMPS = 4,    /* around what a question is about */
    MAX_INNER = 16,    /* indices of loops around a question */
    MAX_BODY = 2000,   /* ops of a body that is worth a proof of every comparison */
    NARROW = 64,       /* a border of so many points is taken one by one */
    SHORTEST_ROW = 16, /* that is worth vectors in its middle */
};

typedef struct {
    Lin lo[MAX_CUTS], hi[MAX_CUTS]; /* lo <= i < hi in the box */
    int nlo, nhi;
    bool is_narrow; /* both borders are */
} Axis;

typedef struct {
    IrId id;
    Lin lo, hi; /* both included */
} Inner;

typedef struct {
    Compiler *c;
    Range *r;
    IrOp kernel;
    IrRegion *body;
    Axis axes[MAX_AXES];
    Inner inner[MAX_INNER];
    int ninner;
} Peel;

/* What is asked: is D >= least, or else D <= most? A side that does not occur is absent. */
typedef struct {
    Lin d;
    bool has_least, has_most;
    int64_t least, most;
} Question;

/* ---- forms ---- */

static Lin negated(Lin a) {
    return lin_add(lin_const(0), a, -1);
}

static Lin term(IrId id) {
    return (Lin){.at = {id}, .factor = {1}, .n = 1};
}

/* Its least or largest value over the indices of inner loops. */
static Lin extreme(const Peel *p, Lin a, bool largest) {
    for (int i = p->ninner - 1; i >= 0; i--) {
        int64_t k = lin_factor(&a, p->inner[i].id);
        if (k)
            a = lin_replace(a, p->inner[i].id,
                            (k > 0) == largest ? p->inner[i].hi : p->inner[i].lo);
    }
    return a;
}

/* Are all its terms values from outside of the body? */
static bool is_outside(const Peel *p, const Lin *a) {
    for (int i = 0; i < a->n; i++) {
        const IrOp *op = ir_op(p->r->f, a->at[i]);
        IrId from = op->kind == IR_DIM ? op->args[0] : a->at[i];
        if (ir_defined_in(p->r->f, p->body, from))
            return false;
    }
    return !a->bad;
}

/* Is v, or what it is made of, the size of an axis of the space? */
static bool is_made_of_sizes(const Peel *p, IrId v, int depth) {
    for (int k = 0; k < p->kernel.kernel->rank; k++) {
        Lin dim = lin_of(p->r, p->kernel.args[k]);
        if (v == p->kernel.args[k] || lin_factor(&dim, v))
            return true;
    }
    const IrOp op = *ir_op(p->r->f, v);
    for (int k = 0; depth > 0 && k < op.nargs; k++)
        if (op.args[k] && ir_type(p->r->f, op.args[k])->kind != TYPE_ARRAY &&
            is_made_of_sizes(p, op.args[k], depth - 1))
            return true;
    return false;
}

static bool at_most(const Peel *p, Lin a, int64_t most) {
    return range_prove(p->r, lin_add(a, lin_const(most), -1));
}

/* A width of a border: known to be small, or a number that does not grow with the space. */
static bool is_width(const Peel *p, const Lin *a) {
    if (at_most(p, *a, NARROW))
        return true;
    for (int i = 0; i < a->n; i++)
        if (is_made_of_sizes(p, a->at[i], 4))
            return false;
    return a->n > 0;
}

/* ---- cuts ---- */

/* Keeps a cut unless one that is there makes it needless. sign: 1 where the largest counts. */
static void add_cut(Lin *cuts, int *n, Lin cut, int sign) {
    for (int i = 0; i < *n; i++) {
        Lin ahead = lin_add(cut, cuts[i], -1);
        if (ahead.bad || ahead.n > 0)
            continue;
        if (ahead.constant * sign > 0)
            cuts[i] = cut;
        return;
    }
    if (*n < MAX_CUTS)
        cuts[(*n)++] = cut;
}

/* D = i + rest on one axis: i >= least - rest or i <= most - rest. */
static void cut_axis(Peel *p, int axis, const Question *q) {
    Axis *a = &p->axes[axis];
    Lin dim = lin_of(p->r, p->kernel.args[axis]), i = term(p->body->params.at[axis]);
    Lin rest = lin_add(q->d, i, -1);
    Lin lo = lin_add(lin_const(q->least), extreme(p, rest, false), -1);
    Lin hi = lin_add(lin_const(q->most + 1), extreme(p, rest, true), -1);
    Lin border = lin_add(dim, hi, -1);
    bool has_lo = q->has_least && is_outside(p, &lo), has_hi = q->has_most && is_outside(p, &hi);
    if ((has_lo && at_most(p, lo, 0)) || (has_hi && at_most(p, border, 0)))
        return; /* it has one answer everywhere */
    has_lo = has_lo && is_width(p, &lo);
    has_hi = has_hi && is_width(p, &border);
    bool is_low = has_lo && (!has_hi || at_most(p, lin_add(lo, border, -1), 0));
    if (is_low)
        add_cut(a->lo, &a->nlo, lo, 1);
    else if (has_hi)
        add_cut(a->hi, &a->nhi, hi, -1);
    if (is_low || has_hi)
        a->is_narrow &= at_most(p, is_low ? lo : border, NARROW);
}

static void ask(Peel *p, Question q, int depth);

/* A question about a clamped value is one about what is clamped, too. */
static bool ask_clamped(Peel *p, const Question *q, int depth) {
    for (int i = 0; i < q->d.n && depth > 0; i++) {
        const IrOp op = *ir_op(p->r->f, q->d.at[i]);
        bool is_choice = op.kind == IR_SELECT, is_modulo = op.kind == IR_MOD || op.kind == IR_FMOD;
        if (op.kind != IR_MIN && op.kind != IR_MAX && !is_choice && !is_modulo)
            continue;
        for (int k = is_choice; k < (is_modulo ? 1 : op.nargs); k++) {
            Question part = *q;
            part.d = lin_replace(q->d, q->d.at[i], lin_of(p->r, op.args[k]));
            ask(p, part, depth - 1);
        }
        return true;
    }
    return false;
}

static void ask(Peel *p, Question q, int depth) {
    int axis = -1;
    if (ask_clamped(p, &q, depth))
        return;
    for (int k = 0; k < p->body->params.len && !q.d.bad; k++) {
        if (!lin_factor(&q.d, p->body->params.at[k]))
            continue;
        if (axis >= 0)
            return; /* a diagonal */
        axis = k;
    }
    if (axis < 0 || q.d.bad)
        return;
    int64_t factor = lin_factor(&q.d, p->body->params.at[axis]);
    if (factor == -1)
        q = (Question){negated(q.d), q.has_most, q.has_least, -q.most, -q.least};
    if (factor == 1 || factor == -1)
        cut_axis(p, axis, &q);
}

static Lin difference(Peel *p, IrId a, IrId b) {
    return lin_add(lin_of(p->r, a), lin_of(p->r, b), -1);
}

static void ask_index(Peel *p, const IrOp *op) {
    for (int k = 1; k < op->nargs; k++) {
        IrId dim = range_dim(p->r, op->args[0], k - 1);
        ask(p, (Question){.d = lin_of(p->r, op->args[k]), .has_least = true}, MAX_CLAMPS);
        ask(p, (Question){.d = difference(p, op->args[k], dim), .has_most = true, .most = -1}, MAX_CLAMPS);
    }
}

static void ask_op(Peel *p, IrId id) {
    const IrOp op = *ir_op(p->r->f, id);
    if (op.kind == IR_INDEX && op.flags & IRF_CHECKED)
        ask_index(p, &op);
    if (!ir_is_scalar_op(op.kind) || op.nargs != 2 || !range_counts(ir_type(p->r->f, op.args[0])))
        return;
    switch ((int)op.kind) {
    case IR_LT:
    case IR_GE:
        ask(p, (Question){difference(p, op.args[0], op.args[1]), true, true, 0, -1}, MAX_CLAMPS);
        return;
    case IR_LE:
    case IR_GT:
        ask(p, (Question){difference(p, op.args[0], op.args[1]), true, true, 1, 0}, MAX_CLAMPS);
        return;
    case IR_EQ:
    case IR_NE:
        ask(p, (Question){difference(p, op.args[0], op.args[1]), true, true, 1, -1}, MAX_CLAMPS);
        return;
    case IR_MIN:
    case IR_MAX:
        ask(p, (Question){difference(p, op.args[0], op.args[1]), true, true, 0, 0}, MAX_CLAMPS);
        return;
    case IR_MOD:
    case IR_FMOD:
        ask(p, (Question){.d = lin_of(p->r, op.args[0]), .has_least = true}, MAX_CLAMPS);
        ask(p,
            (Question){.d = difference(p, op.args[0], op.args[1]), .has_most = true, .most = -1},
            MAX_CLAMPS);
        return;
    default: return;
    }
}

static void ask_region(Peel *p, const IrRegion *region);

static void add_inner(Peel *p, IrId id, Lin lo, Lin end) {
    if (p->ninner < MAX_INNER)
        p->inner[p->ninner++] = (Inner){id, lo, lin_add(end, lin_const(1), -1)};
}

static void ask_nested(Peel *p, IrId id) {
    const IrOp op = *ir_op(p->r->f, id);
    int ninner = p->ninner, mark = p->r->facts.len;
    if (op.kind == IR_KERNEL) {
        range_assume_space(p->r, &op, op.regions[0]);
        for (int k = 0; k < op.kernel->rank; k++)
            add_inner(p, op.regions[0]->params.at[k], lin_const(0), lin_of(p->r, op.args[k]));
    }
    if (op.kind == IR_FOR) {
        IrId i = op.regions[0]->params.at[0];
        range_assume_index(p->r, i, op.args[0], op.args[1]);
        add_inner(p, i, lin_of(p->r, op.args[0]), lin_of(p->r, op.args[1]));
    }
    for (int k = 0; k < op.nregions; k++)
        ask_region(p, op.regions[k]);
    p->ninner = ninner;
    p->r->facts.len = mark;
}

static void ask_region(Peel *p, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        ask_op(p, region->ops.at[i]);
        if (ir_op(p->r->f, region->ops.at[i])->nregions)
            ask_nested(p, region->ops.at[i]);
    }
}

/* ---- the box ---- */

static IrId value_of_form(IrBuilder *b, const Lin *a) {
    IrId sum = ir_i64(b, a->constant);
    for (int i = 0; i < a->n; i++) {
        const IrOp op = *ir_op(b->func, a->at[i]);
        IrId t = op.kind == IR_DIM ? ir_dim(b, op.args[0], (int)op.imm) : a->at[i];
        t = ir_convert(b, type_basic(b->module->types, TYPE_I64), t);
        IrId scaled = ir_binary(b, IR_MUL, t, ir_i64(b, a->factor[i]));
        sum = ir_binary(b, IR_ADD, sum, scaled);
    }
    return sum;
}

/* lo and hi of an axis as values, 0 <= lo <= hi <= size. */
static void box_axis(IrBuilder *b, const Axis *a, IrId size, IrId *out) {
    IrId zero = ir_i64(b, 0);
    IrId dim = ir_binary(b, IR_MAX, size, zero), lo = zero, hi = dim;
    for (int i = 0; i < a->nlo; i++)
        lo = ir_binary(b, IR_MAX, lo, value_of_form(b, &a->lo[i]));
    for (int i = 0; i < a->nhi; i++)
        hi = ir_binary(b, IR_MIN, hi, value_of_form(b, &a->hi[i]));
    out[0] = ir_binary(b, IR_MIN, lo, dim);
    out[1] = ir_binary(b, IR_MAX, hi, out[0]);
}

/* Facts of the box on axes from `first` on. */
static int box_facts(const Peel *p, int first, Lin *facts) {
    int n = 0;
    for (int k = first; k < p->kernel.kernel->rank; k++) {
        Lin i = term(p->body->params.at[k]);
        for (int c = 0; c < p->axes[k].nlo; c++)
            facts[n++] = lin_add(p->axes[k].lo[c], i, -1);
        for (int c = 0; c < p->axes[k].nhi; c++)
            facts[n++] = lin_add(lin_add(i, p->axes[k].hi[c], -1), lin_const(1), 1);
    }
    return n;
}

static IrRegion *body_in_box(const Peel *p, int first, int *decided) {
    Lin facts[2 * MAX_AXES * MAX_CUTS];
    int n = box_facts(p, first, facts);
    return peel_copy(p->r, &p->kernel, p->body, facts, n, decided);
}

/* Puts the box's bounds before the kernel, and the bodies into it. */
static void set_box(Peel *p, IrRegion *region, int *at, IrRegion *inner, IrRegion *edge) {
    IrFunc *f = p->r->f;
    IrId id = region->ops.at[*at];
    IrOp op = *ir_op(f, id);
    int rank = op.kernel->rank;
    IrRegion before = {0};
    IrBuilder b = {.module = p->r->m, .func = f, .region = &before, .span = op.span, .node = op.node};
    IrId *args = NEW_ARRAY(f->arena, IrId, op.nargs + 2 * rank);
    for (int k = 0; k < op.nargs; k++)
        args[k] = op.args[k];
    for (int k = 0; k < rank; k++)
        box_axis(&b, &p->axes[k], op.args[k], args + op.nargs + 2 * k);
    IrRegion **regions = NEW_ARRAY(f->arena, IrRegion *, op.nregions + 2);
    for (int k = 0; k < op.nregions; k++)
        regions[k] = op.regions[k];
    op.kernel->box = op.nargs;
    op.kernel->inner = op.nregions;
    regions[op.nregions++] = inner;
    op.kernel->edge = edge == inner ? op.kernel->inner : edge == p->body ? 0 : op.nregions;
    if (edge != inner && edge != p->body)
        regions[op.nregions++] = edge;
    op.kernel->is_narrow = p->axes[rank - 1].is_narrow;
    op.args = args;
    op.nargs += 2 * rank;
    op.regions = regions;
    *ir_op(f, id) = op;
    fuse_splice(p->r->m, region, *at, &before);
    *at += before.ops.len;
}

/* ---- kernels ---- */

static bool is_question(const IrFunc *f, const IrOp *op) {
    switch ((int)op->kind) {
    case IR_LT: case IR_GE: case IR_LE: case IR_GT: case IR_EQ: case IR_NE: case IR_MIN:
    case IR_MAX: case IR_MOD: case IR_FMOD: return range_counts(ir_type(f, op->args[0]));
    default: return false;
    }
}

/* Is there a question in a body? */
static bool asks(const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (is_question(f, op) || (op->kind == IR_INDEX && op->flags & IRF_CHECKED))
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (asks(f, op->regions[r]))
                return true;
    }
    return false;
}

static bool is_candidate(const IrFunc *f, const IrOp *op) {
    const IrRegion *body = op->regions[0];
    int64_t size;
    if (op->kernel->inner || op->kernel->rank == 0 || op->kernel->rank > MAX_AXES)
        return false;
    if (ir_const_int(f, op->args[op->kernel->rank - 1], &size) && size < SHORTEST_ROW)
        return false;
    for (int k = 0; k < body->results.len; k++)
        if (!type_is_flat(ir_type(f, body->results.at[k])))
            return false;
    return asks(f, body) && ir_size(f, body) <= MAX_BODY;
}

static bool has_candidate(const IrFunc *f) {
    for (int id = 1; id < f->ops.len; id++)
        if (f->ops.at[id].kind == IR_KERNEL && is_candidate(f, &f->ops.at[id]))
            return true;
    return false;
}

static bool has_cuts(const Peel *p, int first, int end) {
    for (int k = first; k < end; k++)
        if (p->axes[k].nlo || p->axes[k].nhi)
            return true;
    return false;
}

static void visit_kernel(Range *r, IrRegion *region, int *at, void *data) {
    IrOp op = *ir_op(r->f, region->ops.at[*at]);
    if (!is_candidate(r->f, &op))
        return;
    int rank = op.kernel->rank, mark = r->facts.len, decided = 0, in_box = 0, at_edge = 0;
    Peel p = {.c = data, .r = r, .kernel = op, .body = op.regions[0]};
    for (int k = 0; k < rank; k++)
        p.axes[k].is_narrow = true;
    IrRegion *general = peel_copy(r, &op, p.body, NULL, 0, &decided);
    if (decided)
        p.body = op.regions[0] = general;
    range_assume_space(r, &op, p.body);
    ask_region(&p, p.body);
    r->facts.len = mark;
    IrRegion *inner = has_cuts(&p, 0, rank) ? body_in_box(&p, 0, &in_box) : NULL, *edge = inner;
    if (!inner || (in_box == 0 && ir_size(r->f, inner) >= ir_size(r->f, p.body)))
        return;
    if (has_cuts(&p, 0, rank - 1))
        edge = has_cuts(&p, rank - 1, rank) ? body_in_box(&p, rank - 1, &at_edge) : p.body;
    set_box(&p, region, at, inner, edge);
    compiler_remark(p.c, REMARK_PEEL, op.span,
                    "points away from the borders are computed without the border's conditions");
}

void peel_module(Compiler *c) {
    for (int i = 0; i < c->ir->funcs.len; i++)
        if (!c->ir->funcs.at[i]->is_inlined && has_candidate(c->ir->funcs.at[i]))
            range_walk(c, c->ir->funcs.at[i], visit_kernel, c);
}
