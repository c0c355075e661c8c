/* What can be vectorised: a divergence analysis to a fixed point, a check of every op, and the
   number of lanes.

   A value varies if an operand does, if it is carried by a loop whose trip count varies, or if it
   is the result of an IF whose condition varies. A body that makes arrays or looks at different
   arrays in different lanes stays scalar, but for rows of a matrix that inner loops of two levels
   and more read: those are packed. */
#include "vector.h"
#include "vector_body.h"

#include <string.h>

typedef struct {
    Fn *f;
    bool *varying;
    IrId lane; /* the last index */
    bool changed;
    bool *packed;  /* by IrId (NULL: nothing may be), */
    int *depth_of; /* and how many loops of the body such a row is in */
    int depth;
    bool has_members;
    bool *in_row;  /* by IrId: lists and small kernels that are yielded, or parts of such, */
    bool *is_fixed; /* and the indices of such kernels, which are constants when they are emitted */
    bool *members; /* by IrId: rows of which elements of fixed numbers are read */
    const IrRegion *body;
    bool packs_in_vain; /* a packed row is read by a single loop */
    int sizes[9]; /* varying ops on values of so many bytes, but places in arrays */
    int nops;
} Planner;

/* ---- divergence ---- */

static void mark(Planner *p, IrId id, bool varies) {
    if (varies && !p->varying[id]) {
        p->varying[id] = true;
        p->changed = true;
    }
}

static bool any_arg(Planner *p, const IrOp *op) {
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k] != IR_NONE && p->varying[op->args[k]])
            return true;
    return false;
}

static bool any_result(Planner *p, const IrRegion *region) {
    for (int k = 0; k < region->results.len; k++)
        if (p->varying[region->results.at[k]])
            return true;
    return false;
}

static void mark_region(Planner *p, const IrRegion *region);

/* Carried values: params from `first` on, initial values args from `arg` on. Gives whether any
   varies. */
static bool mark_carried(Planner *p, const IrOp *op, const IrRegion *body, int first, int arg,
                         bool all) {
    bool any = false;
    for (int k = 0; k < body->results.len; k++) {
        IrId param = body->params.at[first + k];
        mark(p, param, all || p->varying[op->args[arg + k]] || p->varying[body->results.at[k]]);
        any |= p->varying[param];
    }
    return any;
}

static bool mark_for(Planner *p, const IrOp *op) {
    const IrRegion *body = op->regions[0];
    bool lo = p->varying[op->args[0]], hi = p->varying[op->args[1]];
    mark(p, body->params.at[0], lo);
    mark_region(p, body);
    return mark_carried(p, op, body, 1, 2, lo || hi);
}

static bool mark_loop(Planner *p, const IrOp *op) {
    const IrRegion *cond = op->regions[0], *body = op->regions[1];
    mark_region(p, cond);
    mark_region(p, body);
    bool any = mark_carried(p, op, body, 0, 0, p->varying[cond->results.at[0]]);
    for (int k = 0; k < cond->params.len; k++)
        mark(p, cond->params.at[k], p->varying[body->params.at[k]]);
    return any;
}

/* The operands of its operators vary where it does. */
static bool mark_kernel(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    bool varies = p->varying[id];
    for (int k = 0; k < op->nregions; k++) {
        for (int i = 0; varies && k > 0 && i < op->regions[k]->params.len; i++)
            mark(p, op->regions[k]->params.at[i], true);
        mark_region(p, op->regions[k]);
        varies |= any_result(p, op->regions[k]);
    }
    return varies;
}

static void mark_op(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    bool varies = any_arg(p, op);
    switch ((int)op->kind) {
    case IR_FOR: varies = mark_for(p, op); break;
    case IR_LOOP: varies = mark_loop(p, op); break;
    case IR_CHECK: varies = op->args[0] != IR_NONE && p->varying[op->args[0]]; break;
    case IR_DIM: varies = false; break;
    case IR_KERNEL: varies |= mark_kernel(p, id); break;
    default:
        for (int k = 0; k < op->nregions; k++) {
            mark_region(p, op->regions[k]);
            varies |= any_result(p, op->regions[k]);
        }
    }
    mark(p, id, varies);
}

