/* Loops over stencils: a FOR that carries arrays and makes them anew by one kernel, each point of
   which reads points that are near on the first axis. Such a loop is marked with how near (imm), so
   that a back end may do several steps on a part of the arrays while it is in the cache: the values
   are those of step after step. Near is meant on a ring, as for a grid that wraps around.

   In: IR with its checks proven and its borders peeled. Out: the same, marked; arrays that such a loop
   hands on unchanged are made by its kernel too. What keeps a loop
   from it is a remark. */
#include "fuse.h"
#include "range.h"

enum { MAX_RADIUS = 16 };

typedef struct {
    Compiler *c;
    Range *r;
    IrId loop, kernel;
    const IrRegion *body; /* of the loop */
    IrId size;            /* of the kernel's first axis, */
    IrId at;              /* and its index */
    int radius;
    int copies; /* carried values that are others of the step before */
    const char *why; /* it does not fit, or NULL */
} Sweep;

/* ---- how far ---- */

/* Is a + by <= b? */
static bool at_most(Sweep *s, Lin a, Lin b, int64_t by) {
    return range_prove(s->r, lin_add(lin_add(a, b, -1), lin_const(by), 1));
}

/* Is v - from <= radius (above), or from - v <= radius? Clamps are taken apart first, since they are
   what keeps the prover long. */
static bool is_bounded(Sweep *s, IrId v, Lin from, int radius, bool above, int depth) {
    const IrOp op = *ir_op(s->r->f, v);
    if (depth > 0 && (op.kind == IR_MIN || op.kind == IR_MAX)) {
        bool first = is_bounded(s, op.args[0], from, radius, above, depth - 1);
        bool either = (op.kind == IR_MIN) == above;
        return first == either ? first
                               : is_bounded(s, op.args[1], from, radius, above, depth - 1);
    }
    Lin x = lin_of(s->r, v);
    return above ? at_most(s, x, from, -radius) : at_most(s, from, x, -radius);
}

static bool is_near(Sweep *s, IrId v, int radius, int depth);

/* The choice of a wrapped index: both sides are near where they are taken. */
static bool is_choice_near(Sweep *s, const IrOp *op, int radius, int depth) {
    bool ok = true;
    for (int k = 1; k <= 2 && ok; k++) {
        int mark = s->r->facts.len;
        range_assume(s->r, op->args[0], k == 1);
        ok = is_near(s, op->args[k], radius, depth - 1);
        s->r->facts.len = mark;
    }
    return ok;
}

/* Is v at most `radius` away from the index on the ring? */
static bool is_near(Sweep *s, IrId v, int radius, int depth) {
    Lin i = lin_of(s->r, s->at), n = lin_of(s->r, s->size);
    const IrOp op = *ir_op(s->r->f, v);
    if (depth > 0 && op.kind == IR_SELECT)
        return is_choice_near(s, &op, radius, depth);
    if (depth > 0 && op.kind == IR_FMOD) {
        Lin turn = lin_add(lin_of(s->r, op.args[1]), n, -1);
        if (!turn.bad && turn.n == 0 && turn.constant == 0)
            return is_near(s, op.args[0], radius, depth - 1);
    }
    for (int turn = -1; turn <= 1; turn++) {
        Lin from = lin_add(i, n, turn);
        if (is_bounded(s, v, from, radius, true, depth) &&
            is_bounded(s, v, from, radius, false, depth))
            return true;
    }
    return false;
}

static void measure(Sweep *s, const IrOp *op) {
    static const int radii[] = {1, 2, 3, 4, 6, 8, MAX_RADIUS};
    for (size_t k = 0; k < sizeof radii / sizeof *radii; k++) {
        if (radii[k] < s->radius || !is_near(s, op->args[1], radii[k], 3))
            continue;
        s->radius = radii[k];
        return;
    }
    s->why = "a step reads rows that are not known to be near";
}

/* ---- what a step does ---- */

static bool is_carried(const Sweep *s, IrId v) {
    for (int k = 1; k < s->body->params.len; k++)
        if (s->body->params.at[k] == v)
            return true;
    return false;
}

static void look_at_use(Sweep *s, const IrOp *op, int k) {
    if (op->args[k] == s->body->params.at[0])
        s->why = "a step depends on its number";
    if (!is_carried(s, op->args[k]))
        return;
    int rank = ir_type(s->r->f, op->args[k])->rank;
    if (op->kind == IR_INDEX && k == 0 && op->nargs - 1 == rank)
        measure(s, op);
    else
        s->why = "a step uses an array as a whole";
}

