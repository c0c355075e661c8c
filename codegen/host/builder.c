/* Arrays that grow, of any element type, irregular ones included. In memory a builder is a struct:
   for each level its length and capacity, then for each column its buffer and data. All zeros is an
   empty one. A column of offsets has one place more than its level's capacity and begins with 0. */
#include "emit.h"

#include <stdio.h>

#define B (f->e->B)

LLVMTypeRef builder_type(Emit *e, const Layout *l) {
    int n = 2 * l->nlevels + 2 * l->ncols;
    LLVMTypeRef *types = NEW_ARRAY(e->arena, LLVMTypeRef, n + 1);
    for (int k = 0; k < n; k++)
        types[k] = k < 2 * l->nlevels ? e->i64 : e->ptr;
    return LLVMStructTypeInContext(e->C, types, (unsigned)n, 0);
}

static LLVMValueRef field(Fn *f, Builder *b, int k) {
    return LLVMBuildStructGEP2(B, builder_type(f->e, b->l), b->p, (unsigned)k, "");
}

static LLVMValueRef len_at(Fn *f, Builder *b, int level) {
    return field(f, b, 2 * level);
}

static LLVMValueRef data_at(Fn *f, Builder *b, int col) {
    return field(f, b, 2 * b->l->nlevels + 2 * col + 1);
}

static LLVMValueRef data_of(Fn *f, Builder *b, int col) {
    return fn_get(f, f->e->ptr, data_at(f, b, col));
}

LLVMValueRef builder_len(Fn *f, Builder *b, int level) {
    return fn_get(f, f->e->i64, len_at(f, b, level));
}

void builder_init(Fn *f, Builder *b) {
    fn_set(f, b->p, LLVMConstNull(builder_type(f->e, b->l)));
}

void builder_cols(Fn *f, Builder *b, LLVMValueRef *cols) {
    for (int k = 0; k < b->l->ncols; k++) {
        cols[2 * k] = fn_get(f, f->e->ptr, field(f, b, 2 * b->l->nlevels + 2 * k));
        cols[2 * k + 1] = data_of(f, b, k);
    }
}

/* ---- growing ---- */

/* A column with room for cap elements of its level and the first len copied. */
static void grow_column(Fn *f, Builder *b, LLVMValueRef site, int col, LLVMValueRef len,
                        LLVMValueRef cap) {
    const Column *c = &b->l->cols[col];
    bool is_offsets = c->kind == COL_OFFSETS;
    LLVMValueRef buf_at = field(f, b, 2 * b->l->nlevels + 2 * col);
    LLVMValueRef old = fn_get(f, f->e->ptr, buf_at), old_data = data_of(f, b, col);
    LLVMValueRef places = is_offsets ? fn_add(f, cap, fn_int(f, 1)) : cap;
    LLVMValueRef buf = api_alloc(f, site, places, c->bytes), data = api_data(f, buf);
    if (is_offsets)
        fn_set(f, data, fn_int(f, 0));
    If had = if_begin(f, fn_cmp(f, LLVMIntNE, old, LLVMConstNull(f->e->ptr)));
    fn_copy(f, data, old_data, is_offsets ? fn_add(f, len, fn_int(f, 1)) : len, c->bytes);
    api_release(f, old);
    if_end(f, &had);
    fn_set(f, buf_at, buf);
    fn_set(f, data_at(f, b, col), data);
}

/* grow(ctx, site, builder, extra): makes room for extra more elements in a level. */
static LLVMValueRef grow_function(Fn *outer, Builder *b, int level) {
    Emit *e = outer->e;
    char name[64];
    snprintf(name, sizeof name, "grow.%u.%d", b->l->type->id, level);
    LLVMValueRef old = LLVMGetNamedFunction(e->M, name);
    if (old)
        return old;
    Fn inner, *f = &inner;
    LLVMTypeRef type =
        LLVMFunctionType(e->vd, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr, e->i64}, 4, 0);
    Outline o = outline_begin(f, outer, type, name);
    LLVMValueRef fn = f->fn, site = LLVMGetParam(fn, 1), extra = LLVMGetParam(fn, 3);
    Builder mine = {b->l, LLVMGetParam(fn, 2)};
    LLVMValueRef len = builder_len(f, &mine, level), cap_at = field(f, &mine, 2 * level + 1);
    LLVMValueRef twice = fn_mul(f, fn_get(f, e->i64, cap_at), fn_int(f, 2));
    LLVMValueRef cap = fn_max(f, fn_max(f, twice, fn_add(f, len, extra)), fn_int(f, 16));
    for (int k = 0; k < b->l->ncols; k++)
        if (b->l->cols[k].level == level)
            grow_column(f, &mine, site, k, len, cap);
    fn_set(f, cap_at, cap);
    outline_end(f, &o);
    fn_attribute(e, fn, "noinline");
    return fn;
}

