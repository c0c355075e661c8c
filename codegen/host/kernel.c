/* Kernels: the loops over an index space. At the top a kernel's chunks are a function of their own
   that the runtime spreads over threads; inside the body of another kernel it is a plain loop. How
   the space is cut depends on its size alone, so that results do not depend on threads. */
#include "kernel.h"
#include "tile.h"
#include "vector.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define B (f->e->B)

/* ---- points ---- */

/* The array whose elements are appended is made behind those that are there. */
static void aim_at_builder(Kernel *k, Sink *s) {
    Fn *f = k->f;
    Builder *b = NEW(f->e->arena, Builder);
    *b = (Builder){s->l, s->state};
    k->aimed = s;
    k->aimed_data = slots_new(f, s->l->ncols);
    IrId id = k->body->results.at[s->sink->yield];
    f->dest = (Dest){.id = id, .data = k->aimed_data, .builder = b, .site = s->site};
}

/* The kernel whose value is yielded as it is, and nothing else: it writes to the yield's place. */
static void aim(Kernel *k, LLVMValueRef lin) {
    Fn *f = k->f;
    LLVMValueRef whole = k->is_outlined ? NULL : k->whole;
    f->dest = (Dest){0};
    k->aimed = NULL;
    for (int i = 0; i < k->nsinks; i++) {
        Sink *s = &k->sinks[i];
        if (s->sink->kind == SINK_FLATMAP && s->l->is_regular) {
            aim_at_builder(k, s);
            return;
        }
        if (s->sink->kind != SINK_MAP || s->out != OUT_DIRECT || !s->is_row)
            continue;
        IrId id = k->body->results.at[s->sink->yield];
        LLVMValueRef *data = slots_new(f, s->l->ncols), at = fn_mul(f, lin, s->part);
        for (int c = 0; c < s->l->ncols; c++)
            data[c] = fn_at_bytes(f, s->l->cols[c].bytes, s->data[c], at);
        if (k->is_outlined && !k->is_swept)
            whole = fn_mul(f, k->total, s->part);
        f->dest = (Dest){.id = id, .data = data, .whole = whole};
        k->aimed = s;
        k->aimed_data = data;
        return;
    }
}

static LLVMValueRef **yields_of(Kernel *k) {
    LLVMValueRef **yields = NEW_ARRAY(k->f->e->arena, LLVMValueRef *, k->body->results.len + 1);
    for (int i = 0; i < k->body->results.len; i++)
        yields[i] = region_result(k->f, k->body, i);
    return yields;
}

static void emit_point(Kernel *k, LLVMValueRef const *at, LLVMValueRef lin) {
    Fn *f = k->f;
    for (int i = 0; i < k->rank; i++) {
        LLVMValueRef *s = slots_new(f, 1);
        s[0] = at[i];
        value_set(f, k->body->params.at[i], s, 1);
    }
    Dest outer = f->dest;
    aim(k, lin);
    emit_ops(f, k->body);
    f->dest = outer;
    region_hand_over(f, k->body);
    LLVMValueRef **yields = yields_of(k);
    for (int i = 0; i < k->nsinks; i++)
        sink_point(k, &k->sinks[i], lin, yields);
}

/* Could LLVM make more of the loop over the points of a row than it is? Not where each point waits
   for the one before. */
static bool is_row_plain(const Kernel *k) {
    enum { SHORT = 16 }; /* worth unrolling */
    LLVMValueRef n = k->dims[k->rank - 1];
    if (LLVMIsAConstantInt(n) && LLVMConstIntGetZExtValue(n) <= SHORT)
        return false;
    for (int i = 0; i < k->nsinks; i++)
        if (k->sinks[i].sink->kind == SINK_MAP)
            return false;
    return true;
}

/* The points of a part of a row: place at[rank - 1] from lo to hi, numbers from lin on. */
static void emit_row(Kernel *k, LLVMValueRef *at, LLVMValueRef lo, LLVMValueRef hi,
                     LLVMValueRef lin) {
    Fn *f = k->f;
    LLVMValueRef base = k->rank == 1 ? NULL : fn_sub(f, lin, lo);
    Loop loop = loop_begin(f, lo, hi, "point");
    at[k->rank - 1] = loop.i;
    emit_point(k, at, base ? LLVMBuildNSWAdd(B, base, loop.i, "") : loop.i);
    if (is_row_plain(k))
        loop_end_plain(f, &loop);
    else
        loop_end(f, &loop);
}

