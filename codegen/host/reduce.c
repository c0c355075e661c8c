/* Reductions. Their trees depend on the number of points alone, so that every thread count and
   every device gives the same bits.

   A reduction: chunks of 4096 points. An operator known to commute strides 32 lanes over the chunk
   (lane l takes the points l, l + 32, …, beginning with the identity), then lanes 16, 8, 4, 2, 1
   apart are combined, the lower on the left. Any other operator folds pieces of 128 points from
   left to right. Pieces, and then chunks, are combined as neighbours in pairs until one is left (an
   odd last one moves up as it is); the zero comes once, at the left. Where the order cannot be told
   from the result (integers, min, max) one accumulator takes all points of a chunk, which is longer. */
#include "kernel.h"

#include <assert.h>

#define B (f->e->B)

FoldMode fold_mode(Kernel *k, Sink *s) {
    const IrSink *sink = s->sink;
    Type *type = s->yield->type;
    if (s->pick)
        return FOLD_PICK;
    bool is_sum = sink->kind == SINK_REDUCE || sink->kind == SINK_SCAN || sink->kind == SINK_HIST;
    if (!is_sum || sink->op == IR_INVALID || !type_is_scalar(type))
        return FOLD_PIECES;
    s->identity = scalar_identity(&k->f->e->scalar, sink->op, type);
    if (!s->identity)
        return FOLD_PIECES;
    bool is_exact = !type_is_float(type) || sink->op == IR_MIN || sink->op == IR_MAX;
    if (is_exact || (k->op->flags & IRF_FAST && sink->kind == SINK_REDUCE))
        return FOLD_ANY;
    return sink->kind == SINK_REDUCE ? FOLD_LANES : FOLD_PIECES;
}

/* ---- slots in memory, in rows ---- */

static LLVMTypeRef row_type(Kernel *k, const Sink *s) {
    return slots_type(k->f->e, s->yield);
}

static LLVMValueRef *row_get(Kernel *k, const Sink *s, LLVMValueRef rows, LLVMValueRef i) {
    return slots_load(k->f, s->yield, fn_at_index(k->f, row_type(k, s), rows, i));
}

static void row_set(Kernel *k, const Sink *s, LLVMValueRef rows, LLVMValueRef i,
                    LLVMValueRef const *v) {
    slots_store(k->f, s->yield, fn_at_index(k->f, row_type(k, s), rows, i), v);
}

/* Combines rows 0 … n - 1 as neighbours in pairs into row 0; n > 0. */
static void pair_tree(Kernel *k, Sink *s, LLVMValueRef rows, LLVMValueRef n) {
    Fn *f = k->f;
    Emit *e = f->e;
    LLVMValueRef one = fn_int(f, 1);
    LLVMBasicBlockRef before = fn_here(f), head = fn_block(f, "tree"), body = fn_block(f, "level"),
                      exit = fn_block(f, "root");
    fn_br(f, head);
    fn_at(f, head);
    LLVMValueRef m = LLVMBuildPhi(B, e->i64, "m");
    LLVMAddIncoming(m, &n, &before, 1);
    fn_cond(f, fn_cmp(f, LLVMIntSGT, m, one), body, exit);
    fn_at(f, body);
    LLVMValueRef half = LLVMBuildLShr(B, m, one, "");
    Loop pairs = loop_begin(f, fn_int(f, 0), half, "pair");
    LLVMValueRef left = LLVMBuildShl(B, pairs.i, one, "");
    LLVMValueRef *a = row_get(k, s, rows, left), *b = row_get(k, s, rows, fn_add(f, left, one));
    row_set(k, s, rows, pairs.i, sink_fold(k, s, a, b));
    loop_end_plain(f, &pairs);
    LLVMValueRef odd = LLVMBuildAnd(B, m, one, "");
    If alone = if_begin(f, fn_cmp(f, LLVMIntNE, odd, fn_int(f, 0)));
    row_set(k, s, rows, half, row_get(k, s, rows, fn_sub(f, m, one)));
    if_end(f, &alone);
    LLVMValueRef next = fn_add(f, half, odd);
    LLVMBasicBlockRef here = fn_here(f);
    LLVMAddIncoming(m, &next, &here, 1);
    fn_plain_loop(f, LLVMBuildBr(B, head));
    fn_at(f, exit);
}

