/* Handlers that wait for replies: coroutines of LLVM's switched-resume kind. What lives across a wait goes
   to a frame that the runtime keeps beside the message; the worker goes on with other messages. */
#include "actor.h"

#include <stddef.h>
#include <string.h>

#define B (f->e->B)

/* A coroutine that is being emitted. */
typedef struct Waiting {
    LLVMBasicBlockRef suspended; /* where it leaves */
    LLVMBasicBlockRef ended;     /* where it is thrown away */
    LLVMBasicBlockRef otherwise; /* of the `try` at hand: where a failed ask goes; or NULL */
} Waiting;

static LLVMTypeRef fn_type(LLVMTypeRef result, int n, LLVMTypeRef *params) {
    return LLVMFunctionType(result, params, (unsigned)n, 0);
}

static LLVMValueRef intrinsic(Fn *f, const char *name, LLVMTypeRef *types, int ntypes,
                              LLVMValueRef *args, int n) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(f->e->M, id, types, (size_t)ntypes);
    LLVMTypeRef type = LLVMIntrinsicGetType(f->e->C, id, types, (size_t)ntypes);
    return LLVMBuildCall2(B, type, fn, args, (unsigned)n, "");
}

static LLVMValueRef no_token(Emit *e) {
    return LLVMConstNull(LLVMTokenTypeInContext(e->C));
}

static LLVMValueRef no(Emit *e) {
    return LLVMConstInt(e->i1, 0, 0);
}

LLVMTypeRef waiting_type(Emit *e, const IrFunc *ir) {
    LLVMTypeRef type = func_type(e, ir);
    int n = (int)LLVMCountParamTypes(type);
    LLVMTypeRef *params = NEW_ARRAY(e->arena, LLVMTypeRef, n + 1);
    LLVMGetParamTypes(type, params);
    params[n] = e->i64;
    return fn_type(e->vd, n + 1, params);
}

/* The frame: gives the coroutine's handle. */
static LLVMValueRef begin(Fn *f) {
    Emit *e = f->e;
    LLVMValueRef null = LLVMConstNull(e->ptr), zero = LLVMConstInt(e->i32, 0, 0);
    LLVMValueRef id = intrinsic(f, "llvm.coro.id", NULL, 0, (LLVMValueRef[]){zero, null, null, null}, 4);
    LLVMValueRef size = intrinsic(f, "llvm.coro.size", &e->i64, 1, NULL, 0);
    LLVMValueRef memory = api_call(f, offsetof(GactApi, frame),
                                   fn_type(e->ptr, 2, (LLVMTypeRef[]){e->ptr, e->i64}),
                                   (LLVMValueRef[]){f->ctx, size}, 2);
    return intrinsic(f, "llvm.coro.begin", NULL, 0, (LLVMValueRef[]){id, memory}, 2);
}

/* Leaves until the runtime resumes the coroutine. */
static void suspend(Fn *f) {
    Emit *e = f->e;
    LLVMValueRef how = intrinsic(f, "llvm.coro.suspend", NULL, 0, (LLVMValueRef[]){no_token(e), no(e)}, 2);
    LLVMBasicBlockRef resumed = fn_block(f, "resumed");
    LLVMValueRef cases = LLVMBuildSwitch(B, how, f->waiting->suspended, 2);
    LLVMAddCase(cases, LLVMConstInt(e->i8, 0, 0), resumed);
    LLVMAddCase(cases, LLVMConstInt(e->i8, 1, 0), f->waiting->ended);
    fn_at(f, resumed);
}

void emit_waiting_await(Fn *f, IrId id) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    LLVMValueRef ask = value_scalar(f, op->args[1]);
    api_call(f, offsetof(GactApi, wait), fn_type(e->vd, 3, (LLVMTypeRef[]){e->ptr, e->i64, e->i64}),
             (LLVMValueRef[]){f->ctx, ask, value_scalar(f, op->args[2])}, 3);
    suspend(f);
    LLVMBasicBlockRef otherwise = f->waiting->otherwise;
    LLVMTypeRef type = fn_type(e->ptr, 4, (LLVMTypeRef[]){e->ptr, e->ptr, e->i64, e->i32});
    LLVMValueRef args[] = {f->ctx, table_site(e, "ask", "the ask failed", f->ir, op), ask,
                           LLVMConstInt(e->i32, otherwise != NULL, 0)};
    LLVMValueRef p = api_call(f, offsetof(GactApi, answer), type, args, 4);
    if (otherwise) {
        LLVMBasicBlockRef there = fn_block(f, "there");
        fn_cond(f, LLVMBuildIsNotNull(B, p, ""), there, otherwise);
        fn_at(f, there);
    }
    actor_replies(f, id, p);
}

