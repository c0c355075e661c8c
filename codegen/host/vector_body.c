/* The ops of a kernel's body for a vector of consecutive points.

   What does not vary is emitted once, as a scalar, by the emitters of scalar code. A varying IF
   runs each side under its own mask, if any lane wants it, and selects; a loop with a varying trip
   count runs while any lane is active and keeps the carried values of the others. A check that
   fails in an active lane leaves for `slow`, where the same points run through the scalar body.
   Inactive lanes hold any value but never poison, so that masks stay exact. */
#include "vector_body.h"

#include <string.h>

#define B (v->f->e->B)

/* ---- small builders ---- */

static LLVMTypeRef widened(Vec *v, LLVMTypeRef type) {
    return LLVMVectorType(type, (unsigned)v->lanes);
}

LLVMValueRef vec_splat(Vec *v, LLVMValueRef a) {
    return scalar_splat(&v->f->e->scalar, a, v->lanes);
}

static bool is_vector(LLVMValueRef a) {
    return scalar_is_vector(a);
}

LLVMValueRef vec_iota(Vec *v) {
    LLVMValueRef lanes[64];
    for (int k = 0; k < v->lanes; k++)
        lanes[k] = fn_int(v->f, k);
    return LLVMConstVector(lanes, (unsigned)v->lanes);
}

static LLVMValueRef call(Vec *v, const char *name, LLVMTypeRef *over, int nover,
                         LLVMValueRef *args, int nargs) {
    Emit *e = v->f->e;
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->M, id, over, (size_t)nover);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->C, id, over, (size_t)nover);
    return LLVMBuildCall2(B, type, fn, args, (unsigned)nargs, "");
}

static LLVMValueRef any(Vec *v, LLVMValueRef mask) {
    LLVMTypeRef type = LLVMTypeOf(mask);
    return call(v, "llvm.vector.reduce.or", &type, 1, &mask, 1);
}

static LLVMValueRef all_lanes(Vec *v) {
    return LLVMConstAllOnes(widened(v, v->f->e->i1));
}

/* The mask and a condition, which may be a scalar. */
static LLVMValueRef masked(Vec *v, LLVMValueRef mask, LLVMValueRef cond) {
    cond = vec_splat(v, cond);
    return mask ? LLVMBuildAnd(B, mask, cond, "") : cond;
}

/* Where cond, a; elsewhere b. Nothing to do where both are the same. */
static LLVMValueRef blend(Vec *v, LLVMValueRef cond, LLVMValueRef a, LLVMValueRef b) {
    return a == b ? a : LLVMBuildSelect(B, cond, vec_splat(v, a), vec_splat(v, b), "");
}

/* ---- checks ---- */

static LLVMBasicBlockRef slow_of(Vec *v) {
    if (!v->slow)
        v->slow = fn_block(v->f, "slow");
    return v->slow;
}

/* Goes on if ok, a scalar. */
void vec_need(Vec *v, LLVMValueRef ok) {
    if (LLVMIsAConstantInt(ok) && LLVMConstIntGetZExtValue(ok))
        return;
    LLVMBasicBlockRef good = fn_block(v->f, "ok");
    fn_unlikely(v->f, ok, good, slow_of(v));
    fn_at(v->f, good);
}

/* Goes on if ok holds in every active lane. */
static void need_lanes(Vec *v, LLVMValueRef ok) {
    if (!is_vector(ok)) {
        vec_need(v, ok);
        return;
    }
    LLVMValueRef bad = masked(v, v->mask, LLVMBuildNot(B, ok, ""));
    vec_need(v, LLVMBuildNot(B, any(v, bad), ""));
}

/* ---- memory ---- */

/* What a body reads is nothing that its kernel writes: the scopes of the one are not those of the
   other. */
static void mark(Vec *v, LLVMValueRef access, unsigned kind) {
    Fn *f = v->f;
    if (f->nnoalias == 0)
        return;
    LLVMMetadataRef list = LLVMMDNodeInContext2(f->e->C, f->noalias, (size_t)f->nnoalias);
    LLVMSetMetadata(access, kind, LLVMMetadataAsValue(f->e->C, list));
}

