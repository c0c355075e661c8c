/* Arrays: elements in and out of columns, views, and ops that make new arrays of known size. */
#include "actor.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define B (f->e->B)

LLVMValueRef site_memory(Fn *f, const IrOp *op) {
    Emit *e = f->e;
    if (e->memory_op != op) {
        IrOp plain = *op;
        plain.fault = NULL;
        e->memory_site = table_site(e, "memory", "out of memory", f->ir, &plain);
        e->memory_op = op;
    }
    return e->memory_site;
}

LLVMValueRef array_total(Fn *f, const Layout *l, LLVMValueRef const *s) {
    LLVMValueRef total = s[0];
    for (int k = 1; k < l->rank; k++)
        total = fn_mul(f, total, s[k]);
    return total;
}

/* ---- elements ---- */

/* Data that is read in a kernel's body is none that the kernel writes. */
static LLVMValueRef load_data(Fn *f, LLVMTypeRef type, LLVMValueRef data, LLVMValueRef index) {
    LLVMValueRef v = fn_get(f, type, fn_at_index(f, type, data, index));
    LLVMSetAlignment(v, (unsigned)LLVMABIAlignmentOfType(f->e->layout, type));
    if (f->nnoalias > 0) {
        LLVMMetadataRef list = LLVMMDNodeInContext2(f->e->C, f->noalias, (size_t)f->nnoalias);
        LLVMSetMetadata(v, f->e->md_noalias, LLVMMetadataAsValue(f->e->C, list));
    }
    return v;
}

typedef struct {
    LLVMValueRef const *cols; /* pairs */
    LLVMValueRef index;
    int col; /* the next column */
    LLVMValueRef *out;
} Cursor;

static LLVMValueRef next_data(Cursor *c) {
    return c->cols[2 * c->col++ + 1];
}

static void load_part(Fn *f, Cursor *c, Type *elem);

/* Element `index` of an irregular list: a view of its part of the inner columns. */
static void load_list(Fn *f, Cursor *c, Layout *inner) {
    Emit *e = f->e;
    LLVMValueRef offsets = next_data(c);
    LLVMValueRef from = load_data(f, e->i64, offsets, c->index);
    LLVMValueRef next = LLVMBuildNSWAdd(B, c->index, fn_int(f, 1), "");
    if (inner->rank == 1)
        *c->out++ = fn_sub(f, load_data(f, e->i64, offsets, next), from);
    else
        for (int k = 0; k < inner->rank; k++)
            *c->out++ = load_data(f, e->i64, next_data(c), c->index);
    array_shift(f, inner, c->cols + 2 * c->col, from, c->out);
    c->out += 2 * inner->ncols;
    c->col += inner->ncols;
}

static void load_part(Fn *f, Cursor *c, Type *elem) {
    Emit *e = f->e;
    if (type_is_product(elem)) {
        for (int k = 0; k < layout_members(elem); k++)
            load_part(f, c, layout_of(e, elem->items[k])->type);
    } else if (type_is_sum(elem)) {
        LLVMValueRef tag = load_data(f, e->i8, next_data(c), c->index);
        *c->out++ = LLVMBuildZExt(B, tag, e->i64, "");
        for (int i = 0; i < elem->nctors; i++)
            for (int k = 0; k < elem->ctors[i].count; k++)
                load_part(f, c, layout_of(e, elem->ctors[i].items[k])->type);
    } else if (layout_is_array(elem)) {
        load_list(f, c, layout_of(e, elem));
    } else {
        LLVMTypeRef type = scalar_memory_type(&e->scalar, elem, 1);
        LLVMValueRef v = load_data(f, type, next_data(c), c->index);
        *c->out++ = scalar_from_memory(&e->scalar, elem, v);
    }
}

void elem_load(Fn *f, Type *elem, LLVMValueRef const *cols, LLVMValueRef index, LLVMValueRef *out) {
    Cursor c = {.cols = cols, .index = index, .out = out};
    load_part(f, &c, layout_of(f->e, elem)->type);
}

