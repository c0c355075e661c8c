/* Structured control flow, calls, try, and calls of the runtime. */
#include "actor.h"

#include <assert.h>
#include <stddef.h>

#define B (f->e->B)

/* All slots of a region's results, one after the other. */
static LLVMValueRef *all_results(Fn *f, const IrRegion *region, int first, int *n) {
    *n = 0;
    for (int k = first; k < region->results.len; k++)
        *n += value_of(f, region->results.at[k])->n;
    LLVMValueRef *s = slots_new(f, *n);
    for (int k = first, at = 0; k < region->results.len; k++)
        for (int i = 0; i < value_of(f, region->results.at[k])->n; i++)
            s[at++] = region_result(f, region, k)[i];
    return s;
}

void emit_if(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    LLVMBasicBlockRef starts[2], ends[2];
    LLVMBasicBlockRef join;
    LLVMValueRef *results[2];
    int n = 0;
    starts[0] = fn_block(f, "then");
    starts[1] = fn_block(f, "else");
    join = fn_block(f, "join");
    LLVMValueRef cond = value_scalar(f, op->args[0]);
    if (ir_op(f->ir, op->args[0])->kind == IR_RARE)
        fn_unlikely(f, LLVMBuildNot(B, cond, ""), starts[1], starts[0]);
    else
        fn_cond(f, cond, starts[0], starts[1]);
    for (int k = 0; k < 2; k++) {
        fn_at(f, starts[k]);
        emit_ops(f, op->regions[k]);
        region_hand_over(f, op->regions[k]);
        results[k] = all_results(f, op->regions[k], 0, &n);
        ends[k] = fn_here(f);
        fn_br(f, join);
    }
    fn_at(f, join);
    LLVMValueRef *s = slots_new(f, n);
    for (int k = 0; k < n; k++) {
        if (results[0][k] == results[1][k]) {
            s[k] = results[0][k];
            continue;
        }
        s[k] = LLVMBuildPhi(B, LLVMTypeOf(results[0][k]), "");
        LLVMAddIncoming(s[k], (LLVMValueRef[]){results[0][k], results[1][k]}, ends, 2);
    }
    value_set(f, id, s, n);
}

/* ---- loops ---- */

/* Phis for carried values at the head of a loop. */
typedef struct {
    LLVMValueRef *phis;
    int n;
} Carried;

static Carried carry(Fn *f, const IrId *init, int count, LLVMBasicBlockRef before) {
    Carried c = {NULL, 0};
    for (int k = 0; k < count; k++)
        c.n += value_of(f, init[k])->n;
    c.phis = slots_new(f, c.n);
    for (int k = 0, at = 0; k < count; k++) {
        Value *v = value_of(f, init[k]);
        for (int i = 0; i < v->n; i++, at++) {
            c.phis[at] = LLVMBuildPhi(B, LLVMTypeOf(v->s[i]), "");
            LLVMAddIncoming(c.phis[at], &v->s[i], &before, 1);
        }
    }
    return c;
}

/* Gives the parameters of a region, from its `first` on, the carried values. */
static void bind_carried(Fn *f, const IrRegion *region, int first, const Carried *c) {
    for (int k = first, at = 0; k < region->params.len; k++) {
        int n = value_layout(f, region->params.at[k])->nslots;
        value_set(f, region->params.at[k], c->phis + at, n);
        at += n;
    }
}

static void carry_back(Fn *f, const IrRegion *body, Carried *c) {
    region_hand_over(f, body);
    int n;
    LLVMValueRef *s = all_results(f, body, 0, &n);
    LLVMBasicBlockRef here = fn_here(f);
    assert(n == c->n);
    for (int k = 0; k < n; k++)
        LLVMAddIncoming(c->phis[k], &s[k], &here, 1);
}

/* The loop owns what it carries: what comes from outside and is not handed over is retained. */
static void retain_init(Fn *f, const IrOp *op, int first) {
    for (int k = first; k < op->nargs; k++)
        if (!op_consumes(f, op, k))
            slots_retain(f, value_layout(f, op->args[k]), value_of(f, op->args[k])->s);
}

