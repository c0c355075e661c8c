/* Scans: op(op(op(zero, chunks before), pieces before in the chunk), fold inside the piece), all
   from left to right, without the parts that are empty; pieces are of 128 points, chunks of 4096,
   so that every thread count and every device gives the same bits.

   In the body of another kernel, and where the output is irregular, that is one pass in order. At
   the top the chunks first fold inside their pieces and note the sum of each; then what comes
   before each piece is computed; then the chunks put it before their points. */
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
    Layout *out = layout_of(k->f->e, s->sink->type);
    return out->is_regular && !layout_is_array(s->yield->type);
}

void scan_prepare(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMTypeRef row = slots_type(f->e, s->yield);
    s->acc = fn_alloca(f, row, "local");
    s->before = fn_alloca(f, row, "before");
    s->pieces = fn_alloca(f, row, "pieces");
    s->chunks = fn_alloca(f, row, "chunks");
    keep(k, s, s->acc, s->zero);
    if (!k->is_outlined)
        return;
    LLVMValueRef n = fn_mul(f, k->nchunks, fn_int(f, CHUNK / PIECE));
    int bytes = (int)LLVMABISizeOfType(f->e->layout, row);
    sink_states(k, s, n, bytes);
}

void scan_begin(Kernel *k, Sink *s) {
    Fn *f = k->f;
    if (k->is_outlined)
        s->acc = fn_alloca(f, slots_type(f->e, s->yield), "local");
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

static void scan_in_order(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v) {
    LLVMValueRef *old = kept(k, s, s->acc), *next = sink_combine(k, s, old, v);
    scan_put(k, s, lin, s->sink->imm ? old : next);
    keep(k, s, s->acc, next);
}

static LLVMValueRef piece_at(Kernel *k, const Sink *s, LLVMValueRef lin) {
    Fn *f = k->f;
    LLVMValueRef piece = LLVMBuildLShr(B, lin, fn_int(f, 7), "");
    return fn_at_index(f, slots_type(f->e, s->yield), s->states, piece);
}

/* The first pass: folds inside a piece. Where the sum before a point is wanted and there is none in
   the piece, anything is stored: the second pass knows. */
static void scan_inside(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v) {
    Fn *f = k->f;
    LLVMValueRef within = LLVMBuildAnd(B, lin, fn_int(f, PIECE - 1), "");
    If first = if_begin(f, fn_cmp(f, LLVMIntEQ, within, fn_int(f, 0)));
    keep(k, s, s->acc, v);
    sink_put(k, s, lin, v);
    if_else(f, &first);
    LLVMValueRef *old = kept(k, s, s->acc), *next = sink_combine(k, s, old, v);
    keep(k, s, s->acc, next);
    sink_put(k, s, lin, s->sink->imm ? old : next);
    if_end(f, &first);
    If last = if_begin(f, fn_cmp(f, LLVMIntEQ, within, fn_int(f, PIECE - 1)));
    keep(k, s, piece_at(k, s, lin), kept(k, s, s->acc));
    if_end(f, &last);
}

/* The sum of the last piece of a chunk, which may be short. */
void scan_end(Kernel *k, Sink *s, LLVMValueRef to) {
    Fn *f = k->f;
    if (k->is_outlined)
        keep(k, s, piece_at(k, s, fn_sub(f, to, fn_int(f, 1))), kept(k, s, s->acc));
}

void scan_point(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (k->is_outlined) {
        scan_inside(k, s, lin, v);
        return;
    }
    if (s->fold == FOLD_ANY) {
        scan_in_order(k, s, lin, v);
        return;
    }
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

/* ---- the second pass ---- */

/* In place of the sum of each piece: what comes before it. */
static void sum_pieces(Kernel *k, Sink *s, LLVMValueRef npieces) {
    Fn *f = k->f;
    LLVMTypeRef row = slots_type(f->e, s->yield);
    s->acc = fn_alloca(f, row, "previous");
    keep(k, s, s->acc, s->zero);
    Loop loop = loop_begin(f, fn_int(f, 0), npieces, "sums");
    LLVMValueRef p = fn_at_index(f, row, s->states, loop.i), *sum = kept(k, s, p);
    scan_piece(k, s, fn_mul(f, loop.i, fn_int(f, PIECE)));
    keep(k, s, p, kept(k, s, s->before));
    keep(k, s, s->acc, sum);
    loop_end_plain(f, &loop);
}

/* Puts what comes before a piece at the left of its points from … to - 1. */
static void finish_piece(Kernel *k, Sink *s, LLVMValueRef const *before, LLVMValueRef from,
                         LLVMValueRef to) {
    Fn *f = k->f;
    LLVMValueRef *cols = slots_new(f, 2 * s->l->ncols), *v = slots_new(f, s->yield->nslots);
    for (int c = 0; c < s->l->ncols; c++)
        cols[2 * c + 1] = s->data[c];
    if (s->sink->imm) {
        elem_store(f, s->l->elem, s->data, from, before);
        from = fn_add(f, from, fn_int(f, 1));
    }
    Loop points = loop_begin(f, from, to, "point");
    elem_load(f, s->l->elem, cols, points.i, v);
    elem_store(f, s->l->elem, s->data, points.i, sink_combine(k, s, before, v));
    loop_end(f, &points);
}

static void finish_chunks(Kernel *k, Sink *s, LLVMValueRef lo, LLVMValueRef hi) {
    Fn *f = k->f;
    LLVMTypeRef row = slots_type(f->e, s->yield);
    LLVMValueRef each = fn_int(f, CHUNK / PIECE), size = fn_int(f, PIECE);
    LLVMValueRef npieces =
        LLVMBuildLShr(B, fn_add(f, k->total, fn_int(f, PIECE - 1)), fn_int(f, 7), "");
    Loop pieces =
        loop_begin(f, fn_mul(f, lo, each), fn_min(f, npieces, fn_mul(f, hi, each)), "piece");
    LLVMValueRef from = fn_mul(f, pieces.i, size);
    LLVMValueRef to = fn_min(f, k->total, fn_add(f, from, size));
    LLVMValueRef *before = kept(k, s, fn_at_index(f, row, s->states, pieces.i));
    finish_piece(k, s, before, from, to);
    loop_end_plain(f, &pieces);
}

void scan_finish(Kernel *k, Sink *s) {
    Fn *f = k->f, inner;
    Emit *e = f->e;
    if (!k->is_outlined)
        return;
    LLVMValueRef most = fn_add(f, k->total, fn_int(f, PIECE - 1));
    sum_pieces(k, s, LLVMBuildLShr(B, most, fn_int(f, 7), ""));
    Env env = {0};
    LLVMValueRef total = k->total, states = s->states, *data = s->data;
    env_add(f, &env, total);
    env_add(f, &env, states);
    for (int c = 0; c < s->l->ncols; c++)
        env_add(f, &env, data[c]);
    env_capture(f, &env, s->op);
    env_store(f, &env);
    Outline o = outline_begin(&inner, f, e->range_fn, "scan");
    kernel_range_open(&inner);
    inner.nnoalias = 0; /* it reads what it writes */
    LLVMValueRef p = LLVMGetParam(inner.fn, 1);
    k->f = &inner;
    k->total = env_load(&inner, &env, p, 0);
    s->states = env_load(&inner, &env, p, 1);
    s->data = slots_new(&inner, s->l->ncols);
    for (int c = 0; c < s->l->ncols; c++)
        s->data[c] = env_load(&inner, &env, p, 2 + c);
    env_open(&inner, &env, p);
    finish_chunks(k, s, LLVMGetParam(inner.fn, 2), LLVMGetParam(inner.fn, 3));
    env_close(&inner, &env);
    k->f = f;
    k->total = total;
    s->states = states;
    s->data = data;
    outline_end(&inner, &o);
    kernel_run(k, inner.fn, env.p);
}