void elem_store(Fn *f, Type *elem, LLVMValueRef const *data, LLVMValueRef index,
                LLVMValueRef const *slots) {
    Emit *e = f->e;
    Layout *l = layout_of(e, elem);
    for (int k = 0; k < l->nslots; k++) { /* a regular element has a column a slot */
        LLVMValueRef v = slots[k];
        assert(l->slots[k].kind == SLOT_TAG || l->slots[k].kind == SLOT_SCALAR);
        if (l->slots[k].kind == SLOT_TAG)
            v = LLVMBuildTrunc(B, v, e->i8, "");
        else
            v = scalar_to_memory(&e->scalar, l->slots[k].type, v);
        LLVMTypeRef type = LLVMTypeOf(v);
        LLVMValueRef store = LLVMBuildStore(B, v, fn_at_index(f, type, data[k], index));
        if (f->is_output && f->nnoalias > 0) {
            LLVMMetadataRef list = LLVMMDNodeInContext2(e->C, f->noalias, (size_t)f->nnoalias);
            LLVMSetMetadata(store, e->md_scope, LLVMMetadataAsValue(e->C, list));
        }
    }
}

void array_alloc(Fn *f, const Layout *l, LLVMValueRef site, LLVMValueRef count,
                 LLVMValueRef *cols) {
    for (int k = 0; k < l->ncols; k++) {
        cols[2 * k] = api_alloc(f, site, count, l->cols[k].bytes);
        cols[2 * k + 1] = api_data(f, cols[2 * k]);
    }
}

void array_shift(Fn *f, const Layout *l, LLVMValueRef const *cols, LLVMValueRef index,
                 LLVMValueRef *out) {
    for (int k = 0; k < l->ncols; k++) {
        out[2 * k] = cols[2 * k];
        out[2 * k + 1] = l->cols[k].level > 0
                             ? cols[2 * k + 1]
                             : fn_at_bytes(f, l->cols[k].bytes, cols[2 * k + 1], index);
    }
}

/* Copies n elements of a regular array to row `at` of other columns. data: one pointer a column. */
void array_copy(Fn *f, const Layout *l, LLVMValueRef const *to, LLVMValueRef at,
                LLVMValueRef const *cols, LLVMValueRef n) {
    for (int k = 0; k < l->ncols; k++)
        fn_copy(f, fn_at_bytes(f, l->cols[k].bytes, to[k], at), cols[2 * k + 1], n,
                l->cols[k].bytes);
}

LLVMValueRef *array_data(Fn *f, const Layout *l, LLVMValueRef const *cols) {
    LLVMValueRef *data = slots_new(f, l->ncols);
    for (int k = 0; k < l->ncols; k++)
        data[k] = cols[2 * k + 1];
    return data;
}

/* ---- views ---- */

/* Checks n indices and gives the row-major number of the place, counted in parts of the axes left.
 */
static LLVMValueRef place_of(Fn *f, const IrOp *op, const Layout *l, LLVMValueRef const *s,
                             const IrId *at, int n) {
    LLVMValueRef place = NULL;
    for (int k = 0; k < n; k++) {
        LLVMValueRef i = value_scalar(f, at[k]);
        if (op->flags & IRF_CHECKED) {
            LLVMValueRef site =
                table_site(f->e, "index", "index {} is out of bounds for size {}", f->ir, op);
            LLVMValueRef nums[] = {i, s[k]};
            emit_check(f, fn_cmp(f, LLVMIntULT, i, s[k]), site, nums, 2);
        }
        if (place)
            place = LLVMBuildNSWAdd(B, LLVMBuildNSWMul(B, place, s[k], ""), i, "");
        else
            place = i;
    }
    for (int k = n; k < l->rank; k++)
        place = LLVMBuildNSWMul(B, place, s[k], "");
    return place;
}

