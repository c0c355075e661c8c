#include "prefix.h"

#define B (f->e->B)

/* ---- the operator ---- */

static bool may_fault(const Fn *f, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++)
        if (ir_may_fault(f->ir, region->ops.at[k]))
            return true;
    return false;
}

static bool is_exact(const Prefix *p) {
    if (!p->identity)
        return false;
    return !type_is_float(p->l->type) || p->kind == IR_MIN || p->kind == IR_MAX;
}

Prefix *prefix_new(Fn *f, const IrOp *kernel, const IrSink *sink, const Layout *yield) {
    Prefix *p = NEW(f->e->arena, Prefix);
    *p = (Prefix){.kernel = kernel, .l = yield, .is_exclusive = sink->imm};
    p->op = kernel->regions[sink->region];
    p->kind = type_is_scalar(yield->type) ? sink->op : IR_INVALID;
    if (p->kind != IR_INVALID)
        p->identity = scalar_identity(&f->e->scalar, p->kind, yield->type);
    p->is_exact = is_exact(p);
    p->has_vectors = f->e->options->opt_level > 0 && yield->nslots > 0 &&
                     !may_fault(f, p->op) && vector_plan_operator(f, p->op, &p->plan);
    LLVMTypeRef row = slots_type(f->e, yield);
    p->base = fn_alloca(f, row, "base");
    p->before = fn_alloca(f, row, "before");
    p->groups = fn_alloca(f, row, "groups");
    p->last = fn_alloca(f, row, "last");
    for (int k = 0; k < GROUP_LEVELS; k++)
        p->levels[k] = fn_alloca(f, row, "pairs");
    return p;
}

LLVMValueRef *prefix_combine(Fn *f, const Prefix *p, LLVMValueRef const *a, LLVMValueRef const *b,
                             int lanes) {
    if (p->kind != IR_INVALID) {
        LLVMValueRef *r = slots_new(f, 1);
        ScalarOp op = {.kind = p->kind,
                       .flags = p->kernel->flags & IRF_FAST,
                       .safe = true,
                       .lanes = lanes,
                       .type = p->l->type,
                       .args = {p->l->type, p->l->type}};
        r[0] = scalar_emit(&f->e->scalar, &op, (LLVMValueRef[]){a[0], b[0]});
        return r;
    }
    LLVMValueRef *params[] = {(LLVMValueRef *)a, (LLVMValueRef *)b};
    if (lanes > 1)
        return vec_operator(f, &p->plan, p->op, lanes, params);
    emit_region(f, p->op, params);
    region_hand_over(f, p->op);
    return region_result(f, p->op, 0);
}

/* ---- rows ---- */

static LLVMValueRef *row_get(Fn *f, const Prefix *p, LLVMValueRef row) {
    return slots_load(f, p->l, row);
}

static void row_set(Fn *f, const Prefix *p, LLVMValueRef row, LLVMValueRef const *v) {
    slots_store(f, p->l, row, v);
}

static LLVMTypeRef vector_type(Fn *f, const Prefix *p, int slot) {
    return LLVMVectorType(layout_slot_type(f->e, &p->l->slots[slot]), GROUP);
}

static void set_vectors(Fn *f, const Prefix *p, LLVMValueRef const *memory,
                        LLVMValueRef const *slots) {
    for (int k = 0; k < p->l->nslots; k++)
        fn_set(f, memory[k], scalar_splat(&f->e->scalar, slots[k], GROUP));
}

static LLVMValueRef *get_vectors(Fn *f, const Prefix *p, LLVMValueRef const *memory) {
    LLVMValueRef *v = slots_new(f, p->l->nslots);
    for (int k = 0; k < p->l->nslots; k++)
        v[k] = fn_get(f, vector_type(f, p, k), memory[k]);
    return v;
}

static LLVMValueRef *first_lanes(Fn *f, const Prefix *p, LLVMValueRef const *memory) {
    LLVMValueRef *v = get_vectors(f, p, memory);
    for (int k = 0; k < p->l->nslots; k++)
        v[k] = LLVMBuildExtractElement(B, v[k], LLVMConstInt(f->e->i32, 0, 0), "");
    return v;
}

void prefix_open(Fn *f, Prefix *p) {
    row_set(f, p, p->before, first_lanes(f, p, p->befores));
    row_set(f, p, p->groups, first_lanes(f, p, p->sums));
}

void prefix_close(Fn *f, Prefix *p) {
    set_vectors(f, p, p->befores, row_get(f, p, p->before));
    set_vectors(f, p, p->sums, row_get(f, p, p->groups));
}

/* ---- a chunk ---- */

