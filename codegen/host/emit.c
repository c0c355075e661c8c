/* The bricks that the emitters build with: blocks, arithmetic, memory, slots, calls of the runtime,
   and environments for code that moves to a function of its own. The builder always stands at the
   end of a block. */
#include "emit.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define B (f->e->B)

/* ---- blocks and functions ---- */

const char loops_mark[] = "gact-loops";

void fn_start(Fn *f, Emit *e, const IrFunc *ir, LLVMValueRef fn) {
    f->e = e;
    f->ir = ir;
    f->fn = fn;
    f->ctx = LLVMGetParam(fn, 0);
    f->entry = fn_block(f, "entry");
    LLVMBasicBlockRef body = fn_block(f, "body");
    fn_at(f, f->entry);
    f->api = LLVMBuildLoad2(B, e->ptr, f->ctx, "api");
    LLVMSetMetadata(f->api, e->md_invariant, e->empty_md);
    fn_br(f, body);
    fn_at(f, body);
}

void fn_end(Fn *f) {
    if (f->has_loop)
        LLVMAddAttributeAtIndex(
            f->fn, LLVMAttributeFunctionIndex,
            LLVMCreateStringAttribute(f->e->C, loops_mark, (unsigned)strlen(loops_mark), "", 0));
}

void fn_attribute(Emit *e, LLVMValueRef fn, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(e->C, kind, 0));
}

LLVMBasicBlockRef fn_block(Fn *f, const char *name) {
    return LLVMAppendBasicBlockInContext(f->e->C, f->fn, name);
}

void fn_at(Fn *f, LLVMBasicBlockRef block) {
    LLVMPositionBuilderAtEnd(B, block);
}

LLVMBasicBlockRef fn_here(Fn *f) {
    return LLVMGetInsertBlock(B);
}

LLVMValueRef fn_alloca(Fn *f, LLVMTypeRef type, const char *name) {
    LLVMBasicBlockRef here = fn_here(f);
    LLVMPositionBuilderBefore(B, LLVMGetBasicBlockTerminator(f->entry));
    LLVMValueRef p = LLVMBuildAlloca(B, type, name);
    fn_at(f, here);
    return p;
}

/* ---- arithmetic ---- */

LLVMValueRef fn_int(Fn *f, int64_t value) {
    return LLVMConstInt(f->e->i64, (uint64_t)value, 0);
}

LLVMValueRef fn_bin(Fn *f, LLVMOpcode op, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildBinOp(B, op, a, b, "");
}

LLVMValueRef fn_add(Fn *f, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildAdd(B, a, b, "");
}

LLVMValueRef fn_sub(Fn *f, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSub(B, a, b, "");
}

LLVMValueRef fn_mul(Fn *f, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildMul(B, a, b, "");
}

LLVMValueRef fn_cmp(Fn *f, LLVMIntPredicate p, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildICmp(B, p, a, b, "");
}

LLVMValueRef fn_select(Fn *f, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(B, c, a, b, "");
}

LLVMValueRef fn_min(Fn *f, LLVMValueRef a, LLVMValueRef b) {
    return fn_select(f, fn_cmp(f, LLVMIntSLT, a, b), a, b);
}

LLVMValueRef fn_max(Fn *f, LLVMValueRef a, LLVMValueRef b) {
    return fn_select(f, fn_cmp(f, LLVMIntSGT, a, b), a, b);
}

/* ---- memory ---- */

LLVMValueRef fn_get(Fn *f, LLVMTypeRef type, LLVMValueRef p) {
    return LLVMBuildLoad2(B, type, p, "");
}

void fn_set(Fn *f, LLVMValueRef p, LLVMValueRef value) {
    LLVMBuildStore(B, value, p);
}

LLVMValueRef fn_at_index(Fn *f, LLVMTypeRef type, LLVMValueRef p, LLVMValueRef index) {
    return LLVMBuildInBoundsGEP2(B, type, p, &index, 1, "");
}

