/* Histograms and scatters: tables that are changed point by point.

   A scatter takes its points in order on one thread. A histogram gives each chunk of the points a
   table of its own, and joins the tables in the order of the chunks. Where the operator gives the
   same whatever the order (sums of integers, min, max) there are as many chunks as threads;
   elsewhere the chunks depend on the numbers of points and bins alone, so that a rounding sum has
   one value. The first table begins with the zero, the others with the operator's identity or, if
   none is known, with a byte a bin that tells whether it has a value yet. */
#include "kernel.h"

#include <stddef.h>

#define B (f->e->B)

enum {
    MOST_TABLES = 64,  /* where their number is fixed by the space */
    EXACT_SHARE = 4,   /* points for each bin of an exact table */
    ORDERED_SHARE = 16 /* and of one whose chunks are fixed */
};

/* ---- chunks ---- */

/* How many threads may share a kernel that is started here. */
static LLVMValueRef count_workers(Kernel *k) {
    Fn *f = k->f;
    LLVMTypeRef params[] = {f->e->ptr, f->e->i64};
    LLVMTypeRef type = LLVMFunctionType(f->e->i64, params, 2, 0);
    LLVMValueRef args[] = {f->ctx, k->total};
    return api_call(f, offsetof(GactApi, workers), type, args, 2);
}

LLVMValueRef table_chunk(Kernel *k, const Sink *s) {
    Fn *f = k->f;
    bool is_exact = s->fold == FOLD_ANY;
    LLVMValueRef bins = fn_max(f, sink_arg(k, s, 0)[0], fn_int(f, 1));
    LLVMValueRef part = fn_int(f, is_exact ? EXACT_SHARE : ORDERED_SHARE);
    LLVMValueRef n = LLVMBuildUDiv(B, LLVMBuildUDiv(B, k->total, part, ""), bins, "");
    n = fn_min(f, n, LLVMBuildUDiv(B, k->total, fn_int(f, CHUNK), ""));
    n = fn_min(f, n, is_exact ? count_workers(k) : fn_int(f, MOST_TABLES));
    n = fn_max(f, n, fn_int(f, 1));
    LLVMValueRef size = LLVMBuildUDiv(B, fn_add(f, k->total, fn_sub(f, n, fn_int(f, 1))), n, "");
    return fn_max(f, size, fn_int(f, 1));
}

/* ---- a table's elements ---- */

static void table_get(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef *out) {
    Fn *f = k->f;
    Layout *elem = layout_of(f->e, s->l->elem);
    if (!s->l->is_regular) {
        LLVMValueRef p = fn_at_index(f, slots_type(f->e, elem), s->state, at);
        LLVMValueRef *v = slots_load(f, elem, p);
        for (int i = 0; i < elem->nslots; i++)
            out[i] = v[i];
        return;
    }
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols);
    for (int c = 0; c < s->l->ncols; c++)
        cols[2 * c + 1] = s->here[c];
    elem_load(f, s->l->elem, cols, at, out);
}

static void table_put(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (s->l->is_regular) {
        elem_store(f, s->l->elem, s->here, at, v);
        return;
    }
    Layout *elem = layout_of(f->e, s->l->elem);
    slots_store(f, elem, fn_at_index(f, slots_type(f->e, elem), s->state, at), v);
}

