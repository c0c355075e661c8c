/* What a kernel does with its yields, but for sums (reduce.c), scans (scan.c), filters (pack.c) and
   tables (table.c).

   An output over the space is stored straight into columns where its element is regular and its
   size known; a filter of such elements packs them chunk by chunk in columns that have room for
   all; otherwise each chunk appends to a builder of its own and the builders are joined in order.
 */
#include "kernel.h"

#include <stddef.h>

#define B (f->e->B)

bool sink_is_serial(Kernel *k, const Sink *s) {
    if (s->sink->kind == SINK_SCAN)
        return !scan_is_parallel(k, s);
    return s->sink->kind == SINK_SCATTER;
}

static bool is_reduction(const Sink *s) {
    return s->sink->kind == SINK_REDUCE || s->sink->kind == SINK_PICK;
}

static bool is_built(const Sink *s) {
    return !is_reduction(s) && s->sink->kind != SINK_HIST && s->sink->kind != SINK_SCATTER &&
           s->out == OUT_BUILT;
}

static bool is_packed(const Sink *s) {
    return s->sink->kind == SINK_FILTER && s->out == OUT_PACKED;
}

/* b where the operator of a PICK, just emitted, says so; else a. */
static LLVMValueRef *choose(Kernel *k, Sink *s, LLVMValueRef const *a, LLVMValueRef const *b) {
    LLVMValueRef *r = slots_new(k->f, s->yield->nslots);
    LLVMValueRef right = region_result(k->f, s->op, 0)[0];
    for (int i = 0; i < s->yield->nslots; i++)
        r[i] = fn_select(k->f, right, b[i], a[i]);
    return r;
}

LLVMValueRef *sink_combine(Kernel *k, Sink *s, LLVMValueRef const *a, LLVMValueRef const *b) {
    Fn *f = k->f;
    if (s->sink->op != IR_INVALID && s->yield->nslots == 1 && s->sink->kind != SINK_PICK) {
        LLVMValueRef *r = slots_new(f, 1);
        ScalarOp op = {.kind = s->sink->op,
                       .flags = k->op->flags & IRF_FAST,
                       .safe = true,
                       .lanes = 1,
                       .type = s->yield->type,
                       .args = {s->yield->type, s->yield->type}};
        r[0] = scalar_emit(&f->e->scalar, &op, (LLVMValueRef[]){a[0], b[0]});
        return r;
    }
    LLVMValueRef *params[] = {(LLVMValueRef *)a, (LLVMValueRef *)b};
    emit_region(f, s->op, params);
    if (s->sink->kind == SINK_PICK)
        return choose(k, s, a, b);
    region_hand_over(f, s->op);
    return region_result(f, s->op, 0);
}

LLVMValueRef *sink_fold(Kernel *k, Sink *s, LLVMValueRef const *a, LLVMValueRef const *b) {
    LLVMValueRef *r = sink_combine(k, s, a, b);
    sink_drop(k, s, a);
    sink_drop(k, s, b);
    return r;
}

void sink_keep(Kernel *k, const Sink *s, LLVMValueRef const *v) {
    slots_retain(k->f, s->yield, v);
}

void sink_drop(Kernel *k, const Sink *s, LLVMValueRef const *v) {
    slots_release(k->f, s->yield, v);
}

/* ---- before the loops ---- */

void sink_states(Kernel *k, Sink *s, LLVMValueRef n, int bytes) {
    s->states_buf = api_alloc(k->f, s->site, n, bytes);
    s->states = api_data(k->f, s->states_buf);
}

LLVMValueRef *sink_arg(Kernel *k, const Sink *s, int i) {
    return value_of(k->f, k->op->args[s->sink->arg + i])->s;
}

