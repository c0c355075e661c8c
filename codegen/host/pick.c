#include "pick.h"
#include "vector.h"

#define B (f->e->B)

/* ---- what is kept ---- */

/* Marks the slots of v, a parameter or a member of one whose slots begin at `first`, that are used in
   region. */
static void mark_used(Fn *f, const IrRegion *region, IrId v, int first, bool *used) {
    int n = value_layout(f, v)->nslots;
    bool whole = false;
    for (int k = 0; k < region->results.len; k++)
        whole |= region->results.at[k] == v;
    for (int k = 0; k < region->ops.len; k++) {
        IrId id = region->ops.at[k];
        const IrOp *op = ir_op(f->ir, id);
        for (int r = 0; r < op->nregions; r++)
            mark_used(f, op->regions[r], v, first, used);
        for (int i = 0; i < op->nargs; i++) {
            if (op->args[i] != v)
                continue;
            if (op->kind == IR_GET) {
                int slot = layout_member_slot(f->e, value_layout(f, v)->type, (int)op->imm);
                mark_used(f, region, id, first + slot, used);
            } else {
                whole = true;
            }
        }
    }
    for (int k = 0; k < n && whole; k++)
        used[first + k] = true;
}

static bool region_is_pure(const Fn *f, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++)
        if (ir_has_effect(f->ir, region->ops.at[k]))
            return false;
    return true;
}

static bool may_fault(const Fn *f, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++)
        if (ir_may_fault(f->ir, region->ops.at[k]))
            return true;
    return false;
}

Pick *pick_new(Fn *f, IrId kernel, const IrSink *sink) {
    const IrOp *op = ir_op(f->ir, kernel);
    Pick *p = NEW(f->e->arena, Pick);
    *p = (Pick){.body = op->regions[0], .beats = op->regions[sink->region], .yield = sink->yield};
    p->l = value_layout(f, p->body->results.at[sink->yield]);
    bool *used = NEW_ARRAY(f->e->arena, bool, p->l->nslots + 1);
    bool anew = !kernel_is_heavy(f->ir, p->body) && region_is_pure(f, p->body);
    for (int k = 0; k < p->l->nslots; k++)
        used[k] = !anew;
    for (int k = 0; k < 2; k++)
        mark_used(f, p->beats, p->beats->params.at[k], 0, used);
    p->kept = NEW_ARRAY(f->e->arena, int, p->l->nslots + 1);
    for (int k = 0; k < p->l->nslots; k++)
        if (used[k])
            p->kept[p->nkept++] = k;
    p->has_vectors = f->e->options->opt_level > 0 && !may_fault(f, p->beats) &&
                     vector_plan_operator(f, p->beats, &p->plan);
    return p;
}

/* ---- lanes ---- */

static LLVMTypeRef lane_type(Fn *f, const Pick *p, int k) {
    const Slot *slot = &p->l->slots[p->kept[k]];
    if (k == p->nkept)
        return f->e->i32;
    return slot->kind == SLOT_SCALAR ? scalar_memory_type(&f->e->scalar, slot->type, 1) : f->e->i64;
}

static LLVMTypeRef acc_type(Fn *f, const Pick *p, int k, int lanes) {
    if (k == p->nkept || p->l->slots[p->kept[k]].kind != SLOT_SCALAR) {
        LLVMTypeRef type = k == p->nkept ? f->e->i32 : f->e->i64;
        return lanes == 1 ? type : LLVMVectorType(type, (unsigned)lanes);
    }
    return scalar_type(&f->e->scalar, p->l->slots[p->kept[k]].type, lanes);
}

static LLVMValueRef to_memory(Fn *f, const Pick *p, int k, LLVMValueRef v) {
    const Slot *slot = &p->l->slots[p->kept[k]];
    bool is_scalar = k < p->nkept && slot->kind == SLOT_SCALAR;
    return is_scalar ? scalar_to_memory(&f->e->scalar, slot->type, v) : v;
}

