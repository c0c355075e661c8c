/* Filters of regular elements. Each chunk moves up those it keeps: to their final places if all chunks
   before it are done, as they always are on one thread; else to the front of its own part of columns
   that have room for all points. If there are chunks of the second kind, all parts are copied to columns
   of the right size. What is room alone is not counted as memory. */
#include "kernel.h"

#include <stddef.h>

#define B (f->e->B)

void pack_prepare(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef n = fn_add(f, k->nchunks, fn_int(f, 1));
    sink_states(k, s, fn_mul(f, n, fn_int(f, 2)), 8);
    LLVMValueRef none = LLVMConstAllOnes(f->e->i8);
    LLVMBuildMemSet(B, s->states, none, fn_mul(f, n, fn_int(f, 8)), 8);
    fn_set(f, s->states, fn_int(f, 0));
}

/* Word c of a packed filter's states: where chunk c begins, once all chunks before it are in their
   places; else ~n if chunk c - 1 has kept n that are not, or -1. Acquire pairs with pack_end's
   release: what is before is written. */
static LLVMValueRef packed_before(Kernel *k, const Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    LLVMValueRef p = fn_at_index(f, f->e->i64, s->states, c);
    LLVMValueRef word = LLVMBuildLoad2(B, f->e->i64, p, "");
    LLVMSetOrdering(word, LLVMAtomicOrderingAcquire);
    LLVMSetAlignment(word, 8);
    return word;
}

static LLVMValueRef is_negative(Kernel *k, LLVMValueRef word) {
    return fn_cmp(k->f, LLVMIntSLT, word, fn_int(k->f, 0));
}

/* Where chunk c stores what it keeps: behind the chunks before it if these are done, else where its
   own points are. */
static LLVMValueRef first_place(Kernel *k, const Sink *s, LLVMValueRef c) {
    LLVMValueRef word = packed_before(k, s, c);
    return fn_select(k->f, is_negative(k, word), fn_mul(k->f, c, k->chunk), word);
}

/* Chunk c is done and began at s->state. */
void pack_end(Kernel *k, Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    LLVMValueRef end = fn_get(f, f->e->i64, s->acc), word = packed_before(k, s, c);
    LLVMValueRef is_packed_here =
        fn_bin(f, LLVMAnd, LLVMBuildNot(B, is_negative(k, word), ""),
               fn_cmp(f, LLVMIntEQ, s->state, word));
    LLVMValueRef kept = LLVMBuildNot(B, fn_sub(f, end, s->state), "");
    LLVMValueRef p = fn_at_index(f, f->e->i64, s->states, fn_add(f, c, fn_int(f, 1)));
    LLVMValueRef store = LLVMBuildStore(B, fn_select(f, is_packed_here, end, kept), p);
    LLVMSetOrdering(store, LLVMAtomicOrderingRelease);
    LLVMSetAlignment(store, 8);
}

void pack_begin(Kernel *k, Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    s->acc = fn_alloca(f, f->e->i64, "place");
    s->state = first_place(k, s, c);
    fn_set(f, s->acc, s->state);
}

/* ---- copies ---- */

/* Where chunk c has what it keeps, and how many that are. */
static LLVMValueRef part_of(Kernel *k, Sink *s, LLVMValueRef c, LLVMValueRef *count) {
    Fn *f = k->f;
    LLVMValueRef from = packed_before(k, s, c);
    LLVMValueRef end = packed_before(k, s, fn_add(f, c, fn_int(f, 1)));
    LLVMValueRef is_apart = is_negative(k, end);
    *count = fn_select(f, is_apart, LLVMBuildNot(B, end, ""), fn_sub(f, end, from));
    return fn_select(f, is_apart, fn_mul(f, c, k->chunk), from);
}

/* Word c of the places that parts are copied to, behind the states. */
static LLVMValueRef place_of(Kernel *k, const Sink *s, LLVMValueRef c) {
    Fn *f = k->f;
    LLVMValueRef at = fn_add(f, fn_add(f, k->nchunks, fn_int(f, 1)), c);
    return fn_at_index(f, f->e->i64, s->states, at);
}

/* Fills in the places; how many are kept in all. */
static LLVMValueRef sum_places(Kernel *k, Sink *s) {
    Fn *f = k->f;
    LLVMValueRef at_p = fn_alloca(f, f->e->i64, "at"), zero = fn_int(f, 0), n;
    fn_set(f, at_p, zero);
    Loop count = loop_begin(f, zero, k->nchunks, "count");
    LLVMValueRef at = fn_get(f, f->e->i64, at_p);
    part_of(k, s, count.i, &n);
    fn_set(f, place_of(k, s, count.i), at);
    fn_set(f, at_p, fn_add(f, at, n));
    loop_end_plain(f, &count);
    return fn_get(f, f->e->i64, at_p);
}