static LLVMValueRef mark_read(Vec *v, LLVMValueRef load) {
    mark(v, load, v->f->e->md_noalias);
    return load;
}

static void mark_write(Vec *v, LLVMValueRef store) {
    if (v->is_outer)
        mark(v, store, v->f->e->md_scope);
}

LLVMValueRef vec_load(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef p) {
    LLVMTypeRef vector = widened(v, type);
    if (!v->mask) {
        LLVMValueRef all = LLVMBuildLoad2(B, vector, p, "");
        LLVMSetAlignment(all, (unsigned)bytes);
        return mark_read(v, all);
    }
    LLVMTypeRef over[] = {vector, v->f->e->ptr};
    LLVMValueRef align = LLVMConstInt(v->f->e->i32, (unsigned)bytes, 0);
    LLVMValueRef args[] = {p, align, v->mask, LLVMConstNull(vector)};
    return mark_read(v, call(v, "llvm.masked.load", over, 2, args, 4));
}

/* All pieces are aligned as the first one is, if each is a multiple of that. */
static void mark_streaming(Vec *v, LLVMValueRef store, int bytes) {
    Emit *e = v->f->e;
    if (v->lanes * bytes < v->stream_align)
        LLVMSetAlignment(store, (unsigned)(v->lanes * bytes));
    LLVMMetadataRef one = LLVMValueAsMetadata(LLVMConstInt(e->i32, 1, 0));
    unsigned kind = LLVMGetMDKindIDInContext(e->C, "nontemporal", 11);
    LLVMSetMetadata(store, kind, LLVMMetadataAsValue(e->C, LLVMMDNodeInContext2(e->C, &one, 1)));
}

void vec_store(Vec *v, LLVMValueRef value, int bytes, LLVMValueRef p) {
    if (!v->mask) {
        LLVMValueRef store = LLVMBuildStore(B, value, p);
        LLVMSetAlignment(store, (unsigned)(v->stream_align ? v->stream_align : bytes));
        if (v->stream_align)
            mark_streaming(v, store, bytes);
        mark_write(v, store);
        return;
    }
    LLVMTypeRef over[] = {LLVMTypeOf(value), v->f->e->ptr};
    LLVMValueRef args[] = {value, p, LLVMConstInt(v->f->e->i32, (unsigned)bytes, 0), v->mask};
    mark_write(v, call(v, "llvm.masked.store", over, 2, args, 4));
}

static LLVMValueRef gather(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef p,
                           LLVMValueRef index) {
    LLVMTypeRef vector = widened(v, type), over[] = {vector, widened(v, v->f->e->ptr)};
    LLVMValueRef args[] = {LLVMBuildGEP2(B, type, p, &index, 1, ""),
                           LLVMConstInt(v->f->e->i32, (unsigned)bytes, 0),
                           v->mask ? v->mask : all_lanes(v), LLVMConstNull(vector)};
    return mark_read(v, call(v, "llvm.masked.gather", over, 2, args, 4));
}

LLVMValueRef vec_to_memory(Vec *v, const Column *col, LLVMValueRef slot) {
    Emit *e = v->f->e;
    slot = vec_splat(v, slot);
    if (col->kind == COL_TAG)
        return LLVMBuildTrunc(B, slot, widened(v, e->i8), "");
    return scalar_to_memory(&e->scalar, col->type, slot);
}

static LLVMValueRef of_memory(Vec *v, const Column *col, LLVMValueRef a) {
    Emit *e = v->f->e;
    if (col->kind == COL_TAG)
        return LLVMBuildZExt(B, a, widened(v, e->i64), "");
    return scalar_from_memory(&e->scalar, col->type, a);
}

/* ---- indices ---- */

static Linear linear_of(Vec *v, IrId id) {
    if (!v->plan->varying[id])
        return (Linear){value_scalar(v->f, id), 0};
    return v->linear[id];
}

/* The first and the last active lane's index are in bounds, and so are those between: with a small
   stride and at most 64 lanes nothing between can wrap around. */