/* Copies a row's elements into the table from element `first` on. */
static void put_row(Kernel *k, Sink *s, LLVMValueRef first, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (s->l->is_regular) {
        array_copy(f, s->l, s->here, first, v + s->yield->rank, s->part);
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

/* ---- tables ---- */

/* Memory for `count` elements: the columns of a regular output, otherwise slots. */
static void allocate(Kernel *k, Sink *s, LLVMValueRef count, LLVMValueRef *bufs,
                     LLVMValueRef *data) {
    Fn *f = k->f;
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols);
    array_alloc(f, s->l, s->site, count, cols);
    for (int c = 0; c < s->l->ncols; c++) {
        bufs[c] = cols[2 * c];
        data[c] = cols[2 * c + 1];
    }
}

/* Elements of one table. */
static LLVMValueRef table_size(Kernel *k, const Sink *s) {
    return fn_mul(k->f, s->dims[0], s->part);
}

/* Makes the table of chunk c the one that points change. */
static void table_choose(Kernel *k, Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    LLVMValueRef size = table_size(k, s), is_first = fn_cmp(f, LLVMIntEQ, c, fn_int(f, 0));
    s->chosen = fn_mul(f, c, s->dims[0]);
    if (!s->l->is_regular) {
        LLVMTypeRef type = slots_type(f->e, layout_of(f->e, s->l->elem));
        s->state = fn_at_index(f, type, s->states, fn_mul(f, c, size));
        return;
    }
    LLVMValueRef before = fn_mul(f, fn_sub(f, c, fn_int(f, 1)), size);
    for (int i = 0; i < s->l->ncols; i++) {
        LLVMValueRef more = fn_at_bytes(f, s->l->cols[i].bytes, s->more[i], before);
        s->here[i] = fn_select(f, is_first, s->data[i], more);
    }
}

void table_begin(Kernel *k, Sink *s, LLVMValueRef c) {
    if (s->is_many)
        table_choose(k, s, c);
}

static LLVMValueRef seen_at(Kernel *k, const Sink *s, LLVMValueRef bin) {
    Fn *f = k->f;
    return fn_at_index(f, f->e->i8, s->seen, fn_add(f, s->chosen, bin));
}

/* ---- before the loops ---- */

static void fill_zeros(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef *zero = sink_arg(k, s, 1);
    Loop loop = loop_begin(f, fn_int(f, 0), s->dims[0], "zeros");
    if (s->is_row) {
        put_row(k, s, fn_mul(f, loop.i, s->part), zero);
    } else {
        if (!s->l->is_regular)
            sink_keep(k, s, zero);
        table_put(k, s, loop.i, zero);
    }
    loop_end(f, &loop);
}

/* The tables of all chunks but the first, empty. */
static void prepare_others(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef n = fn_max(f, fn_sub(f, k->nchunks, fn_int(f, 1)), fn_int(f, 0));
    LLVMValueRef total = kernel_product(f, table_size(k, s), n, s->site);
    if (s->l->is_regular) {
        s->more = slots_new(f, s->l->ncols);
        s->more_bufs = slots_new(f, s->l->ncols);
        allocate(k, s, total, s->more_bufs, s->more);
    }
    if (s->identity) {
        LLVMValueRef *first = s->here;
        s->here = s->more;
        Loop loop = loop_begin(f, fn_int(f, 0), total, "identity");
        table_put(k, s, loop.i, &s->identity);
        loop_end(f, &loop);
        s->here = first;
        return;
    }
    LLVMValueRef bins = fn_mul(f, s->dims[0], fn_add(f, n, fn_int(f, 1)));
    s->seen_buf = api_alloc(f, s->site, bins, 1);
    s->seen = api_data(f, s->seen_buf);
    LLVMBuildMemSet(B, s->seen, LLVMConstInt(f->e->i8, 1, 0), s->dims[0], 1);
    LLVMValueRef others = fn_at_index(f, f->e->i8, s->seen, s->dims[0]);
    LLVMBuildMemSet(B, others, LLVMConstNull(f->e->i8), fn_mul(f, s->dims[0], n), 1);
}

/* k times the zero, which is an element or (the table has more axes) a row. */
static void prepare_hist(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef *zero = sink_arg(k, s, 1);
    s->is_row = s->l->rank > 1;
    s->is_many = k->is_outlined || k->is_cut;
    s->dims[0] = fn_max(f, sink_arg(k, s, 0)[0], fn_int(f, 0));
    s->part = fn_int(f, 1);
    for (int d = 1; d < s->l->rank; d++) {
        s->dims[d] = zero[d - 1];
        s->part = kernel_product(f, s->part, zero[d - 1], s->site);
    }
    LLVMValueRef total = kernel_product(f, s->dims[0], s->part, s->site);
    if (s->l->is_regular) {
        allocate(k, s, total, s->bufs, s->data);
        for (int c = 0; c < s->l->ncols; c++)
            s->here[c] = s->data[c];
    } else {
        LLVMValueRef all = fn_max(f, k->nchunks, fn_int(f, 1));
        total = s->is_many ? kernel_product(f, total, all, s->site) : total;
        LLVMValueRef bytes = LLVMSizeOf(slots_type(f->e, layout_of(f->e, s->l->elem)));
        sink_states(k, s, kernel_product(f, total, bytes, s->site), 1);
        s->state = s->states;
    }
    fill_zeros(k, s);
    if (s->is_many)
        prepare_others(k, s);
}

static void prepare_scatter(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef *dest = sink_arg(k, s, 0), total = array_total(f, s->l, dest);
    s->part = fn_int(f, 1);
    for (int d = 0; d < s->l->rank; d++) {
        s->dims[d] = dest[d];
        s->part = d > 0 ? fn_mul(f, s->part, dest[d]) : s->part;
    }
    s->is_row = s->l->rank > 1;
    bool is_owned = op_consumes(f, k->op, s->sink->arg);
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols);
    if (s->l->is_regular) {
        array_own(f, s->l, s->site, dest, is_owned, cols);
        for (int c = 0; c < s->l->ncols; c++) {
            s->bufs[c] = cols[2 * c];
            s->here[c] = s->data[c] = cols[2 * c + 1];
        }
        return;
    }
    Layout *elem = layout_of(f->e, s->l->elem);
    sink_states(k, s, fn_mul(f, total, LLVMSizeOf(slots_type(f->e, elem))), 1);
    s->state = s->states;
    LLVMValueRef *v = slots_new(f, elem->nslots);
    Loop loop = loop_begin(f, fn_int(f, 0), total, "rows");
    elem_load(f, s->l->elem, dest + s->l->rank, loop.i, v);
    slots_retain(f, elem, v);
    table_put(k, s, loop.i, v);
    loop_end(f, &loop);
    if (is_owned)
        slots_release(f, s->l, dest);
}

