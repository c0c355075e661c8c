/* Sorting: scalar keys by the runtime's sort; others by a comparison function that is generated
   for their type, and then gathered. The order is the total one of lang/image.h's runtime: -0
   before 0, NaN last; products and lists lexicographic, sums by constructor first. */
#include "emit.h"

#include <stddef.h>

#define B (f->e->B)

/* ---- comparing ---- */

static LLVMValueRef compare_function(Fn *outer, Type *type);

static LLVMValueRef compare_call(Fn *f, Type *type, LLVMValueRef const *a, LLVMValueRef const *b) {
    LLVMValueRef fn = compare_function(f, type);
    int n = layout_of(f->e, type)->nslots;
    LLVMValueRef *args = slots_new(f, 1 + 2 * n);
    args[0] = f->ctx;
    for (int k = 0; k < n; k++) {
        args[1 + k] = a[k];
        args[1 + n + k] = b[k];
    }
    return LLVMBuildCall2(B, LLVMGlobalGetValueType(fn), fn, args, 1 + 2 * (unsigned)n, "");
}

static LLVMValueRef i32(Fn *f, int value) {
    return LLVMConstInt(f->e->i32, (uint64_t)(int64_t)value, 1);
}

/* Returns c from the function if it is not 0. */
static void return_unless_equal(Fn *f, LLVMValueRef c) {
    If differ = if_begin(f, fn_cmp(f, LLVMIntNE, c, i32(f, 0)));
    LLVMBuildRet(B, c);
    fn_at(f, differ.otherwise);
    fn_br(f, differ.join);
    fn_at(f, differ.join);
}

/* -1, 0 or 1 for two integers. */
static LLVMValueRef compare_ints(Fn *f, LLVMValueRef a, LLVMValueRef b) {
    LLVMValueRef more = LLVMBuildZExt(B, fn_cmp(f, LLVMIntSGT, a, b), f->e->i32, "");
    LLVMValueRef less = LLVMBuildZExt(B, fn_cmp(f, LLVMIntSLT, a, b), f->e->i32, "");
    return fn_sub(f, more, less);
}

static LLVMValueRef compare_scalars(Fn *f, Type *type, LLVMValueRef a, LLVMValueRef b) {
    Scalar *s = &f->e->scalar;
    LLVMValueRef less = scalar_emit_same(s, IR_BEFORE, type, a, b, 1);
    LLVMValueRef more = scalar_emit_same(s, IR_BEFORE, type, b, a, 1);
    return fn_sub(f, LLVMBuildZExt(B, more, f->e->i32, ""), LLVMBuildZExt(B, less, f->e->i32, ""));
}

static void compare_products(Fn *f, Type *const *items, int n, LLVMValueRef const *a,
                             LLVMValueRef const *b) {
    for (int k = 0, at = 0; k < n; k++) {
        return_unless_equal(f, compare_call(f, items[k], a + at, b + at));
        at += layout_of(f->e, items[k])->nslots;
    }
}

static void compare_sums(Fn *f, Type *type, LLVMValueRef const *a, LLVMValueRef const *b) {
    return_unless_equal(f, compare_ints(f, a[0], b[0]));
    for (int c = 0; c < type->nctors; c++) {
        If same = if_begin(f, fn_cmp(f, LLVMIntEQ, a[0], fn_int(f, c)));
        int at = layout_payload_slot(f->e, type, c, 0);
        compare_products(f, type->ctors[c].items, type->ctors[c].count, a + at, b + at);
        if_end(f, &same);
    }
}

/* The part of an array at row i. */
static void row_of(Fn *f, const Layout *l, LLVMValueRef const *s, LLVMValueRef i,
                   LLVMValueRef *out) {
    if (l->rank == 1) {
        elem_load(f, l->elem, s + 1, i, out);
        return;
    }
    for (int k = 1; k < l->rank; k++) {
        out[k - 1] = s[k];
        i = fn_mul(f, i, s[k]);
    }
    array_shift(f, l, s + l->rank, i, out + l->rank - 1);
}

static void compare_arrays(Fn *f, Layout *l, LLVMValueRef const *a, LLVMValueRef const *b) {
    Type *row = l->rank == 1 ? l->elem : type_array(f->e->m->types, l->elem, l->rank - 1);
    int n = layout_of(f->e, row)->nslots;
    LLVMValueRef *x = slots_new(f, n), *y = slots_new(f, n);
    Loop loop = loop_begin(f, fn_int(f, 0), fn_min(f, a[0], b[0]), "rows");
    row_of(f, l, a, loop.i, x);
    row_of(f, l, b, loop.i, y);
    return_unless_equal(f, compare_call(f, row, x, y));
    loop_end(f, &loop);
    return_unless_equal(f, compare_ints(f, a[0], b[0]));
}