static void emit_steps(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    IrRegion *body = op->regions[0];
    LLVMValueRef lo = value_scalar(f, op->args[0]), hi = value_scalar(f, op->args[1]);
    bool was_host = f->is_host;
    f->is_host |= launch_is_host_loop(f, id);
    f->has_loop = true;
    retain_init(f, op, 2);
    LLVMBasicBlockRef before = fn_here(f), head = fn_block(f, "for"), run = fn_block(f, "body"),
                      exit = fn_block(f, "done");
    fn_br(f, head);
    fn_at(f, head);
    LLVMValueRef *i = slots_new(f, 1);
    i[0] = LLVMBuildPhi(B, f->e->i64, "i");
    LLVMAddIncoming(i[0], &lo, &before, 1);
    Carried c = carry(f, op->args + 2, op->nargs - 2, before);
    fn_cond(f, fn_cmp(f, LLVMIntSLT, i[0], hi), run, exit);
    fn_at(f, run);
    value_set(f, body->params.at[0], i, 1);
    bind_carried(f, body, 1, &c);
    emit_ops(f, body);
    carry_back(f, body, &c);
    LLVMValueRef next = LLVMBuildNSWAdd(B, i[0], fn_int(f, 1), "");
    LLVMBasicBlockRef here = fn_here(f);
    LLVMAddIncoming(i[0], &next, &here, 1);
    fn_br(f, head);
    fn_at(f, exit);
    value_set(f, id, c.phis, c.n);
    f->is_host = was_host;
}

/* Elements of the first array that a loop carries. */
static LLVMValueRef carried_points(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    for (int k = 2; k < op->nargs; k++)
        if (layout_is_array(value_type(f, op->args[k])))
            return array_total(f, value_layout(f, op->args[k]), value_of(f, op->args[k])->s);
    return fn_int(f, 0);
}

void emit_for(Fn *f, IrId id) {
    bool is_swept = ir_op(f->ir, id)->imm && !f->in_kernel && !f->is_once && f->e->options->opt_level > 0;
    if (is_swept)
        launch_either(f, id, carried_points(f, id), emit_steps, emit_sweep);
    else
        emit_steps(f, id);
}

void emit_loop(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    IrRegion *cond = op->regions[0], *body = op->regions[1];
    bool was_host = f->is_host;
    f->is_host |= launch_is_host_loop(f, id);
    f->has_loop = true;
    retain_init(f, op, 0);
    LLVMBasicBlockRef before = fn_here(f), head = fn_block(f, "while"), run = fn_block(f, "body"),
                      exit = fn_block(f, "done");
    fn_br(f, head);
    fn_at(f, head);
    Carried c = carry(f, op->args, op->nargs, before);
    bind_carried(f, cond, 0, &c);
    emit_ops(f, cond);
    region_hand_over(f, cond);
    fn_cond(f, region_result(f, cond, 0)[0], run, exit);
    fn_at(f, run);
    bind_carried(f, body, 0, &c);
    emit_ops(f, body);
    carry_back(f, body, &c);
    fn_br(f, head);
    fn_at(f, exit);
    value_set(f, id, c.phis, c.n);
    f->is_host = was_host;
}

/* ---- calls ---- */

void emit_call(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    int n = 1;
    for (int k = 0; k < op->nargs; k++)
        n += value_of(f, op->args[k])->n;
    LLVMValueRef *args = slots_new(f, n);
    args[0] = f->ctx;
    f->has_loop |= !op->callee->is_lanewise; /* once the callee is inlined */
    n = 1;
    for (int k = 0; k < op->nargs; k++)
        for (int i = 0; i < value_of(f, op->args[k])->n; i++)
            args[n++] = value_of(f, op->args[k])->s[i];
    LLVMTypeRef type = func_type(f->e, op->callee);
    LLVMValueRef r = LLVMBuildCall2(B, type, func_of(f->e, op->callee), args, (unsigned)n, "");
    int nslots = value_layout(f, id)->nslots;
    LLVMValueRef *s = slots_new(f, nslots);
    for (int k = 0; k < nslots; k++)
        s[k] = nslots == 1 ? r : LLVMBuildExtractValue(B, r, (unsigned)k, "");
    value_set(f, id, s, nslots);
}