LLVMValueRef fn_at_bytes(Fn *f, int bytes, LLVMValueRef p, LLVMValueRef index) {
    LLVMTypeRef unit = LLVMIntTypeInContext(f->e->C, 8 * (unsigned)bytes);
    return fn_at_index(f, unit, p, index);
}

void fn_copy(Fn *f, LLVMValueRef to, LLVMValueRef from, LLVMValueRef n, int bytes) {
    LLVMValueRef size = bytes == 1 ? n : LLVMBuildNSWMul(B, n, fn_int(f, bytes), "");
    LLVMBuildMemCpy(B, to, 1, from, 1, size);
}

/* ---- branches ---- */

void fn_br(Fn *f, LLVMBasicBlockRef to) {
    LLVMBuildBr(B, to);
}

void fn_cond(Fn *f, LLVMValueRef c, LLVMBasicBlockRef yes, LLVMBasicBlockRef no) {
    LLVMBuildCondBr(B, c, yes, no);
}

void fn_unlikely(Fn *f, LLVMValueRef c, LLVMBasicBlockRef yes, LLVMBasicBlockRef no) {
    LLVMSetMetadata(LLVMBuildCondBr(B, c, yes, no), f->e->md_prof, f->e->unlikely);
}

Loop loop_begin(Fn *f, LLVMValueRef lo, LLVMValueRef hi, const char *name) {
    Loop loop = {fn_block(f, name), fn_block(f, "after"), NULL};
    LLVMBasicBlockRef before = fn_here(f);
    LLVMBasicBlockRef body = fn_block(f, "loop");
    fn_br(f, loop.head);
    fn_at(f, loop.head);
    loop.i = LLVMBuildPhi(B, f->e->i64, "i");
    LLVMAddIncoming(loop.i, &lo, &before, 1);
    fn_cond(f, fn_cmp(f, LLVMIntSLT, loop.i, hi), body, loop.exit);
    fn_at(f, body);
    return loop;
}

static void close_loop(Fn *f, Loop *loop, bool is_plain) {
    LLVMValueRef next = LLVMBuildNSWAdd(B, loop->i, fn_int(f, 1), "");
    LLVMBasicBlockRef here = fn_here(f);
    LLVMAddIncoming(loop->i, &next, &here, 1);
    if (is_plain)
        fn_plain_loop(f, LLVMBuildBr(B, loop->head));
    else
        fn_br(f, loop->head);
    f->has_loop |= !is_plain;
    fn_at(f, loop->exit);
}

void loop_end(Fn *f, Loop *loop) {
    close_loop(f, loop, false);
}

void loop_end_plain(Fn *f, Loop *loop) {
    close_loop(f, loop, true);
}

void fn_plain_loop(Fn *f, LLVMValueRef branch) {
    Emit *e = f->e;
    LLVMMetadataRef no = LLVMValueAsMetadata(LLVMConstInt(e->i1, 0, 0));
    LLVMMetadataRef number = LLVMValueAsMetadata(LLVMConstInt(e->i64, (uint64_t)e->counter++, 0));
    LLVMMetadataRef unroll = LLVMMDStringInContext2(e->C, "llvm.loop.unroll.disable", 24);
    LLVMMetadataRef widen[] = {LLVMMDStringInContext2(e->C, "llvm.loop.vectorize.enable", 26), no};
    LLVMMetadataRef parts[] = {LLVMMDNodeInContext2(e->C, &number, 1),
                               LLVMMDNodeInContext2(e->C, &unroll, 1),
                               LLVMMDNodeInContext2(e->C, widen, 2)};
    LLVMMetadataRef id = LLVMMDNodeInContext2(e->C, parts, 3);
    LLVMValueRef node = LLVMMetadataAsValue(e->C, id);
    LLVMReplaceMDNodeOperandWith(node, 0, id); /* a loop's id begins with itself */
    LLVMSetMetadata(branch, e->md_loop, node);
}