/* The yielded row's dims, as far as they are known; false if one is not. */
static bool row_dims(Kernel *k, Sink *s, int first) {
    Fn *f = k->f;
    IrId id = k->body->results.at[s->sink->yield + (s->sink->kind == SINK_FILTER)];
    s->part = fn_int(f, 1);
    bool is_known = true;
    for (int d = first; d < s->l->rank; d++) {
        s->dims[d] = is_known ? hoist_dim(f, k->body, id, d - first) : NULL;
        is_known &= s->dims[d] != NULL;
        if (is_known)
            s->part = kernel_product(f, s->part, s->dims[d], s->site);
    }
    return is_known;
}

static int builder_bytes(const Layout *l) {
    return 16 * (l->nlevels + l->ncols) + 8;
}

/* Builders for every chunk, empty. Each is followed by a count of the rows it has. */
static void prepare_builders(Kernel *k, Sink *s) {
    Fn *f = k->f;
    int bytes = builder_bytes(s->l);
    LLVMValueRef n = k->is_outlined ? k->nchunks : fn_int(f, 1);
    if (k->is_outlined) {
        sink_states(k, s, n, bytes);
    } else {
        LLVMTypeRef type = LLVMArrayType2(f->e->i64, (uint64_t)bytes / 8);
        s->states = fn_alloca(f, type, "builder");
    }
    LLVMValueRef size = fn_mul(f, n, fn_int(f, bytes));
    LLVMBuildMemSet(B, s->states, LLVMConstNull(f->e->i8), size, 8);
    if (!s->is_row)
        return;
    s->rows = fn_alloca(f, LLVMArrayType2(f->e->i64, (uint64_t)s->l->rank), "rows");
    for (int d = 0; d < s->l->rank; d++)
        fn_set(f, fn_at_index(f, f->e->i64, s->rows, fn_int(f, d)), fn_int(f, 0));
}

/* Has the plan named an array that the output may be written on? */
bool sink_writes_over(Kernel *k, const Sink *s) {
    return s->sink->kind == SINK_MAP && s->sink->imm && op_consumes(k->f, k->op, s->sink->arg);
}

/* The buffers of the array that is handed over. */
static LLVMValueRef *handed_over(Kernel *k, const Sink *s) {
    LLVMValueRef *array = sink_arg(k, s, 0), *bufs = slots_new(k->f, s->l->ncols);
    for (int c = 0; c < s->l->ncols; c++)
        bufs[c] = array[k->rank + 2 * c];
    return bufs;
}

/* The columns of an array that is handed over, if nobody shares it and it has the space's shape; else
   fresh ones, and the array is released at the end. */
static void take_columns(Kernel *k, Sink *s, LLVMValueRef total, LLVMValueRef *cols) {
    Fn *f = k->f;
    int n = 2 * s->l->ncols;
    LLVMValueRef *array = sink_arg(k, s, 0), *old = handed_over(k, s), *fresh = slots_new(f, n);
    LLVMValueRef fits = array_is_unshared(f, s->l, array + k->rank);
    for (int d = 0; d < k->rank; d++)
        fits = fn_bin(f, LLVMAnd, fits, fn_cmp(f, LLVMIntEQ, array[d], k->dims[d]));
    LLVMBasicBlockRef from[] = {fn_here(f), NULL}, make = fn_block(f, "fresh"),
                      join = fn_block(f, "columns");
    fn_cond(f, fits, join, make);
    fn_at(f, make);
    array_alloc(f, s->l, s->site, total, fresh);
    from[1] = fn_here(f);
    fn_br(f, join);
    fn_at(f, join);
    for (int c = 0; c < n; c++) {
        LLVMValueRef both[] = {array[k->rank + c], fresh[c]};
        cols[c] = LLVMBuildPhi(B, f->e->ptr, "");
        LLVMAddIncoming(cols[c], both, from, 2);
    }
    s->taken = slots_new(f, s->l->ncols);
    for (int c = 0; c < s->l->ncols; c++) {
        LLVMValueRef both[] = {LLVMConstNull(f->e->ptr), old[c]};
        s->taken[c] = LLVMBuildPhi(B, f->e->ptr, "");
        LLVMAddIncoming(s->taken[c], both, from, 2);
    }
}