static void mark_region(Planner *p, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++)
        mark_op(p, region->ops.at[k]);
}

/* ---- what can be vectorised ---- */

static bool is_flat(Planner *p, IrId id) {
    return type_is_flat(value_layout(p->f, id)->type);
}

/* Is it the lane's index plus something that all lanes share? */
static bool is_lane(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    switch ((int)op->kind) {
    case IR_PARAM: return id == p->lane;
    case IR_CHECK: return is_lane(p, op->args[0]);
    case IR_ADD:
        return (is_lane(p, op->args[0]) && !p->varying[op->args[1]]) ||
               (is_lane(p, op->args[1]) && !p->varying[op->args[0]]);
    case IR_SUB: return is_lane(p, op->args[0]) && !p->varying[op->args[1]];
    default: return false;
    }
}

static bool can_scalar(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    int widest = type_is_scalar(op->type) ? type_bytes(op->type) : 0;
    for (int k = 0; k < op->nargs; k++) {
        const Type *type = value_layout(p->f, op->args[k])->type;
        if (op->kind == IR_SELECT && k > 0 && type_is_flat(type))
            continue;
        if (!type_is_scalar(type))
            return false;
        if (type_bytes(type) > widest)
            widest = type_bytes(type);
    }
    if (any_arg(p, op) && !is_lane(p, id))
        p->sizes[widest]++;
    return true;
}

/* Functions of scalars are emitted for vectors, too. */
static bool can_call(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    if (!op->callee->is_lanewise)
        return false;
    if (op->callee->is_rare)
        return true;
    int size = ir_size(op->callee, op->callee->body);
    p->nops += size;
    if (any_arg(p, op))
        p->sizes[type_bytes(op->type)] += size;
    return true;
}

static bool can_index(Planner *p, const IrOp *op) {
    const Layout *l = value_layout(p->f, op->args[0]);
    p->has_members |= any_arg(p, op) && !p->varying[op->args[op->nargs - 1]];
    if (p->members && p->members[op->args[0]])
        return true;
    return !p->varying[op->args[0]] && op->nargs - 1 == l->rank && l->is_regular &&
           type_is_flat(l->elem);
}

/* Bits side by side, or the same one in all lanes. */
static bool can_bit(Planner *p, const IrOp *op) {
    int last = op->nargs - 1;
    for (int k = 0; k < last; k++)
        if (p->varying[op->args[k]])
            return false;
    return !p->varying[op->args[last]] || is_lane(p, op->args[last]);
}

static bool is_packed(const Planner *p, IrId id) {
    return p->packed && p->packed[id];
}

/* A row or a part of higher rank that all lanes share; its index may be checked. */
static bool can_share_row(Planner *p, const IrOp *op) {
    const Layout *l = value_layout(p->f, op->args[0]);
    return !any_arg(p, op) && l->is_regular && type_is_flat(l->elem);
}

/* Is a row used for nothing but reads of elements of fixed numbers, and its sizes? */
static bool reads_members(const Planner *p, const IrRegion *region, IrId row) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(p->f->ir, region->ops.at[k]);
        for (int i = 0; i < op->nargs; i++) {
            bool is_fixed = p->is_fixed[op->args[i]] || ir_op(p->f->ir, op->args[i])->kind == IR_CONST;
            if (op->args[i] == row && i > 0)
                return false;
            if (op->nargs > 0 && op->args[0] == row && i > 0 && !is_fixed)
                return false;
        }
        bool reads = op->nargs > 0 && op->args[0] == row;
        if (reads && op->kind != IR_DIM &&
            (op->kind != IR_INDEX || op->nargs - 1 != value_layout(p->f, row)->rank))
            return false;
        for (int r = 0; r < op->nregions; r++)
            if (!reads_members(p, op->regions[r], row))
                return false;
    }
    for (int k = 0; k < region->results.len; k++)
        if (region->results.at[k] == row)
            return false;
    return true;
}

