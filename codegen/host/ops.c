/* Functions, regions, and the ops that are not arrays, kernels or control. */
#include "actor.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define B (f->e->B)

/* ---- products and sums ---- */

static void set_part(Fn *f, IrId id, LLVMValueRef const *from, int n) {
    LLVMValueRef *s = slots_new(f, n);
    for (int k = 0; k < n; k++)
        s[k] = from[k];
    value_set(f, id, s, n);
}

static void emit_tuple(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef *s = slots_new(f, l->nslots);
    int n = 0;
    for (int k = 0; k < op->nargs; k++)
        for (int i = 0; i < value_of(f, op->args[k])->n; i++)
            s[n++] = value_of(f, op->args[k])->s[i];
    assert(n == l->nslots);
    value_set(f, id, s, n);
}

/* Columns first … of an array value, as an array value of the op's type. */
static void emit_columns(Fn *f, IrId id, IrId array, int first) {
    Value *v = value_of(f, array);
    Layout *l = value_layout(f, id);
    LLVMValueRef *s = slots_new(f, l->nslots);
    for (int k = 0; k < l->rank; k++)
        s[k] = v->s[k];
    for (int k = 0; k < 2 * l->ncols; k++)
        s[l->rank + k] = v->s[l->rank + 2 * first + k];
    value_set(f, id, s, l->nslots);
}

static void emit_get(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *from = value_layout(f, op->args[0]);
    if (layout_is_array(from->type)) {
        emit_columns(f, id, op->args[0], layout_member_col(f->e, from->elem, (int)op->imm));
        return;
    }
    int at = layout_member_slot(f->e, from->type, (int)op->imm);
    set_part(f, id, value_of(f, op->args[0])->s + at, value_layout(f, id)->nslots);
}

static void emit_zip(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef *s = slots_new(f, l->nslots);
    int n = l->rank;
    for (int k = 0; k < op->nargs; k++) {
        Value *v = value_of(f, op->args[k]);
        for (int i = 0; i < v->n; i++)
            if (i < l->rank)
                s[i] = v->s[i];
            else
                s[n++] = v->s[i];
    }
    assert(n == l->nslots);
    value_set(f, id, s, n);
}

static void emit_variant(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef *s = slots_empty(f, l);
    s[0] = fn_int(f, op->imm);
    for (int k = 0; k < op->nargs; k++) {
        int at = layout_payload_slot(f->e, l->type, (int)op->imm, k);
        for (int i = 0; i < value_of(f, op->args[k])->n; i++)
            s[at + i] = value_of(f, op->args[k])->s[i];
    }
    value_set(f, id, s, l->nslots);
}

/* The tags of an array of sums, widened to i64. */
static void emit_tags(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    Value *v = value_of(f, op->args[0]);
    LLVMValueRef total = array_total(f, l, v->s);
    LLVMValueRef *s = slots_new(f, l->nslots);
    for (int k = 0; k < l->rank; k++)
        s[k] = v->s[k];
    array_alloc(f, l, site_memory(f, op), total, s + l->rank);
    Loop loop = loop_begin(f, fn_int(f, 0), total, "tags");
    LLVMValueRef tag = fn_get(f, f->e->i8, fn_at_index(f, f->e->i8, v->s[l->rank + 1], loop.i));
    tag = LLVMBuildZExt(B, tag, f->e->i64, "");
    fn_set(f, fn_at_index(f, f->e->i64, s[l->rank + 1], loop.i), tag);
    loop_end(f, &loop);
    value_set(f, id, s, l->nslots);
}

static void emit_tag(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    if (layout_is_array(value_type(f, op->args[0])))
        emit_tags(f, id);
    else
        set_part(f, id, value_of(f, op->args[0])->s, 1);
}

static void emit_payload(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *from = value_layout(f, op->args[0]);
    int c = (int)op->imm, k = (int)op->imm2;
    if (layout_is_array(from->type)) {
        emit_columns(f, id, op->args[0], layout_payload_col(f->e, from->elem, c, k));
        return;
    }
    int at = layout_payload_slot(f->e, from->type, c, k);
    set_part(f, id, value_of(f, op->args[0])->s + at, value_layout(f, id)->nslots);
}

/* ---- scalars ---- */

static void emit_const(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Type *type = value_layout(f, id)->type;
    LLVMValueRef *s = slots_new(f, 1);
    s[0] = scalar_const(&f->e->scalar, type, op->imm);
    value_set(f, id, s, 1);
}

static void emit_string(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    LLVMValueRef *s = slots_new(f, 3);
    s[0] = fn_int(f, (int64_t)op->text_len);
    s[1] = LLVMConstNull(f->e->ptr);
    s[2] = table_bytes(f->e, op->text, op->text_len);
    value_set(f, id, s, 3);
}