If if_begin(Fn *f, LLVMValueRef c) {
    LLVMBasicBlockRef yes = fn_block(f, "then");
    If branch = {fn_block(f, "else"), fn_block(f, "join")};
    fn_cond(f, c, yes, branch.otherwise);
    fn_at(f, yes);
    return branch;
}

void if_else(Fn *f, If *branch) {
    fn_br(f, branch->join);
    fn_at(f, branch->otherwise);
    branch->otherwise = NULL;
}

void if_end(Fn *f, If *branch) {
    fn_br(f, branch->join);
    if (branch->otherwise) {
        fn_at(f, branch->otherwise);
        fn_br(f, branch->join);
    }
    fn_at(f, branch->join);
}

/* ---- calls of the runtime ---- */

LLVMValueRef api_call(Fn *f, size_t offset, LLVMTypeRef type, LLVMValueRef *args, int n) {
    Emit *e = f->e;
    LLVMValueRef p = fn_at_index(f, e->i8, f->api, fn_int(f, (int64_t)offset));
    LLVMValueRef fn = fn_get(f, e->ptr, p);
    LLVMSetMetadata(fn, e->md_invariant, e->empty_md);
    return LLVMBuildCall2(B, type, fn, args, (unsigned)n, "");
}

static LLVMTypeRef api_type(LLVMTypeRef result, int n, LLVMTypeRef const *params) {
    return LLVMFunctionType(result, (LLVMTypeRef *)params, (unsigned)n, 0);
}

LLVMValueRef api_alloc(Fn *f, LLVMValueRef site, LLVMValueRef count, int bytes) {
    Emit *e = f->e;
    LLVMValueRef size = count;
    if (bytes > 1) { /* what does not fit is as good as too much */
        LLVMValueRef fits = fn_cmp(f, LLVMIntULE, count, fn_int(f, INT64_MAX / bytes));
        size = fn_select(f, fits, fn_mul(f, count, fn_int(f, bytes)), fn_int(f, INT64_MAX));
    }
    LLVMTypeRef type = api_type(e->ptr, 3, (LLVMTypeRef[]){e->ptr, e->ptr, e->i64});
    LLVMValueRef args[] = {f->ctx, site, size};
    LLVMValueRef buf = api_call(f, offsetof(GactApi, alloc), type, args, 3);
    unsigned kind = LLVMGetEnumAttributeKindForName("noalias", 7);
    LLVMAddCallSiteAttribute(buf, LLVMAttributeReturnIndex, LLVMCreateEnumAttribute(e->C, kind, 0));
    return buf;
}

LLVMValueRef api_data(Fn *f, LLVMValueRef buf) {
    return fn_at_index(f, f->e->i8, buf, fn_int(f, sizeof(GactBuf)));
}

static void count_call(Fn *f, size_t offset, LLVMValueRef buf) {
    Emit *e = f->e;
    LLVMTypeRef type = api_type(e->vd, 2, (LLVMTypeRef[]){e->ptr, e->ptr});
    api_call(f, offset, type, (LLVMValueRef[]){f->ctx, buf}, 2);
}

void api_retain(Fn *f, LLVMValueRef buf) {
    if (!LLVMIsNull(buf))
        count_call(f, offsetof(GactApi, retain), buf);
}

void api_release(Fn *f, LLVMValueRef buf) {
    if (!LLVMIsNull(buf))
        count_call(f, offsetof(GactApi, release), buf);
}