/* A row of a shared array, or a part of higher rank, whose members are read one by one. */
static bool can_read_members(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    const Layout *l = value_layout(p->f, op->args[0]);
    if (!p->members || !p->varying[id] || p->varying[op->args[0]] || !l->is_regular ||
        op->nargs > l->rank || !type_is_flat(l->elem) || !reads_members(p, p->body, id))
        return false;
    p->members[id] = true;
    return true;
}

/* A row of a matrix, which differs between lanes. */
static bool can_pack(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    const Layout *l = value_layout(p->f, op->args[0]);
    if (!p->packed || !p->varying[id] || p->varying[op->args[0]] || op->nargs != l->rank ||
        !l->is_regular || !type_is_flat(l->elem))
        return false;
    p->packed[id] = true;
    p->depth_of[id] = p->depth;
    return true;
}

/* An element of the same number of each lane's row. One of a fixed number is read by every point of
   a loop again. */
static bool can_read_packed(Planner *p, const IrOp *op) {
    if (!is_packed(p, op->args[0]) || p->varying[op->args[1]])
        return false;
    bool is_fixed = ir_op(p->f->ir, op->args[1])->kind == IR_CONST;
    p->packs_in_vain |= p->depth - p->depth_of[op->args[0]] < (is_fixed ? 1 : 2);
    return true;
}

static bool has_loop(const IrFunc *ir, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(ir, region->ops.at[k]);
        if (op->kind == IR_FOR || op->kind == IR_LOOP || op->kind == IR_KERNEL)
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (has_loop(ir, op->regions[r]))
                return true;
    }
    return false;
}

static bool can_region(Planner *p, const IrRegion *region);

static bool can_control(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    if (!is_flat(p, id))
        return false;
    bool fits = true, is_loop = op->kind != IR_IF;
    p->depth += is_loop;
    for (int k = 0; k < op->nregions; k++)
        fits = fits && can_region(p, op->regions[k]);
    p->depth -= is_loop;
    return fits;
}

/* Ops that are emitted as in scalar code, once for all lanes. */
static bool can_uniform(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    return !any_arg(p, op) && op->nregions == 0 && !ir_may_fault(p->f->ir, id) &&
           !(op->flags & IRF_PINNED);
}

/* Do lanes read neighbouring elements, wherever they do not read the same one? */
static bool reads_rows(Planner *p, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(p->f->ir, region->ops.at[k]);
        for (int r = 0; r < op->nregions; r++)
            if (!reads_rows(p, op->regions[r]))
                return false;
        if (op->kind != IR_INDEX || !any_arg(p, op) || is_packed(p, op->args[0]))
            continue;
        for (int i = 1; i < op->nargs - 1; i++)
            if (p->varying[op->args[i]])
                return false;
        if (!is_lane(p, op->args[op->nargs - 1]))
            return false;
    }
    return true;
}

static bool is_short(Planner *p, const IrOp *op) {
    int64_t points = 1, size;
    for (int k = 0; k < op->kernel->rank; k++) {
        if (!ir_const_int(p->f->ir, op->args[k], &size) || size > 8)
            return false;
        points *= size;
    }
    return points <= 32;
}

/* A sum by a scalar op that strides, or one of a single axis by any operator. */
static bool can_sink(Planner *p, const IrOp *kernel, const IrSink *sink) {
    IrId yield = kernel->regions[0]->results.at[sink->yield];
    const Type *type = value_layout(p->f, yield)->type;
    if (sink->kind == SINK_PICK)
        return can_region(p, kernel->regions[sink->region]);
    if (sink->kind != SINK_REDUCE || !type_is_flat(type))
        return false;
    if (sink->op != IR_INVALID && type_is_scalar(type) &&
        scalar_identity(&p->f->e->scalar, sink->op, type))
        return true;
    return kernel->kernel->rank == 1 && can_region(p, kernel->regions[sink->region]);
}