static LLVMValueRef linear_in_bounds(Vec *v, Linear x, LLVMValueRef dim) {
    Fn *f = v->f;
    LLVMValueRef stride = fn_int(f, x.stride);
    LLVMValueRef a = fn_add(f, x.base, fn_mul(f, v->first, stride));
    LLVMValueRef steps = fn_sub(f, v->count, fn_int(f, 1));
    LLVMValueRef z = fn_add(f, a, fn_mul(f, steps, stride));
    return fn_bin(f, LLVMAnd, fn_cmp(f, LLVMIntULT, a, dim), fn_cmp(f, LLVMIntULT, z, dim));
}

static void check_index(Vec *v, IrId at, LLVMValueRef dim) {
    Linear x = linear_of(v, at);
    bool small = x.base && x.stride > -4096 && x.stride < 4096;
    LLVMValueRef i = value_scalar(v->f, at);
    if (!is_vector(i))
        vec_need(v, fn_cmp(v->f, LLVMIntULT, i, dim));
    else if (small && !v->is_nested)
        vec_need(v, linear_in_bounds(v, x, dim));
    else
        need_lanes(v, LLVMBuildICmp(B, LLVMIntULT, i, vec_splat(v, dim), ""));
}

/* The row-major place of a varying element. linear: set to its form if its stride is 1 or -1. */
static LLVMValueRef varying_place(Vec *v, const IrOp *op, LLVMValueRef const *dims,
                                  Linear *linear) {
    LLVMValueRef place = NULL;
    int n = op->nargs - 1;
    *linear = linear_of(v, op->args[n]);
    for (int k = 0; k < n; k++) {
        LLVMValueRef i = value_scalar(v->f, op->args[1 + k]);
        bool is_last = k == n - 1;
        if (is_vector(i) && !is_last)
            linear->base = NULL;
        if (place) {
            place = LLVMBuildMul(B, place, is_vector(place) ? vec_splat(v, dims[k]) : dims[k], "");
            if (is_last && linear->base && !is_vector(place))
                linear->base = fn_add(v->f, place, linear->base);
            if (is_vector(place) || is_vector(i)) {
                place = vec_splat(v, place);
                i = vec_splat(v, i);
            }
            place = LLVMBuildAdd(B, place, i, "");
        } else {
            place = i;
        }
    }
    if (linear->stride != 1 && linear->stride != -1)
        linear->base = NULL;
    return place;
}

static LLVMValueRef reversed(Vec *v, LLVMValueRef a) {
    LLVMValueRef lanes[64];
    for (int k = 0; k < v->lanes; k++)
        lanes[k] = LLVMConstInt(v->f->e->i32, (unsigned)(v->lanes - 1 - k), 0);
    return LLVMBuildShuffleVector(B, a, LLVMGetPoison(LLVMTypeOf(a)),
                                  LLVMConstVector(lanes, (unsigned)v->lanes), "");
}

/* Lanes at base, base + stride, …, the stride being 1 or -1. */
static LLVMValueRef load_linear(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef data, Linear at) {
    LLVMValueRef mask = v->mask, base = at.base;
    if (at.stride > 0)
        return vec_load(v, type, bytes, LLVMBuildGEP2(B, type, data, &base, 1, ""));
    base = fn_sub(v->f, base, fn_int(v->f, v->lanes - 1));
    v->mask = mask ? reversed(v, mask) : NULL;
    LLVMValueRef all = vec_load(v, type, bytes, LLVMBuildGEP2(B, type, data, &base, 1, ""));
    v->mask = mask;
    return reversed(v, all);
}

static void emit_varying_index(Vec *v, IrId id) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]), *r = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *out = slots_new(f, r->nslots);
    for (int k = 0; op->flags & IRF_CHECKED && k < l->rank; k++)
        check_index(v, op->args[1 + k], s[k]);
    Linear linear;
    LLVMValueRef place = varying_place(v, op, s, &linear);
    for (int k = 0; k < l->ncols; k++) {
        const Column *col = &l->cols[k];
        LLVMTypeRef type = layout_col_type(f->e, col);
        LLVMValueRef data = s[l->rank + 2 * k + 1];
        out[k] = of_memory(v, col, linear.base ? load_linear(v, type, col->bytes, data, linear)
                                               : gather(v, type, col->bytes, data, place));
    }
    value_set(f, id, out, r->nslots);
}