/* Division by zero and negative exponents. */
static void check_operand(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    if (!(op->flags & IRF_CHECKED_ZERO) || !type_is_int(op->type))
        return;
    Emit *e = f->e;
    LLVMValueRef v = value_scalar(f, op->args[1]);
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(v));
    if (op->kind != IR_POW) {
        LLVMValueRef site = table_site(e, "division", "division by zero", f->ir, op);
        emit_check(f, fn_cmp(f, LLVMIntNE, v, zero), site, NULL, 0);
        return;
    }
    if (!type_is_signed(value_type(f, op->args[1])))
        return;
    LLVMValueRef site = table_site(e, "power", "integer to the negative power {}", f->ir, op);
    LLVMValueRef wide = LLVMBuildSExtOrBitCast(B, v, e->i64, "");
    emit_check(f, fn_cmp(f, LLVMIntSGE, v, zero), site, &wide, 1);
}

/* SELECT of values with several slots. */
static void emit_select(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Value *a = value_of(f, op->args[1]), *b = value_of(f, op->args[2]);
    LLVMValueRef *s = slots_new(f, a->n);
    for (int k = 0; k < a->n; k++)
        s[k] = fn_select(f, value_scalar(f, op->args[0]), a->s[k], b->s[k]);
    value_set(f, id, s, a->n);
}

static void emit_scalar(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    if (op->kind == IR_SELECT && !type_is_scalar(op->type)) {
        emit_select(f, id);
        return;
    }
    check_operand(f, id);
    LLVMValueRef args[3];
    for (int k = 0; k < op->nargs; k++)
        args[k] = value_scalar(f, op->args[k]);
    ScalarOp scalar = scalar_op(f->ir, id, 1);
    scalar.safe |= !(op->flags & IRF_CHECKED_ZERO);
    LLVMValueRef *s = slots_new(f, 1);
    s[0] = scalar_emit(&f->e->scalar, &scalar, args);
    value_set(f, id, s, 1);
}

static void emit_dim(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    set_part(f, id, value_of(f, op->args[0])->s + op->imm, 1);
}

/* A number of a message as i64. */
static LLVMValueRef message_number(Fn *f, IrId id) {
    LLVMValueRef v = value_scalar(f, id);
    Type *type = value_type(f, id);
    if (type_is_float(type))
        return LLVMBuildFPToSI(B, v, f->e->i64, "");
    return type_is_signed(type) ? LLVMBuildSExtOrBitCast(B, v, f->e->i64, "")
                                : LLVMBuildZExtOrBitCast(B, v, f->e->i64, "");
}

static void emit_check_op(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    int n = op->nargs - 2;
    LLVMValueRef ok = value_scalar(f, op->args[1]);
    LLVMBasicBlockRef good = fn_block(f, "ok"), bad = fn_block(f, "fault");
    fn_unlikely(f, ok, good, bad);
    fn_at(f, bad);
    LLVMValueRef *nums = slots_new(f, n);
    for (int k = 0; k < n; k++)
        nums[k] = message_number(f, op->args[2 + k]);
    api_fault(f, table_site(f->e, "check", "check failed", f->ir, op), nums, n);
    fn_at(f, good);
    if (op->args[0] == IR_NONE)
        value_set(f, id, slots_new(f, 0), 0);
    else
        f->values[id] = *value_of(f, op->args[0]);
}

/* ---- dispatch ---- */

void emit_op(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    if (ir_is_scalar_op(op->kind)) {
        emit_scalar(f, id);
        return;
    }
    launch_bring(f, id);
    switch ((int)op->kind) {
    case IR_CONST: emit_const(f, id); break;
    case IR_STRING: emit_string(f, id); break;
    case IR_UNDEF: {
        Layout *l = value_layout(f, id);
        value_set(f, id, slots_empty(f, l), l->nslots);
        break;
    }
    case IR_TUPLE: emit_tuple(f, id); break;
    case IR_GET: emit_get(f, id); break;
    case IR_ZIP: emit_zip(f, id); break;
    case IR_VARIANT: emit_variant(f, id); break;
    case IR_TAG: emit_tag(f, id); break;
    case IR_PAYLOAD: emit_payload(f, id); break;
    case IR_DIM: emit_dim(f, id); break;
    case IR_INDEX: emit_index(f, id); break;
    case IR_PACK: emit_pack(f, id); break;
    case IR_BIT: emit_bit(f, id); break;
    case IR_SLICE: emit_slice(f, id); break;
    case IR_LIST: emit_list(f, id); break;
    case IR_RESHAPE: emit_reshape(f, id); break;
    case IR_FLAT: emit_flat(f, id); break;
    case IR_UPDATE: emit_update(f, id); break;
    case IR_CONCAT: emit_concat(f, id); break;
    case IR_KERNEL: emit_kernel(f, id); break;
    case IR_SORT: emit_sort(f, id); break;
    case IR_MATMUL: emit_matmul(f, id); break;
    case IR_IF: emit_if(f, id); break;
    case IR_FOR: emit_for(f, id); break;
    case IR_LOOP: emit_loop(f, id); break;
    case IR_CALL: emit_call(f, id); break;
    case IR_TRY: emit_try(f, id); break;
    case IR_CHECK: emit_check_op(f, id); break;
    case IR_RT: emit_rt(f, id); break;
    default: UNREACHABLE();
    }
}