void api_fault(Fn *f, LLVMValueRef site, LLVMValueRef *nums, int n) {
    Emit *e = f->e;
    LLVMValueRef p = LLVMConstNull(e->ptr);
    if (n > 0) {
        LLVMTypeRef row = LLVMArrayType2(e->i64, (uint64_t)n);
        p = fn_alloca(f, row, "nums");
        for (int k = 0; k < n; k++)
            fn_set(f, fn_at_index(f, e->i64, p, fn_int(f, k)), nums[k]);
    }
    LLVMTypeRef type = api_type(e->vd, 4, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr, e->i32});
    LLVMValueRef args[] = {f->ctx, site, p, LLVMConstInt(e->i32, (uint64_t)n, 0)};
    LLVMValueRef call = api_call(f, offsetof(GactApi, fault), type, args, 4);
    for (int k = 0; k < 2; k++) {
        const char *name = k ? "cold" : "noreturn";
        unsigned kind = LLVMGetEnumAttributeKindForName(name, k ? 4 : 8);
        LLVMAddCallSiteAttribute(call, LLVMAttributeFunctionIndex,
                                 LLVMCreateEnumAttribute(e->C, kind, 0));
    }
    LLVMBuildUnreachable(B);
}

void emit_check(Fn *f, LLVMValueRef ok, LLVMValueRef site, LLVMValueRef *nums, int n) {
    if (LLVMIsConstant(ok) && LLVMIsAConstantInt(ok) && LLVMConstIntGetZExtValue(ok))
        return;
    LLVMBasicBlockRef good = fn_block(f, "ok"), bad = fn_block(f, "fault");
    LLVMValueRef branch = LLVMBuildCondBr(B, ok, good, bad);
    LLVMSetMetadata(branch, f->e->md_prof, f->e->unlikely);
    fn_at(f, bad);
    api_fault(f, site, nums, n);
    fn_at(f, good);
}

/* ---- slots ---- */

LLVMValueRef *slots_new(Fn *f, int n) {
    return NEW_ARRAY(f->e->arena, LLVMValueRef, n + 1);
}

LLVMValueRef *slots_empty(Fn *f, const Layout *l) {
    LLVMValueRef *s = slots_new(f, l->nslots);
    for (int k = 0; k < l->nslots; k++)
        s[k] = LLVMConstNull(layout_slot_type(f->e, &l->slots[k]));
    return s;
}

LLVMTypeRef slots_type(Emit *e, const Layout *l) {
    LLVMTypeRef *types = NEW_ARRAY(e->arena, LLVMTypeRef, l->nslots + 1);
    for (int k = 0; k < l->nslots; k++)
        types[k] = layout_slot_type(e, &l->slots[k]);
    return LLVMStructTypeInContext(e->C, types, (unsigned)l->nslots, 0);
}

void slots_store(Fn *f, const Layout *l, LLVMValueRef p, LLVMValueRef const *s) {
    LLVMTypeRef type = slots_type(f->e, l);
    for (int k = 0; k < l->nslots; k++)
        fn_set(f, LLVMBuildStructGEP2(B, type, p, (unsigned)k, ""), s[k]);
}

LLVMValueRef *slots_load(Fn *f, const Layout *l, LLVMValueRef p) {
    LLVMTypeRef type = slots_type(f->e, l);
    LLVMValueRef *s = slots_new(f, l->nslots);
    for (int k = 0; k < l->nslots; k++)
        s[k] = fn_get(f, layout_slot_type(f->e, &l->slots[k]),
                      LLVMBuildStructGEP2(B, type, p, (unsigned)k, ""));
    return s;
}

/* A slot as the 64 bits of a GactSlot. */
static LLVMValueRef slot_widen(Fn *f, const Slot *slot, LLVMValueRef v) {
    Emit *e = f->e;
    if (slot->kind != SLOT_SCALAR || LLVMTypeOf(v) == e->i64)
        return v;
    unsigned bits = slot->type->kind == TYPE_BOOL ? 1 : 8 * (unsigned)type_bytes(slot->type);
    if (LLVMGetTypeKind(LLVMTypeOf(v)) != LLVMIntegerTypeKind)
        v = LLVMBuildBitCast(B, v, LLVMIntTypeInContext(e->C, bits), "");
    return type_is_signed(slot->type) ? LLVMBuildSExtOrBitCast(B, v, e->i64, "")
                                      : LLVMBuildZExtOrBitCast(B, v, e->i64, "");
}