/* Moves the outer places (in memory) on to the next row. */
static void next_row(Kernel *k, LLVMValueRef const *places) {
    Fn *f = k->f;
    LLVMValueRef carry = LLVMConstInt(f->e->i1, 1, 0);
    for (int i = k->rank - 2; i >= 0; i--) {
        LLVMValueRef old = fn_get(f, f->e->i64, places[i]);
        LLVMValueRef next = fn_add(f, old, fn_int(f, 1));
        LLVMValueRef wraps = fn_cmp(f, LLVMIntEQ, next, k->dims[i]);
        LLVMValueRef moved = i > 0 ? fn_select(f, wraps, fn_int(f, 0), next) : next;
        fn_set(f, places[i], fn_select(f, carry, moved, old));
        carry = fn_bin(f, LLVMAnd, carry, wraps);
    }
}

/* Points from … to - 1 of a space of several axes, row by row. */
static void emit_rows(Kernel *k, LLVMValueRef from, LLVMValueRef to) {
    Fn *f = k->f;
    Emit *e = f->e;
    int last = k->rank - 1;
    LLVMValueRef *places = slots_new(f, k->rank), *at = slots_new(f, k->rank), rest = from;
    for (int i = last; i >= 0; i--) {
        places[i] = fn_alloca(f, e->i64, "place");
        LLVMValueRef n = fn_max(f, k->dims[i], fn_int(f, 1)); /* never divides by zero */
        fn_set(f, places[i], i > 0 ? LLVMBuildURem(B, rest, n, "") : rest);
        rest = i > 0 ? LLVMBuildUDiv(B, rest, n, "") : rest;
    }
    LLVMValueRef lin_at = fn_alloca(f, e->i64, "number");
    fn_set(f, lin_at, from);
    LLVMBasicBlockRef head = fn_block(f, "rows"), body = fn_block(f, "row"),
                      exit = fn_block(f, "done");
    fn_br(f, head);
    fn_at(f, head);
    LLVMValueRef lin = fn_get(f, e->i64, lin_at);
    fn_cond(f, fn_cmp(f, LLVMIntSLT, lin, to), body, exit);
    fn_at(f, body);
    for (int i = 0; i < last; i++)
        at[i] = fn_get(f, e->i64, places[i]);
    LLVMValueRef lo = fn_get(f, e->i64, places[last]);
    LLVMValueRef hi = fn_min(f, k->dims[last], fn_add(f, lo, fn_sub(f, to, lin)));
    emit_row(k, at, lo, hi, lin);
    fn_set(f, lin_at, fn_add(f, lin, fn_sub(f, hi, lo)));
    fn_set(f, places[last], fn_int(f, 0));
    next_row(k, places);
    fn_plain_loop(f, LLVMBuildBr(B, head));
    fn_at(f, exit);
}

/* ---- vectors ---- */

static VectorHow how_of(const Kernel *k, const Sink *s) {
    if (s->sink->kind == SINK_MAP && s->out == OUT_DIRECT && !s->is_row)
        return VECTOR_STORE;
    if (s->sink->kind == SINK_MAP && s->out == OUT_DIRECT &&
        vector_makes_row(k->f, k->body, s->sink->yield))
        return VECTOR_ROW;
    if (s->sink->kind == SINK_FILTER && s->out == OUT_PACKED && vector_packs(k->f->e, s->l))
        return VECTOR_PACK;
    if (s->sink->kind == SINK_SCAN && s->prefix)
        return s->prefix->has_vectors ? VECTOR_SCAN : VECTOR_EACH;
    if (s->sink->kind == SINK_PICK)
        return s->pick->has_vectors ? VECTOR_PICK : VECTOR_EACH;
    return s->sink->kind == SINK_REDUCE && s->identity ? VECTOR_REDUCE : VECTOR_EACH;
}

/* What a point does to the sinks that the vectoriser leaves to us. */
static void each_point(Fn *f, void *data, LLVMValueRef point, LLVMValueRef *const *yields) {
    Kernel *k = data;
    assert(f == k->f), (void)f;
    for (int i = 0; i < k->nsinks; i++)
        if (how_of(k, &k->sinks[i]) == VECTOR_EACH)
            sink_point(k, &k->sinks[i], point, yields);
}

/* The scalar body of a point puts its row where it belongs, */
static void aim_point(Fn *f, void *data, LLVMValueRef point) {
    Kernel *k = data;
    assert(f == k->f), (void)f;
    aim(k, point);
}