/* ---- ownership, by the rules of plan in ir.h ---- */

static bool is_kept(const Fn *f, IrId id) {
    return f->kept && f->kept[id];
}

bool op_consumes(const Fn *f, const IrOp *op, int k) {
    return k < 64 && op->consumed >> k & 1 && !is_kept(f, op->args[k]);
}

static int emit_releases(Fn *f, const IrRegion *region, int at, int after) {
    for (; at < region->releases.len && region->releases.at[at].after <= after; at++) {
        IrId id = region->releases.at[at].value;
        if (!is_kept(f, id))
            slots_release(f, value_layout(f, id), value_of(f, id)->s);
    }
    return at;
}

/* ---- regions ---- */

/* Does an op run some code many times, apart from kernels with functions of their own? */
static bool has_loop(const IrFunc *ir, const IrOp *op) {
    if (op->kind == IR_FOR || op->kind == IR_LOOP)
        return true;
    for (int s = 0; op->kind == IR_KERNEL && s < op->kernel->nsinks; s++)
        if (op->kernel->sinks[s].kind == SINK_HIST || op->kernel->sinks[s].kind == SINK_SCATTER)
            return true;
    for (int r = 0; op->kind != IR_KERNEL && r < op->nregions; r++)
        for (int k = 0; k < op->regions[r]->ops.len; k++)
            if (has_loop(ir, ir_op(ir, op->regions[r]->ops.at[k])))
                return true;
    return false;
}

/* Emits an op as a function of its own. */
static void emit_apart(Fn *f, IrId id) {
    Emit *e = f->e;
    Layout *l = value_layout(f, id);
    IrRegion only = {0};
    vec_push(e->arena, &only.ops, id);
    Env env = {0};
    LLVMValueRef result = fn_alloca(f, slots_type(e, l), "result");
    int out = env_add(f, &env, result);
    env_capture(f, &env, &only);
    LLVMValueRef p = env_store(f, &env);
    Fn inner;
    Outline o = outline_begin(&inner, f, e->body_fn, "apart");
    fn_attribute(e, inner.fn, "noinline");
    LLVMValueRef q = LLVMGetParam(inner.fn, 1), out_at = env_load(&inner, &env, q, out);
    env_open(&inner, &env, q);
    emit_op(&inner, id);
    slots_store(&inner, l, out_at, value_of(&inner, id)->s);
    env_close(&inner, &env);
    outline_end(&inner, &o);
    LLVMBuildCall2(B, e->body_fn, inner.fn, (LLVMValueRef[]){f->ctx, p}, 2, "");
    value_set(f, id, slots_load(f, l, result), l->nslots);
}

void emit_ops(Fn *f, const IrRegion *region) {
    Later later;
    int released = emit_releases(f, region, 0, -1);
    later_open(f, &later);
    for (int k = 0; k < region->ops.len; k++) {
        IrId id = region->ops.at[k];
        if (!later_puts_off(f, id)) {
            bool is_apart = f->is_once && has_loop(f->ir, ir_op(f->ir, id));
            (is_apart ? later_need : later_before)(f, id);
            (is_apart ? emit_apart : emit_op)(f, id);
        }
        released = emit_releases(f, region, released, k);
    }
    later_close(f, &later, region);
}

void region_hand_over(Fn *f, const IrRegion *region) {
    for (int k = 0; k < region->results.len; k++) {
        IrId id = region->results.at[k];
        bool is_moved = k < 64 && region->moved >> k & 1 && !is_kept(f, id);
        if (!is_moved)
            slots_retain(f, value_layout(f, id), value_of(f, id)->s);
    }
    int at = 0;
    while (at < region->releases.len && region->releases.at[at].after < region->ops.len)
        at++;
    emit_releases(f, region, at, region->ops.len);
}

void emit_region(Fn *f, const IrRegion *region, LLVMValueRef *const *params) {
    for (int k = 0; k < region->params.len; k++) {
        IrId id = region->params.at[k];
        value_set(f, id, params[k], value_layout(f, id)->nslots);
    }
    emit_ops(f, region);
}

