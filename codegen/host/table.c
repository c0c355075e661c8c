/* Histograms and scatters: tables that are changed point by point.

   The points come in order on one thread, but for histograms whose operator gives the same whatever
   the order (sums of integers, min, max): there each chunk has a table of its own, chunks are as
   large as lets these tables be small beside the input, and the tables are joined. */
#include "kernel.h"

#define B (f->e->B)

enum { MOST_TABLES = 32 };

/* ---- in parallel ---- */

bool table_is_parallel(Kernel *k, const Sink *s) {
    Layout *out = layout_of(k->f->e, s->sink->type);
    for (int i = 0; i < k->op->kernel->nsinks; i++) {
        SinkKind kind = k->op->kernel->sinks[i].kind;
        if (kind == SINK_REDUCE || kind == SINK_SCAN) /* these have chunks of their own size */
            return false;
    }
    return s->fold == FOLD_ANY && out->is_regular && out->rank == 1;
}

LLVMValueRef table_chunk(Kernel *k, const Sink *s) {
    Fn *f = k->f;
    LLVMValueRef bins = fn_max(f, sink_arg(k, s, 0)[0], fn_int(f, 1));
    LLVMValueRef n = LLVMBuildUDiv(B, LLVMBuildLShr(B, k->total, fn_int(f, 2), ""), bins, "");
    n = fn_min(f, fn_max(f, n, fn_int(f, 1)), fn_int(f, MOST_TABLES));
    LLVMValueRef size = LLVMBuildUDiv(B, fn_add(f, k->total, fn_sub(f, n, fn_int(f, 1))), n, "");
    return fn_max(f, size, fn_int(f, CHUNK));
}

/* ---- before the loops ---- */

/* A table that HIST and SCATTER change: the columns of a regular output, otherwise rows of slots.
 */
static void prepare_table(Kernel *k, Sink *s, LLVMValueRef total) {
    Fn *f = k->f;
    Layout *elem = layout_of(f->e, s->l->elem);
    s->data = slots_new(f, s->l->ncols);
    s->bufs = slots_new(f, s->l->ncols);
    if (!s->l->is_regular) {
        LLVMValueRef bytes = LLVMSizeOf(slots_type(f->e, elem));
        sink_states(k, s, fn_mul(f, total, bytes), 1);
    }
}

static void table_get(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef *out) {
    Fn *f = k->f;
    Layout *elem = layout_of(f->e, s->l->elem);
    if (!s->l->is_regular) {
        LLVMValueRef p = fn_at_index(f, slots_type(f->e, elem), s->states, at);
        LLVMValueRef *v = slots_load(f, elem, p);
        for (int i = 0; i < elem->nslots; i++)
            out[i] = v[i];
        return;
    }
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols);
    for (int c = 0; c < s->l->ncols; c++)
        cols[2 * c + 1] = s->data[c];
    elem_load(f, s->l->elem, cols, at, out);
}

static void table_put(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (s->l->is_regular) {
        elem_store(f, s->l->elem, s->data, at, v);
        return;
    }
    Layout *elem = layout_of(f->e, s->l->elem);
    slots_store(f, elem, fn_at_index(f, slots_type(f->e, elem), s->states, at), v);
}

/* Copies a row's elements into the table from element `first` on. */
static void put_row(Kernel *k, Sink *s, LLVMValueRef first, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (s->l->is_regular) {
        array_copy(f, s->l, s->data, first, v + s->yield->rank, s->part);
        return;
    }
    Layout *elem = layout_of(f->e, s->l->elem);
    LLVMValueRef *slots = slots_new(f, elem->nslots);
    Loop loop = loop_begin(f, fn_int(f, 0), s->part, "row");
    elem_load(f, s->l->elem, v + s->yield->rank, loop.i, slots);
    slots_retain(f, elem, slots);
    table_put(k, s, fn_add(f, first, loop.i), slots);
    loop_end(f, &loop);
}

static void set_columns(Sink *s, LLVMValueRef const *cols) {
    for (int c = 0; c < s->l->ncols; c++) {
        s->bufs[c] = cols[2 * c];
        s->data[c] = cols[2 * c + 1];
    }
}

