/* Scans. Those of flat values follow the tree of prefix.h. In the body of another kernel, and where
   the operator may fault, that is one pass in order. At the top each chunk whose predecessor is done
   is finished at once, so that one thread makes one pass; other chunks leave out what is before them
   and note their own part. Then what is before each chunk is computed, and those get it in a second
   pass.

   Scans of lists and the like are one pass in order: op(op(op(zero, chunks before), pieces before in
   the chunk), fold inside the piece), all from left to right, without the parts that are empty;
   pieces are of 128 points, chunks of 4096. */
#include "kernel.h"

#include <stddef.h>

#define B (f->e->B)

static void keep(Kernel *k, const Sink *s, LLVMValueRef p, LLVMValueRef const *v) {
    slots_store(k->f, s->yield, p, v);
}

static LLVMValueRef *kept(Kernel *k, const Sink *s, LLVMValueRef p) {
    return slots_load(k->f, s->yield, p);
}

bool scan_is_parallel(Kernel *k, const Sink *s) {
    if (!type_is_flat(s->yield->type))
        return false;
    for (int i = 0; i < s->op->ops.len; i++)
        if (ir_may_fault(k->f->ir, s->op->ops.at[i]) || ir_has_effect(k->f->ir, s->op->ops.at[i]))
            return false;
    return true;
}

/* ---- of flat values ---- */

/* Whether all chunks before chunk c are done, an i64; c may be the number of chunks. */
static LLVMValueRef done_before(Kernel *k, const Sink *s, LLVMValueRef c) {
    return fn_at_index(k->f, k->f->e->i64, s->states, c);
}

/* A row behind these: what is before chunk c, or, unless all of that is done, chunk c - 1 alone. */
static LLVMValueRef before_chunk(Kernel *k, const Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    LLVMValueRef rows = done_before(k, s, fn_add(f, k->nchunks, fn_int(f, 1)));
    return fn_at_index(f, slots_type(f->e, s->yield), rows, c);
}

/* Acquire pairs with set_done's release: the row is written. */
static LLVMValueRef is_done(Kernel *k, const Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    LLVMValueRef done = LLVMBuildLoad2(B, f->e->i64, done_before(k, s, c), "");
    LLVMSetOrdering(done, LLVMAtomicOrderingAcquire);
    LLVMSetAlignment(done, 8);
    return fn_cmp(f, LLVMIntNE, done, fn_int(f, 0));
}

static void set_done(Kernel *k, const Sink *s, LLVMValueRef c, LLVMValueRef done) {
    Fn *f = k->f;
    done = LLVMBuildZExt(B, done, f->e->i64, "");
    LLVMValueRef store = LLVMBuildStore(B, done, done_before(k, s, c));
    LLVMSetOrdering(store, LLVMAtomicOrderingRelease);
    LLVMSetAlignment(store, 8);
}

static void prepare_flat(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef one = fn_int(f, 1);
    if (!k->is_outlined) {
        s->states = fn_alloca(f, slots_type(f->e, s->yield), "before");
        keep(k, s, s->states, s->zero);
        return;
    }
    LLVMValueRef n = fn_add(f, k->nchunks, one);
    int row = (int)LLVMABISizeOfType(f->e->layout, slots_type(f->e, s->yield));
    sink_states(k, s, n, row + 8);
    LLVMBuildMemSet(B, s->states, LLVMConstNull(f->e->i8), fn_mul(f, n, fn_int(f, 8)), 8);
    fn_set(f, s->states, one);
    keep(k, s, before_chunk(k, s, fn_int(f, 0)), s->zero);
}

static void begin_flat(Kernel *k, Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    if (!k->is_outlined) {
        prefix_begin(f, s->prefix, kept(k, s, s->states), NULL);
        return;
    }
    LLVMValueRef is_local = LLVMBuildNot(B, is_done(k, s, c), "");
    prefix_begin(f, s->prefix, kept(k, s, before_chunk(k, s, c)), is_local);
}

static void end_flat(Kernel *k, Sink *s, LLVMValueRef c, LLVMValueRef from, LLVMValueRef to) {
    Fn *f = k->f;
    LLVMValueRef size = fn_int(f, CHUNK), next = fn_add(f, c, fn_int(f, 1));
    If full = if_begin(f, fn_cmp(f, LLVMIntEQ, fn_sub(f, to, from), size));
    keep(k, s, k->is_outlined ? before_chunk(k, s, next) : s->states, prefix_end(f, s->prefix));
    if_end(f, &full);
    if (k->is_outlined)
        set_done(k, s, next, LLVMBuildNot(B, s->prefix->is_local, ""));
}

/* ---- of others ---- */

static void prepare_others(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMTypeRef row = slots_type(f->e, s->yield);
    s->acc = fn_alloca(f, row, "local");
    s->before = fn_alloca(f, row, "before");
    s->pieces = fn_alloca(f, row, "pieces");
    s->chunks = fn_alloca(f, row, "chunks");
    keep(k, s, s->acc, s->zero);
}