/* or it is copied there. */
static void row_point(Fn *f, void *data, LLVMValueRef point, LLVMValueRef *const *yields) {
    Kernel *k = data;
    assert(f == k->f), (void)f;
    for (int i = 0; i < k->nsinks; i++)
        if (how_of(k, &k->sinks[i]) == VECTOR_ROW)
            sink_point(k, &k->sinks[i], point, yields);
}

static void emit_vectors(Kernel *k, LLVMValueRef from, LLVMValueRef to) {
    Fn *f = k->f;
    VectorLoop loop = {.kernel = k->id,
                       .dims = k->dims,
                       .box = k->box,
                       .lo = from,
                       .hi = to,
                       .nsinks = k->nsinks,
                       .is_outer = k->is_outlined,
                       .is_read_soon = k->is_swept,
                       .whole = k->is_outlined ? NULL : k->whole,
                       .each = each_point,
                       .aim = aim_point,
                       .row = row_point,
                       .data = k};
    loop.sinks = NEW_ARRAY(f->e->arena, VectorSink, k->nsinks);
    for (int i = 0; i < k->nsinks; i++) {
        Sink *s = &k->sinks[i];
        loop.sinks[i] = (VectorSink){.how = how_of(k, s),
                                     .yield = s->sink->yield,
                                     .array = s->l,
                                     .data = s->data,
                                     .is_over = sink_writes_over(k, s) && !loop.whole,
                                     .place = s->acc,
                                     .pick = s->pick,
                                     .prefix = s->prefix,
                                     .op = s->sink->op};
    }
    vector_points(f, &loop);
    for (int i = 0; i < k->nsinks; i++)
        k->sinks[i].total = loop.sinks[i].how == VECTOR_REDUCE ? loop.sinks[i].total : NULL;
}

/* Sinks that take points one by one undo what vectors win. */
static bool wants_vectors(const Kernel *k) {
    if (k->f->is_spare)
        return false;
    for (int i = 0; i < k->nsinks; i++)
        if (how_of(k, &k->sinks[i]) != VECTOR_EACH)
            return vector_wants(k->f, k->id);
    return vector_wants_each(k->f, k->id);
}

static void emit_chunk(Kernel *k, LLVMValueRef c, LLVMValueRef from, LLVMValueRef to) {
    LLVMValueRef at[1];
    for (int i = 0; i < k->nsinks; i++)
        if (k->sinks[i].sink->kind == SINK_SCAN)
            scan_open(k, &k->sinks[i]);
    bool is_vector = wants_vectors(k);
    for (int i = 0; i < k->nsinks; i++) {
        k->sinks[i].total = NULL;
        k->sinks[i].first = from;
        k->sinks[i].has_accs = is_vector && how_of(k, &k->sinks[i]) == VECTOR_PICK;
        sink_begin(k, &k->sinks[i], c);
    }
    if (is_vector)
        emit_vectors(k, from, to);
    else if (k->rank == 1)
        emit_row(k, at, from, to, from);
    else
        emit_rows(k, from, to);
    for (int i = 0; i < k->nsinks; i++)
        sink_end(k, &k->sinks[i], c, from, to);
}

/* Chunks lo … hi - 1. */
static void emit_chunks(Kernel *k, LLVMValueRef lo, LLVMValueRef hi) {
    Fn *f = k->f;
    Loop loop = loop_begin(f, lo, hi, "chunk");
    LLVMValueRef from = fn_mul(f, loop.i, k->chunk);
    LLVMValueRef to = fn_min(f, k->total, fn_add(f, from, k->chunk));
    emit_chunk(k, loop.i, from, to);
    loop_end_plain(f, &loop);
}

/* ---- the space ---- */

LLVMValueRef kernel_product(Fn *f, LLVMValueRef a, LLVMValueRef b, LLVMValueRef site) {
    Emit *e = f->e;
    if (LLVMIsAConstantInt(a) && LLVMConstIntGetZExtValue(a) == 1)
        return b;
    unsigned id = LLVMLookupIntrinsicID("llvm.smul.with.overflow", 23);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->M, id, &e->i64, 1);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->C, id, &e->i64, 1);
    LLVMValueRef r = LLVMBuildCall2(B, type, fn, (LLVMValueRef[]){a, b}, 2, "");
    LLVMValueRef overflow = LLVMBuildExtractValue(B, r, 1, "");
    emit_check(f, LLVMBuildNot(B, overflow, ""), site, NULL, 0);
    return LLVMBuildExtractValue(B, r, 0, "");
}