/* k times the zero, which is an element or (the table has more axes) a row. */
static void prepare_hist(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef *zero = sink_arg(k, s, 1), *cols = slots_new(f, 2 * s->l->ncols);
    s->is_row = s->l->rank > 1;
    s->dims = slots_new(f, s->l->rank);
    s->dims[0] = fn_max(f, sink_arg(k, s, 0)[0], fn_int(f, 0));
    s->part = fn_int(f, 1);
    for (int d = 1; d < s->l->rank; d++) {
        s->dims[d] = zero[d - 1];
        s->part = kernel_product(f, s->part, zero[d - 1], s->site);
    }
    LLVMValueRef total = kernel_product(f, s->dims[0], s->part, s->site);
    LLVMValueRef ntables = k->is_outlined ? fn_max(f, k->nchunks, fn_int(f, 1)) : fn_int(f, 1);
    total = kernel_product(f, total, ntables, s->site);
    prepare_table(k, s, total);
    if (s->l->is_regular) {
        array_alloc(f, s->l, s->site, total, cols);
        set_columns(s, cols);
    }
    Loop loop = loop_begin(f, fn_int(f, 0), s->dims[0], "zeros");
    if (s->is_row) {
        put_row(k, s, fn_mul(f, loop.i, s->part), zero);
    } else {
        if (!s->l->is_regular)
            sink_keep(k, s, zero);
        table_put(k, s, loop.i, zero);
    }
    loop_end(f, &loop);
    if (!k->is_outlined)
        return;
    Loop others = loop_begin(f, s->dims[0], total, "identity");
    table_put(k, s, others.i, &s->identity);
    loop_end(f, &others);
}

static void prepare_scatter(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef *dest = sink_arg(k, s, 0), total = array_total(f, s->l, dest);
    s->dims = slots_new(f, s->l->rank);
    s->part = fn_int(f, 1);
    for (int d = 0; d < s->l->rank; d++) {
        s->dims[d] = dest[d];
        s->part = d > 0 ? fn_mul(f, s->part, dest[d]) : s->part;
    }
    s->is_row = s->l->rank > 1;
    bool is_owned = op_consumes(f, k->op, s->sink->arg);
    prepare_table(k, s, total);
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols);
    if (s->l->is_regular) {
        array_own(f, s->l, s->site, dest, is_owned, cols);
        set_columns(s, cols);
        return;
    }
    LLVMValueRef *v = slots_new(f, layout_of(f->e, s->l->elem)->nslots);
    Loop loop = loop_begin(f, fn_int(f, 0), total, "rows");
    elem_load(f, s->l->elem, dest + s->l->rank, loop.i, v);
    slots_retain(f, layout_of(f->e, s->l->elem), v);
    table_put(k, s, loop.i, v);
    loop_end(f, &loop);
    if (is_owned)
        slots_release(f, s->l, dest);
}

void table_prepare(Kernel *k, Sink *s) {
    if (s->sink->kind == SINK_HIST)
        prepare_hist(k, s);
    else
        prepare_scatter(k, s);
}

/* ---- a point ---- */

static void check_place(Kernel *k, Sink *s, LLVMValueRef at, const char *text) {
    Fn *f = k->f;
    LLVMValueRef site = table_site(f->e, "index", text, f->ir, k->op);
    LLVMValueRef nums[] = {at, s->dims[0]};
    emit_check(f, fn_cmp(f, LLVMIntULT, at, s->dims[0]), site, nums, 2);
}

/* The columns of a row of the table. Those of a table of slots are built, and owned. */
static void row_columns(Kernel *k, Sink *s, LLVMValueRef first, LLVMValueRef *cols) {
    Fn *f = k->f;
    if (s->l->is_regular) {
        for (int c = 0; c < s->l->ncols; c++) {
            cols[2 * c] = LLVMConstNull(f->e->ptr);
            cols[2 * c + 1] = fn_at_bytes(f, s->l->cols[c].bytes, s->data[c], first);
        }
        return;
    }
    Builder b = {s->l, fn_alloca(f, builder_type(f->e, s->l), "row")};
    LLVMValueRef *v = slots_new(f, layout_of(f->e, s->l->elem)->nslots);
    builder_init(f, &b);
    Loop loop = loop_begin(f, fn_int(f, 0), s->part, "row");
    table_get(k, s, fn_add(f, first, loop.i), v);
    builder_push(f, &b, s->site, v);
    slots_release(f, layout_of(f->e, s->l->elem), v);
    loop_end(f, &loop);
    builder_cols(f, &b, cols);
}