static LLVMValueRef slot_narrow(Fn *f, const Slot *slot, LLVMValueRef p) {
    Emit *e = f->e;
    LLVMTypeRef type = layout_slot_type(e, slot);
    if (slot->kind == SLOT_SCALAR && slot->type->kind == TYPE_BOOL)
        return scalar_from_memory(&e->scalar, slot->type, fn_get(f, e->i8, p));
    return fn_get(f, type, p);
}

void slots_store_abi(Fn *f, const Layout *l, LLVMValueRef p, int at, LLVMValueRef const *s) {
    for (int k = 0; k < l->nslots; k++)
        fn_set(f, fn_at_index(f, f->e->i64, p, fn_int(f, at + k)),
               slot_widen(f, &l->slots[k], s[k]));
}

LLVMValueRef slot_load_abi(Fn *f, const Slot *slot, LLVMValueRef p, int at) {
    return slot_narrow(f, slot, fn_at_index(f, f->e->i64, p, fn_int(f, at)));
}

LLVMValueRef *slots_load_abi(Fn *f, const Layout *l, LLVMValueRef p, int at) {
    LLVMValueRef *s = slots_new(f, l->nslots);
    for (int k = 0; k < l->nslots; k++)
        s[k] = slot_load_abi(f, &l->slots[k], p, at + k);
    return s;
}

void slots_retain(Fn *f, const Layout *l, LLVMValueRef const *s) {
    for (int k = 0; k < l->nslots; k++)
        if (l->slots[k].kind == SLOT_BUF)
            api_retain(f, s[k]);
}

void slots_release(Fn *f, const Layout *l, LLVMValueRef const *s) {
    for (int k = 0; k < l->nslots; k++)
        if (l->slots[k].kind == SLOT_BUF)
            api_release(f, s[k]);
}

/* ---- values ---- */

Value *value_of(Fn *f, IrId id) {
    assert(id > 0 && f->values[id].s);
    return &f->values[id];
}

void value_set(Fn *f, IrId id, LLVMValueRef *s, int n) {
    f->values[id] = (Value){.s = s, .n = n};
}

Type *value_type(Fn *f, IrId id) {
    return ir_op(f->ir, id)->type;
}

Layout *value_layout(Fn *f, IrId id) {
    return layout_of(f->e, value_type(f, id));
}

LLVMValueRef value_scalar(Fn *f, IrId id) {
    return value_of(f, id)->s[0];
}

/* ---- environments ---- */

int env_add(Fn *f, Env *env, LLVMValueRef value) {
    vec_push(f->e->arena, &env->fields, value);
    return env->fields.len - 1;
}

static void capture_id(Fn *f, Env *env, IrId id, char *seen) {
    if (id == IR_NONE || seen[id])
        return;
    seen[id] = 1;
    Value *v = &f->values[id];
    if (!v->s)
        return; /* defined inside */
    vec_push(f->e->arena, &env->ids, id);
    for (int k = 0; k < v->n; k++)
        if (!LLVMIsConstant(v->s[k]))
            env_add(f, env, v->s[k]);
}

static void mark_inner(const IrFunc *ir, const IrRegion *region, char *seen) {
    for (int k = 0; k < region->params.len; k++)
        seen[region->params.at[k]] = 1;
    for (int k = 0; k < region->ops.len; k++) {
        IrOp *op = ir_op(ir, region->ops.at[k]);
        seen[region->ops.at[k]] = 1;
        for (int r = 0; r < op->nregions; r++)
            mark_inner(ir, op->regions[r], seen);
    }
}