/* to = is_first ? v : op(to, v) */
static void fold_into(Kernel *k, Sink *s, LLVMValueRef to, LLVMValueRef is_first,
                      LLVMValueRef const *v) {
    Fn *f = k->f;
    If first = if_begin(f, is_first);
    keep(k, s, to, v);
    if_else(f, &first);
    keep(k, s, to, sink_combine(k, s, kept(k, s, to), v));
    if_end(f, &first);
}

/* At the first point of a piece: what comes before it. */
static void scan_piece(Kernel *k, Sink *s, LLVMValueRef lin) {
    Fn *f = k->f;
    LLVMValueRef zero = fn_int(f, 0);
    LLVMValueRef in_chunk = LLVMBuildAnd(B, lin, fn_int(f, CHUNK - 1), "");
    LLVMValueRef starts_chunk = fn_cmp(f, LLVMIntEQ, in_chunk, zero);
    If later = if_begin(f, fn_cmp(f, LLVMIntSGT, lin, zero));
    fold_into(k, s, s->pieces, fn_cmp(f, LLVMIntEQ, in_chunk, fn_int(f, PIECE)),
              kept(k, s, s->acc));
    If closes = if_begin(f, starts_chunk);
    fold_into(k, s, s->chunks, fn_cmp(f, LLVMIntEQ, lin, fn_int(f, CHUNK)), kept(k, s, s->pieces));
    if_end(f, &closes);
    if_end(f, &later);
    keep(k, s, s->before, s->zero);
    If chunks = if_begin(f, fn_cmp(f, LLVMIntSGE, lin, fn_int(f, CHUNK)));
    keep(k, s, s->before, sink_combine(k, s, kept(k, s, s->before), kept(k, s, s->chunks)));
    if_end(f, &chunks);
    If pieces = if_begin(f, fn_cmp(f, LLVMIntNE, in_chunk, zero));
    keep(k, s, s->before, sink_combine(k, s, kept(k, s, s->before), kept(k, s, s->pieces)));
    if_end(f, &pieces);
}

/* The value stays in use as the running one, and the output takes a count. */
static void scan_put(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v) {
    sink_keep(k, s, v);
    sink_put(k, s, lin, v);
}

static void point_of_others(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v) {
    Fn *f = k->f;
    LLVMValueRef out = fn_alloca(f, slots_type(f->e, s->yield), "out");
    LLVMValueRef within = LLVMBuildAnd(B, lin, fn_int(f, PIECE - 1), "");
    If first = if_begin(f, fn_cmp(f, LLVMIntEQ, within, fn_int(f, 0)));
    scan_piece(k, s, lin);
    keep(k, s, s->acc, v);
    keep(k, s, out, kept(k, s, s->before));
    if_else(f, &first);
    LLVMValueRef *old = kept(k, s, s->acc);
    if (s->sink->imm)
        keep(k, s, out, sink_combine(k, s, kept(k, s, s->before), old));
    keep(k, s, s->acc, sink_combine(k, s, old, v));
    if_end(f, &first);
    if (!s->sink->imm)
        keep(k, s, out, sink_combine(k, s, kept(k, s, s->before), kept(k, s, s->acc)));
    scan_put(k, s, lin, kept(k, s, out));
}

/* ---- around the points ---- */

void scan_prepare(Kernel *k, Sink *s) {
    if (type_is_flat(s->yield->type))
        prepare_flat(k, s);
    else
        prepare_others(k, s);
}

void scan_open(Kernel *k, Sink *s) {
    if (type_is_flat(s->yield->type))
        s->prefix = prefix_new(k->f, k->op, s->sink, s->yield);
}

void scan_begin(Kernel *k, Sink *s, LLVMValueRef c) {
    if (type_is_flat(s->yield->type))
        begin_flat(k, s, c);
}

void scan_end(Kernel *k, Sink *s, LLVMValueRef c, LLVMValueRef from, LLVMValueRef to) {
    if (type_is_flat(s->yield->type))
        end_flat(k, s, c, from, to);
}

void scan_point(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (!type_is_flat(s->yield->type)) {
        point_of_others(k, s, lin, v);
        return;
    }
    LLVMValueRef number = fn_bin(f, LLVMAnd, lin, fn_int(f, CHUNK - 1));
    sink_put(k, s, lin, prefix_point(f, s->prefix, number, v));
}

/* ---- the second pass ---- */

/* What is before each chunk, where it was not known. */
static void sum_chunks(Kernel *k, Sink *s) {
    Fn *f = k->f;
    Loop loop = loop_begin(f, fn_int(f, 1), k->nchunks, "sums");
    If open = if_begin(f, LLVMBuildNot(B, is_done(k, s, loop.i), ""));
    LLVMValueRef p = before_chunk(k, s, loop.i);
    LLVMValueRef *left = kept(k, s, before_chunk(k, s, fn_sub(f, loop.i, fn_int(f, 1))));
    keep(k, s, p, sink_combine(k, s, left, kept(k, s, p)));
    if_end(f, &open);
    loop_end_plain(f, &loop);
}