/* compare(ctx, a…, b…) -> -1, 0 or 1 */
static LLVMValueRef compare_function(Fn *outer, Type *type) {
    Emit *e = outer->e;
    Layout *l = layout_of(e, type);
    if (l->compare)
        return l->compare;
    int n = l->nslots;
    LLVMTypeRef *params = NEW_ARRAY(e->arena, LLVMTypeRef, 1 + 2 * n);
    params[0] = e->ptr;
    for (int k = 0; k < n; k++)
        params[1 + k] = params[1 + n + k] = layout_slot_type(e, &l->slots[k]);
    Fn inner, *f = &inner;
    LLVMTypeRef signature = LLVMFunctionType(e->i32, params, 1 + 2 * (unsigned)n, 0);
    Outline o = outline_begin(f, outer, signature, "compare");
    l->compare = f->fn;
    LLVMValueRef *a = slots_new(f, n), *b = slots_new(f, n);
    for (int k = 0; k < n; k++) {
        a[k] = LLVMGetParam(f->fn, 1 + (unsigned)k);
        b[k] = LLVMGetParam(f->fn, 1 + (unsigned)(n + k));
    }
    type = l->type;
    if (type_is_product(type))
        compare_products(f, type->items, layout_members(type), a, b);
    else if (type_is_sum(type))
        compare_sums(f, type, a, b);
    else if (layout_is_array(type))
        compare_arrays(f, l, a, b);
    else
        return_unless_equal(f, compare_scalars(f, type, a[0], b[0]));
    LLVMBuildRet(B, i32(f, 0));
    fn_at(f, o.back);
    return l->compare;
}

/* ---- sorting ---- */

/* less(ctx, env, a, b) over the elements of an array whose columns are the env. */
static LLVMValueRef less_function(Fn *outer, Layout *l, Env *env, bool descending) {
    Emit *e = outer->e;
    Fn inner, *f = &inner;
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->i64, e->i64};
    Outline o = outline_begin(f, outer, LLVMFunctionType(e->i32, params, 4, 0), "less");
    LLVMValueRef *cols = slots_new(f, 2 * l->ncols);
    for (int k = 0; k < l->ncols; k++)
        cols[2 * k + 1] = env_load(f, env, LLVMGetParam(f->fn, 1), k);
    for (int k = 0; k < l->ncols; k++)
        cols[2 * k] = LLVMConstNull(e->ptr);
    int n = layout_of(e, l->elem)->nslots;
    LLVMValueRef *x = slots_new(f, n), *y = slots_new(f, n);
    elem_load(f, l->elem, cols, LLVMGetParam(f->fn, 2), x);
    elem_load(f, l->elem, cols, LLVMGetParam(f->fn, 3), y);
    LLVMValueRef c = descending ? compare_call(f, l->elem, y, x) : compare_call(f, l->elem, x, y);
    LLVMBuildRet(B, LLVMBuildZExt(B, fn_cmp(f, LLVMIntSLT, c, i32(f, 0)), e->i32, ""));
    fn_at(f, o.back);
    return f->fn;
}

static void sort_scalars(Fn *f, const Layout *l, LLVMValueRef data, LLVMValueRef n, bool descending,
                         LLVMValueRef perm) {
    Emit *e = f->e;
    LLVMTypeRef params[] = {e->ptr, e->i32, e->ptr, e->i64, e->i32, e->ptr};
    LLVMTypeRef type = LLVMFunctionType(e->vd, params, 6, 0);
    LLVMValueRef args[] = {f->ctx, i32(f, table_kind(l->elem)), data, n, i32(f, descending), perm};
    api_call(f, offsetof(GactApi, sort), type, args, 6);
}

static void sort_by(Fn *f, Layout *l, LLVMValueRef const *cols, LLVMValueRef n, bool descending,
                    LLVMValueRef perm) {
    Emit *e = f->e;
    Env env = {0};
    for (int k = 0; k < l->ncols; k++)
        env_add(f, &env, cols[2 * k + 1]);
    LLVMValueRef p = env_store(f, &env);
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->ptr, e->i64, e->ptr};
    LLVMTypeRef type = LLVMFunctionType(e->vd, params, 5, 0);
    LLVMValueRef args[] = {f->ctx, less_function(f, l, &env, descending), p, n, perm};
    api_call(f, offsetof(GactApi, sort_by), type, args, 5);
}