LLVMValueRef *region_result(Fn *f, const IrRegion *region, int k) {
    return value_of(f, region->results.at[k])->s;
}

/* ---- functions ---- */

LLVMTypeRef func_type(Emit *e, const IrFunc *ir) {
    int n = 1;
    for (int k = 0; k < ir->body->params.len; k++)
        n += layout_of(e, ir_op(ir, ir->body->params.at[k])->type)->nslots;
    LLVMTypeRef *params = NEW_ARRAY(e->arena, LLVMTypeRef, n);
    params[0] = e->ptr;
    n = 1;
    for (int k = 0; k < ir->body->params.len; k++) {
        Layout *l = layout_of(e, ir_op(ir, ir->body->params.at[k])->type);
        for (int i = 0; i < l->nslots; i++)
            params[n++] = layout_slot_type(e, &l->slots[i]);
    }
    Layout *r = layout_of(e, ir->result);
    LLVMTypeRef result = r->nslots == 0   ? e->vd
                         : r->nslots == 1 ? layout_slot_type(e, &r->slots[0])
                                          : slots_type(e, r);
    return LLVMFunctionType(result, params, (unsigned)n, 0);
}

LLVMValueRef func_of(Emit *e, const IrFunc *ir) {
    int k = 0;
    while (e->m->funcs.at[k] != ir)
        k++;
    if (!e->funcs[k]) {
        /* A program may name a function as libm or LLVM does. */
        const char *name = arena_printf(e->arena, "fn.%s", ir->name);
        e->funcs[k] = LLVMAddFunction(e->M, name, func_type(e, ir));
        LLVMSetLinkage(e->funcs[k], LLVMInternalLinkage);
        e->needed[e->nneeded++] = k;
    }
    return e->funcs[k];
}

/* Faults when the recursion is too deep, else counts. Returns the depth before. */
static LLVMValueRef enter(Fn *f) {
    Emit *e = f->e;
    LLVMValueRef depth_at = fn_at_index(f, e->i8, f->ctx, fn_int(f, offsetof(GactCtx, depth)));
    LLVMValueRef max_at = fn_at_index(f, e->i8, f->ctx, fn_int(f, offsetof(GactCtx, max_depth)));
    LLVMValueRef depth = fn_get(f, e->i64, depth_at), max = fn_get(f, e->i64, max_at);
    LLVMValueRef site = table_site(e, "recursion", "recursion deeper than {}", f->ir, NULL);
    emit_check(f, fn_cmp(f, LLVMIntSLT, depth, max), site, &max, 1);
    fn_set(f, depth_at, fn_add(f, depth, fn_int(f, 1)));
    return depth;
}

static void leave(Fn *f, LLVMValueRef depth) {
    LLVMValueRef at = fn_at_index(f, f->e->i8, f->ctx, fn_int(f, offsetof(GactCtx, depth)));
    fn_set(f, at, depth);
}

static void emit_return(Fn *f, LLVMValueRef const *s) {
    Layout *r = layout_of(f->e, f->ir->result);
    if (r->nslots == 0) {
        LLVMBuildRetVoid(B);
        return;
    }
    if (r->nslots == 1) {
        LLVMBuildRet(B, s[0]);
        return;
    }
    LLVMValueRef all = LLVMGetPoison(slots_type(f->e, r));
    for (int k = 0; k < r->nslots; k++)
        all = LLVMBuildInsertValue(B, all, s[k], (unsigned)k, "");
    LLVMBuildRet(B, all);
}

void emit_func(Emit *e, const IrFunc *ir) {
    Fn fn = {.values = NEW_ARRAY(e->arena, Value, ir->ops.len + 1)}, *f = &fn;
    fn_start(f, e, ir, func_of(e, ir));
    unsigned at = 1;
    int n = ir->body->params.len;
    LLVMValueRef **params = NEW_ARRAY(e->arena, LLVMValueRef *, n + 1);
    for (int k = 0; k < n; k++) {
        Layout *l = value_layout(f, ir->body->params.at[k]);
        params[k] = slots_new(f, l->nslots);
        for (int i = 0; i < l->nslots; i++)
            params[k][i] = LLVMGetParam(f->fn, at++);
    }
    f->notes = actor_notes(e, ir);
    f->is_host = ir->is_handler; /* workers have no device, and what they get has been brought */
    LLVMValueRef depth = ir->is_recursive ? enter(f) : NULL;
    emit_region(f, ir->body, params);
    region_hand_over(f, ir->body);
    if (depth)
        leave(f, depth);
    emit_return(f, region_result(f, ir->body, 0));
    if (ir->is_rare) { /* nothing is worth the time to make it faster */
        fn_attribute(e, f->fn, "noinline");
        fn_attribute(e, f->fn, "optnone");
    }
    fn_end(f);
}
