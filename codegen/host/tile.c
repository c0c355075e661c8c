/* Kernels that read an array across the direction in which it lies in memory: x[j, i] at the point
   [i, j]. Lanes are neighbours along j, whose elements lie a row apart, and each line of the cache that
   is fetched for one of them has elements for the next values of i. So the space is done in tiles: a
   band of rows as wide as a line, and in it, tile by tile along the row, square blocks of x are loaded
   in the order of memory, transposed in registers and put on the stack; the body of each row of the
   tile then loads them from there as vectors.

   Tiles at the ends reach back into those before them, so that all are full. That does some points
   twice and none in order, which is why the bodies may not fault and do nothing but write outputs. */
#include "tile.h"
#include "vector.h"
#include "vector_body.h"

#define B (f->e->B)

enum {
    MOST_LANES = 16,
    LINE_BYTES = 64,
    AHEAD = 2, /* tiles whose lines are asked for early */
};

typedef struct {
    Kernel *k;
    char *inner; /* by IrId: defined in the body */
    VectorPlan plan;
    int axis; /* of the space, that of which neighbours are neighbours in memory */
    int rows; /* of a band */
    VecTile *reads;
    int nreads;
    LLVMValueRef *at; /* indices of the tile's first point */
} Tiling;

/* ---- which reads ---- */

/* How much of parameter k of the body there is in an index; -1: nobody knows. */
static int share_of(const Tiling *t, IrId id, int param) {
    const IrOp *op = ir_op(t->k->f->ir, id);
    if (!t->inner[id] || op->kind == IR_CONST)
        return 0;
    if (op->kind == IR_PARAM)
        return id == t->k->body->params.at[param];
    if (op->kind != IR_ADD && op->kind != IR_SUB)
        return -1;
    int a = share_of(t, op->args[0], param), b = share_of(t, op->args[1], param);
    if (a < 0 || b < 0)
        return -1;
    return op->kind == IR_ADD ? a + b : b == 0 ? a : -1;
}

/* The axis of the space along which an INDEX reads neighbours, while lanes read elements apart from
   each other; -1: it is no such read. */
static int axis_of(const Tiling *t, const IrOp *op) {
    const Kernel *k = t->k;
    int lane = k->rank - 1, axis = -1, lanes = 0, n = op->nargs - 1;
    if (op->kind != IR_INDEX || op->flags & IRF_CHECKED || t->inner[op->args[0]] || n < 2)
        return -1;
    const Layout *l = value_layout(k->f, op->args[0]);
    if (n != l->rank || !l->is_regular || !type_is_flat(l->elem))
        return -1;
    for (int i = 1; i <= n; i++)
        for (int p = 0; p < k->rank; p++) {
            int share = share_of(t, op->args[i], p);
            if (share < 0 || share > 1 || (share == 1 && p == lane && i == n))
                return -1;
            lanes += share == 1 && p == lane;
            if (share == 1 && i == n)
                axis = axis < 0 ? p : k->rank;
        }
    for (int i = 1; i < n && axis >= 0 && axis < k->rank; i++)
        if (share_of(t, op->args[i], axis) != 0)
            return -1;
    return lanes == 1 && axis < k->rank ? axis : -1;
}

/* Finds the reads, along the axis of the first one. */
static void find_reads(Tiling *t) {
    Kernel *k = t->k;
    t->inner = region_inner(k->f, k->body);
    t->axis = -1;
    t->reads = NEW_ARRAY(k->f->e->arena, VecTile, k->body->ops.len + 1);
    for (int i = 0; i < k->body->ops.len; i++) {
        IrId id = k->body->ops.at[i];
        int axis = axis_of(t, ir_op(k->f->ir, id));
        if (axis < 0 || (t->axis >= 0 && axis != t->axis))
            continue;
        t->axis = axis;
        t->reads[t->nreads++] = (VecTile){.id = id};
    }
}

static int narrowest(const Tiling *t) {
    int bytes = 8;
    for (int i = 0; i < t->nreads; i++) {
        const Layout *l = value_layout(t->k->f, ir_op(t->k->f->ir, t->reads[i].id)->args[0]);
        for (int c = 0; c < l->ncols; c++)
            bytes = l->cols[c].bytes < bytes ? l->cols[c].bytes : bytes;
    }
    return bytes;
}