/* ---- reductions ---- */

enum { FEW = 8 }; /* chunk results that have room on the stack */

void reduce_prepare(Kernel *k, Sink *s) {
    Fn *f = k->f;
    Emit *e = f->e;
    LLVMTypeRef row = row_type(k, s);
    bool is_single = !k->is_outlined && !k->is_cut;
    LLVMValueRef here = fn_alloca(f, LLVMArrayType2(row, is_single ? 1 : FEW), "partials");
    s->states = here;
    if (is_single)
        return;
    LLVMBasicBlockRef before = fn_here(f), many = fn_block(f, "many"), go = fn_block(f, "go");
    fn_cond(f, fn_cmp(f, LLVMIntSGT, k->nchunks, fn_int(f, FEW)), many, go);
    fn_at(f, many);
    int bytes = (int)LLVMABISizeOfType(e->layout, row);
    sink_states(k, s, k->nchunks, bytes);
    LLVMValueRef heap = s->states, heap_buf = s->states_buf, none = LLVMConstNull(e->ptr);
    LLVMBasicBlockRef there = fn_here(f);
    fn_br(f, go);
    fn_at(f, go);
    s->states = LLVMBuildPhi(B, e->ptr, "partials");
    LLVMAddIncoming(s->states, (LLVMValueRef[]){here, heap}, (LLVMBasicBlockRef[]){before, there},
                    2);
    s->states_buf = LLVMBuildPhi(B, e->ptr, "");
    LLVMAddIncoming(s->states_buf, (LLVMValueRef[]){none, heap_buf},
                    (LLVMBasicBlockRef[]){before, there}, 2);
}

static LLVMValueRef splat(const LLVMValueRef value, int n) {
    LLVMValueRef all[LANES];
    for (int k = 0; k < n; k++)
        all[k] = value;
    return LLVMConstVector(all, (unsigned)n);
}

void reduce_begin(Kernel *k, Sink *s) {
    Fn *f = k->f;
    switch (s->fold) {
    case FOLD_ANY:
        s->acc = fn_alloca(f, LLVMTypeOf(s->identity), "acc");
        fn_set(f, s->acc, s->identity);
        break;
    case FOLD_LANES:
        s->acc = fn_alloca(f, LLVMVectorType(LLVMTypeOf(s->identity), LANES), "lanes");
        fn_set(f, s->acc, splat(s->identity, LANES));
        break;
    case FOLD_PICK: pick_begin(f, s->pick, s->zero, s->has_accs, !s->has_accs); break;
    case FOLD_PIECES:
        s->acc = fn_alloca(f, LLVMArrayType2(row_type(k, s), CHUNK / PIECE), "pieces");
        break;
    }
}

static void fold_piece(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v) {
    Fn *f = k->f;
    LLVMValueRef piece = LLVMBuildLShr(B, lin, fn_int(f, 7), "");
    piece = LLVMBuildAnd(B, piece, fn_int(f, CHUNK / PIECE - 1), "");
    LLVMValueRef within = LLVMBuildAnd(B, lin, fn_int(f, PIECE - 1), "");
    If first = if_begin(f, fn_cmp(f, LLVMIntEQ, within, fn_int(f, 0)));
    row_set(k, s, s->acc, piece, v);
    if_else(f, &first);
    row_set(k, s, s->acc, piece, sink_fold(k, s, row_get(k, s, s->acc, piece), v));
    if_end(f, &first);
}