void builder_reserve(Fn *f, Builder *b, LLVMValueRef site, int level, LLVMValueRef extra) {
    Emit *e = f->e;
    LLVMValueRef fn = grow_function(f, b, level);
    LLVMValueRef len = builder_len(f, b, level);
    LLVMValueRef cap = fn_get(f, e->i64, field(f, b, 2 * level + 1));
    LLVMBasicBlockRef grow = fn_block(f, "grow"), done = fn_block(f, "fits");
    fn_unlikely(f, fn_cmp(f, LLVMIntSLE, fn_add(f, len, extra), cap), done, grow);
    fn_at(f, grow);
    LLVMValueRef args[] = {f->ctx, site, b->p, extra};
    LLVMBuildCall2(B, LLVMGlobalGetValueType(fn), fn, args, 4, "");
    fn_br(f, done);
    fn_at(f, done);
}

void builder_extend(Fn *f, Builder *b, LLVMValueRef n) {
    fn_set(f, len_at(f, b, 0), fn_add(f, builder_len(f, b, 0), n));
}

/* ---- appending ---- */

static void append_level(Fn *f, Builder *b, LLVMValueRef site, int level, LLVMValueRef const *data,
                         LLVMValueRef n);

/* Appends n lists given by their offsets: the inner elements first, then offsets moved to them. */
static void append_lists(Fn *f, Builder *b, LLVMValueRef site, int col, LLVMValueRef const *data,
                         LLVMValueRef len, LLVMValueRef n) {
    Emit *e = f->e;
    const Layout *l = b->l;
    int level = l->cols[col].inner;
    LLVMValueRef base = fn_get(f, e->i64, data[col]);
    LLVMValueRef end = fn_get(f, e->i64, fn_at_index(f, e->i64, data[col], n));
    LLVMValueRef move = fn_sub(f, builder_len(f, b, level), base);
    LLVMValueRef *inner = slots_new(f, l->ncols);
    for (int k = 0; k < l->ncols; k++)
        inner[k] =
            l->cols[k].level == level ? fn_at_bytes(f, l->cols[k].bytes, data[k], base) : data[k];
    append_level(f, b, site, level, inner, fn_sub(f, end, base));
    LLVMValueRef one = fn_int(f, 1);
    LLVMValueRef from = fn_at_index(f, e->i64, data[col], one);
    LLVMValueRef to = fn_at_index(f, e->i64, data_of(f, b, col), fn_add(f, len, one));
    Loop loop = loop_begin(f, fn_int(f, 0), n, "offsets");
    LLVMValueRef v = fn_get(f, e->i64, fn_at_index(f, e->i64, from, loop.i));
    fn_set(f, fn_at_index(f, e->i64, to, loop.i), fn_add(f, v, move));
    loop_end(f, &loop);
}

/* Appends n elements of a level and of those inside it. data: one pointer a column of the layout.
 */
static void append_level(Fn *f, Builder *b, LLVMValueRef site, int level, LLVMValueRef const *data,
                         LLVMValueRef n) {
    const Layout *l = b->l;
    If some = if_begin(f, fn_cmp(f, LLVMIntSGT, n, fn_int(f, 0)));
    builder_reserve(f, b, site, level, n);
    LLVMValueRef len = builder_len(f, b, level);
    for (int k = 0; k < l->ncols; k++) {
        const Column *c = &l->cols[k];
        if (c->level != level)
            continue;
        if (c->kind == COL_OFFSETS)
            append_lists(f, b, site, k, data, len, n);
        else
            fn_copy(f, fn_at_bytes(f, c->bytes, data_of(f, b, k), len), data[k], n, c->bytes);
    }
    fn_set(f, len_at(f, b, level), fn_add(f, len, n));
    if_end(f, &some);
}