/* op(row at `first`, v), both given back. */
static LLVMValueRef *combine_row(Kernel *k, Sink *s, LLVMValueRef first, LLVMValueRef const *v) {
    Fn *f = k->f;
    LLVMValueRef *old = slots_new(f, s->yield->nslots);
    for (int d = 1; d < s->l->rank; d++)
        old[d - 1] = s->dims[d];
    row_columns(k, s, first, old + s->l->rank - 1);
    LLVMValueRef *next = sink_combine(k, s, old, v);
    sink_drop(k, s, old);
    sink_drop(k, s, v);
    return next;
}

/* Row or element `at` of the table becomes v, or op(old, v). */
void table_point(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef const *v) {
    Fn *f = k->f;
    check_place(k, s, at,
                s->sink->kind == SINK_HIST ? "bin {} is out of bounds for {} bins"
                                           : "index {} is out of bounds for size {}");
    if (s->is_row) {
        LLVMValueRef first = fn_mul(f, at, s->part);
        if (s->op)
            v = combine_row(k, s, first, v);
        LLVMValueRef n = array_total(f, s->yield, v);
        LLVMValueRef site =
            table_site(f->e, "shape", "a row has {} elements, the others {}", f->ir, k->op);
        emit_check(f, fn_cmp(f, LLVMIntEQ, n, s->part), site, (LLVMValueRef[]){n, s->part}, 2);
        put_row(k, s, first, v);
        sink_drop(k, s, v);
        return;
    }
    LLVMValueRef *old = slots_new(f, s->yield->nslots);
    if (s->state)
        at = fn_add(f, at, s->state);
    table_get(k, s, at, old);
    if (s->op)
        v = sink_fold(k, s, old, v);
    else
        sink_drop(k, s, old);
    table_put(k, s, at, v);
}

/* ---- after the loops ---- */

/* Adds the other chunks' tables to the first. */
static void join_tables(Kernel *k, Sink *s) {
    Fn *f = k->f;
    if (s->sink->kind != SINK_HIST || !k->is_outlined)
        return;
    LLVMValueRef *a = slots_new(f, 1), *b = slots_new(f, 1);
    Loop tables = loop_begin(f, fn_int(f, 1), k->nchunks, "tables");
    LLVMValueRef base = fn_mul(f, tables.i, s->dims[0]);
    Loop bins = loop_begin(f, fn_int(f, 0), s->dims[0], "bins");
    table_get(k, s, bins.i, a);
    table_get(k, s, fn_add(f, base, bins.i), b);
    table_put(k, s, bins.i, sink_combine(k, s, a, b));
    loop_end(f, &bins);
    loop_end_plain(f, &tables);
}

LLVMValueRef *table_finish(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef *out = slots_new(f, s->l->nslots);
    for (int d = 0; d < s->l->rank; d++)
        out[d] = s->dims[d];
    if (s->l->is_regular) {
        join_tables(k, s);
        for (int c = 0; c < s->l->ncols; c++) {
            out[s->l->rank + 2 * c] = s->bufs[c];
            out[s->l->rank + 2 * c + 1] = s->data[c];
        }
        return out;
    }
    Builder b = {s->l, fn_alloca(f, builder_type(f->e, s->l), "builder")};
    LLVMValueRef *v = slots_new(f, layout_of(f->e, s->l->elem)->nslots);
    builder_init(f, &b);
    Loop loop = loop_begin(f, fn_int(f, 0), array_total(f, s->l, out), "rows");
    table_get(k, s, loop.i, v);
    builder_push(f, &b, s->site, v);
    slots_release(f, layout_of(f->e, s->l->elem), v);
    loop_end(f, &loop);
    builder_cols(f, &b, out + s->l->rank);
    return out;
}