static void emit_uniform_index(Vec *v, IrId id) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id), plain = *op;
    LLVMValueRef *s = value_of(f, op->args[0])->s;
    for (int k = 0; op->flags & IRF_CHECKED && k < op->nargs - 1; k++)
        check_index(v, op->args[1 + k], s[k]);
    op->flags &= (uint16_t)~IRF_CHECKED;
    emit_index(f, id);
    *op = plain;
}

static void emit_vec_index(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    for (int k = 1; k < op->nargs; k++)
        if (is_vector(value_scalar(v->f, op->args[k]))) {
            emit_varying_index(v, id);
            return;
        }
    emit_uniform_index(v, id);
}

/* ---- scalar ops ---- */

static void track_linear(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    Linear *out = &v->linear[id];
    *out = (Linear){NULL, 0};
    if (!v->plan->varying[id] || value_layout(v->f, id)->type->kind != TYPE_I64)
        return;
    if (op->kind != IR_ADD && op->kind != IR_SUB && op->kind != IR_MUL)
        return;
    Linear a = linear_of(v, op->args[0]), c = linear_of(v, op->args[1]);
    if (!a.base || !c.base)
        return;
    if (op->kind != IR_MUL) {
        int64_t sign = op->kind == IR_ADD ? 1 : -1;
        *out = (Linear){op->kind == IR_ADD ? fn_add(v->f, a.base, c.base)
                                           : fn_sub(v->f, a.base, c.base),
                        a.stride + sign * c.stride};
        return;
    }
    Linear *fixed = a.stride == 0 ? &a : &c, *moving = a.stride == 0 ? &c : &a;
    int64_t factor;
    if (!LLVMIsAConstantInt(fixed->base) || fixed->stride != 0)
        return;
    factor = LLVMConstIntGetSExtValue(fixed->base);
    if (factor > -4096 && factor < 4096 && moving->stride > -4096 && moving->stride < 4096)
        *out = (Linear){fn_mul(v->f, moving->base, fixed->base), moving->stride * factor};
}

static void check_operand(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    if (!(op->flags & IRF_CHECKED_ZERO) || !type_is_int(value_layout(v->f, id)->type))
        return;
    LLVMValueRef d = value_scalar(v->f, op->args[1]), zero = LLVMConstNull(LLVMTypeOf(d));
    if (op->kind != IR_POW)
        need_lanes(v, LLVMBuildICmp(B, LLVMIntNE, d, zero, ""));
    else if (type_is_signed(value_type(v->f, op->args[1])))
        need_lanes(v, LLVMBuildICmp(B, LLVMIntSGE, d, zero, ""));
}

/* SELECT of values with several slots. */
static void emit_vec_select(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    Value *a = value_of(v->f, op->args[1]), *b = value_of(v->f, op->args[2]);
    LLVMValueRef cond = value_scalar(v->f, op->args[0]), *s = slots_new(v->f, a->n);
    for (int k = 0; k < a->n; k++) {
        bool wide = is_vector(cond) || is_vector(a->s[k]) || is_vector(b->s[k]);
        s[k] = wide ? blend(v, cond, a->s[k], b->s[k])
                    : fn_select(v->f, cond, a->s[k], b->s[k]);
    }
    value_set(v->f, id, s, a->n);
}

static void emit_vec_scalar(Vec *v, IrId id) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id);
    if (op->kind == IR_SELECT) {
        emit_vec_select(v, id);
        return;
    }
    check_operand(v, id);
    LLVMValueRef args[3];
    bool wide = false;
    for (int k = 0; k < op->nargs; k++) {
        args[k] = value_scalar(f, op->args[k]);
        wide |= is_vector(args[k]);
    }
    ScalarOp scalar = scalar_op(f->ir, id, wide ? v->lanes : 1);
    scalar.safe = !(op->flags & IRF_CHECKED_ZERO);
    f->e->scalar.active = wide ? v->mask : NULL;
    LLVMValueRef *s = slots_new(f, 1);
    s[0] = scalar_emit(&f->e->scalar, &scalar, args);
    f->e->scalar.active = NULL;
    value_set(f, id, s, 1);
    track_linear(v, id);
}

/* ---- control ---- */

typedef struct {
    LLVMValueRef *s;
    int n;
} Row;

