/* Calls of functions of scalars, for all lanes at once. Such a function is emitted once more for each
   number of lanes that it is called with: a vector for each parameter, and the active lanes as bits. */
#include "vector_body.h"

#include <assert.h>

#define B (e->B)

static LLVMTypeRef vector_of(Emit *e, Type *type, int lanes) {
    return scalar_type(&e->scalar, type, lanes);
}

/* (ctx, lanes: bits, a vector for each parameter) -> a vector. */
static LLVMTypeRef clone_type(Emit *e, const IrFunc *ir, int lanes) {
    int n = ir->body->params.len;
    LLVMTypeRef *params = NEW_ARRAY(e->arena, LLVMTypeRef, n + 2);
    params[0] = e->ptr;
    params[1] = LLVMIntTypeInContext(e->C, (unsigned)lanes);
    for (int k = 0; k < n; k++)
        params[k + 2] = vector_of(e, ir_op(ir, ir->body->params.at[k])->type, lanes);
    return LLVMFunctionType(vector_of(e, ir->result, lanes), params, (unsigned)n + 2, 0);
}

static LLVMTypeRef mask_type(Emit *e, int lanes) {
    return LLVMVectorType(e->i1, (unsigned)lanes);
}

static void emit_clone(Emit *e, const IrFunc *ir, LLVMValueRef fn, int lanes) {
    LLVMBasicBlockRef back = LLVMGetInsertBlock(B);
    int nvalues = ir->ops.len + 1;
    Fn f = {.values = NEW_ARRAY(e->arena, Value, nvalues), .in_kernel = true, .has_vectors = true};
    fn_start(&f, e, ir, fn);
    VectorPlan plan = {0};
    bool fits = vector_plan_operator(&f, ir->body, &plan);
    assert(fits), (void)fits;
    Vec v = {.f = &f, .plan = &plan, .lanes = lanes, .ncopies = 1, .is_nested = true};
    v.linear = NEW_ARRAY(e->arena, Linear, nvalues);
    v.mask = LLVMBuildBitCast(B, LLVMGetParam(fn, 1), mask_type(e, lanes), "");
    for (int k = 0; k < ir->body->params.len; k++) {
        LLVMValueRef *s = slots_new(&f, 1);
        s[0] = LLVMGetParam(fn, (unsigned)k + 2);
        value_set(&f, ir->body->params.at[k], s, 1);
    }
    vec_ops(&v, ir->body);
    LLVMBuildRet(B, vec_splat(&v, region_result(&f, ir->body, 0)[0]));
    fn_end(&f);
    LLVMPositionBuilderAtEnd(B, back);
}

static LLVMValueRef clone_of(Emit *e, const IrFunc *ir, int lanes) {
    const char *name = arena_printf(e->arena, "fn.%s.x%d", ir->name, lanes);
    LLVMValueRef fn = LLVMGetNamedFunction(e->M, name);
    if (fn)
        return fn;
    fn = LLVMAddFunction(e->M, name, clone_type(e, ir, lanes));
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    emit_clone(e, ir, fn, lanes);
    return fn;
}

void vec_call(Vec *v, IrId id) {
    Fn *f = v->f;
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    LLVMValueRef *args = slots_new(f, op->nargs + 2), *s = slots_new(f, 1);
    LLVMTypeRef bits = LLVMIntTypeInContext(e->C, (unsigned)v->lanes);
    args[0] = f->ctx;
    args[1] = v->mask ? LLVMBuildBitCast(B, v->mask, bits, "") : LLVMConstAllOnes(bits);
    for (int k = 0; k < op->nargs; k++)
        args[k + 2] = vec_splat(v, value_scalar(f, op->args[k]));
    s[0] = LLVMBuildCall2(B, clone_type(e, op->callee, v->lanes), clone_of(e, op->callee, v->lanes),
                          args, (unsigned)op->nargs + 2, "");
    value_set(f, id, s, 1);
}