void table_prepare(Kernel *k, Sink *s) {
    Fn *f = k->f;
    s->data = slots_new(f, s->l->ncols);
    s->bufs = slots_new(f, s->l->ncols);
    s->here = slots_new(f, s->l->ncols);
    s->dims = slots_new(f, s->l->rank);
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
            cols[2 * c + 1] = fn_at_bytes(f, s->l->cols[c].bytes, s->here[c], first);
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

/* The row from element `first` on as an array. */
static LLVMValueRef *row_get(Kernel *k, Sink *s, LLVMValueRef first) {
    LLVMValueRef *row = slots_new(k->f, s->yield->nslots);
    for (int d = 1; d < s->l->rank; d++)
        row[d - 1] = s->dims[d];
    row_columns(k, s, first, row + s->l->rank - 1);
    return row;
}

static void check_row(Kernel *k, Sink *s, LLVMValueRef n) {
    Fn *f = k->f;
    LLVMValueRef site =
        table_site(f->e, "shape", "a row has {} elements, the others {}", f->ir, k->op);
    emit_check(f, fn_cmp(f, LLVMIntEQ, n, s->part), site, (LLVMValueRef[]){n, s->part}, 2);
}

/* A size that the operator's region asks of its parameters, or takes from around it; else NULL. */
static LLVMValueRef operator_size(Kernel *k, const Sink *s, IrId id, LLVMValueRef const *old,
                                  LLVMValueRef const *v) {
    Fn *f = k->f;
    const IrOp *op = ir_op(f->ir, id);
    for (int p = 0; op->kind == IR_DIM && p < 2; p++)
        if (op->args[0] == s->op->params.at[p])
            return (p ? v : old)[op->imm];
    return ir_defined_in(f->ir, s->op, id) ? NULL : fn_max(f, value_scalar(f, id), fn_int(f, 0));
}

/* The size of the operator's result, where that is a kernel that may write it over the old row;
   else NULL. */
static LLVMValueRef size_in_place(Kernel *k, const Sink *s, LLVMValueRef const *old,
                                  LLVMValueRef const *v) {
    Fn *f = k->f;
    IrId id = s->op->results.at[0];
    const IrOp *op = ir_op(f->ir, id);
    bool is_map = op->kind == IR_KERNEL && op->kernel->nsinks == 1 &&
                  op->kernel->sinks[0].kind == SINK_MAP && op->kernel->rank == s->yield->rank;
    if (!is_map || !s->l->is_regular || !ir_defined_in(f->ir, s->op, id) ||
        !ir_reads_own_point(f->ir, s->op, id, s->op->params.at[0]))
        return NULL;
    LLVMValueRef n = fn_int(f, 1);
    for (int d = 0; d < op->kernel->rank; d++) {
        LLVMValueRef size = operator_size(k, s, op->args[d], old, v);
        if (!size)
            return NULL;
        n = kernel_product(f, n, size, s->site);
    }
    return n;
}

/* Lets the kernel that makes the operator's result write where the old row stands. */
static Dest aim_row(Kernel *k, Sink *s, LLVMValueRef const *old, LLVMValueRef const *v) {
    Fn *f = k->f;
    Dest outer = f->dest;
    LLVMValueRef n = size_in_place(k, s, old, v);
    f->dest = (Dest){0};
    if (!n)
        return outer;
    check_row(k, s, n);
    LLVMValueRef *data = slots_new(f, s->l->ncols);
    for (int c = 0; c < s->l->ncols; c++)
        data[c] = old[s->yield->rank + 2 * c + 1];
    f->dest = (Dest){.id = s->op->results.at[0], .data = data};
    return outer;
}

/* Row `first` of the table becomes op(row, v); v is given back. */
static void fold_row(Kernel *k, Sink *s, LLVMValueRef first, LLVMValueRef const *v) {
    Fn *f = k->f;
    LLVMValueRef *old = row_get(k, s, first);
    Dest outer = aim_row(k, s, old, v);
    bool in_place = f->dest.data != NULL;
    LLVMValueRef *next = sink_combine(k, s, old, v);
    f->dest = outer;
    sink_drop(k, s, old);
    sink_drop(k, s, v);
    if (in_place)
        return;
    check_row(k, s, array_total(f, s->yield, next));
    put_row(k, s, first, next);
    sink_drop(k, s, next);
}

/* Row `first` becomes v, which is given back. The old one is dropped unless there is none yet. */
static void set_row(Kernel *k, Sink *s, LLVMValueRef first, LLVMValueRef const *v) {
    check_row(k, s, array_total(k->f, s->yield, v));
    put_row(k, s, first, v);
    sink_drop(k, s, v);
}

/* Element or row `at` becomes op(old, v). */
static void fold_point(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef const *v) {
    if (s->is_row) {
        fold_row(k, s, fn_mul(k->f, at, s->part), v);
        return;
    }
    LLVMValueRef *old = slots_new(k->f, s->yield->nslots);
    table_get(k, s, at, old);
    table_put(k, s, at, sink_fold(k, s, old, v));
}

static void set_point(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef const *v) {
    if (s->is_row)
        set_row(k, s, fn_mul(k->f, at, s->part), v);
    else
        table_put(k, s, at, v);
}

/* fold_point, or set_point where the bin has no value yet. */
static void meet_point(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (!s->seen) {
        fold_point(k, s, at, v);
        return;
    }
    LLVMValueRef seen = seen_at(k, s, at);
    If known =
        if_begin(f, fn_cmp(f, LLVMIntNE, fn_get(f, f->e->i8, seen), LLVMConstNull(f->e->i8)));
    fold_point(k, s, at, v);
    if_else(f, &known);
    fn_set(f, seen, LLVMConstInt(f->e->i8, 1, 0));
    set_point(k, s, at, v);
    if_end(f, &known);
}

/* Row or element `at` of the table becomes v, or op(old, v). */
void table_point(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef const *v) {
    bool is_hist = s->sink->kind == SINK_HIST;
    check_place(k, s, at,
                is_hist ? "bin {} is out of bounds for {} bins"
                        : "index {} is out of bounds for size {}");
    if (s->op) {
        meet_point(k, s, at, v);
        return;
    }
    if (!s->is_row) {
        LLVMValueRef *old = slots_new(k->f, s->yield->nslots);
        table_get(k, s, at, old);
        sink_drop(k, s, old);
    }
    set_point(k, s, at, v);
}

/* ---- after the loops ---- */

/* Adds bin `bin` of chunk c's table to the first table. */
static void join_bin(Kernel *k, Sink *s, LLVMValueRef c, LLVMValueRef bin) {
    Fn *f = k->f;
    LLVMValueRef *v;
    LLVMValueRef *here = s->here;
    s->here = slots_new(f, s->l->ncols);
    table_choose(k, s, c);
    If known = {0};
    if (s->seen)
        known = if_begin(f, fn_cmp(f, LLVMIntNE, fn_get(f, f->e->i8, seen_at(k, s, bin)),
                                   LLVMConstNull(f->e->i8)));
    if (s->is_row) {
        v = row_get(k, s, fn_mul(f, bin, s->part));
    } else {
        v = slots_new(f, s->yield->nslots);
        table_get(k, s, bin, v);
    }
    s->here = here;
    s->state = s->states;
    fold_point(k, s, bin, v);
    if (s->seen)
        if_end(f, &known);
}

/* Adds the other chunks' tables to the first, in order. */
static void join_tables(Kernel *k, Sink *s) {
    Fn *f = k->f;
    if (!s->is_many)
        return;
    for (int c = 0; c < s->l->ncols; c++)
        s->here[c] = s->data[c];
    Loop tables = loop_begin(f, fn_int(f, 1), k->nchunks, "tables");
    Loop bins = loop_begin(f, fn_int(f, 0), s->dims[0], "bins");
    join_bin(k, s, tables.i, bins.i);
    loop_end(f, &bins);
    loop_end_plain(f, &tables);
    for (int c = 0; s->more && c < s->l->ncols; c++)
        api_release(f, s->more_bufs[c]);
    if (s->seen)
        api_release(f, s->seen_buf);
}

LLVMValueRef *table_finish(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef *out = slots_new(f, s->l->nslots);
    for (int d = 0; d < s->l->rank; d++)
        out[d] = s->dims[d];
    join_tables(k, s);
    if (s->l->is_regular) {
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