/* Columns with room for all points, of which the packed ones become memory. */
static void reserve_columns(Kernel *k, Sink *s, LLVMValueRef *cols) {
    Fn *f = k->f;
    Emit *e = f->e;
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->i64};
    LLVMTypeRef type = LLVMFunctionType(e->ptr, params, 3, 0);
    for (int c = 0; c < s->l->ncols; c++) {
        LLVMValueRef room = kernel_product(f, k->total, fn_int(f, s->l->cols[c].bytes), s->site);
        LLVMValueRef args[] = {f->ctx, s->site, room};
        cols[2 * c] = api_call(f, offsetof(GactApi, reserve), type, args, 3);
        cols[2 * c + 1] = api_data(f, cols[2 * c]);
    }
}

/* Room behind what a builder has, for all points. */
static void room_in_builder(Kernel *k, Sink *s) {
    Fn *f = k->f;
    Builder *b = f->dest.builder;
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols);
    builder_reserve(f, b, f->dest.site, 0, fn_mul(f, k->total, s->part));
    builder_cols(f, b, cols);
    for (int c = 0; c < s->l->ncols; c++)
        f->dest.data[c] = fn_at_bytes(f, s->l->cols[c].bytes, cols[2 * c + 1], builder_len(f, b, 0));
}

/* MAP, SCAN, LIST, FILTER, FLATMAP */
static void prepare_output(Kernel *k, Sink *s) {
    Fn *f = k->f;
    SinkKind kind = s->sink->kind;
    bool is_space = kind == SINK_MAP || kind == SINK_SCAN;
    int first = is_space ? k->rank : 1; /* the first axis of a row */
    s->is_row = kind != SINK_LIST && kind != SINK_FLATMAP && s->l->rank > first;
    s->dims = slots_new(f, s->l->rank);
    for (int d = 0; is_space && d < k->rank; d++)
        s->dims[d] = k->dims[d];
    s->part = fn_int(f, 1);
    bool is_known = !s->is_row || row_dims(k, s, first);
    s->out = is_space && s->l->is_regular && is_known ? OUT_DIRECT : OUT_BUILT;
    if (kind == SINK_FILTER && s->l->is_regular && !s->is_row)
        s->out = OUT_PACKED;
    if (s->out == OUT_BUILT) {
        prepare_builders(k, s);
        return;
    }
    if (s->out == OUT_PACKED && k->is_outlined)
        pack_prepare(k, s);
    else if (s->out == OUT_PACKED)
        s->states = fn_alloca(f, f->e->i64, "count");
    s->data = slots_new(f, s->l->ncols);
    s->bufs = slots_new(f, s->l->ncols);
    if (f->dest.id == k->id && k->nsinks == 1 && f->dest.data) {
        if (f->dest.builder)
            room_in_builder(k, s);
        for (int c = 0; c < s->l->ncols; c++) {
            s->data[c] = f->dest.data[c];
            s->bufs[c] = LLVMConstNull(f->e->ptr);
        }
        k->whole = f->dest.whole;
        if (sink_writes_over(k, s))
            s->taken = handed_over(k, s);
        return;
    }
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols);
    LLVMValueRef total = kernel_product(f, k->total, s->part, s->site);
    if (sink_writes_over(k, s))
        take_columns(k, s, total, cols);
    else if (s->out == OUT_PACKED && k->is_outlined)
        reserve_columns(k, s, cols);
    else
        array_alloc(f, s->l, s->site, total, cols);
    for (int c = 0; c < s->l->ncols; c++) {
        s->bufs[c] = cols[2 * c];
        s->data[c] = cols[2 * c + 1];
    }
}