void emit_index(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]), *r = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s;
    int n = op->nargs - 1;
    LLVMValueRef place = place_of(f, op, l, s, op->args + 1, n);
    LLVMValueRef *out = slots_new(f, r->nslots);
    if (n == l->rank) {
        elem_load(f, l->elem, s + l->rank, place, out);
    } else {
        for (int k = n; k < l->rank; k++)
            out[k - n] = s[k];
        array_shift(f, l, s + l->rank, place, out + l->rank - n);
    }
    value_set(f, id, out, r->nslots);
}

void emit_slice(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s;
    LLVMValueRef lo = value_scalar(f, op->args[1]), hi = value_scalar(f, op->args[2]);
    if (op->flags & IRF_CHECKED) {
        LLVMValueRef site =
            table_site(f->e, "slice", "slice {}..{} is out of bounds for size {}", f->ir, op);
        LLVMValueRef ok =
            fn_bin(f, LLVMAnd, fn_cmp(f, LLVMIntULE, lo, hi), fn_cmp(f, LLVMIntULE, hi, s[0]));
        emit_check(f, ok, site, (LLVMValueRef[]){lo, hi, s[0]}, 3);
    }
    LLVMValueRef *out = slots_new(f, l->nslots), place = lo;
    out[0] = fn_sub(f, hi, lo);
    for (int k = 1; k < l->rank; k++) {
        out[k] = s[k];
        place = LLVMBuildNSWMul(B, place, s[k], "");
    }
    array_shift(f, l, s + l->rank, place, out + l->rank);
    value_set(f, id, out, l->nslots);
}

void emit_reshape(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *from = value_layout(f, op->args[0]), *l = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *out = slots_new(f, l->nslots);
    for (int k = 0; k < l->rank; k++)
        out[k] = value_scalar(f, op->args[1 + k]);
    for (int k = 0; k < 2 * l->ncols; k++)
        out[l->rank + k] = s[from->rank + k];
    value_set(f, id, out, l->nslots);
}

void emit_flat(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *from = value_layout(f, op->args[0]), *l = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *out = slots_new(f, l->nslots);
    Layout *inner = layout_of(f->e, from->elem);
    int skipped = 1 + (inner->rank > 1 ? inner->rank : 0);
    LLVMValueRef offsets = s[from->rank + 1], n = array_total(f, from, s);
    /* An empty list may have no offsets at all. */
    LLVMValueRef zero = table_zeros(f->e);
    offsets = fn_select(f, fn_cmp(f, LLVMIntEQ, n, fn_int(f, 0)), zero, offsets);
    LLVMValueRef lo = load_data(f, f->e->i64, offsets, fn_int(f, 0));
    LLVMValueRef hi = load_data(f, f->e->i64, offsets, n);
    out[0] = fn_sub(f, hi, lo);
    array_shift(f, l, s + from->rank + 2 * skipped, lo, out + 1);
    value_set(f, id, out, l->nslots);
}

/* ---- sole ownership ---- */

/* Is every buffer of these columns held by nobody else? */
LLVMValueRef array_is_unshared(Fn *f, const Layout *l, LLVMValueRef const *cols) {
    Emit *e = f->e;
    LLVMValueRef all = NULL;
    for (int k = 0; k < l->ncols; k++) {
        LLVMValueRef none = fn_cmp(f, LLVMIntEQ, cols[2 * k], LLVMConstNull(e->ptr));
        LLVMValueRef p = fn_select(f, none, table_zeros(e), cols[2 * k]);
        LLVMValueRef one = fn_cmp(f, LLVMIntEQ, fn_get(f, e->i64, p), fn_int(f, 1));
        all = all ? fn_bin(f, LLVMAnd, all, one) : one;
    }
    return all ? all : LLVMConstInt(e->i1, 1, 0);
}