/* All results of a region in a row. */
static void store_results(Fn *f, const IrRegion *region, const Layout *l, LLVMValueRef to) {
    LLVMValueRef *s = slots_new(f, l->nslots);
    int n = 0;
    region_hand_over(f, region);
    for (int k = 0; k < region->results.len; k++) {
        const Value *v = value_of(f, region->results.at[k]);
        for (int i = 0; i < v->n; i++)
            s[n++] = v->s[i];
    }
    slots_store(f, l, to, s);
}

void emit_waiting_try(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef result = fn_alloca(f, slots_type(f->e, l), "tried");
    LLVMBasicBlockRef outer = f->waiting->otherwise, otherwise = fn_block(f, "otherwise");
    LLVMBasicBlockRef done = fn_block(f, "done");
    f->waiting->otherwise = otherwise;
    emit_ops(f, op->regions[0]);
    store_results(f, op->regions[0], l, result);
    f->waiting->otherwise = outer;
    fn_br(f, done);
    fn_at(f, otherwise);
    emit_ops(f, op->regions[1]);
    store_results(f, op->regions[1], l, result);
    fn_br(f, done);
    fn_at(f, done);
    value_set(f, id, slots_load(f, l, result), l->nslots);
}

/* The parameters' slots, for emit_region. */
static LLVMValueRef **parameters(Fn *f) {
    int n = f->ir->body->params.len;
    unsigned at = 1;
    LLVMValueRef **params = NEW_ARRAY(f->e->arena, LLVMValueRef *, n + 1);
    for (int k = 0; k < n; k++) {
        Layout *l = value_layout(f, f->ir->body->params.at[k]);
        params[k] = slots_new(f, l->nslots);
        for (int i = 0; i < l->nslots; i++)
            params[k][i] = LLVMGetParam(f->fn, at++);
    }
    return params;
}

LLVMValueRef waiting_handler(Emit *e, const IrMessage *m) {
    const IrFunc *ir = m->func;
    Fn fn = {.e = e, .values = NEW_ARRAY(e->arena, Value, ir->ops.len + 1)}, *f = &fn;
    LLVMBasicBlockRef back = LLVMGetInsertBlock(B);
    LLVMValueRef code = LLVMAddFunction(e->M, arena_printf(e->arena, "waiting.%s", ir->name), waiting_type(e, ir));
    LLVMSetLinkage(code, LLVMInternalLinkage);
    fn_attribute(e, code, "presplitcoroutine");
    fn_attribute(e, code, "noinline");
    e->has_coroutines = true;
    fn_start(f, e, ir, code);
    Waiting waiting = {fn_block(f, "suspended"), fn_block(f, "ended"), NULL};
    f->waiting = &waiting;
    f->is_host = true;
    LLVMValueRef handle = begin(f);
    emit_region(f, ir->body, parameters(f));
    region_hand_over(f, ir->body);
    actor_send_reply(f, m, LLVMGetParam(code, LLVMCountParams(code) - 1), region_result(f, ir->body, 0));
    api_call(f, offsetof(GactApi, finish), fn_type(e->vd, 1, (LLVMTypeRef[]){e->ptr}),
             (LLVMValueRef[]){f->ctx}, 1);
    fn_br(f, waiting.ended);
    fn_at(f, waiting.ended);
    fn_br(f, waiting.suspended);
    fn_at(f, waiting.suspended);
    intrinsic(f, "llvm.coro.end", NULL, 0, (LLVMValueRef[]){handle, no(e), no_token(e)}, 3);
    LLVMBuildRetVoid(B);
    fn_end(f);
    LLVMPositionBuilderAtEnd(B, back);
    return code;
}