void emit_rt(Fn *f, IrId id) {
    Emit *e = f->e;
    IrOp *op = ir_op(f->ir, id);
    if (op->imm >= RT_FIELD) {
        emit_actor_call(f, id);
        return;
    }
    Layout *r = value_layout(f, id);
    int n = 0, at = 0;
    for (int k = 0; k < op->nargs; k++)
        n += value_of(f, op->args[k])->n;
    LLVMValueRef values = fn_alloca(f, LLVMArrayType2(e->value_type, (uint64_t)op->nargs), "args");
    LLVMValueRef rows = fn_alloca(f, LLVMArrayType2(e->i64, (uint64_t)n), "slots");
    LLVMValueRef out = fn_alloca(f, LLVMArrayType2(e->i64, (uint64_t)r->nslots), "out");
    for (int k = 0; k < op->nargs; k++) {
        Layout *l = value_layout(f, op->args[k]);
        LLVMValueRef p = fn_at_index(f, e->value_type, values, fn_int(f, k));
        slots_store_abi(f, l, rows, at, value_of(f, op->args[k])->s);
        fn_set(f, LLVMBuildStructGEP2(B, e->value_type, p, 0, ""),
               table_type(e, value_type(f, op->args[k])));
        fn_set(f, LLVMBuildStructGEP2(B, e->value_type, p, 1, ""),
               fn_at_index(f, e->i64, rows, fn_int(f, at)));
        at += l->nslots;
    }
    static const size_t offsets[] = {
#define RT(rt, name, effect, doc) offsetof(GactApi, rt),
#include "../../lang/abi.def"
    };
    LLVMValueRef args[] = {f->ctx,
                           table_site(e, "fault", "the call failed", f->ir, op),
                           values,
                           LLVMConstInt(e->i32, (uint64_t)op->nargs, 0),
                           table_type(e, op->type),
                           out};
    api_call(f, offsets[op->imm], e->rt_fn, args, 6);
    value_set(f, id, slots_load_abi(f, r, out, 0), r->nslots);
}

/* ---- try ---- */

void emit_try(Fn *f, IrId id) {
    Emit *e = f->e;
    IrOp *op = ir_op(f->ir, id);
    if (f->waiting && actor_asks(f->ir, op->regions[0])) {
        emit_waiting_try(f, id);
        return;
    }
    Layout *l = value_layout(f, id);
    LLVMValueRef result = fn_alloca(f, slots_type(e, l), "tried");
    Env env = {0};
    int out = env_add(f, &env, result);
    env_capture(f, &env, op->regions[0]);
    LLVMValueRef p = env_store(f, &env);

    Fn inner;
    Outline o = outline_begin(&inner, f, e->body_fn, "try");
    inner.noalias = f->noalias;
    inner.nnoalias = f->nnoalias;
    LLVMValueRef q = LLVMGetParam(inner.fn, 1);
    LLVMValueRef out_at = env_load(&inner, &env, q, out);
    env_open(&inner, &env, q);
    emit_ops(&inner, op->regions[0]);
    region_hand_over(&inner, op->regions[0]);
    int n;
    LLVMValueRef *s = all_results(&inner, op->regions[0], 0, &n);
    slots_store(&inner, l, out_at, s);
    env_close(&inner, &env);
    outline_end(&inner, &o);

    LLVMTypeRef type = LLVMFunctionType(e->i32, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr}, 3, 0);
    LLVMValueRef faulted =
        api_call(f, offsetof(GactApi, try_call), type, (LLVMValueRef[]){f->ctx, inner.fn, p}, 3);
    If branch = if_begin(f, fn_cmp(f, LLVMIntNE, faulted, LLVMConstNull(e->i32)));
    emit_ops(f, op->regions[1]);
    region_hand_over(f, op->regions[1]);
    slots_store(f, l, result, all_results(f, op->regions[1], 0, &n));
    if_end(f, &branch);
    value_set(f, id, slots_load(f, l, result), l->nslots);
}
