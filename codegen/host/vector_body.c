/* The ops of a kernel's body for a vector of consecutive points.

   What does not vary is emitted once, as a scalar, by the emitters of scalar code. A check that
   fails in an active lane leaves for `slow`, where the same points run through the scalar body.
   Inactive lanes hold any value but never poison, so that masks stay exact.

   Bodies with loops are emitted in several copies, side by side, op by op, for as many pieces: the
   processor has then something to do while a chain of dependent ops goes on, and what all share
   is loaded once. */
#include "vector_body.h"

#include <assert.h>
#include <string.h>

#define B (v->f->e->B)

/* ---- small builders ---- */

LLVMTypeRef vec_type(Vec *v, LLVMTypeRef type) {
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

LLVMValueRef vec_intrinsic(Vec *v, const char *name, LLVMTypeRef *over, int nover, LLVMValueRef *args,
                         int nargs) {
    Emit *e = v->f->e;
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->M, id, over, (size_t)nover);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->C, id, over, (size_t)nover);
    return LLVMBuildCall2(B, type, fn, args, (unsigned)nargs, "");
}

LLVMValueRef vec_any(Vec *v, LLVMValueRef mask) {
    LLVMTypeRef type = LLVMTypeOf(mask);
    return vec_intrinsic(v, "llvm.vector.reduce.or", &type, 1, &mask, 1);
}

static LLVMValueRef all_lanes(Vec *v) {
    return LLVMConstAllOnes(vec_type(v, v->f->e->i1));
}

/* Numbers of lanes fit a byte, but the comparison fills a register: LLVM widens a shorter one without
   clearing the mask's new bits, and a masked store of bytes then writes behind its last lane. */
LLVMValueRef vec_lane_mask(Vec *v, LLVMValueRef from, LLVMValueRef count) {
    enum { REGISTER_BITS = 128 }; /* of the smallest */
    Emit *e = v->f->e;
    int bits = v->lanes * 8 >= REGISTER_BITS ? 8 : REGISTER_BITS / v->lanes;
    LLVMTypeRef lane_type = LLVMIntTypeInContext(e->C, (unsigned)bits);
    LLVMTypeRef type = LLVMVectorType(lane_type, (unsigned)v->lanes);
    LLVMValueRef iota = LLVMBuildTruncOrBitCast(B, vec_iota(v), type, "");
    from = LLVMBuildTruncOrBitCast(B, from, lane_type, "");
    count = LLVMBuildTruncOrBitCast(B, count, lane_type, "");
    LLVMValueRef lane = LLVMBuildSub(B, iota, vec_splat(v, from), "");
    return LLVMBuildICmp(B, LLVMIntULT, lane, vec_splat(v, count), "");
}

LLVMValueRef vec_masked(Vec *v, LLVMValueRef mask, LLVMValueRef cond) {
    cond = vec_splat(v, cond);
    return mask ? LLVMBuildAnd(B, mask, cond, "") : cond;
}

/* Nothing to do where both are the same. */
LLVMValueRef vec_blend(Vec *v, LLVMValueRef cond, LLVMValueRef a, LLVMValueRef b) {
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
void vec_need_lanes(Vec *v, LLVMValueRef ok) {
    if (!is_vector(ok)) {
        vec_need(v, ok);
        return;
    }
    LLVMValueRef bad = vec_masked(v, v->mask, LLVMBuildNot(B, ok, ""));
    vec_need(v, LLVMBuildNot(B, vec_any(v, bad), ""));
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
    LLVMTypeRef vector = vec_type(v, type);
    if (!v->mask) {
        LLVMValueRef all = LLVMBuildLoad2(B, vector, p, "");
        LLVMSetAlignment(all, (unsigned)bytes);
        return mark_read(v, all);
    }
    LLVMTypeRef over[] = {vector, v->f->e->ptr};
    LLVMValueRef align = LLVMConstInt(v->f->e->i32, (unsigned)bytes, 0);
    LLVMValueRef args[] = {p, align, v->mask, LLVMConstNull(vector)};
    return mark_read(v, vec_intrinsic(v, "llvm.masked.load", over, 2, args, 4));
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
    mark_write(v, vec_intrinsic(v, "llvm.masked.store", over, 2, args, 4));
}

void vec_fence(Vec *v) {
    Emit *e = v->f->e;
    unsigned id = LLVMLookupIntrinsicID("llvm.x86.sse.sfence", 19);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->M, id, NULL, 0);
    LLVMBuildCall2(B, LLVMIntrinsicGetType(e->C, id, NULL, 0), fn, NULL, 0, "");
}