void prefix_begin(Fn *f, Prefix *p, LLVMValueRef const *base, LLVMValueRef is_local) {
    p->is_local = is_local;
    row_set(f, p, p->base, base);
    bool is_seeded = p->is_exact && is_local;
    LLVMValueRef first = is_seeded ? fn_select(f, is_local, p->identity, base[0]) : NULL;
    row_set(f, p, p->before, is_seeded ? &first : base);
    row_set(f, p, p->groups, p->identity ? &p->identity : base);
    if (!p->has_vectors)
        return;
    if (!p->befores) {
        p->befores = slots_new(f, p->l->nslots);
        p->sums = slots_new(f, p->l->nslots);
    }
    for (int k = 0; k < p->l->nslots; k++) {
        p->befores[k] = fn_alloca(f, vector_type(f, p, k), "before");
        p->sums[k] = fn_alloca(f, vector_type(f, p, k), "groups");
    }
    prefix_close(f, p);
}

LLVMValueRef *prefix_end(Fn *f, Prefix *p) {
    LLVMValueRef *own = row_get(f, p, p->is_exact ? p->before : p->groups);
    if (p->is_exact)
        return own;
    LLVMValueRef *all = prefix_combine(f, p, row_get(f, p, p->base), own, 1);
    for (int k = 0; p->is_local && k < p->l->nslots; k++)
        all[k] = fn_select(f, p->is_local, own[k], all[k]);
    return all;
}

/* ---- points ---- */

/* After the last point of a group: row = whole prefix of the group. */
static void close_group(Fn *f, Prefix *p, LLVMValueRef number, LLVMValueRef const *prefix) {
    if (p->is_exact) {
        row_set(f, p, p->before, prefix_combine(f, p, row_get(f, p, p->before), prefix, 1));
        return;
    }
    If first = if_begin(f, fn_cmp(f, LLVMIntULT, number, fn_int(f, GROUP)));
    row_set(f, p, p->groups, prefix);
    if_else(f, &first);
    row_set(f, p, p->groups, prefix_combine(f, p, row_get(f, p, p->groups), prefix, 1));
    if_end(f, &first);
    LLVMValueRef *base = row_get(f, p, p->base), *groups = row_get(f, p, p->groups);
    row_set(f, p, p->before, prefix_combine(f, p, base, groups, 1));
}

LLVMValueRef *prefix_point_of(Fn *f, Prefix *p, LLVMValueRef number, LLVMValueRef const *prefix) {
    LLVMValueRef place = fn_bin(f, LLVMAnd, number, fn_int(f, GROUP - 1));
    LLVMValueRef *before = row_get(f, p, p->before), *out;
    if (p->is_exclusive) {
        LLVMValueRef given = fn_alloca(f, slots_type(f->e, p->l), "given");
        row_set(f, p, given, before);
        If later = if_begin(f, fn_cmp(f, LLVMIntNE, place, fn_int(f, 0)));
        row_set(f, p, given, prefix_combine(f, p, before, row_get(f, p, p->last), 1));
        if_end(f, &later);
        out = row_get(f, p, given);
        row_set(f, p, p->last, prefix);
    } else {
        out = prefix_combine(f, p, before, prefix, 1);
    }
    for (int k = 0; p->is_local && k < p->l->nslots; k++)
        out[k] = fn_select(f, p->is_local, prefix[k], out[k]);
    If full = if_begin(f, fn_cmp(f, LLVMIntEQ, place, fn_int(f, GROUP - 1)));
    close_group(f, p, number, prefix);
    if_end(f, &full);
    return out;
}

LLVMValueRef *prefix_point(Fn *f, Prefix *p, LLVMValueRef number, LLVMValueRef const *yield) {
    LLVMValueRef here = fn_alloca(f, slots_type(f->e, p->l), "prefix");
    row_set(f, p, here, yield);
    for (int k = 0; k < GROUP_LEVELS; k++) {
        LLVMValueRef bit = fn_bin(f, LLVMAnd, number, fn_int(f, 1 << k));
        If right = if_begin(f, fn_cmp(f, LLVMIntNE, bit, fn_int(f, 0)));
        LLVMValueRef *left = row_get(f, p, p->levels[k]), *v = row_get(f, p, here);
        row_set(f, p, here, prefix_combine(f, p, left, v, 1));
        if_else(f, &right);
        row_set(f, p, p->levels[k], row_get(f, p, here));
        if_end(f, &right);
    }
    return prefix_point_of(f, p, number, row_get(f, p, here));
}

/* ---- vectors ---- */

