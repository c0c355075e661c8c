/* Sorts and products at the top of a dag, which the runtime may have a device do as a whole. The
   result's memory is made first, then the runtime is asked; where it declines, what the op reads is
   brought to the host and the usual code follows. */
#include "emit.h"

#include <stddef.h>

#define B (f->e->B)

bool library_takes(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    if (f->in_kernel || f->is_host || !f->e->options->has_device)
        return false;
    if (op->kind == IR_SORT)
        return type_is_scalar(value_layout(f, op->args[0])->elem);
    return op->kind == IR_MATMUL && f->dest.id != id;
}

static LLVMValueRef word(Fn *f, LLVMValueRef v) {
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMPointerTypeKind
               ? LLVMBuildPtrToInt(B, v, f->e->i64, "")
               : v;
}

/* A GactLibraryCall, whose members are words. */
static LLVMValueRef fill_call(Fn *f, IrId id, const LibraryCall *call) {
    enum { WORDS = sizeof(GactLibraryCall) / 8 };
    const IrOp *op = ir_op(f->ir, id);
    int pinned = op->node ? (int)f->ir->nodes.at[op->node].place : PLACE_AUTO;
    LLVMValueRef null = LLVMConstNull(f->e->ptr), zero = fn_int(f, 0);
    LLVMValueRef values[WORDS] = {
        fn_int(f, call->op),
        fn_int(f, call->kind),
        fn_int(f, call->descending),
        fn_int(f, pinned),
        call->a[0],
        call->a[1],
        call->b ? call->b[0] : null,
        call->b ? call->b[1] : null,
        call->out[0],
        call->out[1],
        call->n,
        call->k ? call->k : zero,
        call->m ? call->m : zero,
    };
    LLVMValueRef words = fn_alloca(f, LLVMArrayType2(f->e->i64, WORDS), "call");
    for (int k = 0; k < WORDS; k++)
        fn_set(f, fn_at_index(f, f->e->i64, words, fn_int(f, k)), word(f, values[k]));
    return words;
}

LLVMBasicBlockRef library_ask(Fn *f, IrId id, const LibraryCall *call) {
    Emit *e = f->e;
    if (!library_takes(f, id))
        return NULL;
    LLVMBasicBlockRef ask = fn_block(f, "ask"), declined = fn_block(f, "declined"),
                      host = fn_block(f, "host"), done = fn_block(f, "done");
    LLVMValueRef at = fn_at_index(f, e->i8, f->ctx, fn_int(f, offsetof(GactCtx, device)));
    LLVMValueRef device = fn_get(f, e->ptr, at);
    fn_cond(f, fn_cmp(f, LLVMIntNE, device, LLVMConstNull(e->ptr)), ask, host);
    fn_at(f, ask);
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->ptr};
    LLVMTypeRef type = LLVMFunctionType(e->i32, params, 3, 0);
    LLVMValueRef args[] = {f->ctx, site_memory(f, ir_op(f->ir, id)), fill_call(f, id, call)};
    LLVMValueRef ran = api_call(f, offsetof(GactApi, library), type, args, 3);
    fn_cond(f, fn_cmp(f, LLVMIntNE, ran, LLVMConstNull(e->i32)), done, declined);
    fn_at(f, declined);
    launch_bring_all(f, id);
    fn_br(f, host);
    fn_at(f, host);
    return done;
}

void library_done(Fn *f, LLVMBasicBlockRef done) {
    if (!done)
        return;
    fn_br(f, done);
    fn_at(f, done);
}