/* All slots of some values, one after the other. */
static Row row_of(Vec *v, const IrId *ids, int n) {
    Row row = {NULL, 0};
    for (int k = 0; k < n; k++)
        row.n += value_of(v->f, ids[k])->n;
    row.s = slots_new(v->f, row.n);
    for (int k = 0, at = 0; k < n; k++)
        for (int i = 0; i < value_of(v->f, ids[k])->n; i++)
            row.s[at++] = value_of(v->f, ids[k])->s[i];
    return row;
}

/* One side of a varying IF, under its mask. Skipped by a branch where it is said to be rare, where
   that may pay, or where it must not run for no lane at all. */
static Row emit_side(Vec *v, const IrRegion *region, LLVMValueRef mask, bool is_rare) {
    Vec outer = *v;
    Fn *f = v->f;
    v->mask = mask;
    v->is_nested = true;
    LLVMBasicBlockRef before = fn_here(f), side = NULL, join = NULL;
    bool branches = is_rare || !vector_is_cheap(f, region);
    if (branches) {
        side = fn_block(f, "side");
        join = fn_block(f, "join");
        if (is_rare)
            fn_unlikely(f, LLVMBuildNot(B, any(v, mask), ""), join, side);
        else
            fn_cond(f, any(v, mask), side, join);
        fn_at(f, side);
    }
    vec_ops(v, region);
    Row row = row_of(v, region->results.at, region->results.len);
    if (branches) {
        LLVMBasicBlockRef end = fn_here(f);
        fn_br(f, join);
        fn_at(f, join);
        for (int k = 0; k < row.n; k++) {
            LLVMValueRef none = LLVMConstNull(LLVMTypeOf(row.s[k]));
            LLVMValueRef phi = LLVMBuildPhi(B, LLVMTypeOf(row.s[k]), "");
            LLVMAddIncoming(phi, (LLVMValueRef[]){row.s[k], none},
                            (LLVMBasicBlockRef[]){end, before}, 2);
            row.s[k] = phi;
        }
    }
    outer.slow = v->slow;
    *v = outer;
    return row;
}

static void emit_varying_if(Vec *v, IrId id, LLVMValueRef cond) {
    IrOp *op = ir_op(v->f->ir, id);
    LLVMValueRef other = LLVMBuildNot(B, cond, "");
    bool is_rare = ir_op(v->f->ir, op->args[0])->kind == IR_RARE;
    Row then = emit_side(v, op->regions[0], masked(v, v->mask, cond), is_rare);
    Row otherwise = emit_side(v, op->regions[1], masked(v, v->mask, other), false);
    for (int k = 0; k < then.n; k++)
        then.s[k] = blend(v, cond, then.s[k], otherwise.s[k]);
    value_set(v->f, id, then.s, then.n);
}

static void emit_uniform_if(Vec *v, IrId id, LLVMValueRef cond) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id);
    LLVMBasicBlockRef starts[] = {fn_block(f, "then"), fn_block(f, "else")}, ends[2];
    LLVMBasicBlockRef join = fn_block(f, "join");
    Row rows[2];
    fn_cond(f, cond, starts[0], starts[1]);
    for (int side = 0; side < 2; side++) {
        fn_at(f, starts[side]);
        vec_ops(v, op->regions[side]);
        rows[side] = row_of(v, op->regions[side]->results.at, op->regions[side]->results.len);
        for (int k = 0; v->plan->varying[id] && k < rows[side].n; k++)
            rows[side].s[k] = vec_splat(v, rows[side].s[k]);
        ends[side] = fn_here(f);
        fn_br(f, join);
    }
    fn_at(f, join);
    for (int k = 0; k < rows[0].n; k++) {
        LLVMValueRef phi = LLVMBuildPhi(B, LLVMTypeOf(rows[0].s[k]), "");
        LLVMAddIncoming(phi, (LLVMValueRef[]){rows[0].s[k], rows[1].s[k]}, ends, 2);
        rows[0].s[k] = phi;
    }
    value_set(f, id, rows[0].s, rows[0].n);
}

/* ---- loops ---- */

/* Phis at the head of a loop for carried values: vectors where the parameter varies. */
typedef struct {
    Row phis;
    bool *varying; /* by slot */
} Carried;