bool kernel_is_heavy(const IrFunc *ir, const IrRegion *body) {
    for (int k = 0; k < body->ops.len; k++) {
        const IrOp *op = ir_op(ir, body->ops.at[k]);
        switch ((int)op->kind) {
        case IR_KERNEL:
        case IR_FOR:
        case IR_LOOP:
        case IR_SORT:
        case IR_MATMUL:
        case IR_TRY: return true;
        case IR_CALL:
            if (!op->callee->is_lanewise)
                return true;
            break;
        default: break;
        }
        for (int r = 0; r < op->nregions; r++)
            if (kernel_is_heavy(ir, op->regions[r]))
                return true;
    }
    return false;
}

/* Known to be little work: a function and a hand-over to threads would cost more. */
static bool is_small(const Kernel *k) {
    return LLVMIsAConstantInt(k->total) && LLVMConstIntGetZExtValue(k->total) <= CHUNK &&
           !kernel_is_heavy(k->f->ir, k->body);
}

/* Are all sinks reductions that are the same however the space is cut? */
static bool is_exact(const Kernel *k) {
    for (int i = 0; i < k->nsinks; i++) {
        const Sink *s = &k->sinks[i];
        if (!s->pick && (s->sink->kind != SINK_REDUCE || s->fold != FOLD_ANY))
            return false;
    }
    return true;
}

/* Fixed chunks where a sum's tree needs them; else smaller ones for bodies that do much. */
static LLVMValueRef chunk_size(Kernel *k) {
    Fn *f = k->f;
    const Sink *table = NULL; /* one whose chunks are fixed, if there is one */
    for (int i = 0; i < k->nsinks; i++) {
        const Sink *s = &k->sinks[i];
        if (s->sink->kind == SINK_HIST && (!table || s->fold != FOLD_ANY))
            table = s;
    }
    if (table)
        return table_chunk(k, table);
    if (is_exact(k) && !kernel_is_heavy(f->ir, k->body))
        return fn_int(f, EXACT_CHUNK); /* long, as the end of one costs */
    for (int i = 0; i < k->nsinks; i++)
        if (k->sinks[i].sink->kind == SINK_SCAN || k->is_cut)
            return fn_int(f, CHUNK);
    if (!kernel_is_heavy(f->ir, k->body)) /* whole rows */
        return fn_int(f, CHUNK - CHUNK % vector_members(f, k->id));
    int unit = vector_wants(f, k->id) ? vector_unit(f, k->id) : 1; /* vectors want to be full */
    LLVMValueRef n = LLVMBuildUDiv(B, k->total, fn_int(f, 512 * unit), "");
    n = fn_mul(f, fn_add(f, n, fn_int(f, unit > 1)), fn_int(f, unit));
    return fn_min(f, fn_max(f, n, fn_int(f, 1)), fn_int(f, CHUNK));
}

/* ---- the function of a range of chunks ---- */

/* Values that the sinks and loops use inside and outside. */
typedef struct {
    VEC(LLVMValueRef *) vars;
    VEC(LLVMValueRef) saved;
} Shared;

static void share(Fn *f, Shared *shared, LLVMValueRef *var) {
    if (*var && !LLVMIsConstant(*var))
        vec_push(f->e->arena, &shared->vars, var);
}

static void share_all(Kernel *k, Shared *shared) {
    Fn *f = k->f;
    for (int i = 0; i < k->rank; i++)
        share(f, shared, &k->dims[i]);
    for (int i = 0; k->box && i < 2 * k->rank; i++)
        share(f, shared, &k->box[i]);
    share(f, shared, &k->total);
    share(f, shared, &k->chunk);
    share(f, shared, &k->nchunks);
    for (int i = 0; i < k->nsinks; i++) {
        Sink *s = &k->sinks[i];
        for (int c = 0; s->data && c < s->l->ncols; c++)
            share(f, shared, &s->data[c]);
        for (int d = 0; s->dims && d < s->l->rank; d++)
            share(f, shared, &s->dims[d]);
        for (int c = 0; s->more && c < s->l->ncols; c++)
            share(f, shared, &s->more[c]);
        share(f, shared, &s->seen);
        share(f, shared, &s->part);
        share(f, shared, &s->states);
        share(f, shared, &s->rows);
        for (int z = 0; s->zero && z < s->yield->nslots; z++)
            share(f, shared, &s->zero[z]);
    }
}