static LLVMValueRef of_memory(Fn *f, const Pick *p, int k, LLVMValueRef v) {
    const Slot *slot = &p->l->slots[p->kept[k]];
    bool is_scalar = k < p->nkept && slot->kind == SLOT_SCALAR;
    return is_scalar ? scalar_from_memory(&f->e->scalar, slot->type, v) : v;
}

void pick_begin(Fn *f, Pick *p, LLVMValueRef const *zero, bool has_accs, bool has_lanes) {
    if (!p->accs) {
        p->accs = slots_new(f, p->nkept + 1);
        p->lanes = slots_new(f, p->nkept + 1);
    }
    for (int k = 0; k <= p->nkept; k++) {
        LLVMTypeRef lanes = LLVMVectorType(lane_type(f, p, k), PICK_LANES);
        LLVMTypeRef type = acc_type(f, p, k, PICK_LANES);
        p->accs[k] = has_accs ? fn_alloca(f, type, "acc") : NULL;
        p->lanes[k] = fn_alloca(f, lanes, "lanes");
        LLVMValueRef first = k == p->nkept ? LLVMConstAllOnes(f->e->i32) : zero[p->kept[k]];
        first = scalar_splat(&f->e->scalar, first, PICK_LANES);
        if (has_accs)
            fn_set(f, p->accs[k], first);
        if (has_lanes)
            fn_set(f, p->lanes[k], to_memory(f, p, k, first));
    }
}

void pick_open(Fn *f, Pick *p) {
    for (int k = 0; k <= p->nkept; k++) {
        LLVMValueRef v = fn_get(f, acc_type(f, p, k, PICK_LANES), p->accs[k]);
        fn_set(f, p->lanes[k], to_memory(f, p, k, v));
    }
}

/* Lane k's vector from the lanes in memory. */
static LLVMValueRef vector_of_lanes(Fn *f, const Pick *p, int k) {
    LLVMTypeRef type = LLVMVectorType(lane_type(f, p, k), PICK_LANES);
    return of_memory(f, p, k, fn_get(f, type, p->lanes[k]));
}

void pick_close(Fn *f, Pick *p) {
    for (int k = 0; k <= p->nkept; k++)
        fn_set(f, p->accs[k], vector_of_lanes(f, p, k));
}

static LLVMValueRef lane_get(Fn *f, const Pick *p, int k, LLVMValueRef lane) {
    LLVMTypeRef type = lane_type(f, p, k);
    return of_memory(f, p, k, fn_get(f, type, fn_at_index(f, type, p->lanes[k], lane)));
}

static void lane_set(Fn *f, const Pick *p, int k, LLVMValueRef lane, LLVMValueRef v) {
    fn_set(f, fn_at_index(f, lane_type(f, p, k), p->lanes[k], lane), to_memory(f, p, k, v));
}

/* ---- the comparison ---- */

/* beats(a, b) of kept slots, for n lanes. */
static LLVMValueRef beats(Fn *f, const Pick *p, LLVMValueRef const *a, LLVMValueRef const *b,
                          int n) {
    LLVMValueRef *params[2] = {slots_new(f, p->l->nslots), slots_new(f, p->l->nslots)};
    for (int k = 0; k < p->l->nslots; k++) {
        LLVMTypeRef type = layout_slot_type(f->e, &p->l->slots[k]);
        type = n > 1 ? LLVMVectorType(type, (unsigned)n) : type;
        params[0][k] = params[1][k] = LLVMGetPoison(type);
    }
    for (int k = 0; k < p->nkept; k++) {
        params[0][p->kept[k]] = a[k];
        params[1][p->kept[k]] = b[k];
    }
    if (n > 1)
        return vec_operator(f, &p->plan, p->beats, n, params)[0];
    emit_region(f, p->beats, params);
    return region_result(f, p->beats, 0)[0];
}

/* Does b, of another lane, win against a? Numbers are last in the rows; the zero's is the greatest,
   but then nothing was better. */