/* Columns chosen by the way that control came to this block. */
static void join_columns(Fn *f, const Layout *l, LLVMValueRef const *a, LLVMBasicBlockRef from_a,
                         LLVMValueRef *b, LLVMBasicBlockRef from_b) {
    for (int k = 0; k < 2 * l->ncols; k++) {
        LLVMValueRef phi = LLVMBuildPhi(B, f->e->ptr, "");
        LLVMAddIncoming(phi, (LLVMValueRef[]){a[k], b[k]}, (LLVMBasicBlockRef[]){from_a, from_b},
                        2);
        b[k] = phi;
    }
}

/* Columns with at least `room` places whose first `count` elements are those of old ones: the old
   ones themselves if they are owned, unshared and large enough. Where they grow by less than half they
   are bought with half as much again, so that appending in a loop costs a constant each time. */
static void array_extend(Fn *f, const Layout *l, LLVMValueRef site, LLVMValueRef const *old,
                         LLVMValueRef count, LLVMValueRef room, LLVMValueRef *cols) {
    Emit *e = f->e;
    LLVMBasicBlockRef look = fn_block(f, "look"), more = fn_block(f, "more"),
                      join = fn_block(f, "extended");
    fn_cond(f, array_is_unshared(f, l, old), look, more);
    fn_at(f, look);
    LLVMValueRef fits = LLVMConstInt(e->i1, 1, 0);
    for (int k = 0; k < l->ncols; k++) {
        LLVMValueRef bytes_at =
            fn_at_index(f, e->i8, old[2 * k], fn_int(f, offsetof(GactBuf, bytes)));
        LLVMValueRef need = fn_mul(f, room, fn_int(f, l->cols[k].bytes));
        LLVMValueRef ok = fn_cmp(f, LLVMIntSLE, need, fn_get(f, e->i64, bytes_at));
        LLVMValueRef is_start = fn_cmp(f, LLVMIntEQ, api_data(f, old[2 * k]), old[2 * k + 1]);
        fits = fn_bin(f, LLVMAnd, fits, fn_bin(f, LLVMAnd, ok, is_start));
    }
    LLVMBasicBlockRef looked = fn_here(f);
    fn_cond(f, fits, join, more);
    fn_at(f, more);
    LLVMValueRef half = LLVMBuildLShr(B, room, fn_int(f, 1), "");
    LLVMValueRef is_slow = fn_cmp(f, LLVMIntSLT, fn_sub(f, room, count), LLVMBuildLShr(B, count, fn_int(f, 1), ""));
    half = fn_select(f, is_slow, half, fn_int(f, 0));
    array_alloc(f, l, site, fn_add(f, room, half), cols);
    array_copy(f, l, array_data(f, l, cols), fn_int(f, 0), old, count);
    for (int k = 0; k < l->ncols; k++)
        api_release(f, old[2 * k]);
    LLVMBasicBlockRef bought = fn_here(f);
    fn_br(f, join);
    fn_at(f, join);
    join_columns(f, l, old, looked, cols, bought);
}

/* ---- new arrays ---- */

/* An array value of dims and a finished builder's columns. */
static void set_built(Fn *f, IrId id, LLVMValueRef const *dims, Builder *b) {
    Layout *l = b->l;
    LLVMValueRef *out = slots_new(f, l->nslots);
    for (int k = 0; k < l->rank; k++)
        out[k] = dims[k];
    builder_cols(f, b, out + l->rank);
    value_set(f, id, out, l->nslots);
}

static Builder new_builder(Fn *f, Layout *l) {
    Builder b = {l, fn_alloca(f, builder_type(f->e, l), "builder")};
    builder_init(f, &b);
    return b;
}

/* The columns of a value that is wanted elsewhere: nobody counts them. */
static void aimed_columns(Fn *f, const Layout *l, LLVMValueRef *cols) {
    for (int c = 0; c < l->ncols; c++) {
        cols[2 * c] = LLVMConstNull(f->e->ptr);
        cols[2 * c + 1] = f->dest.data[c];
    }
}