/* Nothing in the function reads what it writes as a kernel's result. */
void kernel_range_open(Fn *f) {
    Emit *e = f->e;
    const char *name = arena_printf(e->arena, "out%d", e->counter++);
    LLVMMetadataRef parts[] = {LLVMMDStringInContext2(e->C, name, strlen(name)), e->scope_domain};
    f->noalias = NEW_ARRAY(e->arena, LLVMMetadataRef, 1);
    f->noalias[0] = LLVMMDNodeInContext2(e->C, parts, 2);
    f->nnoalias = 1;
    f->in_kernel = true;
    fn_attribute(e, f->fn, "noinline");
}

LLVMValueRef kernel_range_fn(Kernel *k, Env *env,
                             void (*emit)(Kernel *k, LLVMValueRef lo, LLVMValueRef hi)) {
    Fn *f = k->f, inner;
    Emit *e = f->e;
    Shared shared = {0};
    share_all(k, &shared);
    for (int i = 0; i < shared.vars.len; i++)
        env_add(f, env, *shared.vars.at[i]);
    if (k->box) {
        env_capture(f, env, k->op->regions[k->op->kernel->inner]);
        env_capture(f, env, k->op->regions[k->op->kernel->edge]);
    }
    env_capture(f, env, k->body);
    for (int i = 0; i < k->nsinks; i++)
        if (k->sinks[i].op)
            env_capture(f, env, k->sinks[i].op);
    env_store(f, env);

    Outline o = outline_begin(&inner, f, e->range_fn, "kernel");
    kernel_range_open(&inner);
    if (f->is_spare)
        fn_attribute(e, inner.fn, "optnone");
    for (int i = 0; i < k->nsinks; i++)
        if (sink_writes_over(k, &k->sinks[i]))
            inner.nnoalias = 0; /* it may write what it reads */
    LLVMValueRef p = LLVMGetParam(inner.fn, 1);
    for (int i = 0; i < shared.vars.len; i++) {
        vec_push(e->arena, &shared.saved, *shared.vars.at[i]);
        *shared.vars.at[i] = env_load(&inner, env, p, i);
    }
    env_open(&inner, env, p);
    k->f = &inner;
    (emit ? emit : emit_chunks)(k, LLVMGetParam(inner.fn, 2), LLVMGetParam(inner.fn, 3));
    k->f = f;
    env_close(&inner, env);
    for (int i = shared.vars.len - 1; i >= 0; i--) /* backwards: one may stand there twice */
        *shared.vars.at[i] = shared.saved.at[i];
    outline_end(&inner, &o);
    return inner.fn;
}

int kernel_point_bytes(Kernel *k) {
    int bytes = kernel_is_heavy(k->f->ir, k->body) ? 256 : 0;
    for (int i = 0; i < k->nsinks; i++) {
        Layout *l = layout_of(k->f->e, k->sinks[i].sink->type);
        for (int c = 0; c < l->ncols; c++)
            bytes += l->cols[c].bytes;
    }
    for (int i = 0; i < k->body->ops.len; i++) {
        const IrOp *op = ir_op(k->f->ir, k->body->ops.at[i]);
        if (op->kind == IR_INDEX && type_is_scalar(op->type))
            bytes += type_bytes(op->type);
    }
    return bytes;
}

void kernel_run(Kernel *k, LLVMValueRef fn, LLVMValueRef env) {
    Fn *f = k->f;
    Emit *e = f->e;
    LLVMValueRef serial_at = fn_at_index(f, e->i8, f->ctx, fn_int(f, offsetof(GactCtx, serial)));
    LLVMValueRef serial = fn_cmp(f, LLVMIntNE, fn_get(f, e->i64, serial_at), fn_int(f, 0));
    LLVMValueRef few = fn_cmp(f, LLVMIntSLE, k->nchunks, fn_int(f, 1));
    If here = if_begin(f, fn_bin(f, LLVMOr, serial, few));
    LLVMValueRef args[] = {f->ctx, env, fn_int(f, 0), k->nchunks};
    LLVMBuildCall2(B, e->range_fn, fn, args, 4, "");
    if_else(f, &here);
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->ptr, e->ptr, e->i64, e->i64, e->i64};
    LLVMTypeRef type = LLVMFunctionType(e->vd, params, 7, 0);
    LLVMValueRef all[] = {f->ctx,
                          k->info ? k->info : table_info(e, f->ir, k->op),
                          fn,
                          env,
                          k->nchunks,
                          k->total,
                          fn_mul(f, k->total, fn_int(f, kernel_point_bytes(k)))};
    api_call(f, offsetof(GactApi, parallel), type, all, 7);
    if_end(f, &here);
}