LLVMValueRef vec_gather(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef p,
                        LLVMValueRef index) {
    LLVMTypeRef vector = vec_type(v, type), over[] = {vector, vec_type(v, v->f->e->ptr)};
    LLVMValueRef args[] = {LLVMBuildGEP2(B, type, p, &index, 1, ""),
                           LLVMConstInt(v->f->e->i32, (unsigned)bytes, 0),
                           v->mask ? v->mask : all_lanes(v), LLVMConstNull(vector)};
    return mark_read(v, vec_intrinsic(v, "llvm.masked.gather", over, 2, args, 4));
}

LLVMValueRef vec_to_memory(Vec *v, const Column *col, LLVMValueRef slot) {
    Emit *e = v->f->e;
    slot = vec_splat(v, slot);
    if (col->kind == COL_TAG)
        return LLVMBuildTrunc(B, slot, vec_type(v, e->i8), "");
    return scalar_to_memory(&e->scalar, col->type, slot);
}

LLVMValueRef vec_of_memory(Vec *v, const Column *col, LLVMValueRef a) {
    Emit *e = v->f->e;
    if (col->kind == COL_TAG)
        return LLVMBuildZExt(B, a, vec_type(v, e->i64), "");
    return scalar_from_memory(&e->scalar, col->type, a);
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
    Linear a = vec_linear(v, op->args[0]), c = vec_linear(v, op->args[1]);
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
        vec_need_lanes(v, LLVMBuildICmp(B, LLVMIntNE, d, zero, ""));
    else if (type_is_signed(value_type(v->f, op->args[1])))
        vec_need_lanes(v, LLVMBuildICmp(B, LLVMIntSGE, d, zero, ""));
}

/* SELECT of values with several slots. */
static void emit_vec_select(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    Value *a = value_of(v->f, op->args[1]), *b = value_of(v->f, op->args[2]);
    LLVMValueRef cond = value_scalar(v->f, op->args[0]), *s = slots_new(v->f, a->n);
    for (int k = 0; k < a->n; k++) {
        bool wide = is_vector(cond) || is_vector(a->s[k]) || is_vector(b->s[k]);
        s[k] = wide ? vec_blend(v, cond, a->s[k], b->s[k])
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

/* ---- calls ---- */

/* Lane i of each of n slots. */
static void extract_lane(Vec *v, LLVMValueRef const *slots, int n, LLVMValueRef i,
                         LLVMValueRef *lane) {
    for (int k = 0; k < n; k++)
        lane[k] = is_vector(slots[k]) ? LLVMBuildExtractElement(B, slots[k], i, "") : slots[k];
}

/* The results of a call for lane i, put into the vectors s. */
static void call_lane(Vec *v, const IrOp *op, LLVMValueRef i, LLVMValueRef const *s,
                      LLVMValueRef *out, int nout) {
    Fn *f = v->f;
    int n = 1;
    for (int k = 0; k < op->nargs; k++)
        n += value_of(f, op->args[k])->n;
    LLVMValueRef *args = slots_new(f, n);
    args[0] = f->ctx;
    n = 1;
    for (int k = 0; k < op->nargs; k++) {
        Value *a = value_of(f, op->args[k]);
        extract_lane(v, a->s, a->n, i, args + n);
        n += a->n;
    }
    LLVMTypeRef type = func_type(f->e, op->callee);
    LLVMValueRef r = LLVMBuildCall2(B, type, func_of(f->e, op->callee), args, (unsigned)n, "");
    for (int k = 0; k < nout; k++) {
        LLVMValueRef slot = nout == 1 ? r : LLVMBuildExtractValue(B, r, (unsigned)k, "");
        out[k] = LLVMBuildInsertElement(B, s[k], slot, i, "");
    }
}

/* A call of a rare function: the active lanes one after the other; the others get 0. */
static void call_lanes(Vec *v, IrId id) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, id);
    Layout *r = value_layout(f, id);
    int n = r->nslots;
    LLVMValueRef *s = slots_new(f, n), *called = slots_new(f, n), *next = slots_new(f, n);
    LLVMBasicBlockRef before = fn_here(f), head = fn_block(f, "lane"), run = fn_block(f, "call"),
                      join = fn_block(f, "called"), done = fn_block(f, "lanes");
    fn_br(f, head);
    fn_at(f, head);
    LLVMValueRef zero = fn_int(f, 0), i = LLVMBuildPhi(B, f->e->i64, "");
    LLVMAddIncoming(i, &zero, &before, 1);
    for (int k = 0; k < n; k++) {
        LLVMTypeRef type = vec_type(v, layout_slot_type(f->e, &r->slots[k]));
        LLVMValueRef none = LLVMConstNull(type);
        s[k] = LLVMBuildPhi(B, type, "");
        LLVMAddIncoming(s[k], &none, &before, 1);
    }
    LLVMValueRef active = v->mask ? v->mask : all_lanes(v);
    fn_cond(f, LLVMBuildExtractElement(B, active, i, ""), run, join);
    fn_at(f, run);
    call_lane(v, op, i, s, called, n);
    run = fn_here(f);
    fn_br(f, join);
    fn_at(f, join);
    for (int k = 0; k < n; k++) {
        next[k] = LLVMBuildPhi(B, LLVMTypeOf(s[k]), "");
        LLVMAddIncoming(next[k], (LLVMValueRef[]){s[k], called[k]},
                        (LLVMBasicBlockRef[]){head, run}, 2);
        LLVMAddIncoming(s[k], &next[k], &join, 1);
    }
    LLVMValueRef after = fn_add(f, i, fn_int(f, 1));
    LLVMAddIncoming(i, &after, &join, 1);
    fn_cond(f, fn_cmp(f, LLVMIntSLT, after, fn_int(f, v->lanes)), head, done);
    fn_at(f, done);
    value_set(f, id, next, n);
}