void sink_prepare(Kernel *k, Sink *s) {
    Fn *f = k->f;
    s->l = layout_of(f->e, s->sink->type);
    s->site = site_memory(f, k->op);
    switch (s->sink->kind) {
    case SINK_MAP:
    case SINK_LIST:
    case SINK_FILTER:
    case SINK_FLATMAP: prepare_output(k, s); break;
    case SINK_SCAN:
        s->zero = sink_arg(k, s, 0);
        prepare_output(k, s);
        scan_prepare(k, s);
        break;
    case SINK_REDUCE:
    case SINK_PICK:
        s->zero = sink_arg(k, s, 0);
        reduce_prepare(k, s);
        break;
    case SINK_HIST:
    case SINK_SCATTER: table_prepare(k, s); break;
    case SINK_KIND_COUNT: UNREACHABLE();
    }
}

/* ---- around a chunk ---- */

void sink_begin(Kernel *k, Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    if (is_built(s)) {
        LLVMValueRef at = fn_mul(f, c, fn_int(f, builder_bytes(s->l)));
        s->state = k->is_outlined ? fn_at_index(f, f->e->i8, s->states, at) : s->states;
    }
    if (is_packed(s) && k->is_outlined) {
        pack_begin(k, s, c);
    } else if (is_packed(s) && !s->acc) {
        s->acc = s->states;
        fn_set(f, s->acc, fn_int(f, 0));
    }
    if (is_reduction(s))
        reduce_begin(k, s);
    if (s->sink->kind == SINK_SCAN)
        scan_begin(k, s, c);
    if (s->sink->kind == SINK_HIST)
        table_begin(k, s, c);
}

void sink_end(Kernel *k, Sink *s, LLVMValueRef c, LLVMValueRef from, LLVMValueRef to) {
    if (is_packed(s) && k->is_outlined)
        pack_end(k, s, c);
    if (is_reduction(s))
        reduce_end(k, s, c, from, to);
    if (s->sink->kind == SINK_SCAN)
        scan_end(k, s, c, from, to);
}

/* ---- a point ---- */

static void count_rows(Kernel *k, Sink *s, LLVMValueRef const *v) {
    Fn *f = k->f;
    LLVMValueRef at = fn_at_index(f, f->e->i8, s->state, fn_int(f, builder_bytes(s->l) - 8));
    LLVMValueRef n = s->sink->kind == SINK_FLATMAP ? v[0] : fn_int(f, 1);
    fn_set(f, at, fn_add(f, fn_get(f, f->e->i64, at), n));
    if (!s->is_row)
        return;
    int nrow = s->yield->rank;
    for (int d = 0; d < nrow; d++)
        fn_set(f, fn_at_index(f, f->e->i64, s->rows, fn_int(f, d)), v[d]);
}

/* Is the yield already where it belongs, because its kernel wrote it there? */
static bool is_in_place(Kernel *k, const Sink *s, LLVMValueRef const *v) {
    return k->aimed == s && s->l->ncols > 0 && v[s->yield->rank + 1] == k->aimed_data[0];
}

/* Appends v: an element, a row, or (FLATMAP) all of its elements. */
static void put_built(Kernel *k, Sink *s, LLVMValueRef const *v) {
    Fn *f = k->f;
    Builder b = {s->l, s->state};
    if (is_in_place(k, s, v)) {
        builder_extend(f, &b, v[0]);
    } else if (s->is_row || s->sink->kind == SINK_FLATMAP) {
        LLVMValueRef n = array_total(f, s->yield, v);
        builder_append(f, &b, s->site, v + s->yield->rank, n);
    } else {
        builder_push(f, &b, s->site, v);
    }
    count_rows(k, s, v);
    sink_drop(k, s, v);
}

static void store_output(Kernel *k, Sink *s, LLVMValueRef at, LLVMValueRef const *v) {
    k->f->is_output = k->is_outlined;
    elem_store(k->f, s->l->elem, s->data, at, v);
    k->f->is_output = false;
}

void sink_put(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (s->out == OUT_BUILT) {
        put_built(k, s, v);
        return;
    }
    if (!s->is_row) {
        store_output(k, s, lin, v);
        return;
    }
    LLVMValueRef at = fn_mul(f, lin, s->part);
    array_copy(f, s->l, s->data, at, v + s->yield->rank, s->part);
    sink_drop(k, s, v);
}