/* Sums of the same points in every lane. Long ones that read along their own axis are better
   vectorised themselves. */
static bool can_nested(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    const IrKernel *kernel = op->kernel;
    const IrRegion *body = op->regions[0];
    if (!p->varying[id] || !is_flat(p, id) || kernel->rank > 8)
        return false;
    for (int k = 0; k < kernel->rank; k++)
        if (p->varying[op->args[k]])
            return false;
    for (int k = 0; k < kernel->nsinks; k++)
        if (!can_sink(p, op, &kernel->sinks[k]))
            return false;
    p->depth++;
    bool fits = can_region(p, body);
    p->depth--;
    return fits && (is_short(p, op) || reads_rows(p, body));
}

/* ---- rows that are yielded ---- */

static int count_uses(const IrFunc *ir, const IrRegion *region, IrId value) {
    int n = 0;
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(ir, region->ops.at[k]);
        for (int i = 0; i < op->nargs; i++)
            n += op->args[i] == value;
        for (int r = 0; r < op->nregions; r++)
            n += count_uses(ir, op->regions[r], value);
    }
    for (int k = 0; k < region->results.len; k++)
        n += region->results.at[k] == value;
    return n;
}

/* Is a list or kernel made by a point, and only part of a row? */
static bool makes_row(const IrFunc *ir, const IrRegion *body, IrId id) {
    const IrOp *op = ir_op(ir, id);
    if (!ir_defined_in(ir, body, id) || count_uses(ir, body, id) != 1)
        return false;
    for (int k = 0; op->kind == IR_LIST && k < op->nargs; k++)
        if (layout_is_array(ir_type(ir, op->args[k])) && !makes_row(ir, body, op->args[k]))
            return false;
    return true;
}

bool vector_makes_row(Fn *f, const IrRegion *body, int k) {
    IrId id = body->results.at[k];
    return vec_row_size(f, id) > 0 && makes_row(f->ir, body, id);
}

static void mark_row(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    p->in_row[id] = true;
    for (int k = 0; op->kind == IR_LIST && k < op->nargs; k++)
        if (!is_flat(p, op->args[k]))
            mark_row(p, op->args[k]);
    for (int k = 0; op->kind == IR_KERNEL && k < op->kernel->rank; k++)
        p->is_fixed[op->regions[0]->params.at[k]] = true;
}

static bool can_yield(Planner *p, const IrRegion *body, int k) {
    if (is_flat(p, body->results.at[k]))
        return true;
    if (!vector_makes_row(p->f, body, k))
        return false;
    mark_row(p, body->results.at[k]);
    return true;
}

/* A small kernel whose points are members of a row: it has straight code. */
static bool can_make_row(Planner *p, IrId id) {
    enum { MOST = 256 }; /* ops */
    const IrOp *op = ir_op(p->f->ir, id);
    int before = p->nops;
    if (has_loop(p->f->ir, op->regions[0]) || !can_region(p, op->regions[0]))
        return false;
    p->nops = before + (p->nops - before) * vec_row_size(p->f, id);
    return p->nops <= MOST;
}