/* append(ctx, site, builder, n, data…) */
static LLVMValueRef append_function(Fn *outer, Builder *b) {
    Emit *e = outer->e;
    Layout *l = b->l;
    if (l->append)
        return l->append;
    int n = 4 + l->ncols;
    LLVMTypeRef *params = NEW_ARRAY(e->arena, LLVMTypeRef, n);
    for (int k = 0; k < n; k++)
        params[k] = k == 3 ? e->i64 : e->ptr;
    Fn inner, *f = &inner;
    Outline o = outline_begin(f, outer, LLVMFunctionType(e->vd, params, (unsigned)n, 0), "append");
    l->append = f->fn;
    LLVMValueRef *data = slots_new(f, l->ncols);
    for (int k = 0; k < l->ncols; k++)
        data[k] = LLVMGetParam(f->fn, 4 + (unsigned)k);
    Builder mine = {l, LLVMGetParam(f->fn, 2)};
    append_level(f, &mine, LLVMGetParam(f->fn, 1), 0, data, LLVMGetParam(f->fn, 3));
    outline_end(f, &o);
    return l->append;
}

void builder_append(Fn *f, Builder *b, LLVMValueRef site, LLVMValueRef const *cols,
                    LLVMValueRef n) {
    LLVMValueRef fn = append_function(f, b), *args = slots_new(f, 4 + b->l->ncols);
    args[0] = f->ctx;
    args[1] = site;
    args[2] = b->p;
    args[3] = n;
    for (int k = 0; k < b->l->ncols; k++)
        args[4 + k] = cols[2 * k + 1];
    LLVMBuildCall2(B, LLVMGlobalGetValueType(fn), fn, args, 4 + (unsigned)b->l->ncols, "");
}

/* ---- pushing an element ---- */

typedef struct {
    Builder *b;
    LLVMValueRef site, len;
    LLVMValueRef const *slots; /* the next slot */
    int col;                   /* the next column */
} Push;

static void push_list(Fn *f, Push *p, Layout *inner) {
    Emit *e = f->e;
    Builder *b = p->b;
    int offsets = p->col++, level = b->l->cols[offsets].inner;
    LLVMValueRef total = array_total(f, inner, p->slots);
    for (int k = 0; inner->rank > 1 && k < inner->rank; k++)
        fn_set(f, fn_at_index(f, e->i64, data_of(f, b, p->col++), p->len), p->slots[k]);
    LLVMValueRef *data = slots_new(f, b->l->ncols);
    for (int k = 0; k < inner->ncols; k++)
        data[p->col + k] = p->slots[inner->rank + 2 * k + 1];
    append_level(f, b, p->site, level, data, total);
    LLVMValueRef next = fn_add(f, p->len, fn_int(f, 1));
    fn_set(f, fn_at_index(f, e->i64, data_of(f, b, offsets), next), builder_len(f, b, level));
    p->col += inner->ncols;
    p->slots += inner->nslots;
}

static void push_part(Fn *f, Push *p, Type *elem) {
    Emit *e = f->e;
    if (type_is_product(elem)) {
        for (int k = 0; k < layout_members(elem); k++)
            push_part(f, p, layout_of(e, elem->items[k])->type);
    } else if (type_is_sum(elem)) {
        LLVMValueRef tag = LLVMBuildTrunc(B, *p->slots++, e->i8, "");
        fn_set(f, fn_at_index(f, e->i8, data_of(f, p->b, p->col++), p->len), tag);
        for (int c = 0; c < elem->nctors; c++)
            for (int k = 0; k < elem->ctors[c].count; k++)
                push_part(f, p, layout_of(e, elem->ctors[c].items[k])->type);
    } else if (layout_is_array(elem)) {
        push_list(f, p, layout_of(e, elem));
    } else {
        LLVMValueRef v = scalar_to_memory(&e->scalar, elem, *p->slots++);
        fn_set(f, fn_at_index(f, LLVMTypeOf(v), data_of(f, p->b, p->col++), p->len), v);
    }
}

void builder_push(Fn *f, Builder *b, LLVMValueRef site, LLVMValueRef const *slots) {
    builder_reserve(f, b, site, 0, fn_int(f, 1));
    Push p = {.b = b, .site = site, .len = builder_len(f, b, 0), .slots = slots};
    push_part(f, &p, b->l->elem);
    fn_set(f, len_at(f, b, 0), fn_add(f, p.len, fn_int(f, 1)));
}