static void point_filter(Kernel *k, Sink *s, LLVMValueRef const *keep, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (s->out == OUT_PACKED) { /* stored in any case: the next one kept replaces it */
        LLVMValueRef at = fn_get(f, f->e->i64, s->acc);
        store_output(k, s, at, v);
        fn_set(f, s->acc, fn_add(f, at, LLVMBuildZExt(B, keep[0], f->e->i64, "")));
        return;
    }
    If kept = if_begin(f, keep[0]);
    put_built(k, s, v);
    if (s->yield->nslots > 1) {
        if_else(f, &kept);
        sink_drop(k, s, v);
    }
    if_end(f, &kept);
}

void sink_point(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef *const *yields) {
    LLVMValueRef const *v = yields[s->sink->yield];
    switch (s->sink->kind) {
    case SINK_MAP:
        if (!is_in_place(k, s, v))
            sink_put(k, s, lin, v);
        break;
    case SINK_LIST:
    case SINK_FLATMAP: sink_put(k, s, lin, v); break;
    case SINK_FILTER: point_filter(k, s, v, yields[s->sink->yield + 1]); break;
    case SINK_REDUCE:
    case SINK_PICK: reduce_point(k, s, lin, v); break;
    case SINK_SCAN: scan_point(k, s, lin, v); break;
    case SINK_HIST:
    case SINK_SCATTER: table_point(k, s, v[0], yields[s->sink->yield + 1]); break;
    case SINK_KIND_COUNT: UNREACHABLE();
    }
}

/* ---- after the loops ---- */

static LLVMValueRef chunk_state(Kernel *k, Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    return fn_at_index(f, f->e->i8, s->states, fn_mul(f, c, fn_int(f, builder_bytes(s->l))));
}

static LLVMValueRef rows_of(Kernel *k, Sink *s, LLVMValueRef state) {
    Fn *f = k->f;
    LLVMValueRef at = fn_at_index(f, f->e->i8, state, fn_int(f, builder_bytes(s->l) - 8));
    return fn_get(f, f->e->i64, at);
}

/* Joins the chunks' builders into the first if there are several. Returns the number of rows. */
static LLVMValueRef join(Kernel *k, Sink *s, Builder *all) {
    Fn *f = k->f;
    Emit *e = f->e;
    all->p = fn_alloca(f, builder_type(e, s->l), "joined");
    LLVMValueRef count_at = fn_alloca(f, e->i64, "count"), *sums = slots_new(f, s->l->nlevels);
    fn_set(f, count_at, fn_int(f, 0));
    builder_init(f, all);
    for (int level = 0; level < s->l->nlevels; level++) {
        sums[level] = fn_alloca(f, e->i64, "sum");
        fn_set(f, sums[level], fn_int(f, 0));
    }
    Loop count = loop_begin(f, fn_int(f, 0), k->nchunks, "count");
    Builder part = {s->l, chunk_state(k, s, count.i)};
    for (int level = 0; level < s->l->nlevels; level++)
        fn_set(f, sums[level],
               fn_add(f, fn_get(f, e->i64, sums[level]), builder_len(f, &part, level)));
    LLVMValueRef rows = rows_of(k, s, part.p);
    fn_set(f, count_at, fn_add(f, fn_get(f, e->i64, count_at), rows));
    loop_end_plain(f, &count);
    for (int level = 0; level < s->l->nlevels; level++)
        builder_reserve(f, all, s->site, level, fn_get(f, e->i64, sums[level]));
    Loop copy = loop_begin(f, fn_int(f, 0), k->nchunks, "join");
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols);
    part.p = chunk_state(k, s, copy.i);
    builder_cols(f, &part, cols);
    builder_append(f, all, s->site, cols, builder_len(f, &part, 0));
    for (int c = 0; c < s->l->ncols; c++)
        api_release(f, cols[2 * c]);
    loop_end_plain(f, &copy);
    return fn_get(f, e->i64, count_at);
}