/* False where the kernel is none for tiles. */
static bool open_tiling(Tiling *t, Kernel *k) {
    *t = (Tiling){.k = k};
    for (int i = 0; i < k->nsinks; i++) {
        Sink *s = &k->sinks[i];
        if (s->sink->kind != SINK_MAP || s->out != OUT_DIRECT || s->is_row ||
            sink_writes_over(k, s))
            return false;
    }
    if (!k->is_outlined || k->is_swept || k->rank < 2 || k->box ||
        vector_members(k->f, k->id) > 1 || !vector_wants(k->f, k->id))
        return false;
    for (int i = 0; i < k->body->ops.len; i++)
        if (ir_may_fault(k->f->ir, k->body->ops.at[i]))
            return false;
    find_reads(t);
    if (t->nreads == 0)
        return false;
    t->plan = vector_plan(k->f, k->body, 0, 0);
    int lanes = t->plan.lanes < MOST_LANES ? t->plan.lanes : MOST_LANES, bytes = narrowest(t);
    t->plan = vector_plan(k->f, k->body, 0, lanes);
    t->rows = LINE_BYTES / bytes > lanes ? LINE_BYTES / bytes : lanes;
    LLVMValueRef size = k->dims[t->axis];
    return t->plan.lanes > 0 &&
           !(LLVMIsAConstantInt(size) && LLVMConstIntGetSExtValue(size) < t->rows);
}

bool tile_wants(Kernel *k) {
    Tiling t;
    return open_tiling(&t, k);
}

/* ---- a tile ---- */

/* An index at the tile's first point. */
static LLVMValueRef index_at(Tiling *t, IrId id) {
    Kernel *k = t->k;
    Fn *f = k->f;
    const IrOp *op = ir_op(f->ir, id);
    for (int p = 0; p < k->rank; p++)
        if (id == k->body->params.at[p])
            return t->at[p];
    if (op->kind == IR_CONST)
        return fn_int(f, op->imm);
    if (!t->inner[id])
        return value_scalar(f, id);
    LLVMValueRef a = index_at(t, op->args[0]), b = index_at(t, op->args[1]);
    return op->kind == IR_ADD ? fn_add(f, a, b) : fn_sub(f, a, b);
}

/* The place of the first element of the tile, and how far apart those of lanes are. */
static LLVMValueRef place_of(Tiling *t, const IrOp *op, LLVMValueRef const *dims, LLVMValueRef *apart) {
    Kernel *k = t->k;
    Fn *f = k->f;
    LLVMValueRef place = fn_int(f, 0), stride = NULL;
    for (int i = 1; i < op->nargs; i++) {
        LLVMValueRef size = dims[i - 1];
        place = fn_add(f, fn_mul(f, place, size), index_at(t, op->args[i]));
        stride = stride ? fn_mul(f, stride, size) : NULL;
        if (share_of(t, op->args[i], k->rank - 1) == 1)
            stride = fn_int(f, 1);
    }
    *apart = stride;
    return place;
}

/* The square block whose first element is at p, transposed, to the stack. */
static void turn_block(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef p, LLVMValueRef apart,
                       LLVMValueRef to) {
    Fn *f = v->f;
    LLVMValueRef rows[MOST_LANES], at = fn_int(f, 0);
    LLVMValueRef ahead = fn_mul(f, apart, fn_int(f, (int64_t)AHEAD * v->lanes));
    ahead = fn_add(f, ahead, fn_int(f, v->lanes - 1));
    for (int k = 0; k < v->lanes; k++) {
        vec_prefetch(v, fn_at_bytes(f, bytes, p, fn_add(f, at, ahead)));
        rows[k] = vec_load(v, type, bytes, fn_at_bytes(f, bytes, p, at));
        at = fn_add(f, at, apart);
    }
    vec_transpose(v, rows);
    for (int k = 0; k < v->lanes; k++)
        fn_set(f, fn_at_index(f, vec_type(v, type), to, fn_int(f, k)), rows[k]);
}

static void load_tile(Tiling *t, Vec *v, VecTile *read) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, read->id);
    Layout *l = value_layout(f, op->args[0]);
    LLVMValueRef *s = value_of(f, op->args[0])->s, apart;
    LLVMValueRef place = place_of(t, op, s, &apart);
    for (int c = 0; c < l->ncols; c++) {
        LLVMTypeRef type = layout_col_type(f->e, &l->cols[c]);
        int bytes = l->cols[c].bytes;
        for (int row = 0; row < t->rows; row += v->lanes) {
            LLVMValueRef from = fn_add(f, place, fn_int(f, row));
            LLVMValueRef data = s[layout_col_slot(l, c) + 1];
            LLVMValueRef to = fn_at_index(f, vec_type(v, type), read->columns[c], fn_int(f, row));
            turn_block(v, type, bytes, fn_at_bytes(f, bytes, data, from), apart, to);
        }
    }
}