static LLVMValueRef head_phi(Vec *v, LLVMValueRef init, LLVMBasicBlockRef before) {
    LLVMValueRef phi = LLVMBuildPhi(B, LLVMTypeOf(init), "");
    LLVMAddIncoming(phi, &init, &before, 1);
    return phi;
}

static void add_back(LLVMValueRef phi, LLVMValueRef value, LLVMBasicBlockRef from) {
    LLVMAddIncoming(phi, &value, &from, 1);
}

/* Initial values as the phis want them; before the branch to the loop. */
static Row initial(Vec *v, const IrId *init, const IrId *params, int n) {
    Row row = row_of(v, init, n);
    for (int k = 0, at = 0; k < n; k++)
        for (int i = 0; i < value_of(v->f, init[k])->n; i++, at++)
            if (v->plan->varying[params[k]])
                row.s[at] = vec_splat(v, row.s[at]);
    return row;
}

static Row phis_of(Vec *v, Row init, LLVMBasicBlockRef before) {
    Row phis = {slots_new(v->f, init.n), init.n};
    for (int k = 0; k < init.n; k++)
        phis.s[k] = head_phi(v, init.s[k], before);
    return phis;
}

static void bind(Vec *v, const IrId *params, int n, Row row) {
    for (int k = 0, at = 0; k < n; k++) {
        int count = value_layout(v->f, params[k])->nslots;
        value_set(v->f, params[k], row.s + at, count);
        v->linear[params[k]] = (Linear){NULL, 0};
        at += count;
    }
}

/* The results of a loop's body become the next carried values; lanes out of `active` keep theirs. */
static void carry_back(Vec *v, const IrRegion *body, Row phis, LLVMValueRef active) {
    Row next = row_of(v, body->results.at, body->results.len);
    for (int k = 0; k < next.n; k++)
        if (is_vector(phis.s[k]))
            next.s[k] = active ? blend(v, active, next.s[k], phis.s[k]) : vec_splat(v, next.s[k]);
    for (int k = 0; k < next.n; k++)
        add_back(phis.s[k], next.s[k], fn_here(v->f));
}

/* Enters the body while cond, for the lanes where it holds. Gives the active lanes, or NULL if cond
   is uniform. */
static LLVMValueRef enter_body(Vec *v, LLVMValueRef cond, LLVMBasicBlockRef run,
                               LLVMBasicBlockRef exit) {
    if (!is_vector(cond)) {
        fn_cond(v->f, cond, run, exit);
        fn_at(v->f, run);
        return NULL;
    }
    LLVMValueRef active = masked(v, v->mask, cond);
    fn_cond(v->f, any(v, active), run, exit);
    fn_at(v->f, run);
    v->mask = active;
    v->is_nested = true;
    return active;
}

static void emit_vec_for(Vec *v, IrId id) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id);
    IrRegion *body = op->regions[0];
    LLVMValueRef lo = value_scalar(f, op->args[0]), hi = value_scalar(f, op->args[1]);
    int n = op->nargs - 2;
    Vec outer = *v;
    Row init = initial(v, op->args + 2, body->params.at + 1, n);
    LLVMBasicBlockRef before = fn_here(f), head = fn_block(f, "for");
    LLVMBasicBlockRef run = fn_block(f, "body"), exit = fn_block(f, "done");
    fn_br(f, head);
    fn_at(f, head);
    Row i = {slots_new(f, 1), 1};
    i.s[0] = head_phi(v, lo, before);
    Row phis = phis_of(v, init, before);
    bool wide = is_vector(lo) || is_vector(hi);
    LLVMValueRef left = wide ? vec_splat(v, i.s[0]) : i.s[0], end = wide ? vec_splat(v, hi) : hi;
    LLVMValueRef cond = LLVMBuildICmp(B, LLVMIntSLT, left, end, "");
    LLVMValueRef active = enter_body(v, cond, run, exit);
    bind(v, body->params.at, 1, i);
    bind(v, body->params.at + 1, n, phis);
    vec_ops(v, body);
    LLVMValueRef one = is_vector(lo) ? vec_splat(v, fn_int(f, 1)) : fn_int(f, 1);
    LLVMValueRef next = fn_add(f, i.s[0], one);
    carry_back(v, body, phis, active);
    add_back(i.s[0], active && is_vector(lo) ? blend(v, active, next, i.s[0]) : next, fn_here(f));
    fn_br(f, head);
    fn_at(f, exit);
    outer.slow = v->slow;
    *v = outer;
    value_set(f, id, phis.s, phis.n);
}