/* Bools are shuffled as words: LLVM takes masks for something that costs much to move. */
static LLVMValueRef shuffled(Fn *f, LLVMValueRef v, LLVMValueRef lanes) {
    LLVMTypeRef type = LLVMTypeOf(v), words = LLVMVectorType(f->e->i32, GROUP);
    bool is_mask = LLVMGetElementType(type) == f->e->i1;
    v = is_mask ? LLVMBuildSExt(B, v, words, "") : v;
    v = LLVMBuildShuffleVector(B, v, LLVMGetPoison(LLVMTypeOf(v)), lanes, "");
    return is_mask ? LLVMBuildICmp(B, LLVMIntSLT, v, LLVMConstNull(words), "") : v;
}

/* v with the lanes `which` in place. */
static LLVMValueRef *permuted(Fn *f, const Prefix *p, LLVMValueRef const *v, int const *which) {
    LLVMValueRef *r = slots_new(f, p->l->nslots), lanes[GROUP];
    for (int k = 0; k < GROUP; k++)
        lanes[k] = LLVMConstInt(f->e->i32, (unsigned)which[k], 0);
    for (int k = 0; k < p->l->nslots; k++)
        r[k] = shuffled(f, v[k], LLVMConstVector(lanes, GROUP));
    return r;
}

static LLVMValueRef lanes_with_bit(Fn *f, int bit) {
    LLVMValueRef lanes[GROUP];
    for (int k = 0; k < GROUP; k++)
        lanes[k] = LLVMConstInt(f->e->i1, (k & bit) != 0, 0);
    return LLVMConstVector(lanes, GROUP);
}

/* Where cond, a vector or NULL for nowhere, a; else b. */
static void choose(Fn *f, const Prefix *p, LLVMValueRef cond, LLVMValueRef const *a,
                   LLVMValueRef *b) {
    for (int k = 0; cond && k < p->l->nslots; k++)
        b[k] = LLVMBuildSelect(B, cond, a[k], b[k], "");
}

/* A condition in all lanes of a mask. */
static LLVMValueRef mask_of(Fn *f, LLVMValueRef cond) {
    LLVMTypeRef word = LLVMIntTypeInContext(f->e->C, GROUP);
    cond = LLVMBuildSExt(B, cond, word, "");
    return LLVMBuildBitCast(B, cond, LLVMVectorType(f->e->i1, GROUP), "");
}

LLVMValueRef *prefix_vector_of(Fn *f, Prefix *p, LLVMValueRef number, LLVMValueRef *prefixes) {
    static const int all_last[GROUP] = {15, 15, 15, 15, 15, 15, 15, 15,
                                        15, 15, 15, 15, 15, 15, 15, 15};
    static const int shifted[GROUP] = {0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    LLVMValueRef *before = get_vectors(f, p, p->befores), *out;
    LLVMValueRef *total = permuted(f, p, prefixes, all_last);
    if (p->is_exclusive) {
        out = prefix_combine(f, p, before, permuted(f, p, prefixes, shifted), GROUP);
        LLVMValueRef first = LLVMBuildNot(B, lanes_with_bit(f, GROUP - 1), "");
        choose(f, p, first, before, out);
    } else {
        out = prefix_combine(f, p, before, prefixes, GROUP);
    }
    choose(f, p, p->is_local ? mask_of(f, p->is_local) : NULL, prefixes, out);
    LLVMValueRef *sums = p->is_exact ? before : get_vectors(f, p, p->sums);
    sums = prefix_combine(f, p, sums, total, GROUP);
    if (!p->identity)
        choose(f, p, mask_of(f, fn_cmp(f, LLVMIntEQ, number, fn_int(f, 0))), total, sums);
    set_vectors(f, p, p->is_exact ? p->befores : p->sums, sums);
    if (!p->is_exact) {
        LLVMValueRef *base = row_get(f, p, p->base);
        for (int k = 0; k < p->l->nslots; k++)
            base[k] = scalar_splat(&f->e->scalar, base[k], GROUP);
        set_vectors(f, p, p->befores, prefix_combine(f, p, base, sums, GROUP));
    }
    return out;
}

LLVMValueRef *prefix_vector(Fn *f, Prefix *p, LLVMValueRef number, LLVMValueRef const *yields) {
    LLVMValueRef *v = slots_new(f, p->l->nslots);
    for (int k = 0; k < p->l->nslots; k++)
        v[k] = scalar_splat(&f->e->scalar, yields[k], GROUP);
    for (int bit = 1; bit < GROUP; bit *= 2) {
        int which[GROUP];
        for (int k = 0; k < GROUP; k++) /* the last lane of the left part, where there is one */
            which[k] = k & bit ? (k & ~(2 * bit - 1)) + bit - 1 : k;
        LLVMValueRef *old = v;
        v = prefix_combine(f, p, permuted(f, p, v, which), v, GROUP);
        LLVMValueRef left = LLVMBuildNot(B, lanes_with_bit(f, bit), "");
        choose(f, p, left, old, v);
    }
    return prefix_vector_of(f, p, number, v);
}