/* The elements of an array in the order of a permutation. */
static void gather(Fn *f, Layout *l, LLVMValueRef site, LLVMValueRef const *cols, LLVMValueRef perm,
                   LLVMValueRef n, LLVMValueRef *out) {
    Emit *e = f->e;
    LLVMValueRef *elem = slots_new(f, layout_of(e, l->elem)->nslots), *data = NULL;
    Builder b = {l, NULL};
    if (l->is_regular) {
        array_alloc(f, l, site, n, out);
        data = array_data(f, l, out);
    } else {
        b.p = fn_alloca(f, builder_type(e, l), "sorted");
        builder_init(f, &b);
    }
    Loop loop = loop_begin(f, fn_int(f, 0), n, "gather");
    elem_load(f, l->elem, cols, fn_get(f, e->i64, fn_at_index(f, e->i64, perm, loop.i)), elem);
    if (l->is_regular)
        elem_store(f, l->elem, data, loop.i, elem);
    else
        builder_push(f, &b, site, elem);
    loop_end(f, &loop);
    if (!l->is_regular)
        builder_cols(f, &b, out);
}

/* Scalars into fresh memory, where a device may do it. */
static void sort_anew(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *out = slots_new(f, 3);
    bool descending = op->imm & SORT_DESCENDING;
    out[0] = s[0];
    array_alloc(f, l, site_memory(f, op), s[0], out + 1);
    LibraryCall call = {.op = GACT_LIBRARY_SORT,
                        .kind = table_kind(l->elem),
                        .descending = descending,
                        .a = s + 1,
                        .out = out + 1,
                        .n = s[0]};
    LLVMBasicBlockRef done = library_ask(f, id, &call);
    array_copy(f, l, out + 2, fn_int(f, 0), s + 1, s[0]);
    sort_scalars(f, l, out[2], s[0], descending, LLVMConstNull(f->e->ptr));
    library_done(f, done);
    if (op_consumes(f, op, 0))
        slots_release(f, l, s);
    value_set(f, id, out, 3);
}

/* Scalars where they stand, if they may. */
static void sort_in_place(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *out = slots_new(f, 3);
    out[0] = s[0];
    array_own(f, l, site_memory(f, op), s, op_consumes(f, op, 0), out + 1);
    sort_scalars(f, l, out[2], s[0], op->imm & SORT_DESCENDING, LLVMConstNull(f->e->ptr));
    value_set(f, id, out, 3);
}

/* The permutation of scalars. */
static void sort_places(Fn *f, IrId id, LLVMValueRef const *perm) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]);
    LLVMValueRef *s = value_of(f, op->args[0])->s;
    bool descending = op->imm & SORT_DESCENDING;
    LibraryCall call = {.op = GACT_LIBRARY_ARGSORT,
                        .kind = table_kind(l->elem),
                        .descending = descending,
                        .a = s + 1,
                        .out = perm,
                        .n = s[0]};
    LLVMBasicBlockRef done = library_ask(f, id, &call);
    sort_scalars(f, l, s[2], s[0], descending, perm[1]);
    library_done(f, done);
}

void emit_sort(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]);
    LLVMValueRef *s = value_of(f, op->args[0])->s, site = site_memory(f, op), n = s[0];
    bool is_permutation = op->imm & SORT_PERMUTATION;
    bool is_scalar = type_is_scalar(l->elem);
    if (is_scalar && !is_permutation) {
        launch_either(f, id, n, sort_anew, sort_in_place);
        return;
    }
    LLVMValueRef perm[2], *out = slots_new(f, value_layout(f, id)->nslots);
    out[0] = n;
    perm[0] = api_alloc(f, site, n, 8);
    perm[1] = api_data(f, perm[0]);
    if (is_scalar)
        sort_places(f, id, perm);
    else
        sort_by(f, l, s + 1, n, op->imm & SORT_DESCENDING, perm[1]);
    if (is_permutation) {
        out[1] = perm[0];
        out[2] = perm[1];
    } else {
        gather(f, l, site, s + 1, perm[1], n, out + 1);
        api_release(f, perm[0]);
    }
    if (op_consumes(f, op, 0))
        slots_release(f, l, s);
    value_set(f, id, out, value_layout(f, id)->nslots);
}