/* The columns of all chunks, and the number of rows. */
static LLVMValueRef collect(Kernel *k, Sink *s, LLVMValueRef *cols) {
    Fn *f = k->f;
    Builder one = {s->l, s->states};
    if (!k->is_outlined) {
        builder_cols(f, &one, cols);
        return rows_of(k, s, one.p);
    }
    int n = 2 * s->l->ncols;
    LLVMValueRef *kept = slots_new(f, n + 1);
    for (int c = 0; c < n; c++)
        kept[c] = fn_alloca(f, f->e->ptr, "col");
    kept[n] = fn_alloca(f, f->e->i64, "rows");
    LLVMValueRef *part = slots_new(f, n), rows;
    If single = if_begin(f, fn_cmp(f, LLVMIntEQ, k->nchunks, fn_int(f, 1)));
    builder_cols(f, &one, part);
    for (int c = 0; c < n; c++)
        fn_set(f, kept[c], part[c]);
    fn_set(f, kept[n], rows_of(k, s, one.p));
    if_else(f, &single);
    Builder all = {s->l, NULL};
    rows = join(k, s, &all);
    builder_cols(f, &all, part);
    for (int c = 0; c < n; c++)
        fn_set(f, kept[c], part[c]);
    fn_set(f, kept[n], rows);
    if_end(f, &single);
    for (int c = 0; c < n; c++)
        cols[c] = fn_get(f, f->e->ptr, kept[c]);
    return fn_get(f, f->e->i64, kept[n]);
}

static LLVMValueRef *finish_built(Kernel *k, Sink *s) {
    Fn *f = k->f;
    SinkKind kind = s->sink->kind;
    LLVMValueRef *out = slots_new(f, s->l->nslots);
    LLVMValueRef rows = collect(k, s, out + s->l->rank);
    int first = kind == SINK_MAP || kind == SINK_SCAN ? k->rank : 1;
    for (int d = 0; d < first; d++)
        out[d] = s->dims[d];
    if (kind == SINK_LIST)
        out[0] = k->total;
    if (kind == SINK_FILTER || kind == SINK_FLATMAP)
        out[0] = rows;
    for (int d = first; d < s->l->rank; d++)
        out[d] = s->dims[d] ? s->dims[d]
                            : fn_get(f, f->e->i64,
                                     fn_at_index(f, f->e->i64, s->rows, fn_int(f, d - first)));
    return out;
}

static LLVMValueRef *finish_direct(Kernel *k, Sink *s) {
    LLVMValueRef *out = slots_new(k->f, s->l->nslots);
    for (int d = 0; d < s->l->rank; d++)
        out[d] = s->dims[d];
    for (int c = 0; c < s->l->ncols; c++) {
        out[s->l->rank + 2 * c] = s->bufs[c];
        out[s->l->rank + 2 * c + 1] = s->data[c];
    }
    return out;
}

static LLVMValueRef *finish(Kernel *k, Sink *s) {
    if (is_reduction(s))
        return reduce_finish(k, s);
    if (s->sink->kind == SINK_SCAN)
        scan_finish(k, s);
    if (is_packed(s))
        return pack_finish(k, s);
    if (s->sink->kind == SINK_HIST || s->sink->kind == SINK_SCATTER)
        return table_finish(k, s);
    return is_built(s) ? finish_built(k, s) : finish_direct(k, s);
}

LLVMValueRef *sink_finish(Kernel *k, Sink *s) {
    LLVMValueRef *out = finish(k, s);
    if (s->states_buf) {
        LLVMValueRef none = LLVMConstNull(k->f->e->ptr);
        If has_buf = if_begin(k->f, fn_cmp(k->f, LLVMIntNE, s->states_buf, none));
        api_release(k->f, s->states_buf);
        if_end(k->f, &has_buf);
    }
    for (int c = 0; s->taken && c < s->l->ncols; c++)
        api_release(k->f, s->taken[c]);
    return out;
}