void reduce_point(Kernel *k, Sink *s, LLVMValueRef lin, LLVMValueRef const *v) {
    Fn *f = k->f;
    if (s->fold == FOLD_PICK) {
        pick_point(f, s->pick, fn_sub(f, lin, s->first), v);
        return;
    }
    if (s->fold == FOLD_PIECES) {
        fold_piece(k, s, lin, v);
        return;
    }
    LLVMTypeRef type = LLVMTypeOf(s->identity);
    LLVMValueRef p = s->acc;
    if (s->fold == FOLD_LANES)
        p = fn_at_index(f, type, p, LLVMBuildAnd(B, lin, fn_int(f, LANES - 1), ""));
    LLVMValueRef old = fn_get(f, type, p);
    fn_set(f, p, sink_combine(k, s, &old, v)[0]);
}

/* Combines the lanes that are 16, 8, 4, 2, 1 apart. */
static LLVMValueRef butterfly(Kernel *k, Sink *s, LLVMValueRef lanes) {
    Fn *f = k->f;
    Emit *e = f->e;
    for (int n = LANES / 2; n > 0; n /= 2) {
        LLVMValueRef low[LANES], high[LANES];
        for (int i = 0; i < n; i++) {
            low[i] = LLVMConstInt(e->i32, (uint64_t)i, 0);
            high[i] = LLVMConstInt(e->i32, (uint64_t)(n + i), 0);
        }
        LLVMValueRef a, b;
        if (n == 1) {
            a = LLVMBuildExtractElement(B, lanes, low[0], "");
            b = LLVMBuildExtractElement(B, lanes, high[0], "");
        } else {
            a = LLVMBuildShuffleVector(B, lanes, lanes, LLVMConstVector(low, (unsigned)n), "");
            b = LLVMBuildShuffleVector(B, lanes, lanes, LLVMConstVector(high, (unsigned)n), "");
        }
        lanes = scalar_emit_same(&e->scalar, s->sink->op, s->yield->type, a, b, n);
    }
    return lanes;
}

void reduce_end(Kernel *k, Sink *s, LLVMValueRef c, LLVMValueRef from, LLVMValueRef to) {
    Fn *f = k->f;
    LLVMValueRef *total = slots_new(f, 1);
    if (s->fold == FOLD_PICK) {
        total = pick_total(f, s->pick, s->zero, s->has_accs, from, k->dims);
    } else if (s->total) {
        total[0] = s->total;
    } else if (s->fold == FOLD_ANY) {
        total[0] = fn_get(f, LLVMTypeOf(s->identity), s->acc);
    } else if (s->fold == FOLD_LANES) {
        LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(s->identity), LANES);
        total[0] = butterfly(k, s, fn_get(f, type, s->acc));
    } else {
        LLVMValueRef n = fn_add(f, fn_sub(f, to, from), fn_int(f, PIECE - 1));
        pair_tree(k, s, s->acc, LLVMBuildLShr(B, n, fn_int(f, 7), ""));
        total = row_get(k, s, s->acc, fn_int(f, 0));
    }
    row_set(k, s, s->states, c, total);
}

LLVMValueRef *reduce_finish(Kernel *k, Sink *s) {
    Fn *f = k->f;
    if (!k->is_outlined && !k->is_cut)
        return sink_combine(k, s, s->zero, row_get(k, s, s->states, fn_int(f, 0)));
    LLVMTypeRef row = row_type(k, s);
    LLVMValueRef result = fn_alloca(f, row, "result");
    slots_store(f, s->yield, result, s->zero);
    If some = if_begin(f, fn_cmp(f, LLVMIntSGT, k->total, fn_int(f, 0)));
    pair_tree(k, s, s->states, k->nchunks);
    LLVMValueRef *all = row_get(k, s, s->states, fn_int(f, 0));
    slots_store(f, s->yield, result, sink_combine(k, s, s->zero, all));
    sink_drop(k, s, all);
    if_else(f, &some);
    sink_keep(k, s, s->zero);
    if_end(f, &some);
    LLVMValueRef *out = slots_load(f, s->yield, result);
    assert(s->yield->nslots == s->l->nslots);
    return out;
}