static void finish_groups(Kernel *k, Sink *s, LLVMValueRef from, LLVMValueRef to) {
    Fn *f = k->f;
    LLVMValueRef size = fn_int(f, GROUP), full = fn_sub(f, to, from), *v;
    Layout *l = s->l;
    full = fn_bin(f, LLVMLShr, full, fn_int(f, GROUP_LEVELS));
    Vec vec = {.f = f, .lanes = GROUP, .ncopies = 1};
    Loop groups = loop_begin(f, fn_int(f, 0), full, "group");
    LLVMValueRef number = fn_mul(f, groups.i, size), at = fn_add(f, from, number);
    v = slots_new(f, l->ncols);
    for (int c = 0; c < l->ncols; c++) {
        LLVMTypeRef type = layout_col_type(f->e, &l->cols[c]);
        LLVMValueRef p = fn_at_index(f, type, s->data[c], at);
        v[c] = vec_of_memory(&vec, &l->cols[c], vec_load(&vec, type, l->cols[c].bytes, p));
    }
    v = prefix_vector_of(f, s->prefix, number, v);
    for (int c = 0; c < l->ncols; c++) {
        const Column *col = &l->cols[c];
        LLVMValueRef p = fn_at_bytes(f, col->bytes, s->data[c], at);
        vec_store(&vec, vec_to_memory(&vec, col, v[c]), col->bytes, p);
    }
    loop_end_plain(f, &groups);
    prefix_open(f, s->prefix);
}

static void finish_points(Kernel *k, Sink *s, LLVMValueRef from, LLVMValueRef to) {
    Fn *f = k->f;
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols), *v = slots_new(f, s->yield->nslots);
    for (int c = 0; c < s->l->ncols; c++)
        cols[2 * c + 1] = s->data[c];
    Loop points = loop_begin(f, from, to, "point");
    LLVMValueRef number = fn_bin(f, LLVMAnd, points.i, fn_int(f, CHUNK - 1));
    elem_load(f, s->l->elem, cols, points.i, v);
    elem_store(f, s->l->elem, s->data, points.i, prefix_point_of(f, s->prefix, number, v));
    loop_end_plain(f, &points);
}

/* Puts what is before chunks lo … hi - 1 in front of their points where it is missing. */
static void finish_chunks(Kernel *k, Sink *s, LLVMValueRef lo, LLVMValueRef hi) {
    Fn *f = k->f;
    s->prefix = prefix_new(f, k->op, s->sink, s->yield);
    Loop chunks = loop_begin(f, lo, hi, "chunk");
    LLVMValueRef next = fn_add(f, chunks.i, fn_int(f, 1));
    If open = if_begin(f, LLVMBuildNot(B, is_done(k, s, next), ""));
    LLVMValueRef from = fn_mul(f, chunks.i, fn_int(f, CHUNK));
    LLVMValueRef to = fn_min(f, k->total, fn_add(f, from, fn_int(f, CHUNK))), rest = from;
    prefix_begin(f, s->prefix, kept(k, s, before_chunk(k, s, chunks.i)), NULL);
    if (s->prefix->has_vectors) {
        finish_groups(k, s, from, to);
        rest = fn_bin(f, LLVMAnd, to, fn_int(f, ~(int64_t)(GROUP - 1)));
    }
    finish_points(k, s, rest, to);
    if_end(f, &open);
    loop_end_plain(f, &chunks);
}

static void run_second(Kernel *k, Sink *s) {
    Fn *f = k->f, inner;
    Env env = {0};
    LLVMValueRef total = k->total, n = k->nchunks, states = s->states, *data = s->data;
    env_add(f, &env, total);
    env_add(f, &env, n);
    env_add(f, &env, states);
    for (int c = 0; c < s->l->ncols; c++)
        env_add(f, &env, data[c]);
    env_capture(f, &env, s->op);
    env_store(f, &env);
    Outline o = outline_begin(&inner, f, f->e->range_fn, "scan");
    kernel_range_open(&inner);
    inner.nnoalias = 0; /* it reads what it writes */
    LLVMValueRef p = LLVMGetParam(inner.fn, 1);
    k->f = &inner;
    k->total = env_load(&inner, &env, p, 0);
    k->nchunks = env_load(&inner, &env, p, 1);
    s->states = env_load(&inner, &env, p, 2);
    s->data = slots_new(&inner, s->l->ncols);
    for (int c = 0; c < s->l->ncols; c++)
        s->data[c] = env_load(&inner, &env, p, 3 + c);
    env_open(&inner, &env, p);
    finish_chunks(k, s, LLVMGetParam(inner.fn, 2), LLVMGetParam(inner.fn, 3));
    env_close(&inner, &env);
    k->f = f;
    k->total = total;
    k->nchunks = n;
    s->states = states;
    s->data = data;
    outline_end(&inner, &o);
    kernel_run(k, inner.fn, env.p);
}

void scan_finish(Kernel *k, Sink *s) {
    Fn *f = k->f;
    if (!k->is_outlined || !type_is_flat(s->yield->type))
        return;
    If open = if_begin(f, LLVMBuildNot(B, is_done(k, s, k->nchunks), ""));
    sum_chunks(k, s);
    run_second(k, s);
    if_end(f, &open);
}