void emit_list(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef site = site_memory(f, op), *out = slots_new(f, l->nslots);
    out[0] = fn_int(f, op->nargs);
    LLVMValueRef part = fn_int(f, 1);
    for (int k = 1; k < l->rank; k++) {
        out[k] = op->nargs ? value_of(f, op->args[0])->s[k - 1] : fn_int(f, 0);
        part = fn_mul(f, part, out[k]);
    }
    if (!l->is_regular) {
        Builder b = new_builder(f, l);
        for (int k = 0; k < op->nargs; k++) {
            LLVMValueRef *s = value_of(f, op->args[k])->s;
            if (l->rank > 1)
                builder_append(f, &b, site, s + l->rank - 1, part);
            else
                builder_push(f, &b, site, s);
        }
        set_built(f, id, out, &b);
        return;
    }
    if (f->dest.id == id && f->dest.data && !f->dest.builder) /* a row of a larger array */
        aimed_columns(f, l, out + l->rank);
    else
        array_alloc(f, l, site, fn_mul(f, out[0], part), out + l->rank);
    LLVMValueRef *data = array_data(f, l, out + l->rank);
    for (int k = 0; k < op->nargs; k++) {
        LLVMValueRef *s = value_of(f, op->args[k])->s, at = fn_mul(f, fn_int(f, k), part);
        if (l->rank > 1)
            array_copy(f, l, data, at, s + l->rank - 1, part);
        else
            elem_store(f, l->elem, data, at, s);
    }
    value_set(f, id, out, l->nslots);
}

void emit_concat(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef site = site_memory(f, op), *out = slots_new(f, l->nslots), part = fn_int(f, 1);
    out[0] = fn_int(f, 0);
    for (int k = 0; k < op->nargs; k++)
        out[0] = fn_add(f, out[0], value_of(f, op->args[k])->s[0]);
    for (int k = 1; k < l->rank; k++) {
        out[k] = value_of(f, op->args[0])->s[k];
        part = fn_mul(f, part, out[k]);
    }
    if (!l->is_regular) {
        Builder b = new_builder(f, l);
        for (int k = 0; k < op->nargs; k++) {
            LLVMValueRef *s = value_of(f, op->args[k])->s;
            builder_append(f, &b, site, s + l->rank, array_total(f, l, s));
        }
        set_built(f, id, out, &b);
        if (op_consumes(f, op, 0))
            slots_release(f, l, value_of(f, op->args[0])->s);
        return;
    }
    LLVMValueRef at = fn_int(f, 0), total = fn_mul(f, out[0], part);
    bool is_extended = op_consumes(f, op, 0);
    if (is_extended) {
        LLVMValueRef *s = value_of(f, op->args[0])->s;
        at = array_total(f, l, s);
        array_extend(f, l, site, s + l->rank, at, total, out + l->rank);
    } else {
        array_alloc(f, l, site, total, out + l->rank);
    }
    LLVMValueRef *data = array_data(f, l, out + l->rank);
    for (int k = is_extended; k < op->nargs; k++) {
        LLVMValueRef *s = value_of(f, op->args[k])->s, n = array_total(f, l, s);
        array_copy(f, l, data, at, s + l->rank, n);
        at = fn_add(f, at, n);
    }
    value_set(f, id, out, l->nslots);
}

/* ---- update ---- */

/* The columns of a regular array: themselves where owned and unshared, else copied. */
void array_own(Fn *f, const Layout *l, LLVMValueRef site, LLVMValueRef const *s, bool is_owned,
               LLVMValueRef *cols) {
    LLVMValueRef total = array_total(f, l, s);
    LLVMValueRef const *old = s + l->rank;
    LLVMBasicBlockRef before = NULL, join = NULL;
    if (is_owned) {
        join = fn_block(f, "owned");
        LLVMBasicBlockRef copy = fn_block(f, "copy");
        LLVMValueRef alone = array_is_unshared(f, l, old);
        before = fn_here(f);
        fn_cond(f, alone, join, copy);
        fn_at(f, copy);
    }
    array_alloc(f, l, site, total, cols);
    array_copy(f, l, array_data(f, l, cols), fn_int(f, 0), old, total);
    if (!is_owned)
        return;
    for (int k = 0; k < l->ncols; k++)
        api_release(f, old[2 * k]);
    LLVMBasicBlockRef copied = fn_here(f);
    fn_br(f, join);
    fn_at(f, join);
    join_columns(f, l, old, before, cols, copied);
}