static LLVMValueRef wins(Fn *f, const Pick *p, LLVMValueRef const *a, LLVMValueRef const *b,
                         int n) {
    LLVMValueRef is_lower = LLVMBuildICmp(B, LLVMIntULT, b[p->nkept], a[p->nkept], "");
    LLVMValueRef is_as_good = LLVMBuildNot(B, beats(f, p, b, a, n), "");
    is_as_good = LLVMBuildAnd(B, is_lower, is_as_good, "");
    return LLVMBuildOr(B, beats(f, p, a, b, n), is_as_good, "");
}

/* ---- points ---- */

void pick_point(Fn *f, Pick *p, LLVMValueRef number, LLVMValueRef const *yield) {
    LLVMValueRef lane = LLVMBuildAnd(B, number, fn_int(f, PICK_LANES - 1), "");
    LLVMValueRef *old = slots_new(f, p->nkept + 1), *v = slots_new(f, p->nkept + 1);
    for (int k = 0; k <= p->nkept; k++) {
        old[k] = lane_get(f, p, k, lane);
        v[k] = k < p->nkept ? yield[p->kept[k]] : LLVMBuildTrunc(B, number, f->e->i32, "");
    }
    LLVMValueRef take = beats(f, p, old, v, 1);
    for (int k = 0; k <= p->nkept; k++)
        lane_set(f, p, k, lane, fn_select(f, take, v[k], old[k]));
}

static LLVMValueRef iota(Fn *f) {
    LLVMValueRef lanes[PICK_LANES];
    for (int k = 0; k < PICK_LANES; k++)
        lanes[k] = LLVMConstInt(f->e->i32, (unsigned)k, 0);
    return LLVMConstVector(lanes, PICK_LANES);
}

void pick_vector(Fn *f, Pick *p, LLVMValueRef number, LLVMValueRef mask,
                 LLVMValueRef const *yield) {
    Emit *e = f->e;
    LLVMValueRef *old = slots_new(f, p->nkept + 1), *v = slots_new(f, p->nkept + 1);
    for (int k = 0; k <= p->nkept; k++) {
        old[k] = fn_get(f, acc_type(f, p, k, PICK_LANES), p->accs[k]);
        v[k] = k < p->nkept ? yield[p->kept[k]] : LLVMBuildTrunc(B, number, e->i32, "");
        v[k] = scalar_splat(&e->scalar, v[k], PICK_LANES);
    }
    v[p->nkept] = LLVMBuildAdd(B, v[p->nkept], iota(f), "");
    LLVMValueRef take = scalar_splat(&e->scalar, beats(f, p, old, v, PICK_LANES), PICK_LANES);
    take = mask ? LLVMBuildAnd(B, take, mask, "") : take;
    for (int k = 0; k <= p->nkept; k++)
        fn_set(f, p->accs[k], fn_select(f, take, v[k], old[k]));
}

/* ---- the winner ---- */

/* Lanes from … from + n - 1. */
static LLVMValueRef lanes_of(Fn *f, LLVMValueRef all, int from, int n) {
    LLVMValueRef which[PICK_LANES];
    for (int k = 0; k < n; k++)
        which[k] = LLVMConstInt(f->e->i32, (unsigned)(from + k), 0);
    if (n == 1)
        return LLVMBuildExtractElement(B, all, which[0], "");
    return LLVMBuildShuffleVector(B, all, LLVMGetPoison(LLVMTypeOf(all)),
                                  LLVMConstVector(which, (unsigned)n), "");
}

static void combine_vectors(Fn *f, const Pick *p, LLVMValueRef *row) {
    LLVMValueRef *a = slots_new(f, p->nkept + 1), *b = slots_new(f, p->nkept + 1);
    for (int n = PICK_LANES / 2; n >= 1; n /= 2) {
        for (int k = 0; k <= p->nkept; k++) {
            a[k] = lanes_of(f, row[k], 0, n);
            b[k] = lanes_of(f, row[k], n, n);
        }
        LLVMValueRef take = wins(f, p, a, b, n);
        for (int k = 0; k <= p->nkept; k++)
            row[k] = fn_select(f, take, b[k], a[k]);
    }
}