static void store_yields(Tiling *t, Vec *v, LLVMValueRef point) {
    Kernel *k = t->k;
    Fn *f = v->f;
    for (int i = 0; i < k->nsinks; i++) {
        Sink *s = &k->sinks[i];
        LLVMValueRef *slots = region_result(f, k->body, s->sink->yield);
        for (int c = 0; c < s->l->ncols; c++) {
            const Column *col = &s->l->cols[c];
            LLVMValueRef to = fn_at_bytes(f, col->bytes, s->data[c], point);
            vec_store(v, vec_to_memory(v, col, slots[c]), col->bytes, to);
        }
    }
}

/* The rows of a tile. */
static void emit_tile(Tiling *t, Vec *v) {
    Kernel *k = t->k;
    Fn *f = k->f;
    int last = k->rank - 1;
    for (int i = 0; i < t->nreads; i++)
        load_tile(t, v, &t->reads[i]);
    Loop rows = loop_begin(f, fn_int(f, 0), fn_int(f, t->rows), "row");
    LLVMValueRef *outer = slots_new(f, k->rank), number = fn_int(f, 0);
    for (int i = 0; i < last; i++) {
        outer[i] = i == t->axis ? fn_add(f, t->at[i], rows.i) : t->at[i];
        number = fn_add(f, fn_mul(f, number, k->dims[i]), outer[i]);
    }
    v->tile_row = rows.i;
    vec_open(v, 1);
    vec_body(v, k->body, outer, t->at[last]);
    store_yields(t, v, fn_add(f, fn_mul(f, number, k->dims[last]), t->at[last]));
    vec_close(v);
    loop_end(f, &rows);
}

/* ---- the space ---- */

static LLVMValueRef pieces_of(Fn *f, LLVMValueRef size, int piece) {
    return LLVMBuildUDiv(B, fn_add(f, size, fn_int(f, piece - 1)), fn_int(f, piece), "");
}

/* Where piece i of an axis begins, the last one so that it ends with the axis. */
static LLVMValueRef start_of(Fn *f, LLVMValueRef i, LLVMValueRef size, int piece) {
    return fn_min(f, fn_mul(f, i, fn_int(f, piece)), fn_sub(f, size, fn_int(f, piece)));
}

/* The remainder of c, which becomes the quotient. */
static LLVMValueRef split(Fn *f, LLVMValueRef *c, LLVMValueRef n) {
    LLVMValueRef all = *c;
    *c = LLVMBuildUDiv(B, all, n, "");
    return fn_sub(f, all, fn_mul(f, *c, n));
}

/* The indices where band c begins. Bands that are neighbours in the memory that is read follow each
   other. */
static void find_band(Tiling *t, LLVMValueRef c) {
    Kernel *k = t->k;
    Fn *f = k->f;
    LLVMValueRef size = k->dims[t->axis];
    t->at[t->axis] = start_of(f, split(f, &c, pieces_of(f, size, t->rows)), size, t->rows);
    for (int i = k->rank - 2; i >= 0; i--)
        if (i != t->axis)
            t->at[i] = split(f, &c, k->dims[i]);
}

static void emit_loops(Tiling *t, Vec *v, LLVMValueRef lo, LLVMValueRef hi) {
    Kernel *k = t->k;
    Fn *f = k->f;
    LLVMValueRef size = k->dims[k->rank - 1];
    Loop bands = loop_begin(f, lo, hi, "band");
    find_band(t, bands.i);
    Loop tiles = loop_begin(f, fn_int(f, 0), pieces_of(f, size, v->lanes), "tile");
    t->at[k->rank - 1] = start_of(f, tiles.i, size, v->lanes);
    emit_tile(t, v);
    loop_end_plain(f, &tiles);
    loop_end_plain(f, &bands);
}

/* Does each store of lanes fill lines? */
static bool may_stream(const Tiling *t) {
    enum { MOST_STREAMED = 24 }; /* ops, see vector.c */
    for (int i = 0; i < t->k->nsinks; i++) {
        const Layout *l = t->k->sinks[i].l;
        for (int c = 0; c < l->ncols; c++)
            if (t->plan.lanes * l->cols[c].bytes % LINE_BYTES)
                return false;
    }
    return t->plan.nops <= MOST_STREAMED;
}