static bool can_op(Planner *p, IrId id) {
    const IrOp *op = ir_op(p->f->ir, id);
    p->nops++;
    if (ir_is_scalar_op(op->kind))
        return can_scalar(p, id);
    switch ((int)op->kind) {
    case IR_CONST: case IR_STRING: return true;
    case IR_UNDEF: return is_flat(p, id);
    case IR_TUPLE: case IR_VARIANT: return is_flat(p, id);
    case IR_LIST: return p->in_row && p->in_row[id];
    case IR_GET: case IR_TAG: case IR_PAYLOAD:
        return is_flat(p, op->args[0]) || (op->kind != IR_TAG && !any_arg(p, op));
    case IR_INDEX:
        return can_index(p, op) || can_uniform(p, id) || can_share_row(p, op) ||
               can_read_members(p, id) || can_read_packed(p, op) || can_pack(p, id);
    case IR_BIT: return can_bit(p, op);
    case IR_DIM:
        return is_packed(p, op->args[0]) || (p->members && p->members[op->args[0]]) ||
               can_uniform(p, id);
    case IR_ZIP: case IR_SLICE: case IR_RESHAPE: case IR_FLAT:
        return can_uniform(p, id);
    case IR_IF: case IR_FOR: case IR_LOOP: return can_control(p, id);
    case IR_CALL: return can_call(p, id);
    case IR_KERNEL:
        return p->in_row && p->in_row[id] ? can_make_row(p, id) : can_nested(p, id);
    case IR_CHECK: return op->args[0] == IR_NONE || is_flat(p, op->args[0]);
    default: return false;
    }
}

static bool can_region(Planner *p, const IrRegion *region) {
    for (int k = 0; k < region->releases.len; k++) /* parts of a row are no arrays here */
        if (!p->in_row || !p->in_row[region->releases.at[k].value])
            return false;
    for (int k = 0; k < region->ops.len; k++)
        if (!can_op(p, region->ops.at[k]))
            return false;
    return true;
}

bool vector_is_cheap(const Fn *f, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(f->ir, region->ops.at[k]);
        if (op->flags & (IRF_CHECKED | IRF_CHECKED_ZERO | IRF_PINNED) || op->nregions > 0)
            return false;
        switch ((int)op->kind) {
        case IR_CONST: case IR_TUPLE: case IR_GET: case IR_TAG: case IR_PAYLOAD: case IR_VARIANT:
        case IR_UNDEF: case IR_DIM: case IR_ADD: case IR_SUB: case IR_MUL: case IR_NEG:
        case IR_BITAND: case IR_BITOR: case IR_BITXOR: case IR_BITNOT: case IR_SHL: case IR_SHR:
        case IR_EQ: case IR_NE: case IR_LT: case IR_LE: case IR_GT: case IR_GE: case IR_MIN:
        case IR_MAX: case IR_SELECT: case IR_FMA: case IR_ABS: case IR_SIGN: case IR_FLOOR:
        case IR_CEIL: case IR_ROUND: case IR_TRUNC: case IR_CONVERT: case IR_BITS:
        case IR_IS_NAN: case IR_SCALE: case IR_RARE: break;
        default: return false;
        }
    }
    return region->ops.len <= 24;
}

/* ---- how many lanes ---- */

static int vector_bytes(const Emit *e) {
    if (e->features && strstr(e->features, "+avx512f"))
        return 64;
    return e->features && strstr(e->features, "+avx2") ? 32 : 16;
}

/* ---- loops ---- */

/* Marks what of the loops in the body is looked at: carried values one by one where they are taken
   out of the loop's tuple. */
static void mark_wanted(const IrFunc *ir, const IrRegion *region, uint64_t *wanted) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(ir, region->ops.at[k]);
        for (int i = 0; i < op->nargs; i++)
            if (op->args[i] != IR_NONE && op->kind != IR_GET)
                wanted[op->args[i]] = UINT64_MAX;
        if (op->kind == IR_GET)
            wanted[op->args[0]] |= (uint64_t)1 << (op->imm < 63 ? op->imm : 63);
        for (int r = 0; r < op->nregions; r++)
            mark_wanted(ir, op->regions[r], wanted);
    }
    for (int k = 0; k < region->results.len; k++)
        wanted[region->results.at[k]] = UINT64_MAX;
}

/* A loop with one carried value is that value. */
static void mark_single(const IrFunc *ir, const IrRegion *region, uint64_t *wanted) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(ir, region->ops.at[k]);
        bool is_loop = op->kind == IR_FOR || op->kind == IR_LOOP;
        if (is_loop && op->regions[op->nregions - 1]->results.len == 1)
            wanted[region->ops.at[k]] = UINT64_MAX;
        for (int r = 0; r < op->nregions; r++)
            mark_single(ir, op->regions[r], wanted);
    }
}