static void look_at(Sweep *s, const IrRegion *region) {
    for (int i = 0; i < region->ops.len && !s->why; i++) {
        const IrOp op = *ir_op(s->r->f, region->ops.at[i]);
        for (int k = 0; k < op.nargs && !s->why; k++)
            look_at_use(s, &op, k);
        for (int r = 0; r < op.nregions && !s->why; r++) {
            int mark = s->r->facts.len;
            if (op.kind == IR_KERNEL && r == 0)
                range_assume_space(s->r, &op, op.regions[0]);
            if (op.kind == IR_IF)
                range_assume(s->r, op.args[0], r == 0);
            if (op.kind == IR_FOR)
                range_assume_index(s->r, op.regions[0]->params.at[0], op.args[0], op.args[1]);
            look_at(s, op.regions[r]);
            s->r->facts.len = mark;
        }
    }
    for (int k = 0; k < region->results.len && !s->why; k++)
        if (is_carried(s, region->results.at[k]) || region->results.at[k] == s->body->params.at[0])
            s->why = "a step uses an array as a whole";
}

/* Beside the kernel there may be numbers that no step changes. */
static void look_beside(Sweep *s) {
    const IrFunc *f = s->r->f;
    for (int i = 0; i < s->body->ops.len && !s->why; i++) {
        IrId id = s->body->ops.at[i];
        const IrOp *op = ir_op(f, id);
        bool is_output = op->kind == IR_GET && op->args[0] == s->kernel;
        if (id == s->kernel || (is_output && ir_op(f, s->kernel)->kernel->nsinks > 1))
            continue;
        if (op->nregions || ir_may_fault(f, id) || ir_has_effect(f, id) || op->kind == IR_INDEX ||
            !type_is_scalar(op->type))
            s->why = "a step is more than one kernel";
        for (int k = 0; k < op->nargs; k++)
            if (op->args[k] == s->body->params.at[0])
                s->why = "a step depends on its number";
    }
}

static void need_size(Sweep *s, IrId array, const IrOp *kernel) {
    for (int axis = 0; axis < kernel->kernel->rank; axis++) {
        Lin dim = lin_of(s->r, range_dim(s->r, array, axis));
        Lin size = lin_of(s->r, kernel->args[axis]);
        if (!at_most(s, dim, size, 0) || !at_most(s, size, dim, 0))
            s->why = "an array is not known to keep its size";
    }
}

/* Is result k of a step a map of the kernel, or a carried array of the step before? */
static void look_at_result(Sweep *s, int k, const IrOp *kernel) {
    IrId result = s->body->results.at[k];
    const IrOp op = *ir_op(s->r->f, result);
    const Type *type = ir_type(s->r->f, result);
    bool is_sink = kernel->kernel->nsinks == 1 ? result == s->kernel
                                               : op.kind == IR_GET && op.args[0] == s->kernel;
    int sink = kernel->kernel->nsinks == 1 ? 0 : (int)op.imm;
    s->copies += is_carried(s, result);
    if (type->kind != TYPE_ARRAY || type->rank != kernel->kernel->rank ||
        !type_is_flat(type->elem) || (!is_sink && !is_carried(s, result)) ||
        (is_sink && kernel->kernel->sinks[sink].kind != SINK_MAP)) {
        s->why = "a step makes other values than the arrays it carries";
        return;
    }
    for (int j = 0; j < k && is_sink; j++)
        if (s->body->results.at[j] == result)
            s->why = "a step makes one array for two";
    need_size(s, s->body->params.at[1 + k], kernel);
}

static void look_at_results(Sweep *s) {
    const IrOp kernel = *ir_op(s->r->f, s->kernel);
    for (int k = 0; k < s->body->results.len && !s->why; k++)
        look_at_result(s, k, &kernel);
    if (!s->why && s->body->results.len - s->copies != kernel.kernel->nsinks)
        s->why = "a step makes other values than the arrays it carries";
}

/* ---- copies ---- */

/* The element of an array at a body's point as one more yield. */
static void add_yield(Sweep *s, IrRegion *body, IrId array) {
    IrBuilder b = {.module = s->r->m, .func = s->r->f, .region = body};
    b.span = ir_op(s->r->f, s->kernel)->span;
    b.node = ir_op(s->r->f, s->kernel)->node;
    IrId v = ir_index(&b, array, body->params.at, body->params.len, false);
    vec_push(s->r->f->arena, &body->results, v);
}

static void add_sink(Sweep *s, IrKernel *k, IrId array) {
    IrOp *op = ir_op(s->r->f, s->kernel);
    int yield = op->regions[0]->results.len;
    k->sinks[k->nsinks++] = (IrSink){
        .kind = SINK_MAP, .yield = yield, .arg = k->rank, .region = -1, .type = ir_type(s->r->f, array)};
    IrRegion *bodies[] = {op->regions[0], k->inner ? op->regions[k->inner] : NULL,
                          k->edge && k->edge != k->inner ? op->regions[k->edge] : NULL};
    for (int i = 0; i < 3; i++)
        if (bodies[i])
            add_yield(s, bodies[i], array);
}