static void run_chunks(Kernel *k) {
    Env env = {0};
    LLVMValueRef fn = kernel_range_fn(k, &env, NULL);
    kernel_run(k, fn, env.p);
}

/* Chunks one after the other in this function. */
static void run_here(Kernel *k) {
    bool outer = k->f->in_kernel;
    k->f->in_kernel = true;
    if (k->is_cut)
        emit_chunks(k, fn_int(k->f, 0), k->nchunks);
    else
        emit_chunk(k, fn_int(k->f, 0), fn_int(k->f, 0), k->total);
    k->f->in_kernel = outer;
}

/* ---- a kernel ---- */

void kernel_open(Kernel *k, Fn *f, IrId id) {
    IrOp *op = ir_op(f->ir, id);
    IrKernel *ik = op->kernel;
    *k = (Kernel){
        .id = id, .op = op, .body = op->regions[0], .rank = ik->rank, .nsinks = ik->nsinks, .f = f};
    k->sinks = NEW_ARRAY(f->e->arena, Sink, ik->nsinks);
    k->is_outlined = !f->in_kernel && !ir_has_effect(f->ir, id); /* effects come in order */
    for (int i = 0; i < ik->nsinks; i++) {
        Sink *s = &k->sinks[i];
        s->sink = &ik->sinks[i];
        bool has_two = s->sink->kind == SINK_FILTER || s->sink->kind == SINK_HIST ||
                       s->sink->kind == SINK_SCATTER;
        s->yield = value_layout(f, k->body->results.at[s->sink->yield + has_two]);
        s->op = s->sink->region >= 0 ? op->regions[s->sink->region] : NULL;
        s->pick = s->sink->kind == SINK_PICK ? pick_new(f, id, s->sink) : NULL;
        s->fold = fold_mode(k, s);
        bool is_cut = s->sink->kind == SINK_REDUCE || s->sink->kind == SINK_HIST;
        k->is_cut |= is_cut && s->fold != FOLD_ANY;
        k->is_cut |= s->pick != NULL;
        k->is_cut |= s->sink->kind == SINK_SCAN && type_is_flat(s->yield->type);
        k->is_outlined &= !sink_is_serial(k, s);
    }
    LLVMValueRef site = site_memory(f, op);
    k->dims = slots_new(f, k->rank);
    k->total = fn_int(f, 1);
    for (int i = 0; i < k->rank; i++) {
        k->dims[i] = fn_max(f, value_scalar(f, op->args[i]), fn_int(f, 0));
        k->total = kernel_product(f, k->total, k->dims[i], site);
    }
    k->box = ik->inner ? slots_new(f, 2 * k->rank) : NULL;
    for (int i = 0; k->box && i < 2 * k->rank; i++)
        k->box[i] = value_scalar(f, op->args[ik->box + i]);
    k->is_outlined &= !is_small(k);
}

LLVMValueRef *emit_kernel_here(Fn *f, Kernel *k) {
    k->chunk = k->is_outlined || k->is_cut ? chunk_size(k) : fn_int(f, CHUNK);
    LLVMValueRef most = fn_add(f, k->total, fn_sub(f, k->chunk, fn_int(f, 1)));
    k->nchunks = LLVMBuildUDiv(B, most, k->chunk, "");
    for (int i = 0; i < k->nsinks; i++)
        sink_prepare(k, &k->sinks[i]);
    if (tile_wants(k))
        tile_run(k, run_chunks);
    else if (k->is_outlined)
        run_chunks(k);
    else
        run_here(k);
    LLVMValueRef *s = slots_new(f, value_layout(f, k->id)->nslots);
    for (int i = 0, at = 0; i < k->nsinks; i++) {
        LLVMValueRef *out = sink_finish(k, &k->sinks[i]);
        for (int j = 0; j < k->sinks[i].l->nslots; j++)
            s[at++] = out[j];
    }
    return s;
}

void emit_kernel(Fn *f, IrId id) {
    if (launch_kernel(f, id))
        return;
    Kernel kernel;
    kernel_open(&kernel, f, id);
    value_set(f, id, emit_kernel_here(f, &kernel), value_layout(f, id)->nslots);
}