/* Copies the parts of chunks lo … hi - 1 to their places in `to`. */
static void copy_parts(Kernel *k, Sink *s, LLVMValueRef const *to, LLVMValueRef lo,
                       LLVMValueRef hi) {
    Fn *f = k->f;
    Layout *l = s->l;
    LLVMValueRef *from = slots_new(f, 2 * l->ncols), n;
    Loop copy = loop_begin(f, lo, hi, "pack");
    LLVMValueRef first = part_of(k, s, copy.i, &n);
    for (int c = 0; c < l->ncols; c++)
        from[2 * c + 1] = fn_at_bytes(f, l->cols[c].bytes, s->data[c], first);
    LLVMValueRef at = fn_get(f, f->e->i64, place_of(k, s, copy.i));
    array_copy(f, l, to, at, from, n);
    loop_end_plain(f, &copy);
}

/* The same in a function of a range of chunks, on all threads. */
static void copy_all(Kernel *k, Sink *s, LLVMValueRef const *to) {
    Fn *f = k->f, inner;
    Env env = {0};
    int ncols = s->l->ncols;
    LLVMValueRef chunk = k->chunk, n = k->nchunks, states = s->states, *data = s->data;
    env_add(f, &env, chunk);
    env_add(f, &env, n);
    env_add(f, &env, states);
    for (int c = 0; c < ncols; c++)
        env_add(f, &env, data[c]);
    for (int c = 0; c < ncols; c++)
        env_add(f, &env, to[c]);
    env_store(f, &env);
    Outline o = outline_begin(&inner, f, f->e->range_fn, "pack");
    kernel_range_open(&inner);
    LLVMValueRef p = LLVMGetParam(inner.fn, 1), *there = slots_new(&inner, ncols);
    k->f = &inner;
    k->chunk = env_load(&inner, &env, p, 0);
    k->nchunks = env_load(&inner, &env, p, 1);
    s->states = env_load(&inner, &env, p, 2);
    s->data = slots_new(&inner, ncols);
    for (int c = 0; c < ncols; c++) {
        s->data[c] = env_load(&inner, &env, p, 3 + c);
        there[c] = env_load(&inner, &env, p, 3 + ncols + c);
    }
    env_open(&inner, &env, p);
    copy_parts(k, s, there, LLVMGetParam(inner.fn, 2), LLVMGetParam(inner.fn, 3));
    env_close(&inner, &env);
    k->f = f;
    k->chunk = chunk;
    k->nchunks = n;
    s->states = states;
    s->data = data;
    outline_end(&inner, &o);
    kernel_run(k, inner.fn, env.p);
}

/* Tells the runtime how much of the room has become memory. */
static void settle_columns(Kernel *k, const Sink *s, LLVMValueRef total) {
    Fn *f = k->f;
    Emit *e = f->e;
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->i64, e->i64};
    LLVMTypeRef type = LLVMFunctionType(e->vd, params, 4, 0);
    for (int c = 0; c < s->l->ncols; c++) {
        LLVMValueRef bytes = fn_mul(f, total, fn_int(f, s->l->cols[c].bytes));
        LLVMValueRef args[] = {f->ctx, s->bufs[c], bytes, bytes};
        api_call(f, offsetof(GactApi, settle), type, args, 4);
    }
}

/* All parts in new columns of the right size; how many elements. */
static LLVMValueRef move_chunks(Kernel *k, Sink *s, LLVMValueRef *cols) {
    Fn *f = k->f;
    LLVMValueRef total = sum_places(k, s);
    settle_columns(k, s, total);
    array_alloc(f, s->l, s->site, total, cols);
    copy_all(k, s, array_data(f, s->l, cols));
    for (int c = 0; c < s->l->ncols; c++)
        api_release(f, s->bufs[c]);
    return total;
}

/* The columns as they are where all chunks are in their places. */
LLVMValueRef *pack_finish(Kernel *k, Sink *s) {
    Fn *f = k->f;
    int n = s->l->nslots;
    LLVMValueRef *out = slots_new(f, n), *packed = slots_new(f, n);
    out[0] = k->is_outlined ? packed_before(k, s, k->nchunks) : fn_get(f, f->e->i64, s->states);
    for (int c = 0; c < s->l->ncols; c++) {
        out[1 + 2 * c] = s->bufs[c];
        out[2 + 2 * c] = s->data[c];
    }
    if (!k->is_outlined)
        return out;
    LLVMBasicBlockRef pack = fn_block(f, "pack"), stay = fn_block(f, "stay"),
                      join = fn_block(f, "packed"), from[2];
    fn_cond(f, is_negative(k, out[0]), pack, stay);
    fn_at(f, stay);
    settle_columns(k, s, out[0]);
    from[0] = fn_here(f);
    fn_br(f, join);
    fn_at(f, pack);
    packed[0] = move_chunks(k, s, packed + 1);
    from[1] = fn_here(f);
    fn_br(f, join);
    fn_at(f, join);
    for (int i = 0; i < n; i++) {
        LLVMValueRef both[] = {out[i], packed[i]};
        out[i] = LLVMBuildPhi(B, LLVMTypeOf(both[0]), "");
        LLVMAddIncoming(out[i], both, from, 2);
    }
    return out;
}