/* The mask is carried too: a lane that has left a loop never comes back. */
static void emit_vec_loop(Vec *v, IrId id) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id);
    IrRegion *test = op->regions[0], *body = op->regions[1];
    bool diverges = v->plan->varying[test->results.at[0]];
    Vec outer = *v;
    Row init = initial(v, op->args, body->params.at, op->nargs);
    LLVMValueRef mask = v->mask ? v->mask : all_lanes(v), mask_phi = NULL;
    LLVMBasicBlockRef before = fn_here(f), head = fn_block(f, "while");
    LLVMBasicBlockRef run = fn_block(f, "body"), exit = fn_block(f, "done");
    fn_br(f, head);
    fn_at(f, head);
    Row phis = phis_of(v, init, before);
    if (diverges) {
        mask_phi = head_phi(v, mask, before);
        v->mask = mask_phi;
        v->is_nested = true;
    }
    bind(v, test->params.at, op->nargs, phis);
    vec_ops(v, test);
    LLVMValueRef cond = value_scalar(f, test->results.at[0]);
    LLVMValueRef active = enter_body(v, diverges ? vec_splat(v, cond) : cond, run, exit);
    bind(v, body->params.at, op->nargs, phis);
    vec_ops(v, body);
    carry_back(v, body, phis, active);
    if (mask_phi)
        add_back(mask_phi, active, fn_here(f));
    fn_br(f, head);
    fn_at(f, exit);
    outer.slow = v->slow;
    *v = outer;
    value_set(f, id, phis.s, phis.n);
}

/* ---- dispatch ---- */

static void emit_vec_if(Vec *v, IrId id) {
    LLVMValueRef cond = value_scalar(v->f, ir_op(v->f->ir, id)->args[0]);
    if (is_vector(cond))
        emit_varying_if(v, id, cond);
    else
        emit_uniform_if(v, id, cond);
}

static void emit_vec_check(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    need_lanes(v, value_scalar(v->f, op->args[1]));
    if (op->args[0] == IR_NONE) {
        value_set(v->f, id, slots_new(v->f, 0), 0);
        return;
    }
    v->f->values[id] = *value_of(v->f, op->args[0]);
    v->linear[id] = v->plan->varying[op->args[0]] ? v->linear[op->args[0]] : (Linear){NULL, 0};
}

static void emit_vec_op(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    v->linear[id] = (Linear){NULL, 0};
    if (ir_is_scalar_op(op->kind)) {
        emit_vec_scalar(v, id);
        return;
    }
    switch ((int)op->kind) {
    case IR_INDEX:
        if (value_layout(v->f, op->args[0])->rank == op->nargs - 1)
            emit_vec_index(v, id);
        else
            emit_op(v->f, id);
        break;
    case IR_IF: emit_vec_if(v, id); break;
    case IR_FOR: emit_vec_for(v, id); break;
    case IR_LOOP: emit_vec_loop(v, id); break;
    case IR_CHECK: emit_vec_check(v, id); break;
    case IR_KERNEL: vec_nested(v, id); break;
    default: emit_op(v->f, id); /* moves slots, or does not vary */
    }
}

void vec_ops(Vec *v, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++)
        emit_vec_op(v, region->ops.at[k]);
}

void vec_body(Vec *v, const IrRegion *body, LLVMValueRef const *outer, LLVMValueRef base) {
    Fn *f = v->f;
    int rank = body->params.len;
    for (int k = 0; k < rank; k++) {
        LLVMValueRef *s = slots_new(f, 1);
        s[0] = k < rank - 1 ? outer[k] : LLVMBuildAdd(B, vec_splat(v, base), vec_iota(v), "");
        value_set(f, body->params.at[k], s, 1);
        v->linear[body->params.at[k]] = (Linear){NULL, 0};
    }
    v->linear[body->params.at[rank - 1]] = (Linear){base, 1};
    vec_ops(v, body);
}