/* Arrays that the loop hands on from step to step are copied by the kernel, so that all arrays of a
   step are made by it. */
static void add_copies(Sweep *s, IrRegion *body) {
    IrFunc *f = s->r->f;
    int n = body->results.len;
    IrKernel *k = ir_clone_kernel(f->arena, ir_op(f, s->kernel)->kernel);
    IrSink *sinks = NEW_ARRAY(f->arena, IrSink, n);
    for (int i = 0; i < k->nsinks; i++)
        sinks[i] = k->sinks[i];
    k->sinks = sinks;
    int *made = NEW_ARRAY(f->arena, int, n);
    for (int i = 0; i < n; i++) {
        IrId result = body->results.at[i];
        bool copies = is_carried(s, result);
        made[i] = copies ? k->nsinks : result == s->kernel ? 0 : (int)ir_op(f, result)->imm;
        if (copies)
            add_sink(s, k, result);
    }
    Type **types = NEW_ARRAY(f->arena, Type *, n);
    for (int i = 0; i < n; i++)
        types[i] = k->sinks[i].type;
    ir_op(f, s->kernel)->kernel = k;
    ir_op(f, s->kernel)->type = type_tuple(s->r->m->types, types, NULL, n);
    IrRegion gets = {0};
    IrBuilder b = {.module = s->r->m, .func = f, .region = &gets};
    for (int i = 0; i < n; i++)
        body->results.at[i] = ir_get(&b, s->kernel, made[i]);
    fuse_splice(s->r->m, body, body->ops.len, &gets);
}

/* ---- loops ---- */

/* The FOR whose body a region is. */
static IrId owner_of(const IrFunc *f, const IrRegion *region) {
    for (int id = 1; id < f->ops.len; id++)
        if (f->ops.at[id].kind == IR_FOR && f->ops.at[id].regions[0] == region)
            return (IrId)id;
    return IR_NONE;
}

static int kernels_in(const IrFunc *f, const IrRegion *region) {
    int n = 0;
    for (int i = 0; i < region->ops.len; i++)
        n += ir_op(f, region->ops.at[i])->kind == IR_KERNEL;
    return n;
}

static void visit_kernel(Range *r, IrRegion *region, int *at, void *data) {
    Sweep s = {.c = data, .r = r, .kernel = region->ops.at[*at], .body = region, .radius = 1};
    int64_t lo;
    s.loop = owner_of(r->f, region);
    if (!s.loop || region->results.len == 0 || kernels_in(r->f, region) != 1)
        return;
    const IrOp kernel = *ir_op(r->f, s.kernel);
    if (kernel.kernel->rank == 0 || kernel.nregions == 0)
        return;
    s.size = kernel.args[0];
    s.at = kernel.regions[0]->params.at[0];
    if (!ir_const_int(r->f, ir_op(r->f, s.loop)->args[0], &lo) || lo < 0)
        s.why = "the loop does not count from a known number";
    look_beside(&s);
    look_at_results(&s);
    int mark = r->facts.len;
    range_assume_space(r, &kernel, kernel.regions[0]);
    for (int i = 0; i < kernel.regions[0]->ops.len && !s.why; i++)
        if (ir_may_fault(r->f, kernel.regions[0]->ops.at[i]))
            s.why = "a step may fault";
    look_at(&s, kernel.regions[0]);
    r->facts.len = mark;
    if (!s.why)
        ir_op(r->f, s.loop)->imm = s.radius;
    if (!s.why && s.copies)
        add_copies(&s, region);
    compiler_remark(s.c, REMARK_SWEEP, ir_op(r->f, s.loop)->span,
                    s.why ? "each step is a sweep of its own: %s" : "several steps are done in a sweep",
                    s.why);
}

/* Is there a loop that a look is worth? */
static bool has_loop(const IrFunc *f) {
    for (int id = 1; id < f->ops.len; id++) {
        const IrOp *op = &f->ops.at[id];
        if (op->kind == IR_FOR && op->nargs > 2 && kernels_in(f, op->regions[0]) == 1)
            return true;
    }
    return false;
}

void sweep_module(Compiler *c) {
    for (int i = 0; i < c->ir->funcs.len; i++)
        if (!c->ir->funcs.at[i]->is_inlined && has_loop(c->ir->funcs.at[i]))
            range_walk(c, c->ir->funcs.at[i], visit_kernel, c);
}