/* The same lane by lane, in memory; the winner is in lane 0. */
static void combine_lanes(Fn *f, const Pick *p) {
    LLVMValueRef *a = slots_new(f, p->nkept + 1), *b = slots_new(f, p->nkept + 1);
    Loop levels = loop_begin(f, fn_int(f, 0), fn_int(f, 5), "level");
    LLVMValueRef n = fn_bin(f, LLVMLShr, fn_int(f, PICK_LANES / 2), levels.i);
    Loop pairs = loop_begin(f, fn_int(f, 0), n, "pair");
    LLVMValueRef other = fn_add(f, pairs.i, n);
    for (int k = 0; k <= p->nkept; k++) {
        a[k] = lane_get(f, p, k, pairs.i);
        b[k] = lane_get(f, p, k, other);
    }
    LLVMValueRef take = wins(f, p, a, b, 1);
    for (int k = 0; k <= p->nkept; k++)
        lane_set(f, p, k, pairs.i, fn_select(f, take, b[k], a[k]));
    loop_end_plain(f, &pairs);
    loop_end_plain(f, &levels);
}

/* What the body yields at a point. */
static LLVMValueRef *yield_at(Fn *f, const Pick *p, LLVMValueRef point, LLVMValueRef const *dims) {
    int rank = p->body->params.len;
    LLVMValueRef *at = slots_new(f, rank + 1);
    LLVMValueRef **params = NEW_ARRAY(f->e->arena, LLVMValueRef *, rank + 1);
    for (int k = rank - 1; k >= 0; k--) {
        at[k] = k > 0 ? LLVMBuildURem(B, point, dims[k], "") : point;
        point = k > 0 ? LLVMBuildUDiv(B, point, dims[k], "") : point;
        params[k] = &at[k];
    }
    emit_region(f, p->body, params);
    return region_result(f, p->body, p->yield);
}

/* The zero, or what the body yields at point lo + number. */
static LLVMValueRef *whole_of(Fn *f, const Pick *p, LLVMValueRef number, LLVMValueRef const *zero,
                              LLVMValueRef lo, LLVMValueRef const *dims) {
    LLVMValueRef whole = fn_alloca(f, slots_type(f->e, p->l), "winner");
    LLVMValueRef none = LLVMConstAllOnes(f->e->i32);
    slots_store(f, p->l, whole, zero);
    If point = if_begin(f, LLVMBuildICmp(B, LLVMIntNE, number, none, ""));
    number = LLVMBuildZExt(B, number, f->e->i64, "");
    slots_store(f, p->l, whole, yield_at(f, p, fn_add(f, lo, number), dims));
    if_end(f, &point);
    return slots_load(f, p->l, whole);
}

LLVMValueRef *pick_total(Fn *f, Pick *p, LLVMValueRef const *zero, bool from_accs,
                         LLVMValueRef lo, LLVMValueRef const *dims) {
    LLVMValueRef *row = slots_new(f, p->nkept + 1), *out = slots_new(f, p->l->nslots);
    if (p->has_vectors) {
        for (int k = 0; k <= p->nkept; k++)
            row[k] = from_accs ? fn_get(f, acc_type(f, p, k, PICK_LANES), p->accs[k])
                               : vector_of_lanes(f, p, k);
        combine_vectors(f, p, row);
    } else {
        combine_lanes(f, p);
        for (int k = 0; k <= p->nkept; k++)
            row[k] = lane_get(f, p, k, fn_int(f, 0));
    }
    if (p->nkept < p->l->nslots)
        return whole_of(f, p, row[p->nkept], zero, lo, dims);
    for (int k = 0; k < p->nkept; k++)
        out[p->kept[k]] = row[k];
    return out;
}