/* May stores bypass the caches, as those of outputs that are larger than they are do? Each row must
   begin with a line. */
static LLVMValueRef wants_streaming(const Tiling *t) {
    enum { STREAM_BYTES = 32 << 20 };
    Kernel *k = t->k;
    Fn *f = k->f;
    LLVMValueRef low = fn_int(f, 0), lanes = fn_int(f, t->plan.lanes);
    int bytes = 0;
    for (int i = 0; i < k->nsinks; i++)
        for (int c = 0; c < k->sinks[i].l->ncols; c++) {
            bytes += k->sinks[i].l->cols[c].bytes;
            LLVMValueRef place = LLVMBuildPtrToInt(B, k->sinks[i].data[c], f->e->i64, "");
            low = fn_bin(f, LLVMOr, low, fn_bin(f, LLVMAnd, place, fn_int(f, LINE_BYTES - 1)));
        }
    low = fn_bin(f, LLVMOr, low, fn_bin(f, LLVMURem, k->dims[k->rank - 1], lanes));
    LLVMValueRef is_large = fn_cmp(f, LLVMIntUGE, k->total, fn_int(f, STREAM_BYTES / bytes));
    return fn_bin(f, LLVMAnd, is_large, fn_cmp(f, LLVMIntEQ, low, fn_int(f, 0)));
}

static void emit_bands(Kernel *k, LLVMValueRef lo, LLVMValueRef hi) {
    Fn *f = k->f;
    Tiling tiling, *t = &tiling;
    k->is_outlined = true;
    open_tiling(t, k);
    t->at = slots_new(f, k->rank);
    Vec v = {.f = f, .plan = &t->plan, .lanes = t->plan.lanes, .ncopies = 1, .is_outer = true};
    v.linear = NEW_ARRAY(f->e->arena, Linear, f->ir->ops.len + 1);
    v.first = fn_int(f, 0);
    v.count = fn_int(f, v.lanes);
    v.tiles = t->reads;
    v.ntiles = t->nreads;
    for (int i = 0; i < t->nreads; i++) {
        Layout *l = value_layout(f, ir_op(f->ir, t->reads[i].id)->args[0]);
        t->reads[i].columns = slots_new(f, l->ncols);
        for (int c = 0; c < l->ncols; c++) {
            LLVMTypeRef type = vec_type(&v, layout_col_type(f->e, &l->cols[c]));
            t->reads[i].columns[c] = fn_alloca(f, LLVMArrayType2(type, (uint64_t)t->rows), "tile");
        }
    }
    f->has_vectors = true;
    if (!may_stream(t)) {
        emit_loops(t, &v, lo, hi);
        return;
    }
    If large = if_begin(f, wants_streaming(t));
    v.stream_align = LINE_BYTES;
    emit_loops(t, &v, lo, hi);
    vec_fence(&v);
    if_else(f, &large);
    v.stream_align = 0;
    emit_loops(t, &v, lo, hi);
    if_end(f, &large);
}

void tile_run(Kernel *k, void (*otherwise)(Kernel *k)) {
    Fn *f = k->f;
    Tiling tiling, *t = &tiling;
    open_tiling(t, k);
    LLVMValueRef lanes = fn_int(f, t->plan.lanes), rows = fn_int(f, t->rows);
    LLVMValueRef is_wide = fn_cmp(f, LLVMIntSGE, k->dims[k->rank - 1], lanes);
    LLVMValueRef is_tall = fn_cmp(f, LLVMIntSGE, k->dims[t->axis], rows), nchunks = k->nchunks;
    If fits = if_begin(f, fn_bin(f, LLVMAnd, is_wide, is_tall));
    k->nchunks = fn_int(f, 1);
    for (int i = 0; i < k->rank - 1; i++) {
        LLVMValueRef n = i == t->axis ? pieces_of(f, k->dims[i], t->rows) : k->dims[i];
        k->nchunks = fn_mul(f, k->nchunks, n);
    }
    Env env = {0};
    LLVMValueRef fn = kernel_range_fn(k, &env, emit_bands);
    kernel_run(k, fn, env.p);
    k->nchunks = nchunks;
    if_else(f, &fits);
    otherwise(k);
    if_end(f, &fits);
}