/* So many copies of the body as the registers have room for: a body with loops waits for its chains
   of dependent ops. */
static int copies_of(Fn *f, const IrRegion *body, int nops) {
    enum { SMALL = 64, MEDIUM = 160 }; /* ops */
    if (!has_loop(f->ir, body))
        return 1;
    return nops <= SMALL ? 4 : nops <= MEDIUM ? 2 : 1;
}

/* The size whose vectors waste least: that of which there are more than a third as many ops as of
   all smaller ones. */
static int common_size(const Planner *p) {
    for (int size = 8, smaller; size > 1; size /= 2) {
        smaller = 0;
        for (int k = 1; k < size; k++)
            smaller += p->sizes[k];
        if (p->sizes[size] * 3 > smaller)
            return size;
    }
    return p->sizes[1] ? 1 : 4;
}

static void mark_all(Planner *p, const IrRegion *body) {
    do {
        p->changed = false;
        mark_region(p, body);
    } while (p->changed);
}

static uint64_t *wanted_of(Fn *f, const IrRegion *body) {
    uint64_t *wanted = NEW_ARRAY(f->e->arena, uint64_t, f->ir->ops.len + 1);
    mark_wanted(f->ir, body, wanted);
    mark_single(f->ir, body, wanted);
    return wanted;
}

VectorPlan vector_plan(Fn *f, const IrRegion *body, int behind, int lanes) {
    Planner p = {.f = f, .body = body, .varying = NEW_ARRAY(f->e->arena, bool, f->ir->ops.len + 1)};
    p.lane = body->params.at[body->params.len - 1 - behind];
    p.varying[p.lane] = true;
    mark_all(&p, body);
    p.packed = NEW_ARRAY(f->e->arena, bool, f->ir->ops.len + 1);
    p.depth_of = NEW_ARRAY(f->e->arena, int, f->ir->ops.len + 1);
    p.in_row = NEW_ARRAY(f->e->arena, bool, f->ir->ops.len + 1);
    p.is_fixed = NEW_ARRAY(f->e->arena, bool, f->ir->ops.len + 1);
    p.members = NEW_ARRAY(f->e->arena, bool, f->ir->ops.len + 1);
    for (int k = 0; k < behind; k++)
        p.is_fixed[body->params.at[body->params.len - 1 - k]] = true;
    bool fits = true;
    for (int k = 0; k < body->results.len; k++)
        fits &= can_yield(&p, body, k);
    fits = fits && can_region(&p, body) && !p.packs_in_vain;
    int element = common_size(&p), width = vector_bytes(f->e), suits = lanes;
    if (!suits) { /* short bodies take several vectors at a time */
        suits = width / element * (p.nops <= 12 ? 128 / width : 1);
        int most = element == 1 ? 64 : 32;
        suits = suits > most ? most : suits;
    }
    int ncopies = lanes ? 1 : copies_of(f, body, p.nops);
    return (VectorPlan){.varying = p.varying,
                        .lanes = fits ? suits : 0,
                        .nops = p.nops,
                        .packed = p.packed,
                        .ncopies = ncopies,
                        .has_members = p.has_members || behind > 0,
                        .in_row = p.in_row,
                        .members = p.members,
                        .wanted = wanted_of(f, body)};
}

bool vector_plan_operator(Fn *f, const IrRegion *region, VectorPlan *plan) {
    Planner p = {.f = f, .varying = NEW_ARRAY(f->e->arena, bool, f->ir->ops.len + 1)};
    for (int k = 0; k < region->params.len; k++) {
        if (!is_flat(&p, region->params.at[k]))
            return false;
        p.varying[region->params.at[k]] = true;
    }
    mark_all(&p, region);
    if (!can_region(&p, region))
        return false;
    *plan = (VectorPlan){
        .varying = p.varying, .nops = p.nops, .ncopies = 1, .wanted = wanted_of(f, region)};
    return true;
}