static void emit_vec_call(Vec *v, IrId id) {
    if (ir_op(v->f->ir, id)->callee->is_rare)
        call_lanes(v, id);
    else
        vec_call(v, id);
}

/* ---- dispatch ---- */

static void emit_vec_check(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    vec_need_lanes(v, value_scalar(v->f, op->args[1]));
    if (op->args[0] == IR_NONE) {
        value_set(v->f, id, slots_new(v->f, 0), 0);
        return;
    }
    v->f->values[id] = *value_of(v->f, op->args[0]);
    v->linear[id] = v->plan->varying[op->args[0]] ? v->linear[op->args[0]] : (Linear){NULL, 0};
}

/* In the copy at hand. */
static void emit_copy_op(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    v->linear[id] = (Linear){NULL, 0};
    if (ir_is_scalar_op(op->kind)) {
        if (!vec_half_product(v, id))
            emit_vec_scalar(v, id);
        return;
    }
    switch ((int)op->kind) {
    case IR_INDEX:
        if (v->plan->members && v->plan->members[id])
            vec_row_of_members(v, id);
        else if (v->plan->members && v->plan->members[op->args[0]])
            vec_index(v, id);
        else if (v->plan->packed && v->plan->packed[op->args[0]])
            vec_packed_index(v, id);
        else if (v->plan->packed && v->plan->packed[id])
            vec_pack(v, id);
        else if (value_layout(v->f, op->args[0])->rank == op->nargs - 1)
            vec_index(v, id);
        else
            vec_shared_index(v, id);
        break;
    case IR_BIT:
        if (v->plan->varying[id])
            vec_bits(v, id);
        else
            emit_op(v->f, id);
        break;
    case IR_CHECK: emit_vec_check(v, id); break;
    case IR_LIST: vec_row_list(v, id); break;
    case IR_CALL:
        if (v->plan->varying[id])
            emit_vec_call(v, id);
        else
            emit_op(v->f, id);
        break;
    default: emit_op(v->f, id); /* moves slots, or does not vary */
    }
}

/* Nothing in it differs between lanes, so nothing between copies. */
static bool is_shared(Vec *v, IrId id) {
    const IrOp *op = ir_op(v->f->ir, id);
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k] != IR_NONE && v->plan->varying[op->args[k]])
            return false;
    return !v->plan->varying[id];
}