static void capture_uses(Fn *f, Env *env, const IrRegion *region, char *seen) {
    for (int k = 0; k < region->ops.len; k++) {
        IrOp *op = ir_op(f->ir, region->ops.at[k]);
        for (int a = 0; a < op->nargs; a++)
            capture_id(f, env, op->args[a], seen);
        for (int r = 0; r < op->nregions; r++)
            capture_uses(f, env, op->regions[r], seen);
    }
    for (int k = 0; k < region->results.len; k++)
        capture_id(f, env, region->results.at[k], seen);
    for (int k = 0; k < region->releases.len; k++)
        capture_id(f, env, region->releases.at[k].value, seen);
}

char *region_inner(Fn *f, const IrRegion *region) {
    char *inner = NEW_ARRAY(f->e->arena, char, f->ir->ops.len + 1);
    mark_inner(f->ir, region, inner);
    return inner;
}

void env_capture(Fn *f, Env *env, const IrRegion *region) {
    char *seen = region_inner(f, region);
    for (int k = 0; k < env->ids.len; k++)
        seen[env->ids.at[k]] = 1;
    capture_uses(f, env, region, seen);
}

LLVMValueRef env_store(Fn *f, Env *env) {
    Emit *e = f->e;
    int n = env->fields.len;
    LLVMTypeRef *types = NEW_ARRAY(e->arena, LLVMTypeRef, n + 1);
    for (int k = 0; k < n; k++)
        types[k] = LLVMTypeOf(env->fields.at[k]);
    env->type = LLVMStructTypeInContext(e->C, types, (unsigned)n, 0);
    env->p = fn_alloca(f, env->type, "env");
    for (int k = 0; k < n; k++)
        fn_set(f, LLVMBuildStructGEP2(B, env->type, env->p, (unsigned)k, ""), env->fields.at[k]);
    return env->p;
}

LLVMValueRef env_load(Fn *f, Env *env, LLVMValueRef p, int field) {
    LLVMValueRef at = LLVMBuildStructGEP2(B, env->type, p, (unsigned)field, "");
    LLVMValueRef v = fn_get(f, LLVMTypeOf(env->fields.at[field]), at);
    LLVMSetMetadata(v, f->e->md_invariant, f->e->empty_md);
    return v;
}

/* The captured slots were added in the order of ids, behind `first` other fields. */
static int first_captured(Fn *f, const Env *env) {
    int n = 0;
    for (int k = 0; k < env->ids.len; k++)
        for (int s = 0; s < f->values[env->ids.at[k]].n; s++)
            n += !LLVMIsConstant(f->values[env->ids.at[k]].s[s]);
    return env->fields.len - n;
}

void env_open(Fn *f, Env *env, LLVMValueRef p) {
    int at = first_captured(f, env);
    env->saved = NEW_ARRAY(f->e->arena, Value, env->ids.len + 1);
    for (int k = 0; k < env->ids.len; k++) {
        Value outer = f->values[env->ids.at[k]];
        env->saved[k] = outer;
        LLVMValueRef *s = slots_new(f, outer.n);
        for (int i = 0; i < outer.n; i++)
            s[i] = LLVMIsConstant(outer.s[i]) ? outer.s[i] : env_load(f, env, p, at++);
        value_set(f, env->ids.at[k], s, outer.n);
    }
}

void env_close(Fn *f, Env *env) {
    for (int k = 0; k < env->ids.len; k++)
        f->values[env->ids.at[k]] = env->saved[k];
}

Outline outline_begin(Fn *inner, Fn *outer, LLVMTypeRef type, const char *name) {
    Emit *e = outer->e;
    Outline o = {fn_here(outer)};
    LLVMValueRef fn = LLVMAddFunction(e->M, name, type);
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    *inner = (Fn){.values = outer->values, .in_kernel = outer->in_kernel, .kept = outer->kept};
    fn_start(inner, e, outer->ir, fn);
    return o;
}

void outline_end(Fn *f, Outline *o) {
    LLVMBuildRetVoid(B);
    fn_end(f);
    fn_at(f, o->back);
}