/* An irregular array with elements lo … lo + n - 1 replaced by a value: rebuilt. */
static void update_rebuild(Fn *f, IrId id, LLVMValueRef lo, LLVMValueRef n, bool is_element) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *v = value_of(f, op->args[1])->s;
    LLVMValueRef site = site_memory(f, op), *rest = slots_new(f, 2 * l->ncols);
    Builder b = new_builder(f, l);
    builder_append(f, &b, site, s + l->rank, lo);
    if (is_element)
        builder_push(f, &b, site, v);
    else
        builder_append(f, &b, site, v + value_layout(f, op->args[1])->rank, n);
    LLVMValueRef after = fn_add(f, lo, n);
    array_shift(f, l, s + l->rank, after, rest);
    builder_append(f, &b, site, rest, fn_sub(f, array_total(f, l, s), after));
    set_built(f, id, s, &b);
    if (op_consumes(f, op, 0))
        slots_release(f, l, s);
}

void emit_update(Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s;
    int nindex = op->nargs - 2;
    bool is_element = nindex == l->rank;
    LLVMValueRef place = place_of(f, op, l, s, op->args + 2, nindex), part = fn_int(f, 1);
    for (int k = nindex; k < l->rank; k++)
        part = fn_mul(f, part, s[k]);
    if (!l->is_regular) {
        update_rebuild(f, id, place, part, is_element);
        return;
    }
    LLVMValueRef *out = slots_new(f, l->nslots);
    for (int k = 0; k < l->rank; k++)
        out[k] = s[k];
    array_own(f, l, site_memory(f, op), s, op_consumes(f, op, 0), out + l->rank);
    LLVMValueRef *data = array_data(f, l, out + l->rank), *v = value_of(f, op->args[1])->s;
    if (f->notes && op_consumes(f, op, 0))
        actor_note(f, l, data, place);
    if (is_element)
        elem_store(f, l->elem, data, place, v);
    else
        array_copy(f, l, data, place, v + l->rank - nindex, part);
    value_set(f, id, out, l->nslots);
}

/* ---- matmul ---- */

/* A product of matrices whose sizes are known and small: rows of the result in registers. */
typedef struct {
    Type *elem;
    LLVMTypeRef row; /* of b and of the result */
    int n, k, m;
} Small;

static bool is_small_product(Fn *f, const Layout *l, LLVMValueRef const *a, LLVMValueRef const *b,
                             Small *s) {
    enum { MOST = 256, MOST_COLUMNS = 16 }; /* steps */
    TypeKind kind = l->elem->kind;
    if (!type_is_scalar(l->elem) || kind == TYPE_F16 || kind == TYPE_BF16 || kind == TYPE_BOOL ||
        !LLVMIsAConstantInt(a[0]) || !LLVMIsAConstantInt(a[1]) || !LLVMIsAConstantInt(b[1]))
        return false;
    if (type_is_float(l->elem) && !strstr(f->e->features, "+fma"))
        return false;
    uint64_t n = LLVMConstIntGetZExtValue(a[0]), k = LLVMConstIntGetZExtValue(a[1]);
    uint64_t m = LLVMConstIntGetZExtValue(b[1]);
    if (n > MOST || k > MOST || m > MOST_COLUMNS || m < 2 || n * k * m > MOST)
        return false;
    LLVMTypeRef elem = layout_col_type(f->e, &l->cols[0]);
    *s = (Small){l->elem, LLVMVectorType(elem, (unsigned)m), (int)n, (int)k, (int)m};
    return true;
}