static void emit_vec_op(Vec *v, IrId id) {
    switch ((int)ir_op(v->f->ir, id)->kind) {
    case IR_IF: vec_if(v, id); return;
    case IR_FOR: vec_for(v, id); return;
    case IR_LOOP: vec_loop(v, id); return;
    case IR_KERNEL:
        if (v->plan->in_row && v->plan->in_row[id])
            vec_row_kernel(v, id);
        else
            vec_nested(v, id);
        return;
    default: break;
    }
    emit_copy_op(v, id);
    bool shared = is_shared(v, id);
    Value value = v->f->values[id];
    for (int c = 1; c < v->ncopies; c++) {
        vec_at(v, c);
        if (shared)
            v->f->values[id] = value;
        else
            emit_copy_op(v, id);
    }
    vec_at(v, 0);
}

void vec_ops(Vec *v, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++)
        emit_vec_op(v, region->ops.at[k]);
}

/* ---- copies ---- */

void vec_at(Vec *v, int copy) {
    if (copy == v->copy)
        return;
    v->copies[v->copy] = (VecCopy){v->f->values, v->linear, v->mask, v->first, v->count};
    const VecCopy *to = &v->copies[copy];
    v->copy = copy;
    v->f->values = to->values;
    v->linear = to->linear;
    v->mask = to->mask;
    v->first = to->first;
    v->count = to->count;
}

void vec_open(Vec *v, int n) {
    Fn *f = v->f;
    int nvalues = f->ir->ops.len + 1;
    v->ncopies = n;
    for (int c = 1; c < n; c++) {
        VecCopy *copy = &v->copies[c];
        *copy = (VecCopy){.mask = v->mask, .first = v->first, .count = v->count};
        copy->values = NEW_ARRAY(f->e->arena, Value, nvalues);
        memcpy(copy->values, f->values, (size_t)f->ir->ops.len * sizeof(Value));
        copy->linear = NEW_ARRAY(f->e->arena, Linear, nvalues);
    }
}

void vec_close(Vec *v) {
    vec_at(v, 0);
    v->ncopies = 1;
}

void vec_restore(Vec *v, const Vec *saved) {
    LLVMBasicBlockRef slow = v->slow;
    vec_at(v, saved->copy);
    *v = *saved;
    v->slow = slow;
}

static void set_index(Vec *v, IrId param, LLVMValueRef value, Linear linear) {
    LLVMValueRef *s = slots_new(v->f, 1);
    s[0] = value;
    value_set(v->f, param, s, 1);
    v->linear[param] = linear;
}

void vec_set_shared(Vec *v, IrId param, LLVMValueRef value) {
    set_index(v, param, value, (Linear){NULL, 0});
}

void vec_body(Vec *v, const IrRegion *body, LLVMValueRef const *outer, LLVMValueRef base) {
    int last = body->params.len - 1 - v->behind;
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        for (int k = 0; k < last; k++)
            set_index(v, body->params.at[k], outer[k], (Linear){NULL, 0});
        LLVMValueRef from = c ? fn_add(v->f, base, fn_int(v->f, c * v->lanes)) : base;
        LLVMValueRef index = LLVMBuildAdd(B, vec_splat(v, from), vec_iota(v), "");
        set_index(v, body->params.at[last], index, (Linear){from, 1});
        for (int k = 0; k < v->behind; k++)
            vec_set_shared(v, body->params.at[last + 1 + k], fn_int(v->f, v->fixed[k]));
    }
    vec_at(v, 0);
    vec_ops(v, body);
}

LLVMValueRef *vec_operator(Fn *f, const VectorPlan *plan, const IrRegion *op, int lanes,
                           LLVMValueRef *const *params) {
    Vec v = {.f = f, .plan = plan, .lanes = lanes, .ncopies = 1};
    v.linear = NEW_ARRAY(f->e->arena, Linear, f->ir->ops.len + 1);
    for (int k = 0; k < op->params.len; k++) {
        IrId id = op->params.at[k];
        value_set(f, id, params[k], value_layout(f, id)->nslots);
    }
    vec_ops(&v, op);
    assert(!v.slow);
    return region_result(f, op, 0);
}