static LLVMValueRef element_at(Fn *f, LLVMTypeRef type, LLVMTypeRef elem, LLVMValueRef p, int place) {
    LLVMValueRef at = fn_at_index(f, elem, p, fn_int(f, place)), v = fn_get(f, type, at);
    LLVMSetAlignment(v, (unsigned)(LLVMABISizeOfType(f->e->layout, elem)));
    return v;
}

/* sum + a * b, as the runtime's products do it. */
static LLVMValueRef step(Fn *f, const Small *s, LLVMValueRef a, LLVMValueRef b, LLVMValueRef sum) {
    Emit *e = f->e;
    if (!type_is_float(s->elem))
        return LLVMBuildAdd(B, sum, LLVMBuildMul(B, a, b, ""), "");
    LLVMTypeRef over = s->row;
    unsigned id = LLVMLookupIntrinsicID("llvm.fma", 8);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->M, id, &over, 1);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->C, id, &over, 1);
    return LLVMBuildCall2(B, type, fn, (LLVMValueRef[]){a, b, sum}, 3, "");
}

static void small_product(Fn *f, const Small *s, LLVMValueRef a, LLVMValueRef b, LLVMValueRef to) {
    LLVMTypeRef elem = LLVMGetElementType(s->row);
    LLVMValueRef *rows = slots_new(f, s->k);
    for (int q = 0; q < s->k; q++)
        rows[q] = element_at(f, s->row, elem, b, q * s->m);
    for (int i = 0; i < s->n; i++) {
        LLVMValueRef sum = LLVMConstNull(s->row);
        for (int q = 0; q < s->k; q++) {
            LLVMValueRef left = element_at(f, elem, elem, a, i * s->k + q);
            sum = step(f, s, scalar_splat(&f->e->scalar, left, s->m), rows[q], sum);
        }
        LLVMValueRef store = LLVMBuildStore(B, sum, fn_at_index(f, elem, to, fn_int(f, i * s->m)));
        LLVMSetAlignment(store, (unsigned)LLVMABISizeOfType(f->e->layout, elem));
    }
}

void emit_matmul(Fn *f, IrId id) {
    Emit *e = f->e;
    IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef *a = value_of(f, op->args[0])->s, *b = value_of(f, op->args[1])->s;
    LLVMValueRef *out = slots_new(f, l->nslots);
    out[0] = a[0];
    out[1] = b[1];
    if (f->dest.id == id && f->dest.data && !f->dest.builder) /* a row of a larger array */
        aimed_columns(f, l, out + 2);
    else
        array_alloc(f, l, site_memory(f, op), LLVMBuildMul(B, a[0], b[1], ""), out + 2);
    Small small;
    if (e->options->opt_level > 0 && is_small_product(f, l, a, b, &small)) {
        small_product(f, &small, a[3], b[3], out[3]);
        value_set(f, id, out, l->nslots);
        return;
    }
    LLVMTypeRef params[] = {e->ptr, e->i32, e->ptr, e->ptr, e->ptr, e->i64, e->i64, e->i64};
    LLVMTypeRef type = LLVMFunctionType(e->vd, params, 8, 0);
    LLVMValueRef kind = LLVMConstInt(e->i32, (uint64_t)table_kind(l->elem), 0);
    LLVMValueRef args[] = {f->ctx, kind, a[3], b[3], out[3], a[0], a[1], b[1]};
    LibraryCall call = {.op = GACT_LIBRARY_MATMUL,
                        .kind = table_kind(l->elem),
                        .a = a + 2,
                        .b = b + 2,
                        .out = out + 2,
                        .n = a[0],
                        .k = a[1],
                        .m = b[1]};
    LLVMBasicBlockRef done = library_ask(f, id, &call);
    api_call(f, offsetof(GactApi, matmul), type, args, 8);
    library_done(f, done);
    value_set(f, id, out, l->nslots);
}
